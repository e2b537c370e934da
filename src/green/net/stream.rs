//! Connections.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::ReadBuf;

use super::super::bytes;
use super::super::wait::{wait_io, zero_limit};
use super::addr::ToSocketAddrs;
use super::methods;
use super::socket::{Socket, dup};
use crate::hub::within;

type Tokio = tokio::net::TcpStream;
type Std = std::net::TcpStream;

/// A TCP connection, for code on a green stack.
///
/// It reads and writes through [`Read`](std::io::Read) and [`Write`](std::io::Write), so
/// [`BufReader`](std::io::BufReader), [`io::copy`], `write!` and everything else that is built on
/// them works. Waiting suspends only the green thread. It is closed when the last of its clones is
/// dropped.
///
/// `TcpStream::from` makes one of a Tokio connection, and [`into_tokio`](TcpStream::into_tokio)
/// converts it back.
///
/// Corresponds to [`std::net::TcpStream`].
///
/// # Panics
///
/// A call that has to wait panics, at the caller's line, if there is no green stack to wait on.
///
/// # Yields
///
/// A call that can complete at once does not yield, until Tokio's cooperative budget is used up.
/// Any other call yields until it is done.
///
/// # Killed
///
/// A call that waits is cancelled: it has read or written nothing.
///
/// # Errors
///
/// Those of `std`. A call that would have to wait while its green stack unwinds, in a destructor,
/// fails instead.
///
/// # Differences
///
/// A clone is not a second descriptor: it costs nothing, and has the same number. A time limit that
/// passes is of kind `WouldBlock` on all systems.
///
/// # Not here
///
/// Unstable methods of `std`: Tokio's type, from [`into_tokio`](TcpStream::into_tokio), and the
/// crate `socket2` have more.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// use eventlet::green::net::{Shutdown, TcpListener, TcpStream};
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
///     let addr = listener.local_addr().unwrap();
///     let echo = thread::spawn(move || {
///         let (conn, _) = listener.accept().unwrap();
///         std::io::copy(&mut &conn, &mut &conn).unwrap()
///     });
///
///     let mut conn = TcpStream::connect(addr).unwrap();
///     conn.write_all(b"hello").unwrap();
///     conn.shutdown(Shutdown::Write).unwrap();
///     let mut answer = String::new();
///     conn.read_to_string(&mut answer).unwrap();
///     assert_eq!(answer, "hello");
///     assert_eq!(echo.join().unwrap(), 5);
/// }));
/// ```
pub struct TcpStream {
    socket: Rc<Socket<Tokio>>,
}

