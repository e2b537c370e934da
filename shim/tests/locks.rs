//! Locks of `std`, parking, channels from other OS threads, and joining.

#![allow(unsafe_code)]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, RwLock, mpsc};
use std::time::Duration;

use eventlet::{Block, Timeout};
use support::{MS, NEVER, crowd, green, run, run_paused, timed, turns};

#[test]
fn a_mutex_is_held_over_a_sleep() {
    let total = run(|| {
        let lock = Arc::new(Mutex::new(0));
        let same = lock.clone();
        crowd(30, move |_| {
            let mut count = same.lock().unwrap();
            let before = *count;
            std::thread::sleep(MS);
            *count = before + 1;
        });
        *lock.lock().unwrap()
    });
    assert_eq!(total, 30);
}

#[test]
fn readers_share_a_lock_and_a_writer_has_it_alone() {
    run(|| {
        let lock = Arc::new(RwLock::new(0));
        crowd(20, move |number| match number % 4 {
            0 => {
                let mut value = lock.write().unwrap();
                let before = *value;
                std::thread::sleep(MS);
                *value = before + 1;
            }
            _ => {
                let value = lock.read().unwrap();
                let before = *value;
                std::thread::sleep(MS);
                assert_eq!(*value, before);
            }
        });
    });
}

#[test]
fn a_condition_variable_wakes_and_its_limit_is_on_virtual_time() {
    run_paused(|| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = pair.clone();
        let waiting = green(move || {
            let (ready, changed) = &*theirs;
            let guard = changed.wait_while(ready.lock().unwrap(), |ready| !*ready).unwrap();
            *guard
        });
        let (ready, changed) = &*pair;
        *ready.lock().unwrap() = true;
        changed.notify_one();
        assert!(waiting.block().unwrap());
        let guard = ready.lock().unwrap();
        let ((_guard, late), took) =
            timed(|| changed.wait_timeout(guard, Duration::from_secs(3600)).unwrap());
        assert!(late.timed_out() && took < NEVER, "{took:?}");
    });
}

#[test]
fn barriers_once_and_lazy_values() {
    static LAZY: LazyLock<u32> = LazyLock::new(|| {
        std::thread::sleep(5 * MS);
        7
    });
    static ONCE: Once = Once::new();
    run(|| {
        let barrier = Arc::new(Barrier::new(10));
        let leaders = crowd(10, move |_| {
            ONCE.call_once(|| std::thread::sleep(5 * MS));
            assert_eq!(*LAZY, 7);
            barrier.wait().is_leader()
        });
        assert_eq!(leaders.into_iter().filter(|leads| *leads).count(), 1);
    });
}

#[test]
fn other_os_threads_and_green_threads_lock_the_same() {
    let total = run(|| {
        let lock = Arc::new(Mutex::new(0_u64));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let lock = lock.clone();
                std::thread::spawn(move || (0..20_000).for_each(|_| *lock.lock().unwrap() += 1))
            })
            .collect();
        let same = lock.clone();
        crowd(10, move |_| {
            for round in 0..2_000 {
                let mut count = same.lock().unwrap();
                if round % 200 == 0 {
                    turns(1);
                }
                *count += 1;
            }
        });
        others.into_iter().for_each(|other| other.join().unwrap());
        *lock.lock().unwrap()
    });
    assert_eq!(total, 2 * 20_000 + 10 * 2_000);
}

#[test]
fn many_wait_in_park_timeout_and_recv_timeout_at_once() {
    run(|| {
        let (_, took) = timed(|| {
            crowd(500, |number| match number % 2 {
                0 => std::thread::park_timeout(100 * MS),
                _ => {
                    let (_sender, receiver) = mpsc::channel::<()>();
                    assert!(receiver.recv_timeout(100 * MS).is_err());
                }
            })
        });
        // One after the other they take fifty seconds.
        assert!(took >= 100 * MS && took < NEVER, "{took:?}");
    });
}

#[test]
fn an_unpark_from_another_os_thread_is_seen_by_all_who_park() {
    run(|| {
        let hub = std::thread::current();
        let count = Arc::new(AtomicU32::new(0));
        let parked: Vec<_> = (0..10)
            .map(|_| {
                let count = count.clone();
                green(move || {
                    while count.load(Ordering::SeqCst) == 0 {
                        std::thread::park();
                    }
                })
            })
            .collect();
        std::thread::spawn(move || {
            std::thread::sleep(5 * MS);
            count.store(1, Ordering::SeqCst);
            hub.unpark();
        });
        parked.into_iter().for_each(|parked| parked.block().unwrap());
    });
}

