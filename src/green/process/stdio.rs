//! Pipes to and from a process.

use std::fmt;
use std::io;
use std::process::Stdio;
use std::rc::Rc;

use tokio::net::unix::pipe::{Receiver, Sender};

use super::super::bytes;
use super::super::io::{PipeReader, PipeWriter};
use super::super::net::socket::{self, Socket};

/// The standard input of a process.
///
/// Waiting suspends only the green thread. Dropping it closes the pipe, so that the process reads
/// the end of its input.
///
/// Corresponds to [`std::process::ChildStdin`].
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use eventlet::green::process::{Command, Stdio};
///
/// eventlet::run(eventlet::stackful(|| {
///     let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
///     child.stdin.take().unwrap().write_all(b"hello").unwrap();
///     assert_eq!(child.wait_with_output().unwrap().stdout, b"hello");
/// }));
/// ```
pub struct ChildStdin {
    socket: Rc<Socket<Sender>>,
}

/// The standard output of a process.
///
/// Waiting suspends only the green thread.
///
/// Corresponds to [`std::process::ChildStdout`].
///
/// # Examples
///
/// ```
/// use std::io::{BufRead, BufReader};
///
/// use eventlet::green::process::{Command, Stdio};
///
/// eventlet::run(eventlet::stackful(|| {
///     let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn();
///     let mut child = child.unwrap();
///     let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
///     assert_eq!(lines.next().unwrap().unwrap(), "hello");
///     assert!(child.wait().unwrap().success());
/// }));
/// ```
pub struct ChildStdout {
    socket: Rc<Socket<Receiver>>,
}

/// The standard error of a process.
///
/// Waiting suspends only the green thread.
///
/// Corresponds to [`std::process::ChildStderr`].
///
/// # Examples
///
/// ```
/// use std::io::Read;
///
/// use eventlet::green::process::{Command, Stdio};
///
/// eventlet::run(eventlet::stackful(|| {
///     let mut shell = Command::new("sh");
///     let mut child = shell.args(["-c", "echo oops >&2"]).stderr(Stdio::piped()).spawn().unwrap();
///     let mut text = String::new();
///     child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
///     assert_eq!(text, "oops\n");
///     assert!(child.wait().unwrap().success());
/// }));
/// ```
pub struct ChildStderr {
    socket: Rc<Socket<Receiver>>,
}

bytes::writes!(ChildStdin);
bytes::reads!(ChildStdout);
bytes::reads!(ChildStderr);

/// A pipe to or from a process is a pipe.
macro_rules! child_pipe {
    ($name:ident, $pipe:ident) => {
        impl $name {
            /// Converts into Tokio's type, for async code.
            ///
            /// # Errors
            ///
            /// If the operating system refuses.
            ///
            /// # Panics
            ///
            /// Outside a Tokio runtime.
            pub fn into_tokio(self) -> io::Result<tokio::process::$name> {
                let fd = $pipe { socket: self.socket }.into_fd()?;
                tokio::process::$name::from_std(fd.into())
            }
        }

        /// Takes over Tokio's type.
        ///
        /// # Panics
        ///
        /// Outside a Tokio runtime.
        impl TryFrom<tokio::process::$name> for $name {
            type Error = io::Error;

            fn try_from(pipe: tokio::process::$name) -> io::Result<$name> {
                let pipe = $pipe::try_from(pipe.into_owned_fd()?)?;
                Ok($name { socket: pipe.socket })
            }
        }

        /// Gives it to another process.
        impl From<$name> for Stdio {
            fn from(pipe: $name) -> Stdio {
                $pipe { socket: pipe.socket }.into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.socket.io.fmt(f)
            }
        }

        socket::descriptor!($name);
    };
}

child_pipe!(ChildStdin, PipeWriter);
child_pipe!(ChildStdout, PipeReader);
child_pipe!(ChildStderr, PipeReader);
