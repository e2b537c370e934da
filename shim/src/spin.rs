//! A lock that is held for a few instructions. One of `std` would wait through the functions of
//! this crate.

use std::cell::UnsafeCell;
use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};

/// # Invariants
///
/// - **I1**: only who has changed `locked` from false to true touches `value`, until it is false
///   again.
pub(crate) struct Spin<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: by I1 one OS thread has the value at a time.
unsafe impl<T: Send> Sync for Spin<T> {}

impl<T> Spin<T> {
    pub(crate) const fn new(value: T) -> Spin<T> {
        Spin { locked: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Calls a function with the value. It neither waits nor locks this again.
    pub(crate) fn with<R>(&self, function: impl FnOnce(&mut T) -> R) -> R {
        while self.locked.swap(true, Ordering::Acquire) {
            hint::spin_loop();
        }
        let _unlocks = Unlocks(&self.locked);
        // SAFETY: by I1.
        function(unsafe { &mut *self.value.get() })
    }
}

struct Unlocks<'a>(&'a AtomicBool);

impl Drop for Unlocks<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
