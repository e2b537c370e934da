//! Datagrams.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockAddr, SockRef};

use super::path::path_of;
use crate::green::net::methods;
use crate::green::net::socket::{Socket, dup, poll_into};
use crate::hub::{self, Timer};

type Tokio = tokio::net::UnixDatagram;
type Std = std::os::unix::net::UnixDatagram;

/// A Unix socket for datagrams, for code on a green stack.
///
/// `UnixDatagram::from` makes one of a Tokio socket, and [`into_tokio`](UnixDatagram::into_tokio)
/// converts it back.
///
/// Corresponds to [`std::os::unix::net::UnixDatagram`].
///
/// # Panics
///
/// A call that has to wait panics, at the caller's line, if there is no green stack to wait on.
///
/// # Yields
///
/// A call that can be done at once keeps the turn, until the socket has used up the share of time
/// that Tokio gives to sockets that are always ready. Any other call yields until it is done.
///
/// # Killed
///
/// A call that waits is taken back: no datagram has been sent or received by it.
///
/// # Errors
///
/// Those of `std`. A call that would have to wait on a green stack that unwinds, in a destructor,
/// fails instead.
///
/// # Differences
///
/// A clone is not a second descriptor: it costs nothing, and has the same number.
///
/// # Examples
///
/// ```
/// use eventlet::green::os::unix::net::UnixDatagram;
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let (client, server) = UnixDatagram::pair().unwrap();
///     thread::spawn(move || {
///         let mut buf = [0; 100];
///         let length = server.recv(&mut buf).unwrap();
///         server.send(&buf[..length]).unwrap();
///     });
///
///     client.send(b"hello").unwrap();
///     let mut buf = [0; 100];
///     assert_eq!(client.recv(&mut buf).unwrap(), 5);
///     assert_eq!(&buf[..5], b"hello");
/// }));
/// ```
pub struct UnixDatagram {
    socket: Rc<Socket<Tokio>>,
}

