//! Listening sockets.

use std::future::{IntoFuture, ready};
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::address::{Address, Tcp};
use super::connect::new_socket;
use super::opening::Opening;

/// Opens a socket for clients to connect to.
///
/// Wait for what it returns: with `.await`, or with `.block()` on a green stack. A TCP address
/// gives a [`tokio::net::TcpListener`], a path a [`tokio::net::UnixListener`]. Port 0 lets the
/// operating system choose one.
///
/// Corresponds to `eventlet.listen`.
///
/// # Yields
///
/// While a host name is being resolved; otherwise never.
///
/// # Killed
///
/// The socket is closed.
///
/// # Errors
///
/// If the name cannot be resolved, or no address can be listened on, for example because it is in
/// use. The error names the address; the error of the operating system is its
/// [`source`](std::error::Error::source).
///
/// # Differences
///
/// Eventlet lets several listeners share a port unless told otherwise, and a second server that was
/// started by mistake takes half of the connections. Here the second is refused, unless
/// [`reuse_port`](Listen::reuse_port) asks for sharing.
///
/// TCP sockets have `TCP_NODELAY` set; where the operating system lets a connection inherit it, as
/// Linux does, so do those that are accepted.
///
/// # Examples
///
/// ```
/// use eventlet::listen;
///
/// # eventlet::run(async {
/// let listener = listen("127.0.0.1:0").backlog(500).await.unwrap();
/// let addr = listener.local_addr().unwrap();
///
/// let error = listen(addr).await.unwrap_err();
/// assert!(error.to_string().starts_with(&format!("cannot listen on {addr}: ")));
/// # });
/// ```
pub fn listen<A: Address>(addr: A) -> Listen<A::Family> {
    Listen { family: addr.into_family(), backlog: 50, reuse_addr: true, reuse_port: false }
}

/// A listening socket to be opened: what [`listen`] returns.
#[derive(Clone, Debug)]
#[must_use = "nothing is opened until this is waited for"]
pub struct Listen<F> {
    pub(super) family: F,
    pub(super) backlog: u32,
    reuse_addr: bool,
    reuse_port: bool,
}

impl<F> Listen<F> {
    /// Sets how many connections may wait to be accepted. The default is 50.
    ///
    /// Corresponds to the argument `backlog` of `eventlet.listen`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// assert!(eventlet::listen("127.0.0.1:0").backlog(1).await.is_ok());
    /// # });
    /// ```
    pub fn backlog(mut self, connections: u32) -> Listen<F> {
        self.backlog = connections;
        self
    }
}

impl Listen<Tcp> {
    /// Sets whether a port may be listened on while connections of its last listener linger. The
    /// default is true, so that a server can be restarted.
    ///
    /// On Windows this does nothing: there it always may, and `SO_REUSEADDR` would let another
    /// process take over the port.
    ///
    /// Corresponds to the argument `reuse_addr` of `eventlet.listen`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// assert!(eventlet::listen("127.0.0.1:0").reuse_addr(false).await.is_ok());
    /// # });
    /// ```
    pub fn reuse_addr(mut self, reuse: bool) -> Listen<Tcp> {
        self.reuse_addr = reuse;
        self
    }

    /// Sets whether several listeners, of this process or others of the same user, may share the
    /// port and the connections that come in. All of them must ask for it. The default is false.
    ///
    /// So N processes or hubs serve on N cores. Where the operating system has no such option,
    /// as Windows and illumos have not, this does nothing.
    ///
    /// Corresponds to the argument `reuse_port` of `eventlet.listen`.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(not(target_os = "linux")) { return }
    /// # eventlet::run(async {
    /// let first = eventlet::listen("127.0.0.1:0").reuse_port(true).await.unwrap();
    /// let addr = first.local_addr().unwrap();
    /// assert!(eventlet::listen(addr).reuse_port(true).await.is_ok());
    /// # });
    /// ```
    pub fn reuse_port(mut self, reuse: bool) -> Listen<Tcp> {
        self.reuse_port = reuse;
        self
    }

    async fn open(self) -> io::Result<TcpListener> {
        self.family.try_each("listen on", |_| true, |addr| ready(self.open_one(addr))).await
    }

    fn open_one(&self, addr: SocketAddr) -> io::Result<TcpListener> {
        let socket = new_socket(addr)?;
        set_reuse(&socket, self.reuse_addr, self.reuse_port)?;
        socket.bind(addr)?;
        socket.listen(self.backlog)
    }
}

#[cfg(all(
    unix,
    not(any(
        target_os = "solaris",
        target_os = "illumos",
        target_os = "cygwin",
        target_os = "nuttx"
    ))
))]
fn set_reuse(socket: &TcpSocket, addr: bool, port: bool) -> io::Result<()> {
    socket.set_reuseaddr(addr)?;
    socket.set_reuseport(port)
}

#[cfg(any(
    target_os = "solaris",
    target_os = "illumos",
    target_os = "cygwin",
    target_os = "nuttx"
))]
fn set_reuse(socket: &TcpSocket, addr: bool, _port: bool) -> io::Result<()> {
    socket.set_reuseaddr(addr)
}

#[cfg(not(unix))]
fn set_reuse(_socket: &TcpSocket, _addr: bool, _port: bool) -> io::Result<()> {
    Ok(())
}

impl IntoFuture for Listen<Tcp> {
    type Output = io::Result<TcpListener>;
    type IntoFuture = Opening<TcpListener>;

    fn into_future(self) -> Opening<TcpListener> {
        Opening::new(self.open())
    }
}
