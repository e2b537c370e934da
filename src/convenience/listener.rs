//! Sources of connections.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

/// A source of connections for [`serve`](super::serve()).
///
/// Tokio's listeners are sources. A program's own can wrap one, to set options on the connections
/// or to wrap them in TLS.
///
/// Corresponds to the argument `sock` of `eventlet.serve`.
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::net::SocketAddr;
///
/// use eventlet::convenience::Listener;
/// use tokio::net::{TcpListener, TcpStream};
///
/// struct WithTtl(TcpListener);
///
/// impl Listener for WithTtl {
///     type Io = TcpStream;
///     type Addr = SocketAddr;
///
///     async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
///         let (conn, addr) = self.0.accept().await?;
///         conn.set_ttl(16)?;
///         Ok((conn, addr))
///     }
/// }
///
/// # eventlet::run(async {
/// let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
/// let _client = eventlet::connect(listener.local_addr().unwrap()).await.unwrap();
/// let (conn, _addr) = WithTtl(listener).accept().await.unwrap();
/// assert_eq!(conn.ttl().unwrap(), 16);
/// # });
/// ```
pub trait Listener {
    /// A connection.
    type Io;

    /// The peer's address. Reports of a failing handler show it.
    type Addr: Clone + fmt::Debug;

    /// Waits for the next connection.
    ///
    /// # Killed
    ///
    /// A stopping server drops this future, and then the listener.
    ///
    /// # Errors
    ///
    /// An error does not end a server. One of kind `ConnectionAborted`, `ConnectionRefused`,
    /// `ConnectionReset` or `Interrupted` concerns a single connection, and the server asks for the
    /// next at once; after any other it waits a little.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Addr)>>;

    /// Returns whether its connections are encrypted, which makes the scheme of `wsgi`'s URLs
    /// `https`. Not unless said otherwise.
    fn is_secure(&self) -> bool {
        false
    }
}

impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }
}
