//! Addresses to connect to and to listen on.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::error::about;
use crate::resolve;

/// An address that [`connect`](super::connect()) and [`listen`](super::listen()) take.
///
/// | address | family |
/// |---|---|
/// | `"host:port"`, `("host", port)`, as `&str` or `String` | [`Tcp`] |
/// | [`SocketAddr`], `(IpAddr, port)`, and the same of either version | [`Tcp`] |
/// | `&Path`, `PathBuf`, on Unix | `Unix` |
///
/// The host may be a name. The system's resolver looks it up on an OS thread while the hub goes on,
/// and each of its addresses is tried in turn.
///
/// A process looks up at most 64 names at a time; others wait for their turn. A lookup cannot be
/// interrupted: one that was cancelled, by a time limit for example, keeps its place until the
/// system answers, ten seconds or more if its name server is silent. No hub waits for it when it
/// ends.
///
/// Corresponds to the arguments `addr` and `family` of eventlet's functions.
///
/// # Differences
///
/// Eventlet resolves a name inside `connect`, which blocks all green threads until the answer
/// comes.
///
/// # Examples
///
/// ```
/// use std::net::{Ipv6Addr, SocketAddr};
///
/// use eventlet::convenience::{Address, Tcp};
///
/// fn is_tcp(_: impl Address<Family = Tcp>) {}
/// is_tcp("localhost:80");
/// is_tcp(("::1", 80));
/// is_tcp((Ipv6Addr::LOCALHOST, 80));
/// is_tcp(SocketAddr::from(([127, 0, 0, 1], 80)));
/// ```
pub trait Address: sealed::Sealed {
    /// Which kind of socket the address is for.
    type Family;

    #[doc(hidden)]
    fn into_family(self) -> Self::Family;
}

pub(super) mod sealed {
    /// Seals [`Address`](super::Address).
    pub trait Sealed {}
}

/// The family of TCP addresses: their sockets are [`tokio::net::TcpStream`] and
/// [`tokio::net::TcpListener`].
///
/// Corresponds to `AF_INET` and `AF_INET6`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp(Host);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Known(SocketAddr),
    /// Host and port in one text.
    Text(String),
    Name(String, u16),
}

impl Tcp {
    fn parse(text: &str) -> Tcp {
        Tcp(match text.parse() {
            Ok(addr) => Host::Known(addr),
            Err(_) => Host::Text(text.to_owned()),
        })
    }

    fn parse_host(host: &str, port: u16) -> Tcp {
        Tcp(match host.parse::<IpAddr>() {
            Ok(ip) => Host::Known(SocketAddr::new(ip, port)),
            Err(_) => Host::Name(host.to_owned(), port),
        })
    }

    /// Returns the host without the port, for verifying its certificate.
    #[cfg_attr(not(feature = "ssl"), expect(dead_code))]
    pub(crate) fn host(&self) -> String {
        match &self.0 {
            Host::Known(addr) => addr.ip().to_string(),
            Host::Text(text) => {
                text.rsplit_once(':').map_or(&**text, |(host, _port)| host).to_owned()
            }
            Host::Name(name, _port) => name.clone(),
        }
    }

    /// Tries each address until one gives a socket. The error is that of the last.
    pub(super) async fn try_each<S, F>(
        &self,
        doing: &'static str,
        wanted: impl Fn(&SocketAddr) -> bool,
        attempt: impl Fn(SocketAddr) -> F,
    ) -> io::Result<S>
    where
        F: Future<Output = io::Result<S>>,
    {
        let mut failed = None;
        for addr in self.resolve().await?.into_iter().filter(wanted) {
            match attempt(addr).await {
                Ok(socket) => return Ok(socket),
                Err(error) => failed = Some(about(doing, self.at(addr), error)),
            }
        }
        Err(failed.unwrap_or_else(|| about(doing, self.to_string(), no_address())))
    }

    async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let resolved: io::Result<Vec<SocketAddr>> = match &self.0 {
            Host::Known(addr) => return Ok(vec![*addr]),
            Host::Text(text) => resolve::lookup_text(text).await,
            Host::Name(name, port) => resolve::lookup(name, *port).await,
        };
        resolved.map_err(|error| about("resolve", format!("{:?}", self.to_string()), error))
    }

    /// Says which of its addresses an error is about.
    fn at(&self, addr: SocketAddr) -> String {
        match &self.0 {
            Host::Known(known) => known.to_string(),
            _ => format!("{self} at {addr}"),
        }
    }
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::AddrNotAvailable, "it has no address of the requested family")
}

impl fmt::Display for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Host::Known(addr) => addr.fmt(f),
            Host::Text(text) => f.write_str(text),
            Host::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

macro_rules! tcp_address {
    ($($address:ty: $self:ident => $tcp:expr;)*) => {$(
        impl sealed::Sealed for $address {}

        impl Address for $address {
            type Family = Tcp;

            fn into_family($self) -> Tcp {
                $tcp
            }
        }
    )*};
}

tcp_address! {
    &str: self => Tcp::parse(self);
    &String: self => Tcp::parse(self);
    String: self => Tcp::parse(&self);
    (&str, u16): self => Tcp::parse_host(self.0, self.1);
    (&String, u16): self => Tcp::parse_host(self.0, self.1);
    (String, u16): self => Tcp::parse_host(&self.0, self.1);
    (IpAddr, u16): self => Tcp(Host::Known(self.into()));
    (Ipv4Addr, u16): self => Tcp(Host::Known(self.into()));
    (Ipv6Addr, u16): self => Tcp(Host::Known(self.into()));
    SocketAddr: self => Tcp(Host::Known(self));
    SocketAddrV4: self => Tcp(Host::Known(self.into()));
    SocketAddrV6: self => Tcp(Host::Known(self.into()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_id_in_a_text_is_kept() {
        let scoped = SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 0, 7);
        assert_eq!(Tcp::parse("[fe80::1%7]:80"), Tcp(Host::Known(scoped.into())));
        assert_eq!(scoped.into_family(), Tcp(Host::Known(scoped.into())));
        // The name of an interface is left to the resolver.
        let name = Host::Name("fe80::1%eth0".to_owned(), 80);
        assert_eq!(Tcp::parse_host("fe80::1%eth0", 80), Tcp(name));
    }
}
