//! TCP and UDP under the names of [`std::net`].
//!
//! Corresponds to [`std::net`], and to `eventlet.green.socket`.
//!
//! # Differences
//!
//! The sockets are `!Send`: they belong to the hub of this OS thread. To move one to another OS
//! thread, convert it to Tokio's type and back.
//!
//! # Not here
//!
//! Unix sockets are in [`os::unix::net`](super::os::unix::net). `FromRawFd` and `IntoRawFd`:
//! sockets convert from and to those of `std`, which have them, into `std`'s by way of Tokio's.

mod addr;
mod listener;
pub(super) mod methods;
pub(super) mod socket;
mod stream;
mod udp;

#[doc(no_inline)]
pub use std::net::{
    AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6,
};

pub use addr::ToSocketAddrs;
pub use listener::{Incoming, TcpListener};
pub use stream::TcpStream;
pub use udp::UdpSocket;
