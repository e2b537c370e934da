//! What is below a connection, where none speaks TLS.

use std::any::Any;

use tokio::net::TcpStream;

/// Returns whether a connection speaks TLS, and its socket if that is of TCP.
pub(super) fn socket_below(io: &dyn Any) -> (bool, Option<&TcpStream>) {
    (false, io.downcast_ref())
}
