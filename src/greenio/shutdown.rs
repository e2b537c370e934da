//! Shutting down sockets.
#![cfg(unix)]

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;

use socket2::SockRef;

/// Shuts a socket down both ways, unless that has happened already.
///
/// Green threads that wait for it go on. It takes sockets of Tokio, of `std` and of `green::net`,
/// and leaves them open: the descriptor is closed when the socket is dropped.
///
/// Corresponds to `eventlet.greenio.shutdown_safe`.
///
/// # Yields
///
/// Never.
///
/// # Errors
///
/// The operating system's, except that the socket is not connected or is not a socket.
///
/// # Examples
///
/// ```
/// use eventlet::greenio::shutdown_safe;
/// use eventlet::{connect, listen};
/// use tokio::io::AsyncReadExt;
///
/// # eventlet::run(async {
/// let listener = listen("127.0.0.1:0").await.unwrap();
/// let mut conn = connect(listener.local_addr().unwrap()).await.unwrap();
/// shutdown_safe(&conn).unwrap();
/// shutdown_safe(&conn).unwrap();
/// assert_eq!(conn.read(&mut [0]).await.unwrap(), 0);
/// # });
/// ```
pub fn shutdown_safe(socket: &impl AsFd) -> io::Result<()> {
    match SockRef::from(socket).shutdown(Shutdown::Both) {
        Err(error) if is_over(&error) => Ok(()),
        result => result,
    }
}

fn is_over(error: &io::Error) -> bool {
    let not_a_socket = rustix::io::Errno::NOTSOCK.raw_os_error();
    error.kind() == io::ErrorKind::NotConnected || error.raw_os_error() == Some(not_a_socket)
}
