//! Green threads under the names of [`std::thread`].
//!
//! Corresponds to [`std::thread`], and to `eventlet.green.threading`.
//!
//! # Not here
//!
//! `Builder`, `current`, `park`, `scope` and `Thread`, which are not built yet. `available_parallelism`
//! and `panicking` need no green version. For what `std` does not have, killing for one, use
//! [`eventlet::spawn`](crate::spawn) and [`stackful`](crate::stackful()).

use std::any::Any;
use std::time::Duration;

use super::wait::wait;
use crate::exit::Exit;
use crate::greenthread::GreenThread;
use crate::stackful::stackful;

/// Starts a closure in a green thread with a stack of its own.
///
/// Dropping the handle leaves the green thread running.
///
/// Corresponds to [`std::thread::spawn`].
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
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
    JoinHandle(crate::greenthread::spawn(stackful(f)))
}

/// Waits for at least so long. Other green threads run meanwhile.
///
/// Corresponds to [`std::thread::sleep`].
///
/// # Panics
///
/// Where there is no green stack to wait on.
///
/// # Yields
///
/// Always, except while its green stack unwinds: then it returns at once.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let start = Instant::now();
///     thread::sleep(Duration::from_millis(5));
///     assert!(start.elapsed() >= Duration::from_millis(5));
/// }));
/// ```
#[track_caller]
pub fn sleep(dur: Duration) {
    // A destructor that would like to wait, and cannot, goes on.
    let _unwinding = wait(crate::greenthread::sleep(dur));
}

/// Gives up one turn: everyone who is ready runs once.
///
/// Corresponds to [`std::thread::yield_now`].
///
/// # Panics
///
/// Where there is no green stack to wait on.
///
/// # Yields
///
/// Always, except while its green stack unwinds.
///
/// # Examples
///
/// ```
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let other = thread::spawn(|| ());
///     thread::yield_now();
///     assert!(other.is_finished());
/// }));
/// ```
#[track_caller]
pub fn yield_now() {
    sleep(Duration::ZERO);
}

/// The right to wait for a green thread: what [`spawn`] returns.
///
/// It converts from and into a [`GreenThread`], which can be killed and linked.
///
/// Corresponds to [`std::thread::JoinHandle`].
///
/// # Not here
///
/// `thread`, as there is no `Thread` yet.
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
#[derive(Debug)]
pub struct JoinHandle<T>(GreenThread<T>);

impl<T> JoinHandle<T> {
    /// Waits until the green thread ends, and returns its value or the payload of its panic.
    ///
    /// Corresponds to [`std::thread::JoinHandle::join`].
    ///
    /// # Panics
    ///
    /// Where there is no green stack to wait on.
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
    /// The payload of the panic that ended the green thread. The payload is an [`Exit`] when it was ended
    /// otherwise, and a text that says so when this green stack unwinds and cannot wait.
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
        match wait(self.0) {
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
        self.0.dead()
    }
}

/// Returns what `std` would hand over in place of a value.
fn payload(exit: Exit) -> Box<dyn Any + Send> {
    exit.into_panic().unwrap_or_else(|exit| Box::new(exit))
}

impl<T> From<GreenThread<T>> for JoinHandle<T> {
    fn from(gt: GreenThread<T>) -> JoinHandle<T> {
        JoinHandle(gt)
    }
}

impl<T> From<JoinHandle<T>> for GreenThread<T> {
    fn from(handle: JoinHandle<T>) -> GreenThread<T> {
        handle.0
    }
}
