//! Datagrams.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::task::Context;

use socket2::SockRef;

use super::addr::{ToSocketAddrs, first_that_works, no_address};
use super::methods;
use super::socket::{Socket, dup, poll_into};
use crate::hub;

type Tokio = tokio::net::UdpSocket;
type Std = std::net::UdpSocket;

/// A UDP socket, for code on a green stack.
///
/// `UdpSocket::from` makes one of a Tokio socket, and [`into_tokio`](UdpSocket::into_tokio)
/// converts it back.
///
/// Corresponds to [`std::net::UdpSocket`].
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
/// A call that waits is cancelled: it has sent or received no datagram.
///
/// # Errors
///
/// Those of `std`. A call that would have to wait on a green stack that unwinds, in a destructor,
/// fails instead.
///
/// # Differences
///
/// A clone is not a second descriptor: it costs nothing, and has the same number. A time limit that
/// passes is of kind `WouldBlock` on all systems.
///
/// # Examples
///
/// ```
/// use eventlet::green::net::UdpSocket;
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let server = UdpSocket::bind("127.0.0.1:0").unwrap();
///     let addr = server.local_addr().unwrap();
///     thread::spawn(move || {
///         let mut buf = [0; 1500];
///         let (length, from) = server.recv_from(&mut buf).unwrap();
///         server.send_to(&buf[..length], from).unwrap();
///     });
///
///     let client = UdpSocket::bind("127.0.0.1:0").unwrap();
///     client.connect(addr).unwrap();
///     client.send(b"hello").unwrap();
///     let mut buf = [0; 1500];
///     assert_eq!(client.recv(&mut buf).unwrap(), 5);
///     assert_eq!(&buf[..5], b"hello");
/// }));
/// ```
pub struct UdpSocket {
    socket: Rc<Socket<Tokio>>,
}

