//! Green-thread locals.
//!
//! A [`Local`] is to green threads what [`std::thread_local!`] is to OS threads: one key with a
//! value of its own in each green thread.
//!
//! Corresponds to `eventlet.corolocal`.
//!
//! # Not here
//!
//! Attributes that are created by setting them: a [`Local`] holds one value, of one type.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::greenthread::getcurrent;
use crate::hub::{self, Found, Key};

/// Returns a number that no other green thread of this OS thread ever has: that of the running one.
///
/// Corresponds to `eventlet.corolocal.get_ident`.
///
/// # Yields
///
/// Never.
///
/// # Panics
///
/// Outside green threads.
///
/// # Examples
///
/// ```
/// use eventlet::corolocal::get_ident;
///
/// # eventlet::run(async {
/// let gt = eventlet::spawn(async { get_ident() });
/// let id = gt.id();
/// assert_eq!(gt.await.unwrap(), id);
/// assert_ne!(get_ident(), id);
/// # });
/// ```
#[track_caller]
pub fn get_ident() -> u64 {
    getcurrent().id()
}

/// A name behind which each green thread has a value of its own.
///
/// The value is made when a green thread first asks for it, and belongs to that one alone: a green
/// thread that it spawns starts with none. It is the same for both colours, and the main green
/// thread has one too. Green threads that never ask pay nothing.
///
/// Most are statics, which all hubs of a process may use. One can also be made at any time, with a
/// closure; clones name the same values. A value need not be `Send`.
///
/// Futures that a green thread polls itself, with `join!` or as the job of a full
/// [`GreenPool`](crate::GreenPool) that a member runs inline, share its values.
///
/// Corresponds to `eventlet.corolocal.local`.
///
/// # When values are dropped
///
/// Whenever their green thread ends: after its own destructors and its links, which may use them,
/// and before [`kill`](crate::Greenlet::kill) returns and before any waiter on this OS thread
/// resumes. The latest is dropped first. A destructor may use the values that are left, and locals
/// that the green thread never used; dropped values are not made again. A panic in a destructor is
/// reported and stops no other.
///
/// # Differences
///
/// In eventlet the values are dropped when there is no reference to the greenlet or to the `local`
/// any more. Dropping a `Local` drops no value here: green threads keep theirs until they end.
///
/// # Examples
///
/// ```
/// use eventlet::corolocal::Local;
/// use std::cell::Cell;
///
/// static VISITS: Local<Cell<u32>> = Local::new(|| Cell::new(0));
///
/// fn visit() -> u32 {
///     VISITS.with(|visits| {
///         visits.set(visits.get() + 1);
///         visits.get()
///     })
/// }
///
/// eventlet::run(async {
///     assert_eq!((visit(), visit()), (1, 2));
///     let other = eventlet::spawn(async { visit() });
///     assert_eq!(other.await.unwrap(), 1);
///     assert_eq!(visit(), 3);
/// });
/// ```
pub struct Local<T, F = fn() -> T> {
    /// Identifies the values in the hub; 0 until it is first needed, as a constant cannot count.
    id: AtomicU64,
    init: F,
    values: PhantomData<fn() -> T>,
}

impl<T, F> Local<T, F> {
    /// Makes a local whose values `init` makes.
    ///
    /// Corresponds to eventlet's `corolocal.local()`, and to the `__init__` of a class that derives
    /// from it.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::corolocal::Local;
    /// use std::cell::RefCell;
    ///
    /// eventlet::run(async {
    ///     let name = String::from("everybody's first");
    ///     let names = Local::new(move || RefCell::new(vec![name.clone()]));
    ///     names.with(|names| names.borrow_mut().push("mine".to_owned()));
    ///     assert_eq!(names.with(|names| names.borrow().join(", ")), "everybody's first, mine");
    /// });
    /// ```
    pub const fn new(init: F) -> Local<T, F> {
        Local { id: AtomicU64::new(0), init, values: PhantomData }
    }
}

