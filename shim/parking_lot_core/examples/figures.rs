//! How long this crate takes, beside the original: the same lock built of each, turn by turn.
//!
//! `cargo run --release --example figures`

use std::hint;
use std::time::Duration;

/// Measures a core. Each function returns nanoseconds for one operation.
macro_rules! core {
    ($core:ident) => {
        mod $core {
            use std::hint;
            use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
            use std::thread;
            use std::time::Instant;

            use $core::{DEFAULT_PARK_TOKEN, ParkResult, SpinWait, UnparkToken};

            const LOCKED: u8 = 1;
            const PARKED: u8 = 2;

            /// As the mutex of `parking_lot`.
            #[derive(Default)]
            struct Lock(AtomicU8);

            impl Lock {
                fn change(&self, from: u8, to: u8) -> bool {
                    self.0.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
                }

                #[inline]
                fn lock(&self) {
                    if !self.change(0, LOCKED) {
                        self.lock_slow();
                    }
                }

                #[cold]
                fn lock_slow(&self) {
                    let mut spin = SpinWait::new();
                    loop {
                        let state = self.0.load(Ordering::Relaxed);
                        if state & LOCKED == 0 {
                            if self.change(state, state | LOCKED) {
                                return;
                            }
                        } else if (state & PARKED != 0 || !spin.spin())
                            && (state & PARKED != 0 || self.change(state, state | PARKED))
                        {
                            if self.park() == ParkResult::Unparked(UnparkToken(1)) {
                                return;
                            }
                            spin.reset();
                        }
                    }
                }

                fn park(&self) -> ParkResult {
                    let validate = || self.0.load(Ordering::Relaxed) == LOCKED | PARKED;
                    let key = self.0.as_ptr().addr();
                    // SAFETY: the key is ours, and the callbacks do nothing but atomics.
                    unsafe {
                        $core::park(key, validate, || (), |_, _| (), DEFAULT_PARK_TOKEN, None)
                    }
                }

                #[inline]
                fn unlock(&self) {
                    let (from, to) = (LOCKED, 0);
                    if self
                        .0
                        .compare_exchange(from, to, Ordering::Release, Ordering::Relaxed)
                        .is_err()
                    {
                        self.unlock_slow();
                    }
                }

                #[cold]
                fn unlock_slow(&self) {
                    // SAFETY: as above.
                    unsafe {
                        $core::unpark_one(self.0.as_ptr().addr(), |result| {
                            let given = result.unparked_threads > 0 && result.be_fair;
                            let parked = if result.have_more_threads { PARKED } else { 0 };
                            self.0.store(parked | u8::from(given), Ordering::Release);
                            UnparkToken(given.into())
                        })
                    };
                }
            }

            /// To lock and unlock, so many threads at once, each with some work under the lock and
            /// without it.
            pub(super) fn contended(threads: usize, work: u32) -> f64 {
                let (lock, ended) = (Lock::default(), AtomicBool::new(false));
                let all = AtomicU64::new(0);
                let start = Instant::now();
                thread::scope(|scope| {
                    for _ in 0..threads {
                        scope.spawn(|| {
                            let mut count = 0;
                            while !ended.load(Ordering::Relaxed) {
                                lock.lock();
                                super::work(work);
                                lock.unlock();
                                super::work(work);
                                count += 1;
                            }
                            all.fetch_add(count, Ordering::Relaxed);
                        });
                    }
                    thread::sleep(super::ROUND);
                    ended.store(true, Ordering::Relaxed);
                });
                start.elapsed().as_nanos() as f64 / all.into_inner() as f64
            }

            /// A lock that nobody else wants.
            pub(super) fn uncontended() -> f64 {
                let lock = Lock::default();
                super::timed(|| {
                    hint::black_box(&lock).lock();
                    hint::black_box(&lock).unlock();
                })
            }

            /// To unpark where nobody is parked.
            pub(super) fn nobody() -> f64 {
                let key = AtomicU8::new(0);
                // SAFETY: the key is ours.
                super::timed(|| unsafe {
                    $core::unpark_one(key.as_ptr().addr(), |_| UnparkToken(0));
                })
            }

            /// Two threads that park and unpark each other by turns: one such turn.
            pub(super) fn turns() -> f64 {
                let turn = AtomicUsize::new(0);
                let one = |number: usize, turns: usize| {
                    for at in (number..turns).step_by(2) {
                        while turn.load(Ordering::Acquire) != at {
                            let validate = || turn.load(Ordering::Acquire) != at;
                            let key = turn.as_ptr().addr();
                            // SAFETY: the key is ours.
                            unsafe {
                                $core::park(
                                    key,
                                    validate,
                                    || (),
                                    |_, _| (),
                                    DEFAULT_PARK_TOKEN,
                                    None,
                                )
                            };
                        }
                        turn.store(at + 1, Ordering::Release);
                        // SAFETY: as above.
                        unsafe { $core::unpark_all(turn.as_ptr().addr(), UnparkToken(0)) };
                    }
                };
                const TURNS: usize = 20_000;
                let start = Instant::now();
                thread::scope(|scope| {
                    scope.spawn(|| one(0, TURNS));
                    scope.spawn(|| one(1, TURNS));
                });
                start.elapsed().as_nanos() as f64 / TURNS as f64
            }
        }
    };
}

core!(parking_lot_core);
core!(original);

const ROUND: Duration = Duration::from_millis(100);

fn work(count: u32) {
    (0..count).for_each(|number| {
        hint::black_box(number);
    });
}

fn timed(mut operation: impl FnMut()) -> f64 {
    const COUNT: u32 = 1_000_000;
    let start = std::time::Instant::now();
    (0..COUNT).for_each(|_| operation());
    start.elapsed().as_nanos() as f64 / f64::from(COUNT)
}

/// Measures both by turns, and prints the medians of both and of their ratio.
fn compare(name: &str, ours: impl Fn() -> f64, theirs: impl Fn() -> f64) {
    let rounds: Vec<_> = (0..15).map(|_| (ours(), theirs())).collect();
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<_> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let (ours, theirs) = (median(|round| round.0), median(|round| round.1));
    let ratio = median(|round| round.0 / round.1);
    println!("{name:42} {ours:9.1} ns  {theirs:9.1} ns  {ratio:.2}");
}

fn main() {
    println!("{:42} {:>12} {:>13}  ratio", "", "this crate", "the original");
    compare("a lock that nobody else wants", parking_lot_core::uncontended, original::uncontended);
    compare("unpark where nobody is parked", parking_lot_core::nobody, original::nobody);
    compare("two that park and unpark by turns", parking_lot_core::turns, original::turns);
    for threads in [2, 4, 16] {
        for work in [0, 200] {
            compare(
                &format!("a lock that {threads} want, with {work} steps of work"),
                || parking_lot_core::contended(threads, work),
                || original::contended(threads, work),
            );
        }
    }
}
