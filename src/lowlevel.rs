//! What code needs that waits on behalf of C: a wait that never unwinds.
//!
//! [`Block::block`] waits on a green stack, and ends by unwinding when its green thread is killed or a time limit
//! passes. No unwind may pass a function of C, nor an `extern "C"` function of Rust: the process aborts. So a
//! function that C calls, and that is to wait, does it with [`wait`], which returns [`Cancelled`] instead. The function
//! reports that as C does, such as by `ECANCELED`, and so do those that C calls on its way out; when
//! control is back in Rust, the next ordinary wait unwinds.
//!
//! ```
//! use eventlet::{Block, Timeout, lowlevel, sleep, stackful};
//! use std::time::Duration;
//!
//! /// As a library of C might call it, to wait for something.
//! extern "C" fn pause(milliseconds: u64) -> i32 {
//!     if !lowlevel::may_wait() {
//!         std::thread::sleep(Duration::from_millis(milliseconds));
//!         return 0;
//!     }
//!     match lowlevel::wait(sleep(Duration::from_millis(milliseconds))) {
//!         Ok(()) => 0,
//!         Err(_cancelled) => -1,
//!     }
//! }
//!
//! eventlet::run(stackful(|| {
//!     assert_eq!(pause(1), 0);
//!     let limit = Timeout::new(Duration::from_millis(1));
//!     let late = limit.run_blocking(|| {
//!         assert_eq!(pause(60_000), -1);
//!         assert_eq!(pause(60_000), -1);
//!         sleep(Duration::ZERO).block();
//!         unreachable!("an ordinary wait unwinds");
//!     });
//!     assert_eq!(late, Err(limit));
//! }));
//! ```
//!
//! Eventlet has no need of it: its green threads wait in C, where `greenlet` switches.
//!
//! [`Block::block`]: crate::Block::block

use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::pin::pin;
use std::task::Poll;
use std::thread;

use crate::hub;
use crate::stackful::Frame;

/// Returns whether this code may [`wait`]: it is on a green stack, not inside a poll, and not in a destructor that a
/// panic runs.
///
/// Where it is false, what has to wait must block the OS thread, as it would without green threads.
///
/// On a green stack whose green thread is being ended it is true, also in a destructor: `wait` returns at once there.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, lowlevel, stackful};
///
/// assert!(!lowlevel::may_wait());
/// eventlet::run(stackful(|| {
///     assert!(lowlevel::may_wait());
///     async { assert!(!lowlevel::may_wait()) }.block();
/// }));
/// ```
pub fn may_wait() -> bool {
    Frame::with_current(|frame| {
        frame.is_some_and(|frame| frame.is_ending() || !thread::panicking())
    })
}

/// Returns whether this code is inside the poll of a future, for a green thread of this OS thread.
///
/// To block the OS thread here blocks all its green threads. That is so too on the stack of Tokio's own
/// tasks, of which this does not know.
///
/// # Examples
///
/// ```
/// use eventlet::{lowlevel, stackful};
///
/// assert!(!lowlevel::inside_poll());
/// eventlet::run(async {
///     assert!(lowlevel::inside_poll());
///     stackful(|| assert!(!lowlevel::inside_poll())).await;
/// });
/// ```
pub fn inside_poll() -> bool {
    let on_a_stack = Frame::with_current(|frame| frame.is_some());
    !on_a_stack && hub::current().is_some_and(|hub| hub.current().is_some())
}

/// Waits for a future on a green stack, without ever unwinding.
///
/// It is for code that is called from C; all other code waits with [`Block::block`](crate::Block::block). A panic of the
/// future is handed on, so it must have none.
///
/// # Panics
///
/// In the caller's line, when this code is not on a green stack, or is inside a poll: ask [`may_wait`] first.
///
/// # Yields
///
/// Until the future is ready; not at all if it is.
///
/// # Killed
///
/// The future is dropped, and the wait is cancelled. The green thread runs on, for whoever kills it waits meanwhile,
/// as it does for its destructors: each further `wait` is cancelled at once, without a look at its future. With
/// the next ordinary wait its stack is unwound from there. If it does not come to one it runs to its end, and what
/// it returns is dropped; if it has no end, neither has the call that kills it.
///
/// # Errors
///
/// [`Cancelled`] when the green thread is being ended; when a time limit
/// ([`Timeout::run_blocking`](crate::Timeout::run_blocking)) has passed, unless the future is ready; in a destructor that a
/// panic runs, likewise.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, Queue, lowlevel, sleep, spawn, stackful};
/// use std::time::Duration;
///
/// eventlet::run(stackful(|| {
///     let queue = Queue::<u32>::new(None);
///     let items = queue.clone();
///     let reader = spawn(stackful(move || {
///         assert!(lowlevel::wait(items.get()).is_err());
///         assert!(lowlevel::wait(async { "ready" }).is_err());
///     }));
///     sleep(Duration::ZERO).block();
///     reader.kill();
///     assert!(reader.block().unwrap_err().is_killed());
/// }));
/// ```
#[track_caller]
pub fn wait<F: IntoFuture>(future: F) -> Result<F::Output, Cancelled> {
    match Frame::with_current(|frame| Some(wait_on(frame?, future))) {
        Some(waited) => waited,
        None => panic!(
            "`lowlevel::wait` needs a green stack, and this code is on none or inside a poll: ask \
             `lowlevel::may_wait()` first"
        ),
    }
}

fn wait_on<F: IntoFuture>(frame: &Frame, future: F) -> Result<F::Output, Cancelled> {
    let mut future = pin!(future.into_future());
    while !frame.is_ending() {
        if let Poll::Ready(output) = frame.poll(future.as_mut()) {
            return Ok(output);
        }
        if thread::panicking() || frame.limit_to_take_effect().is_some() {
            break;
        }
        frame.put_aside();
    }
    Err(Cancelled(()))
}

/// The error of a [`wait`] that was not to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled(());

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the wait was cancelled")
    }
}

impl Error for Cancelled {}
