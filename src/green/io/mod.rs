//! Input and output under the names of [`std::io`].
//!
//! What needs no green version is `std`'s own: the traits, the buffers, [`copy`], which all work
//! with what is in [`green::net`](super::net), [`green::fs`](super::fs) and the rest. What waits is
//! here.
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
//! Green versions of `print!` and `println!`, which are macros: what they write goes the same way
//! as what is written to [`stdout`], but the hub waits for it.

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
