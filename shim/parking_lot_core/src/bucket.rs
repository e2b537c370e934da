//! The queues of all keys: a fixed number of buckets, each with a lock and the queue of the keys
//! that lead to it.
//!
//! # Invariants
//!
//! - **I1**: only who has changed `locked` of a bucket from false to true uses the rest of it,
//!   until it is false again.

use std::cell::{Cell, UnsafeCell};
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::queue::Queue;
use crate::sys;

/// All zero at first, so the program's file has none of it.
static BUCKETS: [Bucket; 1024] = [const { Bucket::new() }; 1024];

/// A cache line.
#[repr(align(64))]
struct Bucket {
    locked: AtomicBool,
    queue: UnsafeCell<Queue>,
    /// When it is time to be fair again: nanoseconds of the clock of [`sys`].
    fair_at: Cell<u64>,
}

// SAFETY: by I1 one thread at a time uses the rest. The nodes may be used by any thread.
unsafe impl Sync for Bucket {}

impl Bucket {
    const fn new() -> Bucket {
        Bucket {
            locked: AtomicBool::new(false),
            queue: UnsafeCell::new(Queue::new()),
            fair_at: Cell::new(0),
        }
    }

    #[inline]
    fn of(key: usize) -> &'static Bucket {
        &BUCKETS[scatter(key as u64) as usize % BUCKETS.len()]
    }

    #[inline]
    fn lock(&self) -> Locked<'_> {
        while self.locked.swap(true, Ordering::Acquire) {
            self.wait();
        }
        Locked(self)
    }

    /// Waits until the lock looks free, with the OS thread: see I1 of this crate.
    #[cold]
    fn wait(&self) {
        let mut pauses = sys::Pauses::default();
        while self.locked.load(Ordering::Relaxed) {
            pauses.pause();
        }
    }
}

/// Returns another number for each. Those that are close to each other, or a power of two apart,
/// lead to numbers without a pattern.
fn scatter(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

/// A locked bucket, which is unlocked when this is dropped.
pub(crate) struct Locked<'a>(&'a Bucket);

impl Locked<'_> {
    /// Returns true once in up to a millisecond, in half a one on average.
    pub(crate) fn is_time_to_be_fair(&self) -> bool {
        let now = sys::now().as_nanos() as u64;
        let fair = now >= self.0.fair_at.get();
        if fair {
            self.0.fair_at.set(now + scatter(now) % 1_000_000);
        }
        fair
    }
}

impl Deref for Locked<'_> {
    type Target = Queue;

    #[inline]
    fn deref(&self) -> &Queue {
        // SAFETY: I1.
        unsafe { &*self.0.queue.get() }
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.locked.store(false, Ordering::Release);
    }
}

/// Locks the bucket of a key.
#[inline]
pub(crate) fn lock(key: usize) -> Locked<'static> {
    Bucket::of(key).lock()
}

/// Locks the buckets of two keys. The second is `None` where both are the same.
pub(crate) fn lock_both(a: usize, b: usize) -> (Locked<'static>, Option<Locked<'static>>) {
    let (a, b) = (Bucket::of(a), Bucket::of(b));
    if ptr::eq(a, b) {
        return (a.lock(), None);
    }
    // Always in the same order, so that no two wait for each other.
    if ptr::from_ref(a) < ptr::from_ref(b) {
        let a = a.lock();
        (a, Some(b.lock()))
    } else {
        let b = b.lock();
        (a.lock(), Some(b))
    }
}
