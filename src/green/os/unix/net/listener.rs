//! Listening sockets.

use std::io;
use std::iter::FusedIterator;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::task::Context;

use super::stream::UnixStream;
use crate::green::net::methods;
use crate::green::net::socket::{Socket, dup};
use crate::hub;

type Tokio = tokio::net::UnixListener;
type Std = std::os::unix::net::UnixListener;

/// A Unix socket that listens for connections, for code on a green stack.
///
/// It creates a file, and does not remove it: to listen there again, remove the file first.
///
/// `UnixListener::from` makes one of a Tokio listener, and [`into_tokio`](UnixListener::into_tokio)
/// converts it back.
///
/// Corresponds to [`std::os::unix::net::UnixListener`].
///
/// # Differences
///
/// A clone is not a second descriptor: it costs nothing, and has the same number.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// use eventlet::green::os::unix::net::{UnixListener, UnixStream};
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-listener-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     let listener = UnixListener::bind(&path).unwrap();
///     thread::spawn(move || {
///         for conn in listener.incoming() {
///             let mut conn = conn.unwrap();
///             thread::spawn(move || conn.write_all(b"hello"));
///         }
///     });
///
///     let mut answer = String::new();
///     UnixStream::connect(&path).unwrap().read_to_string(&mut answer).unwrap();
///     assert_eq!(answer, "hello");
///     std::fs::remove_file(&path).unwrap();
/// }));
/// ```
pub struct UnixListener {
    socket: Rc<Socket<Tokio>>,
}

impl UnixListener {
    /// Listens at a path.
    ///
    /// Corresponds to [`std::os::unix::net::UnixListener::bind`].
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
    /// use eventlet::green::os::unix::net::UnixListener;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-bind-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let _listener = UnixListener::bind(&path).unwrap();
    ///     assert!(UnixListener::bind(&path).is_err());
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        hub::check_runtime("opening a socket");
        Std::bind(path)?.try_into()
    }

    /// Listens at an address.
    ///
    /// Corresponds to [`std::os::unix::net::UnixListener::bind_addr`].
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
    /// use eventlet::green::os::unix::net::{SocketAddr, UnixListener};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-bind-addr-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let addr = SocketAddr::from_pathname(&path).unwrap();
    ///     assert!(UnixListener::bind_addr(&addr).is_ok());
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixListener> {
        hub::check_runtime("opening a socket");
        Std::bind_addr(socket_addr)?.try_into()
    }

    /// Waits for the next connection.
    ///
    /// Corresponds to [`std::os::unix::net::UnixListener::accept`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until there is a connection; mostly not if one is waiting.
    ///
    /// # Killed
    ///
    /// A connection that was not handed out stays in the backlog.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds, when no connection is waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::{UnixListener, UnixStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-accept-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let listener = UnixListener::bind(&path).unwrap();
    ///     let _client = UnixStream::connect(&path).unwrap();
    ///     let (_conn, addr) = listener.accept().unwrap();
    ///     assert!(addr.is_unnamed());
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let socket = &self.socket;
        let poll = |io: &Tokio, _: &mut (), cx: &mut Context<'_>| {
            io.poll_accept(cx).map_ok(|(stream, addr)| (stream.into(), addr.into()))
        };
        socket.act(&socket.reading, &mut (), poll, |io, _| {
            let (stream, addr) = dup::<_, Std>(io)?.accept()?;
            Ok((UnixStream::try_from(stream)?, addr))
        })
    }

    /// Returns the address that it listens on.
    ///
    /// Corresponds to [`std::os::unix::net::UnixListener::local_addr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::UnixListener;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-local-addr-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let listener = UnixListener::bind(&path).unwrap();
    ///     assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.local_addr().map(SocketAddr::from)
    }

    /// Goes through the connections as they come in.
    ///
    /// Corresponds to [`std::os::unix::net::UnixListener::incoming`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::os::unix::net::{UnixListener, UnixStream};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-incoming-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let listener = UnixListener::bind(&path).unwrap();
    ///     let _client = UnixStream::connect(&path).unwrap();
    ///     assert!(listener.incoming().next().unwrap().is_ok());
    ///     std::fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    pub(crate) fn tokio(&self) -> &Tokio {
        &self.socket.io
    }
}

/// The connections of a listener, as they come in: what [`UnixListener::incoming`] returns.
///
/// It never ends.
///
/// Corresponds to [`std::os::unix::net::Incoming`].
#[derive(Debug)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<UnixStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}

methods::socket! {
    UnixListener, std::os::unix::net::UnixListener, "std::os::unix::net::UnixListener", tokio::net::UnixListener, "tokio::net::UnixListener",
    uses: "use eventlet::green::os::unix::net::UnixListener;", makes: [
        r#"    # let file = format!("eventlet-doc-{}-{:?}", std::process::id(), std::thread::current().id());"#
        "    let path = std::env::temp_dir().join(file);"
        "    let socket = UnixListener::bind(&path).unwrap();"
        "    std::fs::remove_file(&path).unwrap();"
    ], tries: "socket.accept()",
    clones: "Both accept, and each connection goes to one of them.",
}
