//! A process that was started.

use std::io;
use std::process::{ExitStatus, Output};
use std::time::Duration;

use super::super::wait::{wait, wait_io};
use super::stdio::{ChildStderr, ChildStdin, ChildStdout};
use crate::hub::within;

/// A process that was started: what [`Command::spawn`](super::Command::spawn) returns.
///
/// It goes on when this is dropped.
///
/// Corresponds to [`std::process::Child`].
///
/// # Differences
///
/// One that was dropped is reaped when it has ended, where with `std` it stays a zombie.
///
/// # Examples
///
/// ```
/// use eventlet::green::process::Command;
///
/// eventlet::run(eventlet::stackful(|| {
///     let mut child = Command::new("sleep").arg("60").spawn().unwrap();
///     assert!(child.try_wait().unwrap().is_none());
///     child.kill().unwrap();
///     assert!(!child.wait().unwrap().success());
/// }));
/// ```
#[derive(Debug)]
pub struct Child {
    /// What it reads, if that was [`Stdio::piped`](std::process::Stdio::piped).
    pub stdin: Option<ChildStdin>,
    /// What it writes, if that was [`Stdio::piped`](std::process::Stdio::piped).
    pub stdout: Option<ChildStdout>,
    /// What it writes to its standard error, if that was [`Stdio::piped`](std::process::Stdio::piped).
    pub stderr: Option<ChildStderr>,
    /// Kept here, as Tokio forgets it when the process has ended.
    id: u32,
    tokio: tokio::process::Child,
}

impl Child {
    /// Ends the process at once. One that has ended already is left alone.
    ///
    /// Corresponds to [`std::process::Child::kill`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    ///     child.kill().unwrap();
    ///     assert_eq!(child.wait().unwrap().code(), None);
    ///     assert!(child.kill().is_ok());
    /// }));
    /// ```
    pub fn kill(&mut self) -> io::Result<()> {
        match self.tokio.id() {
            Some(_) => self.tokio.start_kill(),
            None => Ok(()),
        }
    }

    /// Returns the number of the process.
    ///
    /// Corresponds to [`std::process::Child::id`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut child = Command::new("true").spawn().unwrap();
    ///     assert_ne!(child.id(), std::process::id());
    ///     child.wait().unwrap();
    /// }));
    /// ```
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Closes its standard input, and waits until the process ends.
    ///
    /// Corresponds to [`std::process::Child::wait`].
    ///
    /// # Panics
    ///
    /// Where there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until the process has ended; not at all if that is known.
    ///
    /// # Killed
    ///
    /// The process goes on, and can be waited for by somebody else.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds, when the process has not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut child = Command::new("true").spawn().unwrap();
    ///     assert!(child.wait().unwrap().success());
    ///     assert!(child.wait().unwrap().success());
    /// }));
    /// ```
    #[track_caller]
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        match wait(self.tokio.wait()) {
            Ok(ended) => ended,
            Err(unwinding) => self.tokio.try_wait()?.ok_or_else(|| unwinding.into()),
        }
    }

    /// Closes its standard input, and waits until the process ends, no longer than a time limit. `None` when
    /// that has passed: the process goes on.
    ///
    /// Corresponds to eventlet's `Popen.wait(timeout)`, and to nothing in `std`.
    ///
    /// # Panics
    ///
    /// Where there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until the process has ended; not at all if that is known.
    ///
    /// # Killed
    ///
    /// The process goes on, and can be waited for by somebody else.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds, when the process has not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    ///     assert!(child.wait_timeout(Duration::from_millis(1)).unwrap().is_none());
    ///     child.kill().unwrap();
    ///     assert!(child.wait_timeout(Duration::from_secs(60)).unwrap().is_some());
    /// }));
    /// ```
    #[track_caller]
    pub fn wait_timeout(&mut self, dur: Duration) -> io::Result<Option<ExitStatus>> {
        drop(self.stdin.take());
        match wait(within(Some(dur), self.tokio.wait())) {
            Ok(ended) => ended.transpose(),
            Err(unwinding) => self.tokio.try_wait()?.ok_or_else(|| unwinding.into()).map(Some),
        }
    }

    /// Returns how the process ended, or `None` when it has not.
    ///
    /// Corresponds to [`std::process::Child::try_wait`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    ///     assert!(child.try_wait().unwrap().is_none());
    ///     child.kill().unwrap();
    /// }));
    /// ```
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.tokio.try_wait()
    }

    /// Closes its standard input, reads what it writes, and waits until the process ends.
    ///
    /// Corresponds to [`std::process::Child::wait_with_output`].
    ///
    /// # Panics
    ///
    /// Where there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until the process has ended.
    ///
    /// # Killed
    ///
    /// The process goes on, and nobody reads what it writes.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::{Command, Stdio};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn().unwrap();
    ///     assert_eq!(child.wait_with_output().unwrap().stdout, b"hello\n");
    /// }));
    /// ```
    #[track_caller]
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        // Tokio reads both at once, as it must be, and gets back what it gave.
        self.tokio.stdout = self.stdout.take().map(ChildStdout::into_tokio).transpose()?;
        self.tokio.stderr = self.stderr.take().map(ChildStderr::into_tokio).transpose()?;
        wait_io(self.tokio.wait_with_output())
    }
}

/// Takes a process over that Tokio started. The number of one that has ended is not known: it is 0.
///
/// # Panics
///
/// Outside a Tokio runtime.
impl TryFrom<tokio::process::Child> for Child {
    type Error = io::Error;

    fn try_from(mut child: tokio::process::Child) -> io::Result<Child> {
        Ok(Child {
            stdin: child.stdin.take().map(ChildStdin::try_from).transpose()?,
            stdout: child.stdout.take().map(ChildStdout::try_from).transpose()?,
            stderr: child.stderr.take().map(ChildStderr::try_from).transpose()?,
            id: child.id().unwrap_or_default(),
            tokio: child,
        })
    }
}
