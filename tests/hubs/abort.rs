//! `hub.abort`, and hubs that have ended.

use std::cell::Cell;
use std::future::pending;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use eventlet::hubs::get_hub;
use eventlet::runtime::{Aborted, Builder};
use eventlet::{HubThread, run, sleep, spawn_n};

/// Counts when it is dropped.
struct Counts(Rc<Cell<u32>>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn one_green_thread_ends_all() {
    let dropped = Rc::new(Cell::new(0));
    let counts = || Counts(Rc::clone(&dropped));
    let (of_main, of_other, of_aborter) = (counts(), counts(), counts());
    let after = Rc::new(Cell::new(false));
    let went_on = Rc::clone(&after);
    let ended = Builder::new().run(async move {
        let _dropped = of_main;
        spawn_n(async move {
            let _dropped = of_other;
            pending::<()>().await;
        });
        sleep(Duration::ZERO).await;
        spawn_n(async move {
            let _dropped = of_aborter;
            get_hub().abort();
            went_on.set(true);
            pending::<()>().await;
        });
        pending::<()>().await
    });
    let error = ended.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Interrupted, "the hub was aborted")
    );
    assert!(Aborted::is_in(&error));
    assert_eq!((dropped.get(), after.get()), (3, true));
}

#[cfg(feature = "stackful")]
#[test]
fn main_may_end_its_hub_on_a_stack() {
    use eventlet::{Block, stackful};

    let dropped = Rc::new(Cell::new(0));
    let of_main = Counts(Rc::clone(&dropped));
    let ended: std::io::Result<()> = Builder::new().run(stackful(move || {
        let _dropped = of_main;
        get_hub().abort();
        sleep(Duration::ZERO).block();
        unreachable!("it ends at its next wait");
    }));
    assert!(Aborted::is_in(&ended.unwrap_err()));
    assert_eq!(dropped.get(), 1);
}

#[test]
fn run_has_no_value_then() {
    let ended = catch_unwind(|| {
        run(async {
            get_hub().abort();
            pending::<()>().await;
        });
    });
    let payload = ended.unwrap_err();
    let message = payload.downcast_ref::<String>().unwrap();
    assert_eq!(message, "the main green thread has no value to return: the hub was aborted");
}

#[test]
fn a_hub_thread_ends_as_after_a_shutdown() {
    let hub = HubThread::start();
    let parked = hub.spawn(pending::<()>);
    hub.spawn(|| async { get_hub().abort() }).join().unwrap();
    assert!(parked.join().unwrap_err().is_killed());
    assert!(hub.spawn(|| async { 42 }).join().is_err());
    hub.shutdown().join();
}

#[test]
fn a_hub_that_has_ended_calls_nobody() {
    let old = run(async { get_hub() });
    old.abort();
    run(async move {
        let call = || old.schedule_call_global(Duration::ZERO, || {});
        let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert!(payload.downcast_ref::<&str>().unwrap().starts_with("this hub has ended"));
    });
}
