//! The listeners of green stacks, with TLS.

use std::io;

use super::listener::IntoListener;
use crate::green::net::TcpListener;
#[cfg(unix)]
use crate::green::os::unix::net::UnixListener;
use crate::ssl::TlsListener;

impl IntoListener for TlsListener<TcpListener> {
    type Listener = TlsListener<tokio::net::TcpListener>;

    fn into_listener(self) -> io::Result<Self::Listener> {
        self.try_map(TcpListener::into_tokio)
    }
}

#[cfg(unix)]
impl IntoListener for TlsListener<UnixListener> {
    type Listener = TlsListener<tokio::net::UnixListener>;

    fn into_listener(self) -> io::Result<Self::Listener> {
        self.try_map(UnixListener::into_tokio)
    }
}
