//! TLS below a server.

use std::any::Any;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::ssl::{CertificateDer, TlsListener, TlsStream};

/// What the TLS handshake of a connection has found.
pub(super) struct Session {
    certificates: Option<Vec<CertificateDer<'static>>>,
}

impl Session {
    /// Returns the client's chain of certificates, if it has shown one.
    pub(super) fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.certificates.as_deref()
    }
}

/// Returns the TCP socket of a connection, if it has one.
pub(super) fn socket_below(io: &dyn Any) -> Option<&TcpStream> {
    match io.downcast_ref::<TlsStream<TcpStream>>() {
        Some(tls) => tls.get_ref(),
        None => io.downcast_ref(),
    }
}

/// Returns the listener below a TLS listener, and any other as it is.
pub(super) fn listener_below(listener: &dyn Any) -> &dyn Any {
    if let Some(tls) = listener.downcast_ref::<TlsListener<TcpListener>>() {
        return tls.get_ref();
    }
    #[cfg(unix)]
    if let Some(tls) = listener.downcast_ref::<TlsListener<UnixListener>>() {
        return tls.get_ref();
    }
    listener
}

/// Does the handshake of a TLS connection over a socket of Tokio's. Any other does it when it is
/// first read.
pub(super) async fn shake_hands(io: &mut dyn Any) -> io::Result<Option<Session>> {
    if let Some(tls) = io.downcast_mut::<TlsStream<TcpStream>>() {
        return begin(tls).await.map(Some);
    }
    #[cfg(unix)]
    if let Some(tls) = io.downcast_mut::<TlsStream<UnixStream>>() {
        return begin(tls).await.map(Some);
    }
    Ok(None)
}

async fn begin<T: AsyncRead + AsyncWrite + Unpin>(tls: &mut TlsStream<T>) -> io::Result<Session> {
    tls.handshake().await?;
    Ok(Session { certificates: tls.peer_certificates().map(<[_]>::to_vec) })
}