impl<T: 'static, F: Fn() -> T> Local<T, F> {
    /// Calls a function with the value of the running green thread, which is made if there is none.
    ///
    /// Corresponds to using an attribute of eventlet's `corolocal.local`.
    ///
    /// # Yields
    ///
    /// Never by itself; on a green stack, wherever the function does.
    ///
    /// # Killed
    ///
    /// On a green stack that is killed inside the function, the value is dropped after the stack.
    ///
    /// # Panics
    ///
    /// Outside green threads. In the destructor of a local, for one that was dropped already.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::corolocal::Local;
    ///
    /// static NAME: Local<String> = Local::new(|| format!("green thread {}", eventlet::getcurrent().id()));
    ///
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async { NAME.with(|name| name.len()) });
    /// assert!(gt.await.unwrap() > 13);
    /// # });
    /// ```
    #[track_caller]
    pub fn with<R>(&self, function: impl FnOnce(&T) -> R) -> R {
        match self.value_of(getcurrent().key()) {
            Some(value) => function(&value),
            None => panic!(
                "this local was dropped already, as its green thread has ended: a destructor that may \
                 run after it uses `try_with`"
            ),
        }
    }

    /// Calls a function with the value of the running green thread, unless there is none and can be
    /// none: outside green threads, and when the value was dropped already.
    ///
    /// Corresponds to [`std::thread::LocalKey::try_with`].
    ///
    /// # Yields
    ///
    /// Never by itself; on a green stack, wherever the function does.
    ///
    /// # Killed
    ///
    /// As with [`with`](Local::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::corolocal::Local;
    ///
    /// static REQUEST: Local<u32> = Local::new(|| 7);
    ///
    /// assert_eq!(REQUEST.try_with(|request| *request), None);
    /// eventlet::run(async {
    ///     assert_eq!(REQUEST.try_with(|request| *request), Some(7));
    /// });
    /// ```
    pub fn try_with<R>(&self, function: impl FnOnce(&T) -> R) -> Option<R> {
        let owner = hub::current()?.current()?;
        self.value_of(owner).map(|value| function(&value))
    }

    /// Returns the value of a green thread that has not ended; `None` if it was dropped.
    pub(crate) fn value_of(&self, owner: Key) -> Option<Rc<T>> {
        let hub = hub::current()?;
        let value = match hub.locals.find(owner, self.id()) {
            Found::Value(value) => value,
            Found::Gone => return None,
            // Nothing is borrowed meanwhile: `init` may use locals, even this one, and on a green
            // stack it may wait.
            Found::Nothing => hub.locals.keep(owner, self.id(), Rc::new((self.init)())),
        };
        Some(downcast(value))
    }
}

/// A local has values of one type only.
fn downcast<T: 'static>(value: Rc<dyn Any>) -> Rc<T> {
    value.downcast().unwrap_or_else(|_| unreachable!("two locals have the same number"))
}

impl<T, F> Local<T, F> {
    fn id(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);

        match self.id.load(Ordering::Relaxed) {
            0 => {
                let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
                let first =
                    self.id.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed);
                first.map_or_else(|first| first, |_| fresh)
            }
            id => id,
        }
    }
}

/// Names the same values.
impl<T, F: Clone> Clone for Local<T, F> {
    fn clone(&self) -> Local<T, F> {
        let id = AtomicU64::new(self.id());
        Local { id, init: self.init.clone(), values: PhantomData }
    }
}

/// Shows the value of the running green thread, if there is one.
impl<T: fmt::Debug + 'static, F> fmt::Debug for Local<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = hub::current().and_then(|hub| Some((hub.current()?, hub)));
        let found = owner.map(|(owner, hub)| hub.locals.find(owner, self.id()));
        match found {
            Some(Found::Value(value)) => {
                f.debug_tuple("Local").field(&downcast::<T>(value)).finish()
            }
            _ => f.debug_struct("Local").finish_non_exhaustive(),
        }
    }
}
