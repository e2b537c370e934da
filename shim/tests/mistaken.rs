//! What green threads of one hub cannot share, as it knows them by their OS thread, is reported.
//! For channels see `alone`.

mod support;

use std::sync::{Arc, mpsc};
use std::thread;

use eventlet::Block;
use support::{MS, child, crowd, green, run, turns};

#[inline(never)]
fn waits_for_its_turn(lock: &parking_lot::Mutex<u32>) {
    *lock.lock() += 1;
}

#[test]
fn two_that_wait_for_a_lock_of_parking_lot() {
    if !child::is_child() {
        let output = child::command("two_that_wait_for_a_lock_of_parking_lot").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        assert_eq!(text.matches("a lock that green threads cannot share").count(), 1, "{text}");
        assert_eq!(text.matches("waits_for_its_turn").count(), 2, "both backtraces: {text}");
        assert!(text.contains("shim/parking_lot_core"), "the cure: {text}");
        return;
    }
    run(|| {
        let lock = Arc::new(parking_lot::Mutex::new(0));
        let held = lock.lock();
        let _waiting: Vec<_> = (0..2)
            .map(|_| {
                let lock = lock.clone();
                green(move || waits_for_its_turn(&lock))
            })
            .collect();
        turns(5);
        assert_eq!(eventlet_shim::stats().mistaken, 1);
        drop(held);
        std::process::exit(0);
    });
}

#[test]
fn what_works_is_not_reported() {
    run(|| {
        let lock = Arc::new(parking_lot::Mutex::new(0));
        let (sender, receiver) = mpsc::channel();
        let other = thread::spawn(move || {
            thread::sleep(1_200 * MS);
            sender.send(1).unwrap();
        });
        let waiting = green(move || receiver.recv().unwrap());
        let locked = lock.clone();
        crowd(20, move |_| *locked.lock() += 1);
        assert_eq!((waiting.block().unwrap(), *lock.lock()), (1, 20));
        other.join().unwrap();
        assert_eq!(eventlet_shim::stats().mistaken, 0);
    });
}
