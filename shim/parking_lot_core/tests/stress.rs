//! OS threads that park and unpark as fast as they can: nobody is lost, and nothing is counted
//! twice.

mod support;

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot_core::{
    DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, ParkResult, RequeueOp, UnparkToken,
};
use support::Key;

const THREADS: usize = 8;

const LOCKED: u8 = 1;
const PARKED: u8 = 2;

/// A lock of one byte, as they are built of this crate.
#[derive(Default)]
struct Lock(AtomicU8);

impl Lock {
    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn lock(&self, limit: Option<Duration>) -> bool {
        loop {
            let state = self.0.load(Ordering::Relaxed);
            if state & LOCKED == 0 {
                if self.change(state, state | LOCKED) {
                    return true;
                }
            } else if state & PARKED != 0 || self.change(state, state | PARKED) {
                match self.park(limit.map(|limit| Instant::now() + limit)) {
                    ParkResult::TimedOut => return false,
                    // It was given to this thread.
                    ParkResult::Unparked(UnparkToken(1)) => return true,
                    _ => {}
                }
            }
        }
    }

    fn park(&self, deadline: Option<Instant>) -> ParkResult {
        let validate = || self.0.load(Ordering::Relaxed) == LOCKED | PARKED;
        let timed_out = |_, last| {
            if last {
                self.0.fetch_and(!PARKED, Ordering::Relaxed);
            }
        };
        let key = self.0.as_ptr().addr();
        // SAFETY: the key is ours, and the callbacks do nothing but atomics.
        unsafe {
            parking_lot_core::park(key, validate, || (), timed_out, DEFAULT_PARK_TOKEN, deadline)
        }
    }

    fn unlock(&self) {
        if self.0.compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed).is_ok() {
            return;
        }
        let key = self.0.as_ptr().addr();
        // SAFETY: as above.
        unsafe {
            parking_lot_core::unpark_one(key, |result| {
                let given = result.unparked_threads > 0 && result.be_fair;
                let parked = if result.have_more_threads { PARKED } else { 0 };
                self.0.store(parked | u8::from(given), Ordering::Release);
                UnparkToken(given.into())
            })
        };
    }
}

struct Counter {
    lock: Lock,
    value: UnsafeCell<usize>,
}

// SAFETY: the value is used by who has the lock.
unsafe impl Sync for Counter {}

#[test]
fn a_million_times_a_lock_is_held_by_one() {
    let counter = Counter { lock: Lock::default(), value: UnsafeCell::new(0) };
    let (total, late) = (AtomicUsize::new(1_000_000), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (counter, total, late) = (&counter, &total, &late);
            // Some of them with a limit that is over soon.
            let limit = (number % 4 == 3).then_some(Duration::from_micros(20));
            scope.spawn(move || {
                let more = |count: usize| count.checked_sub(1);
                while total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok() {
                    if !counter.lock.lock(limit) {
                        late.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    // SAFETY: this thread has the lock.
                    unsafe { *counter.value.get() += 1 };
                    counter.lock.unlock();
                }
            });
        }
    });
    assert_eq!(counter.lock.0.load(Ordering::Relaxed), 0);
    assert_eq!(counter.value.into_inner() + late.into_inner(), 1_000_000);
}

/// Who parks with a limit is unparked or late, never both: those who unpark count as many.
#[test]
fn the_unparked_and_the_late_are_all() {
    let keys: [Key; 2] = Default::default();
    let (unparked, late, given) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..THREADS)
            .map(|number| {
                let (keys, unparked, late) = (&keys, &unparked, &late);
                scope.spawn(move || {
                    for round in 0..5_000_u32 {
                        let limit = Duration::from_micros((round % 50).into());
                        let deadline = Some(Instant::now() + limit);
                        match keys[number % 2].park(DEFAULT_PARK_TOKEN, deadline) {
                            ParkResult::Unparked(_) => unparked.fetch_add(1, Ordering::Relaxed),
                            _ => late.fetch_add(1, Ordering::Relaxed),
                        };
                    }
                })
            })
            .collect();
        let (keys, given, ended) = (&keys, &given, &ended);
        scope.spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let requeued = keys[0].requeue(
                    &keys[1],
                    RequeueOp::UnparkOneRequeueRest,
                    DEFAULT_UNPARK_TOKEN,
                );
                let one = keys[0].unpark_one().unparked_threads;
                let all = keys[1].unpark_all(DEFAULT_UNPARK_TOKEN);
                given.fetch_add(requeued.unparked_threads + one + all, Ordering::Relaxed);
            }
        });
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        ended.store(true, Ordering::Relaxed);
    });
    let (unparked, late) = (unparked.into_inner(), late.into_inner());
    assert_eq!(unparked, given.into_inner());
    assert_eq!(unparked + late, THREADS * 5_000);
    assert!(unparked > 0 && late > 0, "{unparked} unparked, {late} late");
}
