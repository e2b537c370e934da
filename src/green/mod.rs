//! The standard library for code on green stacks: the same names, and only the green thread waits.
//!
//! Where a program had `use std::net::TcpStream`, it has `use eventlet::green::net::TcpStream`,
//! runs its closures as [`stackful`](crate::stackful()) green threads, and nothing else changes.
//!
//! ```
//! use std::io::{BufRead, BufReader, Write};
//!
//! use eventlet::green::net::{TcpListener, TcpStream};
//! use eventlet::green::thread;
//! use eventlet::stackful;
//!
//! eventlet::run(stackful(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//!     let addr = listener.local_addr().unwrap();
//!     let server = thread::spawn(move || {
//!         let (mut conn, _) = listener.accept().unwrap();
//!         writeln!(conn, "hello").unwrap();
//!     });
//!
//!     let mut line = String::new();
//!     BufReader::new(TcpStream::connect(addr).unwrap()).read_line(&mut line).unwrap();
//!     assert_eq!(line, "hello\n");
//!     server.join().unwrap();
//! }));
//! ```
//!
//! Everything here that waits panics, at the caller's line, if there is no green stack to wait on:
//! on a plain OS thread, and in an async fn, where Tokio's own types are the ones to use. A green
//! stack that unwinds cannot be suspended either, but destructors run there: so I/O that cannot
//! complete at once returns an error.
//!
//! Corresponds to `eventlet.green`.
//!
//! # Not here
//!
//! `env`, `path`, `collections` and everything else that never waits: use std's own.

mod blocking;
mod bytes;
mod greenio;
mod wait;

pub mod fs;
pub mod io;
pub mod net;
pub mod os;
#[cfg(unix)]
pub mod process;
#[cfg(unix)]
pub mod select;
#[cfg(feature = "ssl")]
pub mod ssl;
pub mod sync;
pub mod thread;
pub mod time;

#[doc(inline)]
pub use crate::__green_thread_local as thread_local;
