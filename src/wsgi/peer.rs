//! Who is at the two ends of a connection.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use super::tls::socket_below;

/// One end of a connection.
#[derive(Clone, Debug)]
pub(super) enum End {
    Inet(SocketAddr),
    Unix,
    /// An address of a listener of the program's own, as it shows itself.
    Other(Box<str>),
}

/// The two ends of a connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) remote: End,
    pub(super) local: End,
    pub(super) secure: bool,
}

impl Peer {
    /// Learns what it can from a socket and the address that came with it.
    pub(super) fn of<A: fmt::Debug + 'static>(io: &dyn Any, addr: &A, secure: bool) -> Peer {
        let addr = addr as &dyn DebugAny;
        let remote = match addr.as_any().downcast_ref::<SocketAddr>() {
            Some(addr) => End::Inet(*addr),
            None if is_unix(addr.as_any()) => End::Unix,
            None => End::Other(format!("{addr:?}").into()),
        };
        let local = socket_below(io).and_then(|io| io.local_addr().ok());
        let local = local.map_or_else(|| remote.same_kind(), End::Inet);
        Peer { remote, local, secure }
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

fn is_unix(addr: &dyn Any) -> bool {
    addr.is::<tokio::net::unix::SocketAddr>()
}

impl End {
    /// Stands for the other end, where nothing is known of it.
    fn same_kind(&self) -> End {
        match self {
            End::Inet(_) | End::Unix => End::Unix,
            End::Other(_) => End::Other("".into()),
        }
    }

    /// Returns the address without the port.
    pub(super) fn host(&self) -> Cow<'_, str> {
        match self {
            End::Inet(addr) => addr.ip().to_string().into(),
            End::Unix => "unix".into(),
            End::Other(addr) => (&**addr).into(),
        }
    }

    pub(super) fn port(&self) -> Option<u16> {
        match self {
            End::Inet(addr) => Some(addr.port()),
            End::Unix | End::Other(_) => None,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Inet(addr) => addr.fmt(f),
            End::Unix => f.write_str("unix"),
            End::Other(addr) => f.write_str(addr),
        }
    }
}

/// Something that shows itself, and may turn out to be an address that is known.
trait DebugAny: fmt::Debug {
    fn as_any(&self) -> &dyn Any;
}

impl<A: fmt::Debug + 'static> DebugAny for A {
    fn as_any(&self) -> &dyn Any {
        self
    }
}
