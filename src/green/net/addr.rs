//! Names of hosts.

use std::io;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::option;
use std::slice;
use std::vec;

use super::super::wait::wait_io;
use crate::resolve;

/// Types that can be resolved to socket addresses.
///
/// Names are resolved as by [`connect`](crate::connect), and only the green thread waits. A numeric
/// address needs no waiting.
///
/// Corresponds to [`std::net::ToSocketAddrs`], and is implemented for the same types.
///
/// # Examples
///
/// ```
/// use eventlet::green::net::{SocketAddr, ToSocketAddrs};
///
/// eventlet::run(eventlet::stackful(|| {
///     let mut addrs = ("127.0.0.1", 80).to_socket_addrs().unwrap();
///     assert_eq!(addrs.next(), Some(SocketAddr::from(([127, 0, 0, 1], 80))));
///
///     assert!("localhost:80".to_socket_addrs().unwrap().all(|addr| addr.ip().is_loopback()));
/// }));
/// ```
pub trait ToSocketAddrs {
    /// The iterator over the addresses.
    type Iter: Iterator<Item = SocketAddr>;

    /// Resolves to addresses.
    ///
    /// # Panics
    ///
    /// If there is a name to resolve, and no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While a name is being resolved; otherwise never.
    ///
    /// # Errors
    ///
    /// If the name cannot be resolved.
    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<Self::Iter>;
}

impl ToSocketAddrs for str {
    type Iter = vec::IntoIter<SocketAddr>;

    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        match self.parse() {
            Ok(addr) => Ok(vec![addr].into_iter()),
            Err(_) => wait_io(resolve::lookup_text(self)).map(Vec::into_iter),
        }
    }
}

impl ToSocketAddrs for (&str, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => Ok(vec![SocketAddr::new(ip, self.1)].into_iter()),
            Err(_) => wait_io(resolve::lookup(self.0, self.1)).map(Vec::into_iter),
        }
    }
}

/// Calls a function with each address in turn, until one succeeds.
#[track_caller]
pub(super) fn first_that_works<A: ToSocketAddrs, T>(
    addr: A,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut failed = None;
    for addr in addr.to_socket_addrs()? {
        match attempt(addr) {
            Ok(done) => return Ok(done),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(no_address))
}

pub(super) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address to try")
}

impl ToSocketAddrs for String {
    type Iter = vec::IntoIter<SocketAddr>;

    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        self.as_str().to_socket_addrs()
    }
}

impl ToSocketAddrs for (String, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        (self.0.as_str(), self.1).to_socket_addrs()
    }
}

impl<'a> ToSocketAddrs for &'a [SocketAddr] {
    type Iter = iter::Cloned<slice::Iter<'a, SocketAddr>>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        Ok(self.iter().cloned())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    type Iter = T::Iter;

    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<T::Iter> {
        (**self).to_socket_addrs()
    }
}

macro_rules! one_address {
    ($($address:ty),*) => {$(
        impl ToSocketAddrs for $address {
            type Iter = option::IntoIter<SocketAddr>;

            fn to_socket_addrs(&self) -> io::Result<option::IntoIter<SocketAddr>> {
                Ok(Some(SocketAddr::from(*self)).into_iter())
            }
        }
    )*};
}

one_address! { SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16) }