impl TcpStream {
    /// Connects to a server. Each of its addresses is tried in turn.
    ///
    /// Corresponds to [`std::net::TcpStream::connect`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until the server answers.
    ///
    /// # Killed
    ///
    /// The socket is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    ///     let addr = listener.local_addr().unwrap();
    ///     assert_eq!(TcpStream::connect(addr).unwrap().peer_addr().unwrap(), addr);
    /// }));
    /// ```
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        let addrs = addr.to_socket_addrs()?;
        wait_io(connect_any(addrs)).map(TcpStream::from)
    }

    /// Connects to an address within a time limit.
    ///
    /// Corresponds to [`std::net::TcpStream::connect_timeout`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until the server answers or the time is up.
    ///
    /// # Errors
    ///
    /// `TimedOut` when the time is up, `InvalidInput` for a limit of zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let addr = listener.local_addr().unwrap();
    ///     assert!(TcpStream::connect_timeout(&addr, Duration::from_secs(10)).is_ok());
    /// }));
    /// ```
    #[track_caller]
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(zero_limit());
        }
        let connected = wait_io(async {
            let connected = within(Some(timeout), Tokio::connect(addr)).await;
            connected.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
        });
        connected.map(TcpStream::from)
    }

    /// Returns the address of the other end.
    ///
    /// Corresponds to [`std::net::TcpStream::peer_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let conn = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     assert_eq!(conn.peer_addr().unwrap(), listener.local_addr().unwrap());
    /// }));
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.peer_addr()
    }

    /// Returns the address of this end.
    ///
    /// Corresponds to [`std::net::TcpStream::local_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let conn = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     assert!(conn.local_addr().unwrap().ip().is_loopback());
    /// }));
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.local_addr()
    }

    /// Shuts down reading, writing or both. Green threads that wait there go on.
    ///
    /// Corresponds to [`std::net::TcpStream::shutdown`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Read;
    ///
    /// use eventlet::green::net::{Shutdown, TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let mut conn = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     conn.shutdown(Shutdown::Read).unwrap();
    ///     assert_eq!(conn.read(&mut [0]).unwrap(), 0);
    /// }));
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        SockRef::from(&self.socket.io).shutdown(how)
    }

    /// Reads without removing the bytes from the connection.
    ///
    /// Corresponds to [`std::net::TcpStream::peek`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until there is something to read.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     let (mut conn, _) = listener.accept().unwrap();
    ///     client.write_all(b"x").unwrap();
    ///
    ///     let mut buf = [0];
    ///     assert_eq!(conn.peek(&mut buf).unwrap(), 1);
    ///     assert_eq!(conn.read(&mut buf).unwrap(), 1);
    /// }));
    /// ```
    #[track_caller]
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let socket = &self.socket;
        let poll = |io: &Tokio, buf: &mut [u8], cx: &mut Context<'_>| {
            io.poll_peek(cx, &mut ReadBuf::new(buf))
        };
        socket.act(&socket.reading, buf, poll, |io, buf| dup::<_, Std>(io)?.peek(buf))
    }

    /// Sets `TCP_NODELAY`: whether small writes are sent at once.
    ///
    /// Corresponds to [`std::net::TcpStream::set_nodelay`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let conn = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     conn.set_nodelay(true).unwrap();
    ///     assert!(conn.nodelay().unwrap());
    /// }));
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.io.set_nodelay(nodelay)
    }

    /// Returns whether `TCP_NODELAY` is set. The default is not.
    ///
    /// Corresponds to [`std::net::TcpStream::nodelay`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let conn = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     assert!(!conn.nodelay().unwrap());
    /// }));
    /// ```
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.io.nodelay()
    }

    /// Sets how many hops a packet may take.
    ///
    /// Corresponds to [`std::net::TcpStream::set_ttl`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let conn = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     conn.set_ttl(16).unwrap();
    ///     assert_eq!(conn.ttl().unwrap(), 16);
    /// }));
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io.set_ttl(ttl)
    }

    /// Returns how many hops a packet may take.
    ///
    /// Corresponds to [`std::net::TcpStream::ttl`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let conn = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     assert!(conn.ttl().unwrap() > 0);
    /// }));
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io.ttl()
    }
}

async fn connect_any(addrs: impl Iterator<Item = SocketAddr>) -> io::Result<Tokio> {
    let mut failed = None;
    for addr in addrs {
        match Tokio::connect(addr).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(super::addr::no_address))
}

bytes::reads!(TcpStream);
bytes::writes!(TcpStream);

methods::socket! {
    TcpStream, std::net::TcpStream, "std::net::TcpStream", tokio::net::TcpStream, "tokio::net::TcpStream",
    uses: "use eventlet::green::net::{TcpListener, TcpStream};", makes: [
        r#"    let listener = TcpListener::bind("127.0.0.1:0").unwrap();"#
        "    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();"
    ], tries: "(&socket).read(&mut [0])",
    clones: "Two green threads can use one connection, each with its own.",
}

methods::timeouts! {
    TcpStream, "std::net::TcpStream",
    uses: "use eventlet::green::net::{TcpListener, TcpStream};", makes: [
        r#"    let listener = TcpListener::bind("127.0.0.1:0").unwrap();"#
        "    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();"
    ],
}
