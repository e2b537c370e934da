//! The part of a process that green threads share.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Pid, kill_process};

use super::super::wait::wait;
use super::signal::Signal;
use crate::hub::within;
use crate::semaphore::Semaphore;

/// A handle of a process that was started, which is cheap to clone: what
/// [`Child::handle`](super::Child::handle) returns.
///
/// Any number of green threads may wait for the process, and others signal it meanwhile.
///
/// Corresponds to a `Popen` of eventlet that green threads share.
///
/// # Examples
///
/// ```
/// use eventlet::green::process::Command;
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let child = Command::new("sleep").arg("60").spawn().unwrap();
///     let (one, other) = (child.handle(), child.handle());
///     let waiters = [one, other].map(|handle| thread::spawn(move || handle.wait().unwrap()));
///     thread::yield_now();
///     child.handle().kill().unwrap();
///     for waiter in waiters {
///         assert!(!waiter.join().unwrap().success());
///     }
/// }));
/// ```
#[derive(Clone)]
pub struct ChildHandle(Rc<Shared>);

struct Shared {
    /// Kept here, as Tokio forgets it when the process has ended.
    id: u32,
    /// Borrowed during a poll, never across a wait.
    tokio: RefCell<tokio::process::Child>,
    /// Held by one waiter at a time: Tokio wakes only the last task that polled.
    lead: Semaphore,
}

impl ChildHandle {
    pub(super) fn new(child: tokio::process::Child) -> ChildHandle {
        let id = child.id().unwrap_or_default();
        ChildHandle(Rc::new(Shared { id, tokio: RefCell::new(child), lead: Semaphore::new(1) }))
    }

    /// Returns the number of the process.
    pub fn id(&self) -> u32 {
        self.0.id
    }

    /// Ends the process at once. One that has ended already is left alone.
    ///
    /// # Yields
    ///
    /// Never.
    pub fn kill(&self) -> io::Result<()> {
        self.send_signal(Signal::KILL)
    }

    /// Asks the process to end, with `SIGTERM`. One that has ended already is left alone.
    ///
    /// # Yields
    ///
    /// Never.
    pub fn terminate(&self) -> io::Result<()> {
        self.send_signal(Signal::TERM)
    }

    /// Sends the process a signal. One that has ended already is left alone.
    ///
    /// # Yields
    ///
    /// Never.
    pub fn send_signal(&self, signal: Signal) -> io::Result<()> {
        // `Some` only until the process was reaped, so the number cannot be that of another.
        let number = self.0.tokio.borrow().id().and_then(|id| i32::try_from(id).ok());
        match number.and_then(Pid::from_raw) {
            Some(process) => Ok(kill_process(process, signal.number())?),
            None => Ok(()),
        }
    }

    /// Returns how the process ended, or `None` when it has not.
    ///
    /// # Yields
    ///
    /// Never.
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.0.tokio.borrow_mut().try_wait()
    }

    /// Waits until the process ends.
    ///
    /// # Yields
    ///
    /// Until the process has ended; not at all if that is known.
    ///
    /// # Killed
    ///
    /// The process goes on, and so do its other waiters.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds, when the process has not ended.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    #[track_caller]
    pub fn wait(&self) -> io::Result<ExitStatus> {
        match wait(self.ended()) {
            Ok(ended) => ended,
            Err(unwinding) => self.try_wait()?.ok_or_else(|| unwinding.into()),
        }
    }

    /// Waits until the process ends, no longer than a time limit. `None` when that has passed.
    ///
    /// # Yields
    ///
    /// Until the process has ended; not at all if that is known.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds, when the process has not ended.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    #[track_caller]
    pub fn wait_timeout(&self, dur: Duration) -> io::Result<Option<ExitStatus>> {
        match wait(within(Some(dur), self.ended())) {
            Ok(ended) => ended.transpose(),
            Err(unwinding) => self.try_wait()?.ok_or_else(|| unwinding.into()).map(Some),
        }
    }

    pub(super) async fn ended(&self) -> io::Result<ExitStatus> {
        let _lead = self.0.lead.permit().await;
        poll_fn(|cx| {
            let mut child = self.0.tokio.borrow_mut();
            let ended = pin!(child.wait());
            ended.poll(cx)
        })
        .await
    }
}

impl fmt::Debug for ChildHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildHandle").field("id", &self.0.id).finish_non_exhaustive()
    }
}
