//! A process that was started.

use std::io;
use std::process::{ExitStatus, Output};
use std::time::Duration;

use super::super::wait::wait_io;
use super::communicate;
use super::handle::ChildHandle;
use super::signal::Signal;
use super::stdio::{ChildStderr, ChildStdin, ChildStdout};

/// A process that was started: what [`Command::spawn`](super::Command::spawn) returns.
///
/// It goes on when this is dropped.
///
/// Corresponds to [`std::process::Child`].
///
/// # Differences
///
/// A process whose `Child` was dropped is reaped when it has ended; in `std` it stays a zombie.
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
    /// Its standard input, if that was [`Stdio::piped`](std::process::Stdio::piped).
    pub stdin: Option<ChildStdin>,
    /// Its standard output, if that was [`Stdio::piped`](std::process::Stdio::piped).
    pub stdout: Option<ChildStdout>,
    /// Its standard error, if that was [`Stdio::piped`](std::process::Stdio::piped).
    pub stderr: Option<ChildStderr>,
    handle: ChildHandle,
}

impl Child {
    /// Returns a handle with which another green thread may wait for the process or signal it,
    /// while this one waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::{Command, Signal};
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    ///     let handle = child.handle();
    ///     thread::spawn(move || handle.send_signal(Signal::TERM).unwrap());
    ///     assert!(!child.wait().unwrap().success());
    /// }));
    /// ```
    pub fn handle(&self) -> ChildHandle {
        self.handle.clone()
    }

    /// Sends the process a signal. One that has ended already is left alone.
    ///
    /// Corresponds to eventlet's `Popen.send_signal`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::process::ExitStatusExt;
    /// use eventlet::green::process::{Command, Signal};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    ///     child.send_signal(Signal::USR1).unwrap();
    ///     assert_eq!(child.wait().unwrap().signal(), Some(Signal::USR1.as_raw()));
    /// }));
    /// ```
    pub fn send_signal(&self, signal: Signal) -> io::Result<()> {
        self.handle.send_signal(signal)
    }

    /// Asks the process to end, with `SIGTERM`. One that has ended already is left alone.
    ///
    /// Corresponds to eventlet's `Popen.terminate`.
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
    ///     child.terminate().unwrap();
    ///     assert!(!child.wait().unwrap().success());
    /// }));
    /// ```
    pub fn terminate(&self) -> io::Result<()> {
        self.send_signal(Signal::TERM)
    }

    /// Writes `input` to the process, closes its standard input, reads its output, and waits until
    /// it ends: all concurrently, so they cannot deadlock.
    ///
    /// It uses those of the three streams that are [piped](std::process::Stdio::piped). It is not
    /// an error if the process does not read all of `input`.
    ///
    /// Corresponds to eventlet's `Popen.communicate`.
    ///
    /// # Yields
    ///
    /// Until the process has ended.
    ///
    /// # Killed
    ///
    /// The process goes on, and its streams are closed: output that was read is lost. After a
    /// [limit](crate::Timeout::run_blocking) has passed, call `kill` and `wait`.
    ///
    /// # Errors
    ///
    /// Those of the streams. If the green stack is unwinding.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::{Command, Stdio};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut sort = Command::new("sort");
    ///     let mut child = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    ///     let output = child.communicate("b\na\n").unwrap();
    ///     assert!(output.status.success());
    ///     assert_eq!(output.stdout, b"a\nb\n");
    /// }));
    /// ```
    #[track_caller]
    pub fn communicate(&mut self, input: impl AsRef<[u8]>) -> io::Result<Output> {
        let stdin = self.stdin.take().map(ChildStdin::into_tokio).transpose()?;
        let stdout = self.stdout.take().map(ChildStdout::into_tokio).transpose()?;
        let stderr = self.stderr.take().map(ChildStderr::into_tokio).transpose()?;
        let input = stdin.map(|stdin| (stdin, input.as_ref()));
        wait_io(communicate::all(input, stdout, stderr, self.handle.ended()))
    }

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
        self.handle.kill()
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
        self.handle.id()
    }

    /// Closes its standard input, and waits until the process ends.
    ///
    /// Corresponds to [`std::process::Child::wait`].
    ///
    /// # Yields
    ///
    /// Until the process has ended; not at all if that is known.
    ///
    /// # Killed
    ///
    /// The process goes on, and another green thread can wait for it.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds, when the process has not ended.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
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
        self.handle.wait()
    }

    /// Closes its standard input, and waits until the process ends, no longer than a time limit.
    /// `None` when that has passed: the process goes on.
    ///
    /// Corresponds to eventlet's `Popen.wait(timeout)`, and to nothing in `std`.
    ///
    /// # Yields
    ///
    /// Until the process has ended; not at all if that is known.
    ///
    /// # Killed
    ///
    /// The process goes on, and another green thread can wait for it.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds, when the process has not ended.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
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
        self.handle.wait_timeout(dur)
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
        self.handle.try_wait()
    }

    /// Closes its standard input, reads its output, and waits until the process ends.
    ///
    /// Corresponds to [`std::process::Child::wait_with_output`].
    ///
    /// # Yields
    ///
    /// Until the process has ended.
    ///
    /// # Killed
    ///
    /// The process goes on, and its output is not read.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
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
        self.communicate([])
    }
}

/// Takes over a process that Tokio started. The number of one that has ended is not known: it is 0.
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
            handle: ChildHandle::new(child),
        })
    }
}
