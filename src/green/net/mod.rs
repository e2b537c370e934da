//! TCP under the names of [`std::net`].
//!
//! Corresponds to [`std::net`], and to `eventlet.green.socket`.
//!
//! # Differences
//!
//! The sockets are `!Send`: they belong to the hub of this OS thread. They convert from and to Tokio's,
//! which is how to hand one on.
//!
//! # Not here
//!
//! `UdpSocket`, which is not built yet; Tokio's works with [`block`](crate::Block::block). Unix sockets: the
//! same.

mod addr;
mod listener;
pub(super) mod socket;
mod stream;

#[doc(no_inline)]
pub use std::net::{
    AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6,
};

pub use addr::ToSocketAddrs;
pub use listener::{Incoming, TcpListener};
pub use stream::TcpStream;
