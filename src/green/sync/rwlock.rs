//! Many readers or one writer.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{LockResult, TryLockError, TryLockResult};

use super::poison::{Poison, Watch};
use crate::green::wait::must_wait;

type Tokio<T> = tokio::sync::RwLock<T>;

/// A lock around a value that allows many readers or one writer, for code on a green stack.
///
/// Readers and writers get it in the order in which they came: a reader that comes after a waiting
/// writer waits, too.
///
/// Corresponds to [`std::sync::RwLock`].
///
/// # Differences
///
/// The order, which `std` leaves to the system. So a reader that locks again to read while a writer
/// waits, waits forever, as with `std` on most systems.
///
/// # Examples
///
/// ```
/// use eventlet::green::sync::RwLock;
///
/// let lock = RwLock::new(5);
/// {
///     let (one, two) = (lock.read().unwrap(), lock.read().unwrap());
///     assert_eq!(*one + *two, 10);
///     assert!(lock.try_write().is_err());
/// }
/// *lock.write().unwrap() += 1;
/// assert_eq!(*lock.read().unwrap(), 6);
/// ```
pub struct RwLock<T: ?Sized> {
    poison: Poison,
    inner: Tokio<T>,
}

impl<T> RwLock<T> {
    /// Makes a free lock.
    ///
    /// Corresponds to [`std::sync::RwLock::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::RwLock;
    ///
    /// static LEVEL: RwLock<u32> = RwLock::new(0);
    /// assert_eq!(*LEVEL.read().unwrap(), 0);
    /// ```
    pub const fn new(t: T) -> RwLock<T> {
        RwLock { poison: Poison::new(), inner: Tokio::const_new(t) }
    }

    /// Returns the value.
    ///
    /// Corresponds to [`std::sync::RwLock::into_inner`].
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the value is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::green::sync::RwLock::new(7).into_inner().unwrap(), 7);
    /// ```
    pub fn into_inner(self) -> LockResult<T> {
        self.poison.checked(self.inner.into_inner())
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Takes the lock to read, and waits while a writer has it or is ahead in the wait queue.
    ///
    /// Corresponds to [`std::sync::RwLock::read`].
    ///
    /// # Panics
    ///
    /// If it has to wait and cannot: off green stacks, and while one unwinds.
    ///
    /// # Yields
    ///
    /// Only when it cannot have the lock at once.
    ///
    /// # Killed
    ///
    /// The waiter leaves the line; a lock that was handed to it already goes to the next one.
    ///
    /// # Errors
    ///
    /// When the lock is poisoned. It is taken all the same: the guard is in the error.
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let inner = match self.inner.try_read() {
            Ok(inner) => inner,
            Err(_taken) => must_wait(self.inner.read()),
        };
        self.poison.checked(RwLockReadGuard { inner })
    }

    /// Takes the lock to read, if it can do so without waiting.
    ///
    /// Corresponds to [`std::sync::RwLock::try_read`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// If a writer has it or waits for it; or if it is poisoned, with the guard in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = eventlet::green::sync::RwLock::new(());
    /// let _writer = lock.write().unwrap();
    /// assert!(lock.try_read().is_err());
    /// ```
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let inner = self.inner.try_read().map_err(|_taken| TryLockError::WouldBlock)?;
        Ok(self.poison.checked(RwLockReadGuard { inner })?)
    }

    /// Takes the lock to write, and waits while it is held.
    ///
    /// Corresponds to [`std::sync::RwLock::write`].
    ///
    /// # Panics
    ///
    /// If it has to wait and cannot: off green stacks, and while one unwinds.
    ///
    /// # Yields
    ///
    /// Only when it cannot have the lock at once.
    ///
    /// # Killed
    ///
    /// The waiter leaves the line; a lock that was handed to it already goes to the next one.
    ///
    /// # Errors
    ///
    /// When the lock is poisoned. It is taken all the same: the guard is in the error.
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let inner = match self.inner.try_write() {
            Ok(inner) => inner,
            Err(_taken) => must_wait(self.inner.write()),
        };
        self.poison.checked(self.write_guard(inner))
    }

    /// Takes the lock to write, if it is free.
    ///
    /// Corresponds to [`std::sync::RwLock::try_write`].
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
    /// let lock = eventlet::green::sync::RwLock::new(1);
    /// *lock.try_write().unwrap() = 2;
    /// let _reader = lock.read().unwrap();
    /// assert!(lock.try_write().is_err());
    /// ```
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let inner = self.inner.try_write().map_err(|_taken| TryLockError::WouldBlock)?;
        Ok(self.poison.checked(self.write_guard(inner))?)
    }

    /// Returns whether a writer unwound. Readers do not poison.
    ///
    /// Corresponds to [`std::sync::RwLock::is_poisoned`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::{Arc, RwLock};
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let lock = Arc::new(RwLock::new(()));
    ///     let other = Arc::clone(&lock);
    ///     let panicked = thread::spawn(move || {
    ///         let _guard = other.write().unwrap();
    ///         panic!("the lock is mine");
    ///     });
    ///     panicked.join().unwrap_err();
    ///     assert!(lock.is_poisoned());
    ///     lock.clear_poison();
    ///     assert!(lock.read().is_ok());
    /// }));
    /// ```
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }

    /// Says that what the lock protects is in order again.
    ///
    /// Corresponds to [`std::sync::RwLock::clear_poison`].
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// Returns the value: `&mut self` proves that the lock is free.
    ///
    /// Corresponds to [`std::sync::RwLock::get_mut`].
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the value is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = eventlet::green::sync::RwLock::new(1);
    /// *lock.get_mut().unwrap() = 2;
    /// assert_eq!(*lock.read().unwrap(), 2);
    /// ```
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.checked(self.inner.get_mut())
    }

    fn write_guard<'a>(
        &'a self,
        inner: tokio::sync::RwLockWriteGuard<'a, T>,
    ) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard { watch: Watch::begin(&self.poison), inner }
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(t: T) -> RwLock<T> {
        RwLock::new(t)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) => text.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => text.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => text.field("data", &format_args!("<locked>")),
        };
        text.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

/// As `std` says of its own: what an unwind left behind is known by the poison.
impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}

/// The guard of a reader of a [`RwLock`]. Dropping it unlocks.
///
/// Corresponds to [`std::sync::RwLockReadGuard`].
#[must_use = "dropped at once, it locks nothing"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    inner: tokio::sync::RwLockReadGuard<'a, T>,
}

/// The guard of a writer of a [`RwLock`]. Dropping it unlocks.
///
/// Corresponds to [`std::sync::RwLockWriteGuard`].
#[must_use = "dropped at once, it locks nothing"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    /// Dropped first: the next holder must find the mark.
    watch: Watch<'a>,
    inner: tokio::sync::RwLockWriteGuard<'a, T>,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Turns into a reader, with no writer in between.
    ///
    /// Corresponds to [`std::sync::RwLockWriteGuard`]'s `downgrade`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.write().unwrap();
    /// *writer = 2;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!(*reader + *lock.read().unwrap(), 4);
    /// ```
    pub fn downgrade(s: RwLockWriteGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        let RwLockWriteGuard { watch, inner } = s;
        drop(watch);
        RwLockReadGuard { inner: inner.downgrade() }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
