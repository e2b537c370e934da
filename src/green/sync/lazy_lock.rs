//! A value that is made when it is first used.

use std::fmt;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::mutex::Mutex;

/// A value that is made at its first use.
///
/// The function that makes it may wait: other users wait for it meanwhile.
///
/// Corresponds to [`std::sync::LazyLock`].
///
/// # Panics
///
/// Its first use panics if the function does, and every use after that. A use while the value is
/// being made panics if it cannot wait: off green stacks, and while one unwinds.
///
/// # Killed
///
/// Inside the function, it counts as a panic. A waiter for the value leaves the wait queue.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
///
/// use eventlet::green::sync::{LazyLock, Mutex};
///
/// static CACHE: LazyLock<Mutex<HashMap<u32, u32>>> = LazyLock::new(|| Mutex::new(HashMap::new()));
///
/// CACHE.lock().unwrap().insert(1, 2);
/// assert_eq!(CACHE.lock().unwrap()[&1], 2);
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    /// Set only under the lock, so setting it never waits.
    value: std::sync::OnceLock<T>,
    /// The function that makes the value. `None` once it was called.
    init: Mutex<Option<F>>,
}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// Makes one whose value `f` will make.
    ///
    /// Corresponds to [`std::sync::LazyLock::new`].
    pub const fn new(f: F) -> LazyLock<T, F> {
        LazyLock { value: std::sync::OnceLock::new(), init: Mutex::new(Some(f)) }
    }

    /// Returns the value, making it if there is none.
    ///
    /// Corresponds to [`std::sync::LazyLock::force`].
    ///
    /// # Yields
    ///
    /// While the value is being made, and wherever the function does.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 92);
    /// assert_eq!(LazyLock::force(&lazy), &92);
    /// assert_eq!(*lazy, 92);
    /// ```
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        match this.value.get() {
            Some(value) => value,
            None => this.make(),
        }
    }

    #[cold]
    #[track_caller]
    fn make(&self) -> &T {
        let mut init = match self.init.lock() {
            Ok(init) => init,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(init) = init.take() {
            let value = init();
            return self.value.get_or_init(|| value);
        }
        match self.value.get() {
            Some(value) => value,
            None => {
                panic!("this `LazyLock` is poisoned: the function that makes its value unwound")
            }
        }
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_tuple("LazyLock");
        match self.value.get() {
            Some(value) => text.field(value),
            None => text.field(&format_args!("<uninit>")),
        };
        text.finish()
    }
}

impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}
impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
