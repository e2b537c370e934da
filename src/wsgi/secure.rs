//! What a server knows of TLS.

use std::any::Any;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use super::environ::Environ;
use crate::ssl::{CertificateDer, TlsListener, TlsStream};

/// What was agreed on when a connection was encrypted.
pub(super) struct Session {
    certificates: Option<Vec<CertificateDer<'static>>>,
}

/// Returns the socket below a connection, if it is of TCP.
pub(super) fn socket_below(io: &dyn Any) -> Option<&TcpStream> {
    match io.downcast_ref::<TlsStream<TcpStream>>() {
        Some(tls) => tls.get_ref(),
        None => io.downcast_ref(),
    }
}

/// Returns the listener below another.
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

/// Does the handshake of a connection that is to be encrypted, if it is over a socket of Tokio's.
/// Any other does it when it is first read.
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

impl Environ {
    /// Returns the chain of certificates that the client has shown, its own first. Clients show one
    /// where the context of the server [requires](crate::ssl::Context::require_client_cert) it. It
    /// is known of connections over TCP and Unix sockets.
    ///
    /// Corresponds to `getpeercert` of the socket that `Input.get_socket` returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// async fn whoami(env: Environ) -> String {
    ///     match env.peer_certificates() {
    ///         Some([own, ..]) => format!("a certificate of {} bytes", own.len()),
    ///         _ => "nobody".to_owned(),
    ///     }
    /// }
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(whoami, "GET /").await, "nobody");
    /// # });
    /// ```
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.0.connection.session.get()?.certificates.as_deref()
    }
}
