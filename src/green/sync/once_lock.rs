//! A value that is set once.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::mutex::{Mutex, MutexGuard};

type Std<T> = std::sync::OnceLock<T>;

/// A place for a value that is set once, by the first caller.
///
/// The function that makes the value may wait: other callers wait for it meanwhile.
///
/// Corresponds to [`std::sync::OnceLock`].
///
/// # Not here
///
/// `wait`, and unstable methods of `std`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use eventlet::green::sync::OnceLock;
/// use eventlet::green::thread;
///
/// static ANSWER: OnceLock<u32> = OnceLock::new();
///
/// fn answer() -> u32 {
///     *ANSWER.get_or_init(|| {
///         thread::sleep(Duration::from_millis(1));
///         42
///     })
/// }
///
/// eventlet::run(eventlet::stackful(|| {
///     let others = [(); 3].map(|()| thread::spawn(answer));
///     assert!(others.into_iter().all(|other| other.join().unwrap() == 42));
///     assert_eq!(ANSWER.get(), Some(&42));
/// }));
/// ```
pub struct OnceLock<T> {
    /// Set only under the lock, so setting it never waits.
    value: Std<T>,
    setting: Mutex<()>,
}

impl<T> OnceLock<T> {
    /// Makes an empty one.
    ///
    /// Corresponds to [`std::sync::OnceLock::new`].
    #[must_use]
    pub const fn new() -> OnceLock<T> {
        OnceLock { value: Std::new(), setting: Mutex::new(()) }
    }

    /// Returns the value, if it is set.
    ///
    /// Corresponds to [`std::sync::OnceLock::get`].
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Returns the value, if it is set.
    ///
    /// Corresponds to [`std::sync::OnceLock::get_mut`].
    ///
    /// # Examples
    ///
    /// ```
    /// let mut cell = eventlet::green::sync::OnceLock::from(1);
    /// *cell.get_mut().unwrap() = 2;
    /// assert_eq!(cell.into_inner(), Some(2));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Sets the value, unless it is set. Waits while one is being made.
    ///
    /// Corresponds to [`std::sync::OnceLock::set`].
    ///
    /// # Panics
    ///
    /// If it has to wait and cannot: off green stacks, and while one unwinds.
    ///
    /// # Yields
    ///
    /// Only while a value is being made.
    ///
    /// # Killed
    ///
    /// The value is dropped.
    ///
    /// # Errors
    ///
    /// If there is a value already: returns this one.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = eventlet::green::sync::OnceLock::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// ```
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let _setting = self.lock();
        self.value.set(value)
    }

    /// Returns the value, made by `f` if there is none.
    ///
    /// If the function unwinds there is still none, and the next one may make it.
    ///
    /// Corresponds to [`std::sync::OnceLock::get_or_init`].
    ///
    /// # Panics
    ///
    /// With a panic of the function. If it has to wait and cannot: off green stacks, and while one
    /// unwinds.
    ///
    /// # Yields
    ///
    /// While a value is being made, and wherever the function does.
    ///
    /// # Killed
    ///
    /// There is still no value, and the next waiter makes it.
    #[track_caller]
    pub fn get_or_init<F: FnOnce() -> T>(&self, f: F) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let _setting = self.lock();
        match self.get() {
            Some(value) => value,
            None => {
                let value = f();
                self.value.get_or_init(|| value)
            }
        }
    }

    /// Returns the value, if it was set.
    ///
    /// Corresponds to [`std::sync::OnceLock::into_inner`].
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out, and leaves the place empty.
    ///
    /// Corresponds to [`std::sync::OnceLock::take`].
    ///
    /// # Examples
    ///
    /// ```
    /// let mut cell = eventlet::green::sync::OnceLock::from(1);
    /// assert_eq!((cell.take(), cell.take()), (Some(1), None));
    /// ```
    pub fn take(&mut self) -> Option<T> {
        self.value.take()
    }

    /// A holder that unwound spoils nothing: the value is set or not.
    #[track_caller]
    fn lock(&self) -> MutexGuard<'_, ()> {
        match self.setting.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> OnceLock<T> {
        OnceLock { value: Std::from(value), setting: Mutex::new(()) }
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> OnceLock<T> {
        OnceLock { value: self.value.clone(), setting: Mutex::new(()) }
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}
