//! `std::thread::scope` on a green stack that is killed in a wait of Rust: `std` catches the unwind,
//! and waits for its OS threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use eventlet::{Block, Event, run, sleep, spawn, stackful};

/// Tells, when it is dropped, that what was borrowed is gone.
struct Gone(Event<()>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.send(());
    }
}

#[test]
fn what_its_os_threads_have_borrowed_is_there_until_they_end() {
    eventlet_shim::monkey_patch();
    run(stackful(|| {
        let (go_on, waits) = mpsc::channel::<()>();
        let (over, gone) = (Arc::new(AtomicBool::new(false)), Event::new());
        let (ends, at_end) = (over.clone(), Gone(gone.clone()));
        let owner = spawn(stackful(move || {
            let _borrowed = at_end;
            thread::scope(|scope| {
                scope.spawn(move || {
                    waits.recv().unwrap();
                    ends.store(true, Ordering::SeqCst);
                });
                sleep(Duration::MAX).block();
            });
        }));
        sleep(Duration::ZERO).block();
        owner.kill();
        assert!(owner.block().unwrap_err().is_killed());
        assert!(!gone.ready());
        go_on.send(()).unwrap();
        gone.wait().block().unwrap();
        assert!(over.load(Ordering::SeqCst), "it was dropped before the OS thread had ended");
    }));
}
