//! `wss://` without the feature `ssl`.

use std::io;

use tokio::net::TcpStream;

use super::connection::Io;

/// How `wss://` is spoken: not at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Secure(());

pub(super) async fn wrap(_io: TcpStream, _host: &str, _secure: &Secure) -> io::Result<Box<dyn Io>> {
    let why = "wss:// needs the feature `ssl` of the crate `eventlet`";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}
