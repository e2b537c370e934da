//! Connections.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use socket2::SockRef;

use super::path::path_of;
use crate::green::bytes;
use crate::green::net::methods;
use crate::green::net::socket::Socket;
use crate::green::wait::wait_io;
use crate::greenthread::sleep;
use crate::hub;

type Tokio = tokio::net::UnixStream;

/// A connection between Unix sockets, for code on a green stack.
///
/// It reads and writes through [`Read`](std::io::Read) and [`Write`](std::io::Write), as
/// [`TcpStream`](crate::green::net::TcpStream) does. `UnixStream::from` makes one of a Tokio
/// connection, and [`into_tokio`](UnixStream::into_tokio) converts it back.
///
/// Corresponds to [`std::os::unix::net::UnixStream`].
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
/// A call that waits is taken back: nothing has been read or written by it.
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
/// # Not here
///
/// Unstable methods of `std`.
///
/// # Examples
///
/// ```
/// use std::io::{BufRead, BufReader, Write};
///
/// use eventlet::green::os::unix::net::UnixStream;
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let (mut client, server) = UnixStream::pair().unwrap();
///     thread::spawn(move || {
///         for line in BufReader::new(&server).lines() {
///             writeln!(&server, "{}", line.unwrap().to_uppercase()).unwrap();
///         }
///     });
///
///     writeln!(client, "hello").unwrap();
///     let mut answer = String::new();
///     BufReader::new(client).read_line(&mut answer).unwrap();
///     assert_eq!(answer, "HELLO\n");
/// }));
/// ```
pub struct UnixStream {
    socket: Rc<Socket<Tokio>>,
}

impl UnixStream {
    /// Connects to the socket at a path.
    ///
    /// Corresponds to [`std::os::unix::net::UnixStream::connect`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While the server's backlog is full, which is rare.
    ///
    /// # Killed
    ///
    /// The socket is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::{UnixListener, UnixStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-connect-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let listener = UnixListener::bind(&path).unwrap();
    ///     let stream = UnixStream::connect(&path).unwrap();
    ///     assert_eq!(stream.peer_addr().unwrap().as_pathname(), Some(&*path));
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        wait_io(connect(path.as_ref())).map(UnixStream::from)
    }

    /// Connects to a socket by its address.
    ///
    /// Corresponds to [`std::os::unix::net::UnixStream::connect_addr`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// While the server's backlog is full, which is rare.
    ///
    /// # Killed
    ///
    /// The socket is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::{UnixListener, UnixStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-connect-addr-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let listener = UnixListener::bind(&path).unwrap();
    ///     let stream = UnixStream::connect_addr(&listener.local_addr().unwrap());
    ///     assert!(stream.is_ok());
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn connect_addr(socket_addr: &SocketAddr) -> io::Result<UnixStream> {
        wait_io(connect(&path_of(socket_addr)?)).map(UnixStream::from)
    }

    /// Makes two that are connected to each other.
    ///
    /// Corresponds to [`std::os::unix::net::UnixStream::pair`].
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// use eventlet::green::os::unix::net::UnixStream;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (mut one, mut other) = UnixStream::pair().unwrap();
    ///     one.write_all(b"x").unwrap();
    ///     assert_eq!(other.read(&mut [0; 9]).unwrap(), 1);
    /// }));
    /// ```
    #[track_caller]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        hub::check_runtime("opening a socket");
        let (one, other) = Tokio::pair()?;
        Ok((one.into(), other.into()))
    }

    /// Returns the address of this end.
    ///
    /// Corresponds to [`std::os::unix::net::UnixStream::local_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixStream;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (stream, _other) = UnixStream::pair().unwrap();
    ///     assert!(stream.local_addr().unwrap().is_unnamed());
    /// }));
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.local_addr().map(SocketAddr::from)
    }

    /// Returns the address of the other end.
    ///
    /// Corresponds to [`std::os::unix::net::UnixStream::peer_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixStream;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (stream, _other) = UnixStream::pair().unwrap();
    ///     assert!(stream.peer_addr().unwrap().is_unnamed());
    /// }));
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.peer_addr().map(SocketAddr::from)
    }

    /// Shuts down reading, writing or both. Whoever waits there goes on.
    ///
    /// Corresponds to [`std::os::unix::net::UnixStream::shutdown`].
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
    /// use eventlet::green::net::Shutdown;
    /// use eventlet::green::os::unix::net::UnixStream;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (stream, mut other) = UnixStream::pair().unwrap();
    ///     stream.shutdown(Shutdown::Write).unwrap();
    ///     assert_eq!(other.read(&mut [0]).unwrap(), 0);
    /// }));
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        SockRef::from(&self.socket.io).shutdown(how)
    }
}

/// How long to wait before trying a full backlog again: no event reports that it has room.
const FULL: Duration = Duration::from_millis(2);

/// Connects, and waits while the server's backlog is full, as `std` does. Tokio returns an error.
async fn connect(path: &Path) -> io::Result<Tokio> {
    loop {
        match Tokio::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(FULL).await,
            done => return done,
        }
    }
}

bytes::reads!(UnixStream);
bytes::writes!(UnixStream);

methods::socket! {
    UnixStream, std::os::unix::net::UnixStream, "std::os::unix::net::UnixStream", tokio::net::UnixStream, "tokio::net::UnixStream",
    uses: "use eventlet::green::os::unix::net::UnixStream;", makes: ["    let (socket, _other) = UnixStream::pair().unwrap();"], tries: "(&socket).read(&mut [0])",
    clones: "Two green threads can use one connection, each with its own.",
}

methods::timeouts! {
    UnixStream, "std::os::unix::net::UnixStream",
    uses: "use eventlet::green::os::unix::net::UnixStream;", makes: ["    let (socket, _other) = UnixStream::pair().unwrap();"],
}
