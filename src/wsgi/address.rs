//! The addresses of the two ends of a connection.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use super::tls::socket_below;

/// The address of one end of a connection.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Inet(SocketAddr),
    Unix,
    /// An address of another kind of listener, by its `Debug`.
    Other(Box<str>),
}

/// The addresses of both ends of a connection, and whether TLS is between them.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub(super) remote: Address,
    pub(super) local: Address,
    pub(super) secure: bool,
}

impl Addresses {
    /// Finds the addresses of a socket, given the client's as the listener gave it.
    pub(super) fn of<A: fmt::Debug + 'static>(io: &dyn Any, addr: &A, secure: bool) -> Addresses {
        let addr = addr as &dyn DebugAny;
        let remote = match addr.as_any().downcast_ref::<SocketAddr>() {
            Some(addr) => Address::Inet(*addr),
            None if is_unix(addr.as_any()) => Address::Unix,
            None => Address::Other(format!("{addr:?}").into()),
        };
        let local = socket_below(io).and_then(|io| io.local_addr().ok());
        let local = local.map_or_else(|| remote.unknown_other_end(), Address::Inet);
        Addresses { remote, local, secure }
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

fn is_unix(addr: &dyn Any) -> bool {
    addr.is::<tokio::net::unix::SocketAddr>()
}

impl Address {
    /// Stands for the address of the other end where that is unknown.
    fn unknown_other_end(&self) -> Address {
        match self {
            Address::Inet(_) | Address::Unix => Address::Unix,
            Address::Other(_) => Address::Other("".into()),
        }
    }

    /// Returns the address without the port.
    pub(super) fn host(&self) -> Cow<'_, str> {
        match self {
            Address::Inet(addr) => addr.ip().to_string().into(),
            Address::Unix => "unix".into(),
            Address::Other(addr) => (&**addr).into(),
        }
    }

    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Address::Inet(addr) => Some(addr.port()),
            Address::Unix | Address::Other(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(addr) => addr.fmt(f),
            Address::Unix => f.write_str("unix"),
            Address::Other(addr) => f.write_str(addr),
        }
    }
}

/// An address of any kind, which can be downcast to those that are known.
trait DebugAny: fmt::Debug {
    fn as_any(&self) -> &dyn Any;
}

impl<A: fmt::Debug + 'static> DebugAny for A {
    fn as_any(&self) -> &dyn Any {
        self
    }
}
