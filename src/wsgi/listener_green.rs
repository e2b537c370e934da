//! The listeners of green stacks.

use std::io;

use super::listener::IntoListener;
use crate::green::net::TcpListener;
#[cfg(unix)]
use crate::green::os::unix::net::UnixListener;

impl IntoListener for TcpListener {
    type Listener = tokio::net::TcpListener;

    fn into_listener(self) -> io::Result<tokio::net::TcpListener> {
        self.into_tokio()
    }
}

#[cfg(unix)]
impl IntoListener for UnixListener {
    type Listener = tokio::net::UnixListener;

    fn into_listener(self) -> io::Result<tokio::net::UnixListener> {
        self.into_tokio()
    }
}
