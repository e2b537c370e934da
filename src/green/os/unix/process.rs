//! Processes on Unix, under the names of [`std::os::unix::process`].
//!
//! Corresponds to [`std::os::unix::process`].
//!
//! # Not here
//!
//! `CommandExt::pre_exec`: a [`std::process::Command`] has it, and converts into a
//! [`Command`].

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;

#[doc(no_inline)]
pub use std::os::unix::process::{ExitStatusExt, parent_id};

use crate::green::process::Command;

/// The Unix methods of a [`Command`].
///
/// Corresponds to [`std::os::unix::process::CommandExt`].
///
/// # Examples
///
/// ```
/// use eventlet::green::os::unix::process::CommandExt;
/// use eventlet::green::process::Command;
///
/// eventlet::run(eventlet::stackful(|| {
///     let mut shell = Command::new("sh");
///     let output = shell.arg0("alias").args(["-c", "echo $0"]).output().unwrap();
///     assert_eq!(output.stdout, b"alias\n");
/// }));
/// ```
pub trait CommandExt: sealed::Sealed {
    /// Sets the user that it runs as.
    fn uid(&mut self, id: u32) -> &mut Command;

    /// Sets the group that it runs as.
    fn gid(&mut self, id: u32) -> &mut Command;

    /// Replaces this process with the program. It returns only if that fails.
    ///
    /// As std says of its own, a process that goes on after that is not what it was: `SIGPIPE` is
    /// at its default, so the next write to a peer that has gone ends the process. Where it is to
    /// go on, use [`spawn`](Command::spawn).
    fn exec(&mut self) -> io::Error;

    /// Sets its argument 0.
    fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command;

    /// Puts it into a process group; 0 means a new one of its own.
    fn process_group(&mut self, pgroup: i32) -> &mut Command;
}

impl CommandExt for Command {
    fn uid(&mut self, id: u32) -> &mut Command {
        self.tokio.uid(id);
        self
    }

    fn gid(&mut self, id: u32) -> &mut Command {
        self.tokio.gid(id);
        self
    }

    fn exec(&mut self) -> io::Error {
        self.tokio.as_std_mut().exec()
    }

    fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.tokio.arg0(arg);
        self
    }

    fn process_group(&mut self, pgroup: i32) -> &mut Command {
        self.tokio.process_group(pgroup);
        self
    }
}

mod sealed {
    use crate::green::process::Command;

    pub trait Sealed {}

    impl Sealed for Command {}
}
