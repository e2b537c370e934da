use std::rc::Rc;
use std::time::Duration;

use eventlet::green::sync::{Arc, Condvar, Mutex, mpsc};
use eventlet::green::thread;
use eventlet::{Block, GreenThread, Timeout};
use tokio::time::Instant;

use crate::support::{OnDrop, ms, panics_here, yields};
use crate::{counter, run, unwinds};

#[test]
fn smoke() {
    let changed = Condvar::new();
    changed.notify_one();
    changed.notify_all();
}

#[test]
fn notify_one() {
    run(|| {
        static LOCK: Mutex<()> = Mutex::new(());
        static CHANGED: Condvar = Condvar::new();
        let guard = LOCK.lock().unwrap();
        let other = thread::spawn(|| {
            let _guard = LOCK.lock().unwrap();
            CHANGED.notify_one();
        });
        let guard = yields!(CHANGED.wait(guard).unwrap());
        assert!(LOCK.try_lock().is_err(), "it is locked again");
        drop(guard);
        other.join().unwrap();
    });
}

#[test]
fn notify_all() {
    run(|| {
        const N: usize = 10;
        let data = Arc::new((Mutex::new(0), Condvar::new()));
        let (tx, rx) = mpsc::channel();
        for _ in 0..N {
            let (data, tx) = (Arc::clone(&data), tx.clone());
            thread::spawn(move || {
                let (lock, changed) = &*data;
                let mut count = lock.lock().unwrap();
                *count += 1;
                if *count == N {
                    tx.send(()).unwrap();
                }
                while *count != 0 {
                    count = changed.wait(count).unwrap();
                }
                tx.send(()).unwrap();
            });
        }
        drop(tx);
        let (lock, changed) = &*data;
        rx.recv().unwrap();
        let mut count = lock.lock().unwrap();
        *count = 0;
        changed.notify_all();
        drop(count);
        assert_eq!(rx.iter().count(), N);
    });
}

#[test]
fn wait_while() {
    run(|| {
        let pair = Arc::new((Mutex::new(3), Condvar::new()));
        let other = Arc::clone(&pair);
        let counts_down = thread::spawn(move || {
            for _ in 0..3 {
                *other.0.lock().unwrap() -= 1;
                other.1.notify_one();
                thread::yield_now();
            }
        });
        let left = pair.1.wait_while(pair.0.lock().unwrap(), |left| *left > 0).unwrap();
        assert_eq!(*left, 0);
        drop(left);
        counts_down.join().unwrap();
    });
}

#[test]
fn wait_timeout_wait() {
    run(|| {
        let (lock, changed) = (Mutex::new(()), Condvar::new());
        let start = Instant::now();
        let (guard, result) = changed.wait_timeout(lock.lock().unwrap(), ms(7)).unwrap();
        assert!(result.timed_out());
        assert_eq!(start.elapsed(), ms(7));
        let zero = Duration::ZERO;
        assert!(changed.wait_timeout(guard, zero).unwrap().1.timed_out());
    });
}

#[test]
fn wait_timeout_while_wait() {
    run(|| {
        let (lock, changed) = (Mutex::new(()), Rc::new(Condvar::new()));
        let other = Rc::clone(&changed);
        let notifies = thread::spawn(move || {
            for _ in 0..5 {
                thread::sleep(ms(1));
                other.notify_all();
            }
        });
        let start = Instant::now();
        let (_guard, result) =
            changed.wait_timeout_while(lock.lock().unwrap(), ms(10), |_| true).unwrap();
        assert!(result.timed_out());
        assert_eq!(start.elapsed(), ms(10), "one limit for all its waits");
        notifies.join().unwrap();
    });
}

#[test]
fn wait_timeout_while_instant_satisfy() {
    let (lock, changed) = (Mutex::new(()), Condvar::new());
    let zero = Duration::ZERO;
    let (_guard, result) =
        changed.wait_timeout_while(lock.lock().unwrap(), zero, |_| false).unwrap();
    assert!(!result.timed_out());
}

#[test]
fn wait_timeout_while_wake() {
    run(|| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&pair);
        let guard = pair.0.lock().unwrap();
        let wakes = thread::spawn(move || {
            *other.0.lock().unwrap() = true;
            other.1.notify_one();
        });
        let (started, result) =
            pair.1.wait_timeout_while(guard, Duration::MAX, |started| !*started).unwrap();
        assert!(!result.timed_out() && *started);
        drop(started);
        wakes.join().unwrap();
    });
}

