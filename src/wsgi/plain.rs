//! TLS below a server, in a build without it.

use std::any::Any;
use std::io;

use tokio::net::TcpStream;

/// What the TLS handshake of a connection has found.
pub(super) struct Session;

/// Returns the TCP socket of a connection, if it has one.
pub(super) fn socket_below(io: &dyn Any) -> Option<&TcpStream> {
    io.downcast_ref()
}

/// Returns the listener below a TLS listener, and any other as it is.
pub(super) fn listener_below(listener: &dyn Any) -> &dyn Any {
    listener
}

/// Does the handshake of a TLS connection: there is none.
pub(super) async fn shake_hands(_io: &mut dyn Any) -> io::Result<Option<Session>> {
    Ok(None)
}
