//! A lock that is held for a few instructions. One of `std` would wait through the functions of
//! this crate.

use std::cell::{Cell, UnsafeCell};
use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// How many of these this OS thread has.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Returns whether this OS thread has one. Then it must not wait: what it calls meanwhile, such as
/// an allocator, may take locks of C.
pub(crate) fn is_held() -> bool {
    HELD.get() > 0
}

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
        HELD.set(HELD.get() + 1);
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
        HELD.set(HELD.get() - 1);
    }
}