#[test]
fn wait_timeout_wake() {
    run(|| {
        let pair = Arc::new((Mutex::new(()), Condvar::new()));
        let other = Arc::clone(&pair);
        let guard = pair.0.lock().unwrap();
        let wakes = thread::spawn(move || {
            drop(other.0.lock().unwrap());
            other.1.notify_one();
        });
        let (guard, result) = pair.1.wait_timeout(guard, Duration::MAX).unwrap();
        assert!(!result.timed_out());
        drop(guard);
        wakes.join().unwrap();
    });
}

#[test]
fn a_notification_for_nobody_wakes_nobody() {
    run(|| {
        let (lock, changed) = (Mutex::new(()), Condvar::new());
        changed.notify_one();
        changed.notify_one();
        changed.notify_all();
        let (_guard, result) = changed.wait_timeout(lock.lock().unwrap(), ms(1)).unwrap();
        assert!(result.timed_out());
    });
}

/// What several who wait do: each counts when it was notified.
struct Line {
    lock: Arc<Mutex<()>>,
    changed: Arc<Condvar>,
    woken: Rc<std::cell::Cell<usize>>,
    waiting: Vec<GreenThread<()>>,
}

impl Line {
    fn of(count: usize) -> Line {
        let (lock, changed) = (Arc::new(Mutex::new(())), Arc::new(Condvar::new()));
        let (woken, counted) = counter();
        let waits = |_| {
            let (lock, changed) = (Arc::clone(&lock), Arc::clone(&changed));
            let woken = Rc::clone(&woken);
            thread::spawn(move || {
                let _guard = changed.wait(lock.lock().unwrap()).unwrap();
                woken.set(woken.get() + 1);
            })
            .into()
        };
        let waiting = (0..count).map(waits).collect();
        thread::yield_now();
        Line { lock, changed, woken: counted, waiting }
    }

    /// Lets everybody go on who can, and returns how many were woken so far.
    fn settle(&self) -> usize {
        thread::sleep(ms(1));
        self.woken.get()
    }

    fn end(self) {
        self.changed.notify_all();
        self.waiting.into_iter().for_each(|waiting| drop(waiting.block()));
        drop(self.lock.try_lock().unwrap_or_else(|_| panic!("the lock was lost, or is poisoned")));
    }
}

#[test]
fn a_notification_of_one_who_is_killed_goes_to_the_next() {
    run(|| {
        let line = Line::of(3);
        line.changed.notify_one();
        line.waiting[0].kill();
        assert_eq!(line.settle(), 1);
        line.end();
    });
}

#[test]
fn a_notification_of_one_who_is_killed_on_its_way_to_the_lock_goes_to_the_next() {
    run(|| {
        let line = Line::of(3);
        let guard = line.lock.lock().unwrap();
        line.changed.notify_one();
        // It takes the notification, and waits for the lock.
        thread::yield_now();
        line.waiting[0].kill();
        drop(guard);
        assert_eq!(line.settle(), 1);
        line.end();
    });
}

#[test]
fn who_is_killed_while_it_waits_does_not_have_the_lock_and_does_not_poison_it() {
    run(|| {
        let line = Line::of(1);
        line.waiting[0].kill();
        drop(line.lock.try_lock().unwrap());
        line.end();
    });
}

#[test]
fn a_limit_around_it_ends_the_wait() {
    run(|| {
        let (lock, changed) = (Rc::new(Mutex::new(())), Rc::new(Condvar::new()));
        let limit = Timeout::new(ms(3));
        let (inside, waits) = (Rc::clone(&lock), Rc::clone(&changed));
        let result = limit.run_blocking(move || drop(waits.wait(inside.lock().unwrap()).unwrap()));
        assert_eq!(result, Err(limit));
        drop(lock.try_lock().unwrap());
    });
}

#[test]
fn where_nobody_can_wait_it_panics_and_a_limit_has_passed_at_once() {
    let (lock, changed) = (Mutex::new(()), Condvar::new());
    panics_here!("waits on a green stack", changed.wait(lock.lock().unwrap()));
    drop(lock.try_lock().unwrap());
    run(|| {
        let (lock, changed) = (Mutex::new(()), Condvar::new());
        unwinds(|| {
            let _last = OnDrop(|| {
                let guard = lock.lock().unwrap();
                let (guard, result) = changed.wait_timeout(guard, Duration::MAX).unwrap();
                assert!(result.timed_out());
                panics_here!("while its green stack unwinds", changed.wait(guard));
            });
            panic!("the destructor would like to wait");
        });
        drop(lock.try_lock().unwrap());
    });
}
