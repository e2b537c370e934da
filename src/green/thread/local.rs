//! Green-thread locals, declared as in std.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;

use crate::corolocal::Local;

/// Declares [`LocalKey`]s, for each of which every green thread has its own value.
///
/// A program that `use`s it means this one where it says `thread_local!`.
///
/// Corresponds to [`std::thread_local!`].
///
/// # Differences
///
/// It declares a `static`. It can be used inside green threads only, of either colour. Values are
/// always dropped, as [`corolocal`](crate::corolocal::Local) says.
///
/// # Examples
///
/// ```
/// use std::cell::{Cell, RefCell};
///
/// use eventlet::green::{thread, thread_local};
///
/// thread_local! {
///     static NAMES: RefCell<Vec<String>> = RefCell::default();
///     static CALLS: Cell<u32> = const { Cell::new(0) };
/// }
///
/// eventlet::run(eventlet::stackful(|| {
///     NAMES.with_borrow_mut(|names| names.push("mine".to_owned()));
///     CALLS.set(CALLS.get() + 1);
///     let other = thread::spawn(|| NAMES.with_borrow(Vec::len) + CALLS.get() as usize);
///     assert_eq!(other.join().unwrap(), 0);
///     assert_eq!((NAMES.take(), CALLS.get()), (vec!["mine".to_owned()], 1));
/// }));
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __green_thread_local {
    () => {};
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $init:expr; $($rest:tt)*) => {
        $crate::__green_thread_local!($(#[$meta])* $vis static $name: $type = $init);
        $crate::__green_thread_local!($($rest)*);
    };
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $init:expr) => {
        $(#[$meta])*
        $vis static $name: $crate::green::thread::LocalKey<$type> =
            $crate::green::thread::LocalKey::__new({
                fn init() -> $type {
                    $init
                }
                init
            });
    };
}

/// A key for which each green thread has its own value.
///
/// The macro [`green::thread_local!`](super::super::thread_local) declares one. It wraps a
/// [`Local`], which says when values are made and dropped.
///
/// Corresponds to [`std::thread::LocalKey`].
pub struct LocalKey<T: 'static> {
    local: Local<T>,
}

impl<T: 'static> LocalKey<T> {
    /// Is for the macro.
    #[doc(hidden)]
    pub const fn __new(init: fn() -> T) -> LocalKey<T> {
        LocalKey { local: Local::new(init) }
    }

    /// Calls a function with the value of the running green thread, making it if there is none.
    ///
    /// Corresponds to [`std::thread::LocalKey::with`].
    ///
    /// # Panics
    ///
    /// Outside green threads. In the destructor of such a value, for a value that was dropped
    /// already.
    ///
    /// # Yields
    ///
    /// Wherever the function does. Other green threads have values of their own, so none can touch
    /// this one meanwhile.
    ///
    /// # Killed
    ///
    /// Inside the function, the value is dropped after the stack.
    #[track_caller]
    pub fn with<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        self.local.with(f)
    }

    /// Calls a function with the value of the running green thread, unless it was dropped already.
    ///
    /// Corresponds to [`std::thread::LocalKey::try_with`].
    ///
    /// # Yields
    ///
    /// Wherever the function does.
    ///
    /// # Killed
    ///
    /// As with [`with`](LocalKey::with).
    ///
    /// # Errors
    ///
    /// Outside green threads, and when the value was dropped already.
    ///
    /// # Examples
    ///
    /// ```
    /// eventlet::green::thread_local!(static ANSWER: u32 = 42);
    ///
    /// assert!(ANSWER.try_with(|answer| *answer).is_err());
    /// eventlet::run(async {
    ///     assert_eq!(ANSWER.try_with(|answer| *answer), Ok(42));
    /// });
    /// ```
    pub fn try_with<F, R>(&'static self, f: F) -> Result<R, AccessError>
    where
        F: FnOnce(&T) -> R,
    {
        self.local.try_with(f).ok_or(AccessError(()))
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    /// Sets the value of the running green thread.
    ///
    /// Corresponds to `set` of [`std::thread::LocalKey`].
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with) does.
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    /// Returns a copy of the value of the running green thread.
    ///
    /// Corresponds to `get` of [`std::thread::LocalKey`].
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with) does.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Takes the value of the running green thread, and leaves the default.
    ///
    /// Corresponds to `take` of [`std::thread::LocalKey`].
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with) does.
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Sets the value of the running green thread, and returns the one it had.
    ///
    /// Corresponds to `replace` of [`std::thread::LocalKey`].
    ///
    /// # Panics
    ///
    /// As [`with`](LocalKey::with) does.
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    /// Calls a function with the value of the running green thread, borrowed.
    ///
    /// Corresponds to `with_borrow` of [`std::thread::LocalKey`].
    ///
    /// # Panics
    ///
    /// When the value is borrowed mutably, and as [`with`](LocalKey::with) does.
    #[track_caller]
    pub fn with_borrow<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Calls a function with the value of the running green thread, borrowed mutably.
    ///
    /// Corresponds to `with_borrow_mut` of [`std::thread::LocalKey`].
    ///
    /// # Panics
    ///
    /// When the value is borrowed, and as [`with`](LocalKey::with) does.
    #[track_caller]
    pub fn with_borrow_mut<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&mut T) -> R,
    {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Sets the value of the running green thread.
    ///
    /// Corresponds to `set` of [`std::thread::LocalKey`].
    ///
    /// # Panics
    ///
    /// When the value is borrowed, and as [`with`](LocalKey::with) does.
    #[track_caller]
    pub fn set(&'static self, value: T) {
        drop(self.replace(value));
    }

    /// Takes the value of the running green thread, and leaves the default.
    ///
    /// Corresponds to `take` of [`std::thread::LocalKey`].
    ///
    /// # Panics
    ///
    /// When the value is borrowed, and as [`with`](LocalKey::with) does.
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    /// Sets the value of the running green thread, and returns the one it had.
    ///
    /// Corresponds to `replace` of [`std::thread::LocalKey`].
    ///
    /// # Panics
    ///
    /// When the value is borrowed, and as [`with`](LocalKey::with) does.
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// The error that there is no value.
///
/// Corresponds to [`std::thread::AccessError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError(());

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no green thread runs here, or its value was dropped already")
    }
}

impl Error for AccessError {}
