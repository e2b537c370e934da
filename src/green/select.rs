//! Waiting for several descriptors: `select` and `poll`, which are futures, to be waited for with
//! `.block()`.
//!
//! Corresponds to `eventlet.green.select`, and to Python's `select`.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! use eventlet::green::net::UdpSocket;
//! use eventlet::green::select::select;
//! use eventlet::{Block, stackful};
//!
//! eventlet::run(stackful(|| {
//!     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
//!     let (read, ..) = select([&socket], [], [], Duration::from_millis(1)).block().unwrap();
//!     assert!(read.is_empty(), "nobody has sent anything");
//! }));
//! ```
//!
//! # Not here
//!
//! `epoll`, `kqueue` and `devpoll`, as in eventlet.

#[doc(no_inline)]
pub use crate::hubs::{Events, Poll, Selected, select};
