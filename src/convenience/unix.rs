//! Unix sockets.

use std::future::IntoFuture;
use std::io;
use std::path::{Path, PathBuf};

use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::address::{Address, sealed};
use super::connect::Connect;
use super::error::about;
use super::listen::Listen;
use super::listener::Listener;
use super::opening::Opening;

/// The family of Unix socket paths: their sockets are [`tokio::net::UnixStream`] and
/// [`tokio::net::UnixListener`].
///
/// Listening creates the file, and does not remove it: to listen there again, remove the file
/// first.
///
/// Corresponds to `AF_UNIX`.
///
/// # Examples
///
/// ```
/// use std::path::PathBuf;
///
/// use eventlet::{connect, listen};
///
/// # eventlet::run(async {
/// # let file = format!("eventlet-doc-{}", std::process::id());
/// let path: PathBuf = std::env::temp_dir().join(file);
/// let listener = listen(&*path).await.unwrap();
/// assert!(connect(&*path).await.is_ok());
/// # drop(listener);
/// std::fs::remove_file(&path).unwrap();
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unix(PathBuf);

impl Unix {
    fn about(&self, doing: &'static str, cause: io::Error) -> io::Error {
        about(doing, self.0.display().to_string(), cause)
    }
}

impl sealed::Sealed for &Path {}

impl Address for &Path {
    type Family = Unix;

    fn into_family(self) -> Unix {
        Unix(self.to_owned())
    }
}

impl sealed::Sealed for &PathBuf {}

impl Address for &PathBuf {
    type Family = Unix;

    fn into_family(self) -> Unix {
        Unix(self.clone())
    }
}

impl sealed::Sealed for PathBuf {}

impl Address for PathBuf {
    type Family = Unix;

    fn into_family(self) -> Unix {
        Unix(self)
    }
}

impl Connect<Unix> {
    async fn open_unix(self) -> io::Result<UnixStream> {
        let connected = UnixStream::connect(&self.family.0).await;
        connected.map_err(|error| self.family.about("connect to", error))
    }
}

impl IntoFuture for Connect<Unix> {
    type Output = io::Result<UnixStream>;
    type IntoFuture = Opening<UnixStream>;

    fn into_future(self) -> Opening<UnixStream> {
        Opening::new(self.open_unix())
    }
}

impl Listen<Unix> {
    fn open_unix(&self) -> io::Result<UnixListener> {
        let socket = UnixSocket::new_stream()?;
        socket.bind(&self.family.0)?;
        socket.listen(self.backlog)
    }
}

impl IntoFuture for Listen<Unix> {
    type Output = io::Result<UnixListener>;
    type IntoFuture = Opening<UnixListener>;

    fn into_future(self) -> Opening<UnixListener> {
        let open =
            async move { self.open_unix().map_err(|error| self.family.about("listen on", error)) };
        Opening::new(open)
    }
}

impl Listener for UnixListener {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(UnixStream, SocketAddr)> {
        UnixListener::accept(self).await
    }
}
