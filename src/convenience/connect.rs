//! Client sockets.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream};

use super::address::{Address, Tcp};
use super::opening::Opening;

/// Connects to a server.
///
/// Wait for what it returns: with `.await`, or with `.block()` on a green stack. A TCP address
/// gives a [`tokio::net::TcpStream`], a path a [`tokio::net::UnixStream`].
///
/// Corresponds to `eventlet.connect`.
///
/// # Yields
///
/// Until the server answers.
///
/// # Killed
///
/// The socket is closed.
///
/// # Errors
///
/// If the name cannot be resolved, or none of its addresses accepts the connection: then the error
/// is that of the last one. The error names the address; the error of the operating system is its
/// [`source`](std::error::Error::source).
///
/// # Differences
///
/// Resolving a name does not block the hub. TCP sockets have `TCP_NODELAY` set.
///
/// # Examples
///
/// ```
/// use eventlet::{connect, listen};
///
/// # eventlet::run(async {
/// let listener = listen("127.0.0.1:0").await.unwrap();
/// let addr = listener.local_addr().unwrap();
/// let conn = connect(addr).await.unwrap();
/// assert_eq!(conn.peer_addr().unwrap(), addr);
///
/// let error = connect("no port").await.unwrap_err();
/// assert!(error.to_string().starts_with("cannot resolve \"no port\": "));
/// # });
/// ```
pub fn connect<A: Address>(addr: A) -> Connect<A::Family> {
    Connect { family: addr.into_family(), local: None }
}

/// A connection to be made: what [`connect`] returns.
#[derive(Clone, Debug)]
#[must_use = "nothing is connected until this is waited for"]
pub struct Connect<F> {
    pub(crate) family: F,
    local: Option<SocketAddr>,
}

impl Connect<Tcp> {
    /// Chooses the local address. By default the operating system does.
    ///
    /// Of the server's addresses, those of the same IP version are tried.
    ///
    /// Corresponds to the argument `bind` of `eventlet.connect`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// let local = "127.0.0.2:0".parse().unwrap();
    /// # if cfg!(not(target_os = "linux")) { return }
    /// let _conn = eventlet::connect(listener.local_addr().unwrap()).bind(local).await.unwrap();
    /// let (_conn, peer) = listener.accept().await.unwrap();
    /// assert_eq!(peer.ip().to_string(), "127.0.0.2");
    /// # });
    /// ```
    pub fn bind(mut self, local: SocketAddr) -> Connect<Tcp> {
        self.local = Some(local);
        self
    }

    async fn open(self) -> io::Result<TcpStream> {
        let local = self.local;
        let reachable = |addr: &SocketAddr| local.is_none_or(|at| at.is_ipv4() == addr.is_ipv4());
        self.family.try_each("connect to", reachable, |addr| connect_one(addr, local)).await
    }
}

async fn connect_one(addr: SocketAddr, local: Option<SocketAddr>) -> io::Result<TcpStream> {
    let socket = new_socket(addr)?;
    if let Some(local) = local {
        socket.bind(local)?;
    }
    socket.connect(addr).await
}

/// Makes the socket of a client or a listener. What a listener accepts inherits its options.
pub(super) fn new_socket(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

impl IntoFuture for Connect<Tcp> {
    type Output = io::Result<TcpStream>;
    type IntoFuture = Opening<TcpStream>;

    fn into_future(self) -> Opening<TcpStream> {
        Opening::new(self.open())
    }
}
