//! Listening sockets.

use std::io;
use std::iter::FusedIterator;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Context;

use tokio::net::TcpSocket;

use super::addr::{ToSocketAddrs, first_that_works};
use super::methods;
use super::socket::{Socket, dup};
use super::stream::TcpStream;
use crate::hub;

type Tokio = tokio::net::TcpListener;
type Std = std::net::TcpListener;

/// A TCP socket that listens for connections, for code on a green stack.
///
/// `TcpListener::from` makes one of a Tokio listener, and [`into_tokio`](TcpListener::into_tokio)
/// converts it back.
///
/// Corresponds to [`std::net::TcpListener`].
///
/// # Differences
///
/// A clone is not a second descriptor: it costs nothing, and has the same number.
///
/// # Not here
///
/// `into_incoming`, which `std` has not made stable, and the deprecated `only_v6`.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// use eventlet::green::net::{TcpListener, TcpStream};
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
///     let addr = listener.local_addr().unwrap();
///     thread::spawn(move || {
///         for conn in listener.incoming() {
///             let mut conn = conn.unwrap();
///             thread::spawn(move || conn.write_all(b"hello"));
///         }
///     });
///
///     let mut answer = String::new();
///     TcpStream::connect(addr).unwrap().read_to_string(&mut answer).unwrap();
///     assert_eq!(answer, "hello");
/// }));
/// ```
pub struct TcpListener {
    socket: Rc<Socket<Tokio>>,
}

impl TcpListener {
    /// Opens a socket for clients to connect to. Each address is tried in turn.
    ///
    /// As in `std`, 128 connections may wait to be accepted, and on Unix the address may be used
    /// again right after its last listener closed. [`listen`](crate::listen()) has options.
    ///
    /// Corresponds to [`std::net::TcpListener::bind`].
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime. When there is a name to resolve, and no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While a name is being resolved; otherwise never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::TcpListener;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let taken = listener.local_addr().unwrap();
    ///     assert!(TcpListener::bind(taken).is_err());
    /// }));
    /// ```
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        hub::check_runtime("opening a socket");
        first_that_works(addr, listen).map(TcpListener::from)
    }

    /// Returns the address that it listens on.
    ///
    /// Corresponds to [`std::net::TcpListener::local_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::TcpListener;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     assert_ne!(listener.local_addr().unwrap().port(), 0);
    /// }));
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.local_addr()
    }

    /// Waits for the next connection.
    ///
    /// Corresponds to [`std::net::TcpListener::accept`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until there is a connection; usually not at all if one is waiting.
    ///
    /// # Killed
    ///
    /// A connection that was not accepted stays in the backlog.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds, when no connection is waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     let (_conn, addr) = listener.accept().unwrap();
    ///     assert_eq!(addr, client.local_addr().unwrap());
    /// }));
    /// ```
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let socket = &self.socket;
        let poll = |io: &Tokio, _: &mut (), cx: &mut Context<'_>| {
            io.poll_accept(cx).map_ok(|(stream, addr)| (TcpStream::from(stream), addr))
        };
        socket.act(&socket.reading, &mut (), poll, |io, _| {
            let (stream, addr) = dup::<_, Std>(io)?.accept()?;
            Ok((TcpStream::try_from(stream)?, addr))
        })
    }

    /// Iterates over the connections as they arrive.
    ///
    /// Corresponds to [`std::net::TcpListener::incoming`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{TcpListener, TcpStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     assert!(listener.incoming().next().unwrap().is_ok());
    /// }));
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Sets how many hops a packet may take.
    ///
    /// Corresponds to [`std::net::TcpListener::set_ttl`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::TcpListener;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     listener.set_ttl(16).unwrap();
    ///     assert_eq!(listener.ttl().unwrap(), 16);
    /// }));
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io.set_ttl(ttl)
    }

    /// Returns how many hops a packet may take.
    ///
    /// Corresponds to [`std::net::TcpListener::ttl`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::TcpListener;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     assert!(listener.ttl().unwrap() > 0);
    /// }));
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io.ttl()
    }

    pub(crate) fn tokio(&self) -> &Tokio {
        &self.socket.io
    }
}

/// Listens with `std`'s backlog; Tokio's would be 1024.
fn listen(addr: SocketAddr) -> io::Result<Tokio> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind(addr)?;
    socket.listen(128)
}

/// The connections of a listener, as they come in: what [`TcpListener::incoming`] returns.
///
/// It never ends.
///
/// Corresponds to [`std::net::Incoming`].
#[derive(Debug)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}

methods::socket! {
    TcpListener, std::net::TcpListener, "std::net::TcpListener", tokio::net::TcpListener, "tokio::net::TcpListener",
    uses: "use eventlet::green::net::TcpListener;", makes: [r#"    let socket = TcpListener::bind("127.0.0.1:0").unwrap();"#], tries: "socket.accept()",
    clones: "Both accept, and each connection goes to one of them.",
}
