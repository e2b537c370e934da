//! Condition variables.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use eventlet::Block;

use crate::c::{Condition, Mutex, Semaphore};
use crate::support::{green, run, turns};

#[test]
fn a_condition_variable_wakes_one_or_all() {
    run(|| {
        let (mutex, condition) = (Mutex::plain(), Condition::plain());
        let woken = Rc::new(Cell::new(0));
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let woken = woken.clone();
                green(move || {
                    assert_eq!(mutex.lock(), 0);
                    assert_eq!(condition.wait(mutex), 0);
                    woken.set(woken.get() + 1);
                    assert_eq!(mutex.unlock(), 0);
                })
            })
            .collect();
        condition.signal();
        turns(5);
        assert_eq!(woken.get(), 1);
        condition.broadcast();
        waiting.into_iter().for_each(|one| one.block().unwrap());
        assert_eq!(woken.get(), 10);
    });
}

#[test]
fn what_an_os_thread_unlocks_inside_libc_is_seen() {
    run(|| {
        let (mutex, condition) = (Mutex::plain(), Condition::plain());
        let (holds, go) = (Semaphore::with_count(0), Semaphore::with_count(0));
        let ready = Rc::new(AtomicBool::new(false));
        let other = std::thread::spawn(move || {
            assert_eq!(mutex.lock(), 0);
            holds.post();
            go.wait();
            assert_eq!(condition.wait(mutex), 0);
            assert_eq!(mutex.unlock(), 0);
        });
        holds.wait();
        let seen = ready.clone();
        let waiting = green(move || {
            assert_eq!(mutex.lock(), 0);
            seen.store(true, Ordering::SeqCst);
            assert_eq!(mutex.unlock(), 0);
            condition.signal();
        });
        assert!(!ready.load(Ordering::SeqCst));
        go.post();
        waiting.block().unwrap();
        other.join().unwrap();
    });
}
