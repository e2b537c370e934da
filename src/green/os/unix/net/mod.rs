//! Unix sockets under the names of [`std::os::unix::net`].
//!
//! Corresponds to [`std::os::unix::net`], and to `AF_UNIX` in `eventlet.green.socket`.
//!
//! # Differences
//!
//! The sockets are `!Send`: they belong to the hub of this OS thread. They convert from and to
//! Tokio's, which is how to hand one on.

mod datagram;
mod listener;
mod path;
mod stream;

#[doc(no_inline)]
pub use std::os::unix::net::SocketAddr;

pub use datagram::UnixDatagram;
pub use listener::{Incoming, UnixListener};
pub use stream::UnixStream;