impl UdpSocket {
    /// Opens a socket. Each address is tried in turn.
    ///
    /// Corresponds to [`std::net::UdpSocket::bind`].
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
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     assert!(UdpSocket::bind(socket.local_addr().unwrap()).is_err());
    /// }));
    /// ```
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        hub::check_runtime("opening a socket");
        first_that_works(addr, Std::bind)?.try_into()
    }

    /// Receives one datagram, and returns its length and sender. Bytes that do not fit into `buf`
    /// are lost.
    ///
    /// Corresponds to [`std::net::UdpSocket::recv_from`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until there is a datagram; usually not at all if there is one.
    ///
    /// # Killed
    ///
    /// A datagram that was not returned is kept for the next receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     other.send_to(b"hello", socket.local_addr().unwrap()).unwrap();
    ///     let (length, from) = socket.recv_from(&mut [0; 9]).unwrap();
    ///     assert_eq!((length, from), (5, other.local_addr().unwrap()));
    /// }));
    /// ```
    #[track_caller]
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let poll = |io: &Tokio, buf: &mut [u8], cx: &mut Context<'_>| {
            poll_into(buf, |buf| io.poll_recv_from(cx, buf))
        };
        self.socket.receive(buf, poll, |io, buf| dup::<_, Std>(io)?.recv_from(buf))
    }

    /// Receives the next datagram without removing it.
    ///
    /// Corresponds to [`std::net::UdpSocket::peek_from`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until there is a datagram; usually not at all if there is one.
    ///
    /// # Killed
    ///
    /// A datagram that was not returned is kept for the next receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     other.send_to(b"hello", socket.local_addr().unwrap()).unwrap();
    ///     assert_eq!(socket.peek_from(&mut [0; 9]).unwrap().0, 5);
    ///     assert_eq!(socket.recv_from(&mut [0; 9]).unwrap().0, 5);
    /// }));
    /// ```
    #[track_caller]
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let poll = |io: &Tokio, buf: &mut [u8], cx: &mut Context<'_>| {
            poll_into(buf, |buf| io.poll_peek_from(cx, buf))
        };
        self.socket.receive(buf, poll, |io, buf| dup::<_, Std>(io)?.peek_from(buf))
    }

    /// Sends a datagram to an address; if there are several, to the first.
    ///
    /// Corresponds to [`std::net::UdpSocket::send_to`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While a name is being resolved, and while the socket has no room.
    ///
    /// # Killed
    ///
    /// Nothing has been sent.
    ///
    /// # Errors
    ///
    /// Those of `std`; `InvalidInput` if `addr` resolves to no address.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     let sent = other.send_to(b"hello", socket.local_addr().unwrap());
    ///     assert_eq!(sent.unwrap(), 5);
    /// }));
    /// ```
    #[track_caller]
    pub fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let addr = addr.to_socket_addrs()?.next().ok_or_else(no_address)?;
        let socket = &self.socket;
        let poll = |io: &Tokio, _: &mut (), cx: &mut Context<'_>| io.poll_send_to(cx, buf, addr);
        socket.act(&socket.writing, &mut (), poll, |io, _| dup::<_, Std>(io)?.send_to(buf, addr))
    }

    /// Returns the address that it is connected to.
    ///
    /// Corresponds to [`std::net::UdpSocket::peer_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     socket.connect(other.local_addr().unwrap()).unwrap();
    ///     other.connect(socket.local_addr().unwrap()).unwrap();
    ///     assert_eq!(socket.peer_addr().unwrap(), other.local_addr().unwrap());
    /// }));
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.peer_addr()
    }

    /// Returns the socket's own address.
    ///
    /// Corresponds to [`std::net::UdpSocket::local_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     assert_ne!(socket.local_addr().unwrap().port(), 0);
    /// }));
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.local_addr()
    }

    /// Sets the peer: where `send` sends to, and whose datagrams `recv` receives. Each address is
    /// tried in turn.
    ///
    /// Corresponds to [`std::net::UdpSocket::connect`].
    ///
    /// # Panics
    ///
    /// When there is a name to resolve, and no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While a name is being resolved; otherwise never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     socket.connect(other.local_addr().unwrap()).unwrap();
    ///     assert_eq!(socket.send(b"hello").unwrap(), 5);
    /// }));
    /// ```
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        first_that_works(addr, |addr| SockRef::from(&self.socket.io).connect(&addr.into()))
    }

    /// Sends a datagram to the address that it is connected to.
    ///
    /// Corresponds to [`std::net::UdpSocket::send`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While the socket has no room.
    ///
    /// # Killed
    ///
    /// Nothing has been sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     socket.connect(other.local_addr().unwrap()).unwrap();
    ///     other.connect(socket.local_addr().unwrap()).unwrap();
    ///     assert_eq!(socket.send(b"hello").unwrap(), 5);
    /// }));
    /// ```
    #[track_caller]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        let socket = &self.socket;
        let poll = |io: &Tokio, _: &mut (), cx: &mut Context<'_>| io.poll_send(cx, buf);
        socket.act(&socket.writing, &mut (), poll, |io, _| dup::<_, Std>(io)?.send(buf))
    }

    /// Receives one datagram from the connected peer. Bytes that do not fit into `buf` are lost.
    ///
    /// Corresponds to [`std::net::UdpSocket::recv`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until there is a datagram; usually not at all if there is one.
    ///
    /// # Killed
    ///
    /// A datagram that was not returned is kept for the next receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     socket.connect(other.local_addr().unwrap()).unwrap();
    ///     other.connect(socket.local_addr().unwrap()).unwrap();
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

    /// Receives the next datagram from the connected peer without removing it.
    ///
    /// Corresponds to [`std::net::UdpSocket::peek`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until there is a datagram; usually not at all if there is one.
    ///
    /// # Killed
    ///
    /// A datagram that was not returned is kept for the next receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     socket.connect(other.local_addr().unwrap()).unwrap();
    ///     other.connect(socket.local_addr().unwrap()).unwrap();
    ///     other.send(b"hello").unwrap();
    ///     assert_eq!(socket.peek(&mut [0; 9]).unwrap(), 5);
    ///     assert_eq!(socket.recv(&mut [0; 9]).unwrap(), 5);
    /// }));
    /// ```
    #[track_caller]
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let poll = |io: &Tokio, buf: &mut [u8], cx: &mut Context<'_>| {
            poll_into(buf, |buf| io.poll_peek(cx, buf)).map_ok(|(length, ())| length)
        };
        self.socket.receive(buf, poll, |io, buf| dup::<_, Std>(io)?.peek(buf))
    }

    /// Sets whether it may send to broadcast addresses.
    ///
    /// Corresponds to [`std::net::UdpSocket::set_broadcast`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     socket.set_broadcast(true).unwrap();
    ///     assert!(socket.broadcast().unwrap());
    /// }));
    /// ```
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.socket.io.set_broadcast(broadcast)
    }

    /// Returns whether it may send to broadcast addresses.
    ///
    /// Corresponds to [`std::net::UdpSocket::broadcast`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     assert!(!socket.broadcast().unwrap());
    /// }));
    /// ```
    pub fn broadcast(&self) -> io::Result<bool> {
        self.socket.io.broadcast()
    }

    /// Sets whether this machine receives its own datagrams to IPv4 multicast addresses.
    ///
    /// Corresponds to [`std::net::UdpSocket::set_multicast_loop_v4`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     socket.set_multicast_loop_v4(false).unwrap();
    ///     assert!(!socket.multicast_loop_v4().unwrap());
    /// }));
    /// ```
    pub fn set_multicast_loop_v4(&self, multicast_loop_v4: bool) -> io::Result<()> {
        self.socket.io.set_multicast_loop_v4(multicast_loop_v4)
    }

    /// Returns whether this machine receives its own datagrams to IPv4 multicast addresses.
    ///
    /// Corresponds to [`std::net::UdpSocket::multicast_loop_v4`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     assert!(socket.multicast_loop_v4().unwrap());
    /// }));
    /// ```
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.socket.io.multicast_loop_v4()
    }

    /// Sets how many hops a datagram to an IPv4 multicast address may take.
    ///
    /// Corresponds to [`std::net::UdpSocket::set_multicast_ttl_v4`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     socket.set_multicast_ttl_v4(16).unwrap();
    ///     assert_eq!(socket.multicast_ttl_v4().unwrap(), 16);
    /// }));
    /// ```
    pub fn set_multicast_ttl_v4(&self, multicast_ttl_v4: u32) -> io::Result<()> {
        self.socket.io.set_multicast_ttl_v4(multicast_ttl_v4)
    }

    /// Returns how many hops a datagram to an IPv4 multicast address may take.
    ///
    /// Corresponds to [`std::net::UdpSocket::multicast_ttl_v4`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     assert!(socket.multicast_ttl_v4().unwrap() > 0);
    /// }));
    /// ```
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.socket.io.multicast_ttl_v4()
    }

    /// Sets whether this machine receives its own datagrams to IPv6 multicast addresses.
    ///
    /// Corresponds to [`std::net::UdpSocket::set_multicast_loop_v6`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let Ok(socket) = UdpSocket::bind("[::1]:0") else { return };
    ///     socket.set_multicast_loop_v6(false).unwrap();
    ///     assert!(!socket.multicast_loop_v6().unwrap());
    /// }));
    /// ```
    pub fn set_multicast_loop_v6(&self, multicast_loop_v6: bool) -> io::Result<()> {
        self.socket.io.set_multicast_loop_v6(multicast_loop_v6)
    }

    /// Returns whether this machine receives its own datagrams to IPv6 multicast addresses.
    ///
    /// Corresponds to [`std::net::UdpSocket::multicast_loop_v6`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let Ok(socket) = UdpSocket::bind("[::1]:0") else { return };
    ///     assert!(socket.multicast_loop_v6().unwrap());
    /// }));
    /// ```
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.socket.io.multicast_loop_v6()
    }

    /// Sets how many hops a datagram may take.
    ///
    /// Corresponds to [`std::net::UdpSocket::set_ttl`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     socket.set_ttl(16).unwrap();
    ///     assert_eq!(socket.ttl().unwrap(), 16);
    /// }));
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io.set_ttl(ttl)
    }

    /// Returns how many hops a datagram may take.
    ///
    /// Corresponds to [`std::net::UdpSocket::ttl`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ///     assert!(socket.ttl().unwrap() > 0);
    /// }));
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io.ttl()
    }

    /// Joins an IPv4 multicast group on the interface with an address.
    ///
    /// Corresponds to [`std::net::UdpSocket::join_multicast_v4`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    ///
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    ///     assert!(socket.join_multicast_v4(&Ipv4Addr::LOCALHOST, &Ipv4Addr::UNSPECIFIED).is_err(), "no multicast address");
    /// }));
    /// ```
    pub fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.io.join_multicast_v4(*multiaddr, *interface)
    }

    /// Joins an IPv6 multicast group on the interface with an index.
    ///
    /// Corresponds to [`std::net::UdpSocket::join_multicast_v6`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{Ipv6Addr, UdpSocket};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let Ok(socket) = UdpSocket::bind("[::1]:0") else { return };
    ///     assert!(socket.join_multicast_v6(&Ipv6Addr::LOCALHOST, 0).is_err(), "no multicast address");
    /// }));
    /// ```
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.io.join_multicast_v6(multiaddr, interface)
    }

    /// Leaves an IPv4 multicast group on the interface with an address.
    ///
    /// Corresponds to [`std::net::UdpSocket::leave_multicast_v4`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    ///
    /// use eventlet::green::net::UdpSocket;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    ///     assert!(socket.leave_multicast_v4(&Ipv4Addr::LOCALHOST, &Ipv4Addr::UNSPECIFIED).is_err(), "no multicast address");
    /// }));
    /// ```
    pub fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.io.leave_multicast_v4(*multiaddr, *interface)
    }

    /// Leaves an IPv6 multicast group on the interface with an index.
    ///
    /// Corresponds to [`std::net::UdpSocket::leave_multicast_v6`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::net::{Ipv6Addr, UdpSocket};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let Ok(socket) = UdpSocket::bind("[::1]:0") else { return };
    ///     assert!(socket.leave_multicast_v6(&Ipv6Addr::LOCALHOST, 0).is_err(), "no multicast address");
    /// }));
    /// ```
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.io.leave_multicast_v6(multiaddr, interface)
    }
}

methods::socket! {
    UdpSocket, std::net::UdpSocket, "std::net::UdpSocket", tokio::net::UdpSocket, "tokio::net::UdpSocket",
    uses: "use eventlet::green::net::UdpSocket;", makes: [r#"    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();"#], tries: "socket.recv(&mut [0])",
    clones: "Each datagram goes to one who asks for it.",
}

methods::timeouts! {
    UdpSocket, "std::net::UdpSocket",
    uses: "use eventlet::green::net::UdpSocket;", makes: [r#"    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();"#],
}
