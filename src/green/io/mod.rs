//! Input and output under the names of [`std::io`].
//!
//! The traits, the buffers and [`copy`] are `std`'s own, and work with the types of
//! [`green::net`](super::net), [`green::fs`](super::fs) and the rest. Items that wait are here.
//!
//! ```
//! use eventlet::green::io::{self, BufRead, BufReader, Write};
//!
//! eventlet::run(eventlet::stackful(|| {
//!     let (reader, mut writer) = io::pipe().unwrap();
//!     writeln!(writer, "hello").unwrap();
//!     drop(writer);
//!     assert_eq!(BufReader::new(reader).lines().next().unwrap().unwrap(), "hello");
//! }));
//! ```
//!
//! Corresponds to [`std::io`], and to `eventlet.greenio`.
//!
//! # Not here
//!
//! Green versions of `print!` and `println!`, which are macros: their output goes the same way as
//! that of [`stdout`], but the whole hub waits for it.

mod output;
#[cfg(unix)]
mod pipe;
mod stdin;
mod turnstile;

#[doc(no_inline)]
pub use std::io::*;

pub use output::{Stderr, StderrLock, Stdout, StdoutLock, stderr, stdout};
#[cfg(unix)]
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use stdin::{Stdin, StdinLock, stdin};
