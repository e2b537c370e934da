//! Green threads that borrow, as std starts and joins them.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::rc::Rc;

use super::current::Thread;
use super::spawn::payload;
use crate::green::wait::wait;
use crate::greenthread::GreenThread;
use crate::stackful::scope::{Body, Scope};

impl<'scope> Scope<'scope, '_> {
    /// Starts a closure in a green thread that may borrow from outside the scope.
    ///
    /// Corresponds to [`std::thread::Scope::spawn`].
    ///
    /// # Panics
    ///
    /// If the system refuses a stack. [`Builder::spawn_scoped`](super::Builder::spawn_scoped)
    /// returns an error instead.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// Nothing has to be `Send`: the green thread stays on this OS thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let count = Cell::new(0);
    ///     thread::scope(|s| {
    ///         for _ in 0..3 {
    ///             s.spawn(|| count.set(count.get() + 1));
    ///         }
    ///     });
    ///     assert_eq!(count.get(), 3);
    /// }));
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + 'scope,
        T: 'scope,
    {
        match ScopedJoinHandle::start(self, f, Body::with_stack_now) {
            Ok(handle) => handle,
            Err(error) => panic!("no scoped green thread: {error}"),
        }
    }
}

/// The right to wait for a green thread of a [`scope`](super::scope()).
///
/// Corresponds to [`std::thread::ScopedJoinHandle`].
pub struct ScopedJoinHandle<'scope, T> {
    gt: GreenThread<()>,
    /// Its value, once there is one.
    value: Rc<Cell<Option<T>>>,
    /// How many members failed and were not joined.
    unseen: Rc<Cell<usize>>,
    thread: OnceCell<Thread>,
    scope: PhantomData<&'scope ()>,
}

impl<'scope, T: 'scope> ScopedJoinHandle<'scope, T> {
    #[track_caller]
    pub(super) fn start<F>(
        scope: &'scope Scope<'scope, '_>,
        f: F,
        prepare: impl FnOnce(Body) -> io::Result<Body>,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + 'scope,
    {
        let value = Rc::new(Cell::new(None));
        let result = Rc::clone(&value);
        let gt = scope.start(move || result.set(Some(f())), prepare)?;
        let unseen = Rc::clone(scope.unseen());
        Ok(ScopedJoinHandle { gt, value, unseen, thread: OnceCell::new(), scope: PhantomData })
    }

    pub(super) fn set_name(&self, name: String) {
        self.gt.set_name(name);
        // Kept here, as it is no longer known once the green thread has ended.
        self.thread();
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits until the green thread ends, and returns its value or the payload of its panic.
    ///
    /// Corresponds to [`std::thread::ScopedJoinHandle::join`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until the green thread ends; not at all if it has.
    ///
    /// # Killed
    ///
    /// The green thread that is waited for is not affected, unless the scope ends.
    ///
    /// # Errors
    ///
    /// As with [`JoinHandle::join`](super::JoinHandle::join). The scope does not panic then.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     thread::scope(|s| {
    ///         let panics = s.spawn(|| panic!("oops"));
    ///         assert_eq!(*panics.join().unwrap_err().downcast::<&str>().unwrap(), "oops");
    ///     });
    /// }));
    /// ```
    #[track_caller]
    pub fn join(self) -> std::thread::Result<T> {
        match wait(self.gt) {
            Ok(Ok(())) => Ok(self.value.take().expect("it has returned")),
            Ok(Err(exit)) => {
                if !exit.is_killed() {
                    self.unseen.set(self.unseen.get() - 1);
                }
                Err(payload(exit))
            }
            Err(unwinding) => Err(Box::new(unwinding.to_string())),
        }
    }

    /// Returns the green thread's [`Thread`], which can be unparked.
    ///
    /// Corresponds to [`std::thread::ScopedJoinHandle::thread`].
    pub fn thread(&self) -> &Thread {
        self.thread.get_or_init(|| Thread::of(*self.gt))
    }

    /// Returns whether the green thread has ended.
    ///
    /// Corresponds to [`std::thread::ScopedJoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.gt.dead()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").field("thread", self.thread()).finish_non_exhaustive()
    }
}
