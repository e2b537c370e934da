//! Doing something once.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use super::mutex::Mutex;

/// An initialization that runs once, for any number of callers.
///
/// The function may wait: other callers wait for it meanwhile.
///
/// Corresponds to [`std::sync::Once`].
///
/// # Differences
///
/// A green thread that is killed inside the function poisons it, as a panic does. A function that
/// calls for itself waits forever.
///
/// # Not here
///
/// `wait` and `wait_force`.
///
/// # Examples
///
/// ```
/// use eventlet::green::sync::Once;
/// use eventlet::green::sync::atomic::{AtomicU32, Ordering};
/// use eventlet::green::thread;
///
/// static ONCE: Once = Once::new();
/// static CALLS: AtomicU32 = AtomicU32::new(0);
///
/// fn open() {
///     ONCE.call_once(|| {
///         thread::yield_now();
///         CALLS.fetch_add(1, Ordering::Relaxed);
///     });
///     assert_eq!(CALLS.load(Ordering::Relaxed), 1);
/// }
///
/// eventlet::run(eventlet::stackful(|| {
///     let others = [(); 3].map(|()| thread::spawn(open));
///     open();
///     others.map(|other| other.join().unwrap());
/// }));
/// ```
pub struct Once {
    /// Set when the function has returned, and its effects are visible.
    done: AtomicBool,
    /// Held during the call of the function.
    calling: Mutex<()>,
}

impl Once {
    /// Makes one whose function has not run.
    ///
    /// Corresponds to [`std::sync::Once::new`].
    #[must_use]
    #[allow(clippy::new_without_default, reason = "std's has none")]
    pub const fn new() -> Once {
        Once { done: AtomicBool::new(false), calling: Mutex::new(()) }
    }

    /// Calls the function, unless one has been called. When this returns, one has returned.
    ///
    /// Corresponds to [`std::sync::Once::call_once`].
    ///
    /// # Panics
    ///
    /// If an earlier function unwound, and with a panic of this one. If another is being called and
    /// this code cannot wait: off green stacks, and while one unwinds.
    ///
    /// # Yields
    ///
    /// While another function is being called, and wherever this one does.
    ///
    /// # Killed
    ///
    /// Inside the function, it counts as a panic. A waiter leaves the wait queue.
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        if self.is_completed() {
            return;
        }
        let Ok(calling) = self.calling.lock() else {
            panic!("this `Once` is poisoned: the function that was to be called once unwound");
        };
        if !self.is_completed() {
            f();
            self.complete();
        }
        drop(calling);
    }

    /// Calls the function, unless one has returned: earlier ones that unwound do not count.
    ///
    /// Corresponds to [`std::sync::Once::call_once_force`].
    ///
    /// # Panics
    ///
    /// With a panic of the function. If another is being called and this code cannot wait: off
    /// green stacks, and while one unwinds.
    ///
    /// # Yields
    ///
    /// While another function is being called, and wherever this one does.
    ///
    /// # Killed
    ///
    /// As with [`call_once`](Once::call_once).
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::Once;
    /// use eventlet::green::thread;
    ///
    /// static ONCE: Once = Once::new();
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     thread::spawn(|| ONCE.call_once(|| panic!("not yet"))).join().unwrap_err();
    ///     ONCE.call_once_force(|state| assert!(state.is_poisoned()));
    ///     assert!(ONCE.is_completed());
    /// }));
    /// ```
    #[track_caller]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        if self.is_completed() {
            return;
        }
        let calling = self.calling.lock();
        let state = OnceState { poisoned: calling.is_err() };
        let calling = calling.unwrap_or_else(PoisonError::into_inner);
        if !self.is_completed() {
            f(&state);
            self.calling.clear_poison();
            self.complete();
        }
        drop(calling);
    }

    /// Returns whether a function has returned.
    ///
    /// Corresponds to [`std::sync::Once::is_completed`].
    ///
    /// # Examples
    ///
    /// ```
    /// let once = eventlet::green::sync::Once::new();
    /// assert!(!once.is_completed());
    /// once.call_once(|| assert!(!once.is_completed()));
    /// assert!(once.is_completed());
    /// ```
    pub fn is_completed(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    fn complete(&self) {
        self.done.store(true, Ordering::Release);
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl UnwindSafe for Once {}
impl RefUnwindSafe for Once {}

/// The argument of the function of [`Once::call_once_force`].
///
/// Corresponds to [`std::sync::OnceState`].
#[derive(Debug)]
pub struct OnceState {
    poisoned: bool,
}

impl OnceState {
    /// Returns whether an earlier function unwound.
    ///
    /// Corresponds to [`std::sync::OnceState::is_poisoned`].
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}
