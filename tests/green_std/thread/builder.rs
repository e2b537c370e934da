use eventlet::debug;
use eventlet::green::sync::mpsc;
use eventlet::green::thread::{self, Builder};
use eventlet::{GreenThread, spawn};

use crate::support::{OnDrop, panics_here};
use crate::{counter, run};

#[test]
fn test_unnamed_thread() {
    run(|| {
        thread::spawn(|| assert!(thread::current().name().is_none())).join().unwrap();
    });
}

#[test]
fn test_named_thread() {
    run(|| {
        let named = Builder::new().name("ada lovelace".to_owned());
        let handle = named.spawn(|| thread::current().name() == Some("ada lovelace")).unwrap();
        let seen = debug::green_threads();
        assert!(seen.iter().any(|shown| shown.name.as_deref() == Some("ada lovelace")));
        let thread = handle.thread().clone();
        assert!(handle.join().unwrap());
        assert_eq!(thread.name(), Some("ada lovelace"), "also when it has ended");
        assert!(format!("{thread:?}").contains("ada lovelace"));
    });
}

#[test]
fn a_name_given_later_counts_until_somebody_looks() {
    run(|| {
        let gt = spawn(std::future::pending::<()>());
        gt.set_name("late");
        let handle = thread::JoinHandle::from(gt);
        assert_eq!(handle.thread().name(), Some("late"));
        let gt = GreenThread::from(handle);
        gt.kill();
        assert_eq!(thread::JoinHandle::from(gt).thread().name(), None);
    });
}

#[test]
fn test_thread_id_equal() {
    run(|| assert_eq!(thread::current().id(), thread::current().id()));
}

#[test]
fn test_thread_id_not_equal() {
    run(|| {
        let spawned = thread::spawn(|| thread::current().id());
        let known = spawned.thread().id();
        let id = spawned.join().unwrap();
        assert_eq!(id, known);
        assert_ne!(id, thread::current().id());
    });
    let ids = [(); 2].map(|()| {
        let hub = || eventlet::run(async { thread::current().id() });
        std::thread::spawn(hub).join().unwrap()
    });
    assert_ne!(ids[0], ids[1], "green threads of two hubs");
}

#[test]
fn who_asks_only_when_it_has_ended_gets_the_same_number() {
    run(|| {
        let handle = thread::spawn(|| thread::current().id());
        thread::yield_now();
        assert!(handle.is_finished());
        let id = handle.thread().id();
        handle.thread().unpark();
        assert_eq!(handle.join().unwrap(), id);
    });
}

#[test]
fn stackless_green_threads_have_one_too_and_others_have_none() {
    run(|| {
        let gt = spawn(async { thread::current().id() });
        let handle = thread::JoinHandle::from(gt);
        let id = handle.thread().id();
        assert_eq!(handle.join().unwrap(), id);
    });
    panics_here!("needs a hub", thread::current());
}

#[test]
fn it_is_known_in_destructors() {
    run(|| {
        let (tx, rx) = mpsc::channel();
        let gt = GreenThread::from(thread::spawn(move || {
            let _last = OnDrop(move || tx.send(thread::current().id()).unwrap());
            thread::park();
        }));
        thread::yield_now();
        gt.kill();
        assert_eq!(rx.recv(), Ok(thread::JoinHandle::from(gt).thread().id()));
    });
}

#[test]
fn a_stack_of_its_own_size_is_as_deep() {
    fn recurse(depth: usize) -> usize {
        let page = std::hint::black_box([depth as u8; 4096]);
        if depth == 0 { 0 } else { recurse(depth - 1) + usize::from(page[0] == depth as u8) }
    }
    run(|| {
        let deep = Builder::new().stack_size(8 * 1024 * 1024);
        assert_eq!(deep.spawn(|| recurse(1000)).unwrap().join().unwrap(), 1000);
    });
}

#[test]
fn where_there_is_no_stack_the_spawner_gets_an_error_and_the_closure_is_dropped() {
    run(|| {
        let (drops, seen) = counter();
        let guard = OnDrop(move || drops.set(drops.get() + 1));
        let huge = Builder::new().stack_size(usize::MAX / 4);
        let error = huge.spawn(move || drop(guard)).unwrap_err();
        assert!(error.to_string().contains("refuses a green stack"), "{error}");
        assert_eq!(seen.get(), 1);
    });
}

#[test]
fn a_stack_that_was_taken_and_not_used_is_given_back() {
    run(|| {
        let warm = || Builder::new().spawn(|| ()).unwrap();
        warm().join().unwrap();
        let before = eventlet::stackful::stack_stats().in_use;
        let gt = GreenThread::from(warm());
        assert_eq!(eventlet::stackful::stack_stats().in_use, before + 1, "it is taken at once");
        gt.kill();
        assert_eq!(eventlet::stackful::stack_stats().in_use, before);
    });
}
