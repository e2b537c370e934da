//! Mutual exclusion.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{LockResult, TryLockError, TryLockResult};

use super::poison::{Poison, Watch};
use crate::green::wait::must_wait;

type Tokio<T> = tokio::sync::Mutex<T>;

/// A lock around a value, for code on a green stack.
///
/// Green threads get it in the order in which they came. It may be a `static`, and shared by
/// several hubs.
///
/// Corresponds to [`std::sync::Mutex`].
///
/// # Differences
///
/// It is fair: a green thread that unlocks it while others wait, and locks it again, waits behind
/// them. A green thread that is killed while it holds the lock poisons it, as a panic does.
///
/// # Examples
///
/// ```
/// use eventlet::green::sync::{Arc, Mutex};
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let balance = Arc::new(Mutex::new(10));
///     let other = thread::spawn({
///         let balance = Arc::clone(&balance);
///         move || {
///             let mut balance = balance.lock().unwrap();
///             let before = *balance;
///             // Others run, and none of them sees the balance meanwhile.
///             thread::yield_now();
///             *balance = before + 1;
///         }
///     });
///     thread::yield_now();
///     *balance.lock().unwrap() += 100;
///     other.join().unwrap();
///     assert_eq!(*balance.lock().unwrap(), 111);
/// }));
/// ```
pub struct Mutex<T: ?Sized> {
    poison: Poison,
    inner: Tokio<T>,
}

impl<T> Mutex<T> {
    /// Makes a free lock.
    ///
    /// Corresponds to [`std::sync::Mutex::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// static LAST: eventlet::green::sync::Mutex<u32> = eventlet::green::sync::Mutex::new(0);
    /// assert_eq!(*LAST.lock().unwrap(), 0);
    /// ```
    pub const fn new(t: T) -> Mutex<T> {
        Mutex { poison: Poison::new(), inner: Tokio::const_new(t) }
    }

    /// Returns the value.
    ///
    /// Corresponds to [`std::sync::Mutex::into_inner`].
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the value is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = eventlet::green::sync::Mutex::new(7);
    /// assert_eq!(mutex.into_inner().unwrap(), 7);
    /// ```
    pub fn into_inner(self) -> LockResult<T> {
        self.poison.checked(self.inner.into_inner())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock, and waits while it is held.
    ///
    /// Corresponds to [`std::sync::Mutex::lock`].
    ///
    /// # Panics
    ///
    /// If it is held and this code cannot wait: off green stacks, and while one unwinds.
    ///
    /// # Yields
    ///
    /// Only if it is held. A holder that asks again waits forever.
    ///
    /// # Killed
    ///
    /// The waiter leaves the wait queue; a lock that was granted to it goes to the next one.
    ///
    /// # Errors
    ///
    /// If the lock is poisoned. It is taken all the same: the guard is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = eventlet::green::sync::Mutex::new(1);
    /// *mutex.lock().unwrap() += 1;
    /// assert_eq!(*mutex.lock().unwrap(), 2);
    /// ```
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        // First without waiting, which needs no green stack and spends none of Tokio's budget.
        let guard = match self.inner.try_lock() {
            Ok(guard) => guard,
            Err(_taken) => must_wait(self.inner.lock()),
        };
        self.poison.checked(self.guard(guard))
    }

    /// Takes the lock if it is free.
    ///
    /// Corresponds to [`std::sync::Mutex::try_lock`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// If it is held or granted to a waiter; or if it is poisoned, with the guard in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = eventlet::green::sync::Mutex::new(());
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_err());
    /// drop(guard);
    /// assert!(mutex.try_lock().is_ok());
    /// ```
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let guard = self.inner.try_lock().map_err(|_taken| TryLockError::WouldBlock)?;
        Ok(self.poison.checked(self.guard(guard))?)
    }

    /// Returns whether a holder of the lock unwound.
    ///
    /// Corresponds to [`std::sync::Mutex::is_poisoned`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::{Arc, Mutex};
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mutex = Arc::new(Mutex::new(()));
    ///     let other = Arc::clone(&mutex);
    ///     let panicked = thread::spawn(move || {
    ///         let _guard = other.lock().unwrap();
    ///         panic!("the lock is mine");
    ///     });
    ///     panicked.join().unwrap_err();
    ///     assert!(mutex.is_poisoned());
    ///     mutex.clear_poison();
    ///     assert!(mutex.lock().is_ok());
    /// }));
    /// ```
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }

    /// Clears the poison: the value is consistent again.
    ///
    /// Corresponds to [`std::sync::Mutex::clear_poison`].
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// Returns the value: `&mut self` proves that the lock is free.
    ///
    /// Corresponds to [`std::sync::Mutex::get_mut`].
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the value is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut mutex = eventlet::green::sync::Mutex::new(1);
    /// *mutex.get_mut().unwrap() = 2;
    /// assert_eq!(mutex.into_inner().unwrap(), 2);
    /// ```
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.checked(self.inner.get_mut())
    }

    fn guard<'a>(&'a self, inner: tokio::sync::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        MutexGuard { _watch: Watch::begin(&self.poison), inner, mutex: self }
    }

    /// Takes the lock, as a future.
    pub(super) async fn locked(&self) -> MutexGuard<'_, T> {
        match self.inner.try_lock() {
            Ok(guard) => self.guard(guard),
            Err(_taken) => self.guard(self.inner.lock().await),
        }
    }

    pub(super) fn checked<G>(&self, locked: G) -> LockResult<G> {
        self.poison.checked(locked)
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(t: T) -> Mutex<T> {
        Mutex::new(t)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => text.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => text.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => text.field("data", &format_args!("<locked>")),
        };
        text.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

/// As for `std`'s own: the poison tells of values that an unwind left behind.
impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

/// The guard of a [`Mutex`], which derefs to its value. Dropping it unlocks.
///
/// Corresponds to [`std::sync::MutexGuard`].
#[must_use = "dropped at once, it locks nothing"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized> {
    /// Dropped first: the next holder must find the mark.
    _watch: Watch<'a>,
    inner: tokio::sync::MutexGuard<'a, T>,
    mutex: &'a Mutex<T>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
