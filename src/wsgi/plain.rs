//! What a server knows of TLS, where there is none.

use std::any::Any;
use std::io;

use tokio::net::TcpStream;

/// What was agreed on when a connection was encrypted.
pub(super) struct Session;

/// Returns the socket below a connection, if it is of TCP.
pub(super) fn socket_below(io: &dyn Any) -> Option<&TcpStream> {
    io.downcast_ref()
}

/// Returns the listener below another.
pub(super) fn listener_below(listener: &dyn Any) -> &dyn Any {
    listener
}

/// Does the handshake of a connection that is to be encrypted: of none.
pub(super) async fn shake_hands(_io: &mut dyn Any) -> io::Result<Option<Session>> {
    Ok(None)
}