#[test]
fn channels_bring_what_other_os_threads_send() {
    run(|| {
        let sums = crowd(20, |number| {
            let (sender, receiver) = mpsc::channel();
            std::thread::spawn(move || {
                for item in 0..50 {
                    if item % 10 == number % 10 {
                        std::thread::sleep(MS);
                    }
                    sender.send(item).unwrap();
                }
            });
            receiver.iter().sum::<usize>()
        });
        assert_eq!(sums, [50 * 49 / 2; 20]);
    });
}

#[test]
fn os_threads_are_joined_while_others_run() {
    // Each OS thread ends when all of them are there. If who joins the first blocks the hub, they
    // never are.
    static THERE: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());
    fn meet(number: usize) -> usize {
        let mut there = THERE.0.lock().unwrap();
        *there += 1;
        THERE.1.notify_all();
        let (_there, late) = THERE.1.wait_timeout_while(there, NEVER, |there| *there < 10).unwrap();
        assert!(!late.timed_out(), "the others do not come");
        number
    }
    run(|| {
        let values = crowd(10, |number| {
            let joined = std::thread::spawn(move || meet(number)).join().unwrap();
            std::thread::scope(|scope| scope.spawn(move || joined).join().unwrap())
        });
        assert_eq!(values, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn one_that_is_killed_while_it_waits_for_a_lock_leaves_it_to_others() {
    run(|| {
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock().unwrap();
        let theirs = lock.clone();
        let victim = green(move || {
            let _guard = theirs.lock().unwrap();
            eventlet::sleep(MS).block();
            unreachable!("it was killed");
        });
        let ((), took) = timed(|| victim.kill());
        assert!(victim.dead() && took < NEVER, "{took:?}");
        drop(held);
        turns(5);
        drop(lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    });
}

/// Waits or wakes at a word that processes may share.
fn futex(word: &AtomicU32, operation: i32, value: u32) -> i64 {
    let no_time = std::ptr::null::<libc::timespec>();
    // SAFETY: the word is there.
    unsafe { libc::syscall(libc::SYS_futex, word, operation, value, no_time) }
}

#[test]
fn a_futex_of_several_processes_is_woken_and_looked_at() {
    static WORD: AtomicU32 = AtomicU32::new(0);
    run(|| {
        let wait = || (futex(&WORD, libc::FUTEX_WAIT, 0), WORD.load(Ordering::SeqCst));
        assert_eq!(futex(&WORD, libc::FUTEX_WAIT, 7), -1, "it has another value");
        let waiting = green(wait);
        assert_eq!(futex(&WORD, libc::FUTEX_WAKE, 1), 1);
        assert_eq!(waiting.block().unwrap(), (0, 0), "at once, though nothing has changed");
        // As another process does it: nobody in this one is told.
        let waiting = green(wait);
        WORD.store(1, Ordering::SeqCst);
        assert_eq!(waiting.block().unwrap(), (0, 1));
    });
}

#[test]
fn a_limit_around_a_lock_takes_effect_when_it_is_there() {
    run(|| {
        let lock = Arc::new(Mutex::new(()));
        let theirs = lock.clone();
        let holder = green(move || {
            let _guard = theirs.lock().unwrap();
            std::thread::sleep(20 * MS);
        });
        let limit = Timeout::new(5 * MS);
        let late = limit.run_blocking(|| {
            drop(lock.lock().unwrap());
            eventlet::sleep(MS).block();
        });
        assert_eq!(late, Err(limit));
        holder.block().unwrap();
    });
}

/// The wakeup goes to the green thread, which was first, and cannot run before its hub does.
#[test]
fn a_lock_that_is_waited_for_inside_a_poll_too_is_had_by_both() {
    let lock = Arc::new(Mutex::new(0));
    let (locked, is_locked) = mpsc::channel();
    let theirs = Arc::clone(&lock);
    let owner = std::thread::spawn(move || {
        let mut count = theirs.lock().unwrap();
        locked.send(()).unwrap();
        // As long as it takes the others to wait.
        std::thread::sleep(50 * MS);
        *count += 1;
    });
    let total = run(move || {
        is_locked.recv().unwrap();
        let same = Arc::clone(&lock);
        let first = green(move || *same.lock().unwrap() += 1);
        turns(1);
        async { *lock.lock().unwrap() += 1 }.block();
        first.block().unwrap();
        *lock.lock().unwrap()
    });
    owner.join().unwrap();
    assert_eq!(total, 3);
}
