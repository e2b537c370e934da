//! The limits of all of them, and all of them on an OS thread.

use std::time::Duration;

use eventlet::Block;
use libc::{CLOCK_MONOTONIC, CLOCK_REALTIME, EBUSY, EINVAL, EPERM, ETIMEDOUT, c_int, timespec};

use crate::c::{
    Condition, Lock, Mutex, Semaphore, after, pthread_cond_clockwait, pthread_mutex_clocklock,
    pthread_mutex_timedlock, pthread_rwlock_clockrdlock, pthread_rwlock_clockwrlock,
    pthread_rwlock_timedrdlock, pthread_rwlock_timedwrlock, sem_clockwait, sem_timedwait,
};
use crate::support::{MS, NEVER, errno, green, run_paused, timed};

const HOUR: Duration = Duration::from_secs(3600);

/// Makes each call that waits until a time, for what is not to be had, and returns their errors.
fn late(
    mutex: Mutex,
    read: Lock,
    write: Lock,
    semaphore: Semaphore,
    limit: Duration,
) -> [c_int; 8] {
    let (real, steady) = (after(CLOCK_REALTIME, limit), after(CLOCK_MONOTONIC, limit));
    let failed = |result: c_int| if result == -1 { errno() } else { result };
    [
        pthread_mutex_timedlock(mutex, &real),
        pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &steady),
        pthread_rwlock_timedrdlock(write, &real),
        pthread_rwlock_timedwrlock(read, &real),
        pthread_rwlock_clockrdlock(write, CLOCK_MONOTONIC, &steady),
        pthread_rwlock_clockwrlock(read, CLOCK_MONOTONIC, &steady),
        failed(sem_timedwait(semaphore, &real)),
        failed(sem_clockwait(semaphore, CLOCK_MONOTONIC, &steady)),
    ]
}

/// Has another thread, of whatever kind, hold what [`late`] asks for.
fn held(hold: impl FnOnce(Box<dyn FnOnce() + Send>)) -> (Mutex, Lock, Lock, Semaphore) {
    let (mutex, read, write) = (Mutex::plain(), Lock::unlocked(), Lock::unlocked());
    hold(Box::new(move || {
        assert_eq!(mutex.lock(), 0);
        read.read();
        write.write();
    }));
    (mutex, read, write, Semaphore::with_count(0))
}

#[test]
fn all_is_as_ever_on_an_os_thread() {
    eventlet_shim::monkey_patch();
    let (mutex, read, write, semaphore) =
        held(|holds| std::thread::spawn(holds).join().expect("it takes what is free"));
    assert_eq!(late(mutex, read, write, semaphore, 2 * MS), [ETIMEDOUT; 8]);
    assert_eq!(mutex.try_lock(), EBUSY);
    semaphore.post();
    semaphore.wait();

    let (mutex, condition) = (Mutex::of_kind(libc::PTHREAD_MUTEX_RECURSIVE), Condition::plain());
    assert_eq!([mutex.lock(), mutex.lock(), mutex.unlock(), mutex.unlock()], [0; 4]);
    assert_eq!(mutex.unlock(), EPERM);
    assert_eq!(mutex.lock(), 0);
    let other = std::thread::spawn(move || {
        assert_eq!(mutex.lock(), 0);
        condition.signal();
        condition.broadcast();
        mutex.unlock()
    });
    assert_eq!(condition.wait(mutex), 0);
    assert_eq!(mutex.unlock(), 0);
    assert_eq!(other.join().unwrap(), 0);
    assert_eq!(mutex.lock(), 0);
    assert_eq!(condition.wait_until(mutex, after(CLOCK_REALTIME, 2 * MS)), ETIMEDOUT);
}

#[test]
fn limits_are_on_virtual_time() {
    run_paused(|| {
        let (mutex, read, write, semaphore) = held(|holds| green(holds).block().unwrap());
        let ((), took) = timed(|| {
            assert_eq!(late(mutex, read, write, semaphore, HOUR), [ETIMEDOUT; 8]);
            let own = Mutex::plain();
            assert_eq!(own.lock(), 0);
            for clock in [CLOCK_REALTIME, CLOCK_MONOTONIC] {
                let condition = Condition::of_clock(clock);
                assert_eq!(condition.wait_until(own, after(clock, HOUR)), ETIMEDOUT);
                assert_eq!(own.try_lock(), EBUSY, "it has the mutex again");
            }
            let (condition, time) = (Condition::plain(), after(CLOCK_MONOTONIC, HOUR));
            let waited = pthread_cond_clockwait(condition, own, CLOCK_MONOTONIC, &time);
            assert_eq!(waited, ETIMEDOUT);
        });
        assert!(took < NEVER, "{took:?}");
        let past = timespec { tv_sec: -1, tv_nsec: 0 };
        let none = timespec { tv_sec: 1, tv_nsec: 2_000_000_000 };
        assert_eq!(pthread_mutex_timedlock(mutex, &past), ETIMEDOUT);
        assert_eq!(pthread_mutex_timedlock(mutex, &none), EINVAL);
    });
}
