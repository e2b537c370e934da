//! Processes under the names of [`std::process`].
//!
//! Only the green thread waits for a process, and only it reads what the process writes.
//!
//! Corresponds to [`std::process`], and to `eventlet.green.subprocess`.
//!
//! # Differences
//!
//! A process that nobody waits for leaves nothing behind: it is reaped, at the latest by the next
//! that is started. [`Child::wait_timeout`], [`Child::communicate`], [`Child::handle`] and
//! [`Signal`] are not in `std`.
//!
//! # Not here
//!
//! What the C library offers beside: make a [`std::process::Command`], which converts into a
//! [`Command`].

mod child;
mod command;
mod communicate;
mod handle;
mod signal;
mod stdio;

#[doc(no_inline)]
pub use std::process::{
    CommandArgs, CommandEnvs, ExitCode, ExitStatus, Output, Stdio, Termination, abort, exit, id,
};

pub use child::Child;
pub use command::Command;
pub use handle::ChildHandle;
pub use signal::{NoSuchSignal, Signal};
pub use stdio::{ChildStderr, ChildStdin, ChildStdout};
