//! What is below a connection whose type is not known.

use std::any::Any;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::stream::TlsStream;

/// Returns whether a connection speaks TLS, and its socket if that is of TCP.
pub(crate) fn socket_below(io: &dyn Any) -> (bool, Option<&TcpStream>) {
    if let Some(tls) = io.downcast_ref::<TlsStream<TcpStream>>() {
        return (true, tls.get_ref());
    }
    #[cfg(unix)]
    if io.is::<TlsStream<UnixStream>>() {
        return (true, None);
    }
    (false, io.downcast_ref())
}