impl UnixDatagram {
    /// Opens a socket at a path.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::bind`].
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-datagram-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let _socket = UnixDatagram::bind(&path).unwrap();
    ///     assert!(UnixDatagram::bind(&path).is_err());
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        hub::check_runtime("opening a socket");
        Std::bind(path)?.try_into()
    }

    /// Opens a socket at an address.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::bind_addr`].
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::{SocketAddr, UnixDatagram};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-datagram-addr-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let addr = SocketAddr::from_pathname(&path).unwrap();
    ///     assert!(UnixDatagram::bind_addr(&addr).is_ok());
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixDatagram> {
        hub::check_runtime("opening a socket");
        Std::bind_addr(socket_addr)?.try_into()
    }

    /// Opens a socket without an address.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::unbound`].
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UnixDatagram::unbound().unwrap();
    ///     assert!(socket.local_addr().unwrap().is_unnamed());
    /// }));
    /// ```
    #[track_caller]
    pub fn unbound() -> io::Result<UnixDatagram> {
        hub::check_runtime("opening a socket");
        Tokio::unbound().map(UnixDatagram::from)
    }

    /// Makes two sockets that are connected to each other.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::pair`].
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (one, other) = UnixDatagram::pair().unwrap();
    ///     one.send(b"hello").unwrap();
    ///     assert_eq!(other.recv(&mut [0; 9]).unwrap(), 5);
    /// }));
    /// ```
    #[track_caller]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        hub::check_runtime("opening a socket");
        let (one, other) = Tokio::pair()?;
        Ok((one.into(), other.into()))
    }

    /// Sets the peer: where `send` sends to, and whose datagrams `recv` receives.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::connect`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-datagram-connect-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let server = UnixDatagram::bind(&path).unwrap();
    ///     let client = UnixDatagram::unbound().unwrap();
    ///     client.connect(&path).unwrap();
    ///     client.send(b"hello").unwrap();
    ///     assert_eq!(server.recv(&mut [0; 9]).unwrap(), 5);
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        SockRef::from(&self.socket.io).connect(&SockAddr::unix(path)?)
    }

    /// Sets the peer, by its address: where `send` sends to, and whose datagrams `recv` receives.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::connect_addr`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-datagram-connect-addr-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let server = UnixDatagram::bind(&path).unwrap();
    ///     let client = UnixDatagram::unbound().unwrap();
    ///     client.connect_addr(&server.local_addr().unwrap()).unwrap();
    ///     assert_eq!(client.send(b"hello").unwrap(), 5);
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn connect_addr(&self, socket_addr: &SocketAddr) -> io::Result<()> {
        self.connect(path_of(socket_addr)?)
    }

    /// Returns the socket's own address.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::local_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (socket, _other) = UnixDatagram::pair().unwrap();
    ///     assert!(socket.local_addr().unwrap().is_unnamed());
    /// }));
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.local_addr().map(SocketAddr::from)
    }

    /// Returns the address that it is connected to.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::peer_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (socket, _other) = UnixDatagram::pair().unwrap();
    ///     assert!(socket.peer_addr().unwrap().is_unnamed());
    /// }));
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.peer_addr().map(SocketAddr::from)
    }

    /// Receives one datagram, and returns its length and sender. Bytes that do not fit into `buf`
    /// are lost.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::recv_from`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until there is a datagram; mostly not if one is there.
    ///
    /// # Killed
    ///
    /// A datagram that was not returned is kept for the next receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (socket, other) = UnixDatagram::pair().unwrap();
    ///     other.send(b"hello").unwrap();
    ///     let (length, from) = socket.recv_from(&mut [0; 9]).unwrap();
    ///     assert_eq!(length, 5);
    ///     assert!(from.is_unnamed());
    /// }));
    /// ```
    #[track_caller]
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let poll = |io: &Tokio, buf: &mut [u8], cx: &mut Context<'_>| {
            poll_into(buf, |buf| io.poll_recv_from(cx, buf))
                .map_ok(|(length, from)| (length, from.into()))
        };
        self.socket.receive(buf, poll, |io, buf| dup::<_, Std>(io)?.recv_from(buf))
    }

    /// Receives one datagram. Bytes that do not fit into `buf` are lost.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::recv`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until there is a datagram; mostly not if one is there.
    ///
    /// # Killed
    ///
    /// A datagram that was not returned is kept for the next receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (socket, other) = UnixDatagram::pair().unwrap();
    ///     other.send(b"hello").unwrap();
    ///     assert_eq!(socket.recv(&mut [0; 9]).unwrap(), 5);
    /// }));
    /// ```
    #[track_caller]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let poll = |io: &Tokio, buf: &mut [u8], cx: &mut Context<'_>| {
            poll_into(buf, |buf| io.poll_recv(cx, buf)).map_ok(|(length, ())| length)
        };
        self.socket.receive(buf, poll, |io, buf| dup::<_, Std>(io)?.recv(buf))
    }

    /// Sends a datagram to the socket at a path.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::send_to`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While the receiver has no room.
    ///
    /// # Killed
    ///
    /// Nothing has been sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-datagram-send-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let server = UnixDatagram::bind(&path).unwrap();
    ///     let client = UnixDatagram::unbound().unwrap();
    ///     client.send_to(b"hello", &path).unwrap();
    ///     assert_eq!(server.recv(&mut [0; 9]).unwrap(), 5);
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let (socket, to) = (&self.socket, SockAddr::unix(path)?);
        let poll = |io: &Tokio, full: &mut Option<Timer>, cx: &mut Context<'_>| {
            poll_send_to(io, full, cx, || SockRef::from(io).send_to(buf, &to))
        };
        let at_once = |io: &Tokio, _: &mut _| SockRef::from(io).send_to(buf, &to);
        socket.act(&socket.writing, &mut None, poll, at_once)
    }

    /// Sends a datagram to a socket by its address.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::send_to_addr`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While the receiver has no room.
    ///
    /// # Killed
    ///
    /// Nothing has been sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-datagram-send-addr-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let server = UnixDatagram::bind(&path).unwrap();
    ///     let client = UnixDatagram::unbound().unwrap();
    ///     let addr = server.local_addr().unwrap();
    ///     assert_eq!(client.send_to_addr(b"hello", &addr).unwrap(), 5);
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn send_to_addr(&self, buf: &[u8], socket_addr: &SocketAddr) -> io::Result<usize> {
        self.send_to(buf, path_of(socket_addr)?)
    }

    /// Sends a datagram to the socket that it is connected to.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::send`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While the receiver has no room.
    ///
    /// # Killed
    ///
    /// Nothing has been sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (socket, other) = UnixDatagram::pair().unwrap();
    ///     assert_eq!(socket.send(b"hello").unwrap(), 5);
    ///     assert_eq!(other.recv(&mut [0; 9]).unwrap(), 5);
    /// }));
    /// ```
    #[track_caller]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        let socket = &self.socket;
        let poll = |io: &Tokio, _: &mut (), cx: &mut Context<'_>| io.poll_send(cx, buf);
        socket.act(&socket.writing, &mut (), poll, |io, _| dup::<_, Std>(io)?.send(buf))
    }

    /// Shuts down reading, writing or both. Whoever waits there goes on.
    ///
    /// Corresponds to [`std::os::unix::net::UnixDatagram::shutdown`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::Shutdown;
    /// use eventlet::green::os::unix::net::UnixDatagram;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (socket, _other) = UnixDatagram::pair().unwrap();
    ///     socket.shutdown(Shutdown::Write).unwrap();
    ///     assert!(socket.send(b"hello").is_err());
    /// }));
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        SockRef::from(&self.socket.io).shutdown(how)
    }
}

/// How long to wait before a receiver that had no room is tried again.
const FULL: Duration = Duration::from_millis(2);

/// Sends to a receiver that may have no room.
///
/// No event reports that it has room again: events of this socket concern its own buffer, and a
/// failed attempt causes one, so waiting for them would spin.
fn poll_send_to(
    io: &Tokio,
    full: &mut Option<Timer>,
    cx: &mut Context<'_>,
    send: impl Fn() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        match full {
            None => ready!(io.poll_send_ready(cx))?,
            Some(timer) => ready!(Pin::new(timer).poll(cx)),
        }
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                *full = Some(Timer::after(FULL));
            }
            result => return Poll::Ready(result),
        }
    }
}

methods::socket! {
    UnixDatagram, std::os::unix::net::UnixDatagram, "std::os::unix::net::UnixDatagram", tokio::net::UnixDatagram, "tokio::net::UnixDatagram",
    uses: "use eventlet::green::os::unix::net::UnixDatagram;", makes: ["    let (socket, _other) = UnixDatagram::pair().unwrap();"], tries: "socket.recv(&mut [0])",
    clones: "Each datagram goes to one who asks for it.",
}

methods::timeouts! {
    UnixDatagram, "std::os::unix::net::UnixDatagram",
    uses: "use eventlet::green::os::unix::net::UnixDatagram;", makes: ["    let (socket, _other) = UnixDatagram::pair().unwrap();"],
}
