//! Poisoning, by std's rule, for all locks here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LockResult, PoisonError};
use std::thread;

/// The mark of a lock that was held during an unwind.
#[derive(Default)]
pub(super) struct Poison(AtomicBool);

impl Poison {
    pub(super) const fn new() -> Poison {
        Poison(AtomicBool::new(false))
    }

    // The lock itself orders its holders' accesses: the mark needs no ordering of its own.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Returns the guard, as an error if the lock is poisoned.
    pub(super) fn checked<T>(&self, locked: T) -> LockResult<T> {
        if self.is_set() { Err(PoisonError::new(locked)) } else { Ok(locked) }
    }
}

/// Sets the mark if an unwind begins while it is alive.
///
/// An unwind that began before did not interrupt the critical section: destructors may lock.
pub(super) struct Watch<'a> {
    poison: &'a Poison,
    unwinding: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn begin(poison: &'a Poison) -> Watch<'a> {
        Watch { poison, unwinding: thread::panicking() }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.unwinding && thread::panicking() {
            self.poison.0.store(true, Ordering::Relaxed);
        }
    }
}
