//! Starting green threads, and waiting for them.

use std::any::Any;
use std::cell::OnceCell;
use std::fmt;

use super::current::Thread;
use crate::exit::Exit;
use crate::green::wait::wait;
use crate::greenthread::GreenThread;
use crate::stackful::stackful;

/// Starts a closure in a green thread with a stack of its own.
///
/// Dropping the handle leaves the green thread running. [`Builder`](super::Builder) gives it a
/// name, or a stack of another size.
///
/// Corresponds to [`std::thread::spawn`].
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Never.
///
/// # Differences
///
/// Nothing has to be `Send`: the green thread stays on this OS thread. Its stack is taken at its
/// first turn. If the system refuses one, it ends with an error, which [`join`](JoinHandle::join)
/// returns.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let text = Rc::new("hello");
///     let shared = Rc::clone(&text);
///     let handle = thread::spawn(move || shared.len());
///     assert_eq!(handle.join().unwrap(), text.len());
/// }));
/// ```
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    crate::greenthread::spawn(stackful(f)).into()
}

/// The right to wait for a green thread: what [`spawn`] returns.
///
/// It converts from and into a [`GreenThread`], which can be killed and linked.
///
/// Corresponds to [`std::thread::JoinHandle`].
///
/// # Examples
///
/// ```
/// use eventlet::green::thread::{self, JoinHandle};
/// use eventlet::{Exit, GreenThread};
///
/// eventlet::run(eventlet::stackful(|| {
///     let gt = GreenThread::from(thread::spawn(|| thread::sleep(std::time::Duration::MAX)));
///     gt.kill();
///     let payload = JoinHandle::from(gt).join().unwrap_err();
///     assert!(payload.downcast::<Exit>().unwrap().is_killed());
/// }));
/// ```
pub struct JoinHandle<T> {
    gt: GreenThread<T>,
    /// Made when it is first asked for, unless it has a name.
    thread: OnceCell<Thread>,
}

impl<T> JoinHandle<T> {
    /// Waits until the green thread ends, and returns its value or the payload of its panic.
    ///
    /// Corresponds to [`std::thread::JoinHandle::join`].
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
    /// The green thread that is waited for is not affected.
    ///
    /// # Errors
    ///
    /// The payload of the panic that ended the green thread. The payload is an [`Exit`] if it ended
    /// otherwise, and a text that says so if this green stack unwinds and cannot wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert_eq!(thread::spawn(|| 42).join().unwrap(), 42);
    ///
    ///     let payload = thread::spawn(|| panic!("oops")).join().unwrap_err();
    ///     assert_eq!(*payload.downcast::<&str>().unwrap(), "oops");
    /// }));
    /// ```
    #[track_caller]
    pub fn join(self) -> std::thread::Result<T> {
        match wait(self.gt) {
            Ok(result) => result.map_err(payload),
            Err(unwinding) => Err(Box::new(unwinding.to_string())),
        }
    }

    /// Returns whether the green thread has ended.
    ///
    /// Corresponds to [`std::thread::JoinHandle::is_finished`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let handle = thread::spawn(|| ());
    ///     assert!(!handle.is_finished());
    ///     handle.join().unwrap();
    /// }));
    /// ```
    pub fn is_finished(&self) -> bool {
        self.gt.dead()
    }

    /// Returns the green thread's [`Thread`], which can be unparked.
    ///
    /// Corresponds to [`std::thread::JoinHandle::thread`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let handle = thread::spawn(|| {
    ///         thread::park();
    ///         thread::current().id()
    ///     });
    ///     let id = handle.thread().id();
    ///     handle.thread().unpark();
    ///     assert_eq!(handle.join().unwrap(), id);
    /// }));
    /// ```
    pub fn thread(&self) -> &Thread {
        self.thread.get_or_init(|| Thread::of(*self.gt))
    }

    pub(super) fn set_name(&self, name: String) {
        self.gt.set_name(name);
        // Kept, as it is not known any more once the green thread has ended.
        self.thread();
    }
}

/// Returns the payload that `std` would return in place of a value.
pub(super) fn payload(exit: Exit) -> Box<dyn Any + Send> {
    exit.into_panic().unwrap_or_else(|exit| Box::new(exit))
}

impl<T> From<GreenThread<T>> for JoinHandle<T> {
    fn from(gt: GreenThread<T>) -> JoinHandle<T> {
        JoinHandle { gt, thread: OnceCell::new() }
    }
}

impl<T> From<JoinHandle<T>> for GreenThread<T> {
    fn from(handle: JoinHandle<T>) -> GreenThread<T> {
        handle.gt
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("thread", self.thread()).finish_non_exhaustive()
    }
}
