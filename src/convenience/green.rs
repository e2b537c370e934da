//! The listeners of green stacks, as sources of connections.

use std::io;
use std::net::SocketAddr;

use super::listener::Listener;
use crate::green::net::{TcpListener, TcpStream};

/// Gives [`serve`](super::serve())'s handler the stream of a green stack.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// use eventlet::green::net::{TcpListener, TcpStream};
/// use eventlet::{serve, spawn, stackful};
///
/// eventlet::run(stackful(|| {
///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
///     let addr = listener.local_addr().unwrap();
///     spawn(serve(listener, |mut conn, _| stackful(move || conn.write_all(b"hello")), 1000));
///
///     let mut answer = String::new();
///     TcpStream::connect(addr).unwrap().read_to_string(&mut answer).unwrap();
///     assert_eq!(answer, "hello");
/// }));
/// ```
impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (conn, addr) = self.tokio().accept().await?;
        Ok((conn.into(), addr))
    }
}

/// Gives [`serve`](super::serve())'s handler the stream of a green stack.
#[cfg(unix)]
impl Listener for crate::green::os::unix::net::UnixListener {
    type Io = crate::green::os::unix::net::UnixStream;
    type Addr = crate::green::os::unix::net::SocketAddr;

    async fn accept(&mut self) -> io::Result<(Self::Io, Self::Addr)> {
        let (conn, addr) = self.tokio().accept().await?;
        Ok((conn.into(), addr.into()))
    }
}
