//! Listening for clients, and who is let in.

use std::fs::{Permissions, set_permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::SocketAddr as UnixAddr;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::commands::Commands;
use super::session::{Session, backdoor};
use crate::convenience::{Listener, serve};
use crate::greenthread::getcurrent;

/// Clients that are in at a time.
const MOST_CLIENTS: usize = 32;

/// A listener that can be a backdoor: [`TcpListener`] and [`UnixListener`] of Tokio, as
/// [`listen`](crate::listen) makes them.
pub trait Door: sealed::Sealed {}

mod sealed {
    use super::*;

    pub trait Sealed:
        Listener<Io: AsyncRead + AsyncWrite + Unpin + 'static, Addr: 'static>
    {
        /// Returns an error unless this may be a backdoor with those commands.
        fn check(&self, commands: &Commands) -> io::Result<()>;

        /// Returns whether a client may come in at all.
        fn lets_in(conn: &Self::Io) -> bool;

        /// Returns whether a client must know the password, if there is one.
        const ASKS: bool;
    }
}

impl Door for TcpListener {}

impl sealed::Sealed for TcpListener {
    const ASKS: bool = true;

    fn check(&self, commands: &Commands) -> io::Result<()> {
        let addr: SocketAddr = self.local_addr()?;
        if addr.ip().is_loopback() || commands.password.is_some() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "a backdoor on {addr} would let in whoever can reach this machine: listen on 127.0.0.1 or on a \
                 Unix socket, or choose a password with `Commands::allow_remote`"
            ),
        ))
    }

    fn lets_in(_conn: &TcpStream) -> bool {
        true
    }
}

impl Door for UnixListener {}

impl sealed::Sealed for UnixListener {
    const ASKS: bool = false;

    fn check(&self, _commands: &Commands) -> io::Result<()> {
        let addr: UnixAddr = self.local_addr()?;
        match addr.as_pathname() {
            Some(path) => set_permissions(path, Permissions::from_mode(0o600)),
            // It has no file, and the look at who the client is has to do.
            None => Ok(()),
        }
    }

    fn lets_in(conn: &UnixStream) -> bool {
        let me = rustix::process::geteuid().as_raw();
        conn.peer_cred().is_ok_and(|peer| peer.uid() == me || peer.uid() == 0)
    }
}

/// Serves a console to each client of a listener: see [the module](super).
///
/// Each session is a green thread with the name `backdoor`, spawned at the line that calls this.
///
/// Corresponds to `eventlet.backdoor.backdoor_server`.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// For as long as it serves: until it is killed.
///
/// # Killed
///
/// The listener is closed. Sessions go on.
///
/// # Errors
///
/// When the listener is of TCP, on an address that is not loopback, and no password was
/// [chosen](Commands::allow_remote). When the file of a Unix socket cannot be made `0600`.
///
/// # Examples
///
/// ```
/// use eventlet::backdoor::{Commands, backdoor_server};
/// use eventlet::{connect, listen, spawn};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # eventlet::run(async {
/// let listener = listen("127.0.0.1:0").await.unwrap();
/// let addr = listener.local_addr().unwrap();
/// let server = spawn(backdoor_server(listener, Commands::new()));
///
/// let mut client = connect(addr).await.unwrap();
/// client.write_all(b"threads\nquit\n").await.unwrap();
/// let mut text = String::new();
/// client.read_to_string(&mut text).await.unwrap();
/// assert!(text.contains("backdoor  running"), "{text}");
/// # server.kill();
/// # });
/// ```
#[track_caller]
pub fn backdoor_server<D: Door>(
    listener: D,
    commands: Commands,
) -> impl Future<Output = io::Result<()>> + use<D> {
    let checked = listener.check(&commands);
    let handle = move |conn, _addr| {
        let commands = commands.clone();
        async move {
            getcurrent().set_name("backdoor");
            if !D::lets_in(&conn) {
                return Ok(());
            }
            if D::ASKS && commands.password.is_some() {
                return Session::new(conn, commands).run_after_password().await;
            }
            backdoor(conn, commands).await
        }
    };
    let serving = serve(listener, handle, MOST_CLIENTS);
    async {
        checked?;
        serving.await
    }
}
