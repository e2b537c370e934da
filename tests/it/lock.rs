// eventlet tests/thread_test.py and semaphore_test.py at c8f903a3

use eventlet::lock::Lock;
use eventlet::{sleep, spawn};

use crate::support::{Log, ZERO, both_colours, keeps_turn, ms, panics_here};

both_colours! {
    fn one_at_a_time_in_the_order_of_asking() {
        let (lock, log) = (Lock::new(), Log::new());
        let visits: Vec<_> = (0..3).map(|n| {
            let (lock, log) = (lock.clone(), log.clone());
            spawn(green!({
                let _guard = wait!(lock.lock());
                log.add(format!("+{n}"));
                wait!(sleep(ms(1)));
                log.add(format!("-{n}"));
            }))
        }).collect();
        for visit in visits {
            wait!(visit).unwrap();
        }
        assert_eq!(log.text(), "+0 -0 +1 -1 +2 -2");
    }

    fn a_guard_is_had_without_waiting_or_within_a_limit() {
        let lock = Lock::new();
        let guard = lock.try_lock();
        assert!(guard.is_some() && lock.try_lock().is_none());
        assert!(wait!(lock.lock_timeout(ms(1))).is_none());
        drop(guard);
        let guard = keeps_turn!(wait!(lock.lock_timeout(ms(1))));
        assert!(guard.is_some() && lock.locked());
        drop(guard);
        assert!(!lock.locked());
    }

    fn a_free_lock_is_had_at_once() {
        let lock = Lock::new();
        keeps_turn!(wait!(lock.acquire()));
        assert!(lock.locked());
        keeps_turn!(lock.release());
        assert!(!lock.locked());
    }

    fn a_killed_holder_gives_it_back_and_a_killed_waiter_passes_it_on() {
        let lock = Lock::new();
        let hold = |lock: Lock| green!({
            let _guard = wait!(lock.lock());
            wait!(sleep(ms(99)));
        });
        let (holder, waiter, next) = (spawn(hold(lock.clone())), spawn(hold(lock.clone())), spawn(hold(lock.clone())));
        wait!(sleep(ZERO));
        holder.kill();
        waiter.kill();
        wait!(sleep(ZERO));
        assert!(lock.locked(), "the third one has it");
        next.kill();
        assert!(!lock.locked());
    }

    // test_lock_error_type: a RuntimeError in Python
    fn a_lock_that_nobody_has_cannot_be_released() {
        let lock = Lock::new();
        panics_here!("released that is not held", lock.release());
        assert!(!lock.locked());
    }
}
