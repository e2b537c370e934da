//! `parking_lot`, unmodified, in two versions, and `dashmap`, which parks by itself: for green
//! threads of one hub, together with OS threads.

#[path = "../../../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use eventlet::Block;
use parking_lot::{Condvar, FairMutex, Mutex, Once, OnceState, RwLock, RwLockUpgradableReadGuard};
use support::{MS, child, crowd, green, os_threads, run, run_paused, timed, turns};

const HOUR: Duration = Duration::from_secs(3600);

/// A counter that is read and written at different times.
trait Count: Clone + 'static {
    /// Waits in between, for the hub or with the OS thread.
    fn count(&self, waits: fn());

    fn total(&self) -> u32;
}

fn turn() {
    eventlet::sleep(Duration::ZERO).block();
}

macro_rules! counts_by {
    ($type:ty, $lock:ident) => {
        impl Count for Arc<$type> {
            fn count(&self, waits: fn()) {
                let mut guard = self.$lock();
                let before = *guard;
                waits();
                *guard = before + 1;
            }

            fn total(&self) -> u32 {
                *self.$lock()
            }
        }
    };
}

counts_by!(Mutex<u32>, lock);
counts_by!(FairMutex<u32>, lock);
counts_by!(RwLock<u32>, write);
counts_by!(parking_lot_0_13::Mutex<u32>, lock);
counts_by!(parking_lot_0_13::RwLock<u32>, write);

/// A hundred green threads and four OS threads, each of them ten times.
fn counts(counter: impl Count + Send) {
    let total = run(move || {
        let os_thread = |_| {
            let counter = counter.clone();
            thread::spawn(move || (0..10).for_each(|_| counter.count(thread::yield_now)))
        };
        let others: Vec<_> = (0..4).map(os_thread).collect();
        let theirs = counter.clone();
        crowd(100, move |_| (0..10).for_each(|_| theirs.count(turn)));
        others.into_iter().for_each(|other| other.join().unwrap());
        counter.total()
    });
    assert_eq!(total, 1_040);
}

#[test]
fn a_mutex_is_held_over_a_sleep() {
    counts(Arc::new(Mutex::new(0)));
}

#[test]
fn a_fair_mutex_is_held_over_a_sleep() {
    counts(Arc::new(FairMutex::new(0)));
}

#[test]
fn a_writer_is_alone_over_a_sleep() {
    counts(Arc::new(RwLock::new(0)));
}

/// Three hubs, each with thirty green threads, some of which want the lock for a while only.
#[test]
fn hubs_share_a_lock() {
    eventlet_shim::monkey_patch();
    let lock = Arc::new((RwLock::new(0_u32), AtomicUsize::new(0)));
    let hub = |_| {
        let lock = lock.clone();
        thread::spawn(move || run(move || crowd(30, move |number| wants(&lock, number))))
    };
    let hubs: Vec<_> = (0..3).map(hub).collect();
    hubs.into_iter().for_each(|hub| drop(hub.join().unwrap()));
    let (count, late) = &*lock;
    assert_eq!(*count.try_read().unwrap() as usize + late.load(Ordering::SeqCst), 3 * 30 * 20);
}

fn wants((count, late): &(RwLock<u32>, AtomicUsize), number: usize) {
    for round in 0..20 {
        let limit = if number.is_multiple_of(3) { MS / 10 } else { HOUR };
        match count.try_write_for(limit) {
            Some(mut count) => {
                let before = *count;
                if round % 4 == 0 {
                    turn();
                }
                *count = before + 1;
            }
            None => drop(late.fetch_add(1, Ordering::SeqCst)),
        }
    }
}

#[test]
fn so_it_is_with_the_other_version() {
    counts(Arc::new(parking_lot_0_13::Mutex::new(0)));
    counts(Arc::new(parking_lot_0_13::RwLock::new(0)));
}

#[test]
fn readers_share_a_lock_and_one_of_them_may_become_a_writer() {
    run(|| {
        let lock = Arc::new(RwLock::new(0));
        let same = lock.clone();
        crowd(100, move |number| match number % 5 {
            0 => {
                let guard = same.upgradable_read();
                let before = *guard;
                turn();
                *RwLockUpgradableReadGuard::upgrade(guard) = before + 1;
            }
            1 => *same.write() += 1,
            _ => {
                let guard = same.read();
                let before = *guard;
                turns(3);
                assert_eq!(*guard, before);
            }
        });
        assert_eq!(*lock.read(), 40);
    });
}

#[test]
fn a_condition_variable_wakes_one_and_all() {
    run(|| {
        let pair = Arc::new((Mutex::new(0), Condvar::new()));
        let taken = Arc::new(AtomicUsize::new(0));
        let take = {
            let (pair, taken) = (pair.clone(), taken.clone());
            move || {
                let (left, more) = &*pair;
                let mut left = left.lock();
                more.wait_while(&mut left, |left| *left == 0);
                *left -= 1;
                taken.fetch_add(1, Ordering::SeqCst);
            }
        };
        let on_os_threads: Vec<_> = (0..4).map(|_| thread::spawn(take.clone())).collect();
        let on_green: Vec<_> = (0..100).map(|_| green(take.clone())).collect();
        let (left, more) = &*pair;
        for _ in 0..50 {
            *left.lock() += 1;
            more.notify_one();
        }
        while taken.load(Ordering::SeqCst) < 50 {
            turn();
        }
        let mut all = left.lock();
        *all = 54;
        // Those who are there wait for the lock from now on, as it is held.
        more.notify_all();
        turn();
        drop(all);
        on_green.into_iter().for_each(|one| one.block().unwrap());
        on_os_threads.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!((taken.load(Ordering::SeqCst), *left.lock()), (104, 0));
    });
}

