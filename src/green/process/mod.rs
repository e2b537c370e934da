//! Processes under the names of [`std::process`].
//!
//! Waiting for a process, or for its output, suspends only the green thread.
//!
//! Corresponds to [`std::process`], and to `eventlet.green.subprocess`.
//!
//! # Differences
//!
//! A process that is not waited for leaves no zombie: it is reaped, at the latest when the next one
//! is started. [`Child::wait_timeout`], [`Child::communicate`], [`Child::handle`] and [`Signal`]
//! are not in `std`.
//!
//! # Not here
//!
//! Further options of the C library: set them on a [`std::process::Command`], which converts into a
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