#[test]
fn what_is_done_once_is_waited_for() {
    static ONCE: Once = Once::new();
    static DONE: AtomicUsize = AtomicUsize::new(0);
    fn once() {
        ONCE.call_once(|| {
            thread::sleep(5 * MS);
            DONE.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(DONE.load(Ordering::SeqCst), 1);
    }
    run(|| {
        let other = thread::spawn(once);
        crowd(100, |_| once());
        other.join().unwrap();
        assert_eq!(ONCE.state(), OnceState::Done);
    });
}

#[test]
fn a_limit_passes_while_the_lock_is_held() {
    run(|| {
        let (lock, shared) = (Arc::new(Mutex::new(())), Arc::new(RwLock::new(())));
        let (held, written) = (lock.lock(), shared.write());
        let (locks, before) = ((lock.clone(), shared.clone()), Instant::now());
        let (_, took) = timed(|| {
            crowd(100, move |number| match number % 3 {
                0 => assert!(locks.0.try_lock_for(20 * MS).is_none()),
                1 => assert!(locks.1.try_read_for(20 * MS).is_none()),
                _ => assert!(locks.1.try_write_until(before + 20 * MS).is_none()),
            });
        });
        assert!(took >= 20 * MS, "{took:?}");
        drop((held, written));
        // Nobody is left in a queue, or marked as waiting.
        assert!(lock.try_lock().is_some() && shared.try_write().is_some());
        assert!(lock.try_lock_for(HOUR).is_some() && shared.try_read_for(HOUR).is_some());
    });
}

#[test]
fn who_gets_the_lock_in_time_is_not_late() {
    run(|| {
        let lock = Arc::new(Mutex::new(0));
        let held = lock.lock();
        let same = lock.clone();
        let waiting = green(move || *same.try_lock_for(HOUR).unwrap() += 1);
        drop(held);
        waiting.block().unwrap();
        assert_eq!(*lock.lock(), 1);
    });
}

#[test]
fn limits_are_on_virtual_time() {
    run_paused(|| {
        let lock = Arc::new(Mutex::new(()));
        let same = lock.clone();
        let held = lock.lock();
        let waiting = green(move || timed(|| same.try_lock_for(HOUR).is_none()));
        let (late, took) = waiting.block().unwrap();
        assert!(late && took < Duration::from_secs(10), "{took:?}");
        drop(held);
        let (changed, mut guard) = (Condvar::new(), lock.lock());
        let (result, took) = timed(|| changed.wait_for(&mut guard, HOUR));
        assert!(result.timed_out() && took < Duration::from_secs(10), "{took:?}");
    });
}

#[test]
fn a_kill_returns_at_once_and_loses_no_lock() {
    run(|| {
        let lock = Arc::new(Mutex::new(0));
        let held = lock.lock();
        let count = {
            let lock = lock.clone();
            move || {
                let mut guard = lock.lock();
                turn();
                *guard += 1;
            }
        };
        let (victim, next) = (green(count.clone()), green(count));
        victim.kill();
        assert!(victim.block().unwrap_err().is_killed());
        drop(held);
        next.block().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 1, "who was killed had it, and came to no wait");
    });
}

/// It waits in vain for a second, as the lock is held, and is given up.
#[test]
fn who_waits_when_its_hub_has_ended_gets_no_lock() {
    let lock = Arc::new(Mutex::new(0));
    let held = lock.lock();
    let same = lock.clone();
    let hub = thread::spawn(move || run(move || drop(green(move || *same.lock() += 1))));
    hub.join().unwrap();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let same = lock.clone();
    let next = thread::spawn(move || {
        ready.send(()).unwrap();
        *same.try_lock_for(Duration::from_secs(20)).unwrap() += 2;
    });
    is_ready.recv().unwrap();
    drop(held);
    next.join().unwrap();
    assert_eq!(*lock.try_lock().unwrap(), 2);
}

#[test]
fn a_map_of_dashmap_counts() {
    let total = run(|| {
        let map = Arc::new(dashmap::DashMap::<usize, u32>::with_shard_amount(2));
        let count = |map: &dashmap::DashMap<usize, u32>, key, waits: fn()| {
            let mut entry = map.entry(key % 3).or_insert(0);
            let before = *entry;
            waits();
            *entry = before + 1;
        };
        let (theirs, same) = (map.clone(), map.clone());
        let other =
            thread::spawn(move || (0..100).for_each(|key| count(&theirs, key, thread::yield_now)));
        crowd(100, move |key| count(&same, key, turn));
        other.join().unwrap();
        map.iter().map(|entry| *entry.value()).sum::<u32>()
    });
    assert_eq!(total, 200);
}

#[test]
fn nothing_is_reported_and_no_thread_is_started() {
    if !child::is_child() {
        let this = "nothing_is_reported_and_no_thread_is_started";
        let output = child::command(this).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.is_empty(), "{text}");
        return;
    }
    run(|| {
        let lock = Arc::new(Mutex::new(0));
        let before = os_threads();
        crowd(100, move |_| lock.count(turn));
        assert_eq!(os_threads(), before);
        let stats = eventlet_shim::stats();
        assert_eq!((stats.mistaken, stats.blocked), (0, 0));
    });
}

#[test]
fn the_doctor_knows_the_patched_one() {
    let found = eventlet_shim::doctor();
    let names: Vec<_> = found.traces.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["parking_lot, patched"], "{found}");
}
