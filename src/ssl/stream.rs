//! Connections.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as Waking, Poll, ready};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CommonState, HandshakeKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::context::{Client, Context, Server, Version};
use super::error::HandshakeError;
use super::handshake::{Handshake, Role};

/// A TLS connection.
///
/// The handshake of a server's connection happens at its first use, or by
/// [`handshake`](TlsStream::handshake); that of a client's has happened when
/// [`wrap_ssl`](super::wrap_ssl) returns it. It takes no longer than
/// [`handshake_timeout`](Context::handshake_timeout) allows.
///
/// It reads and writes through Tokio's traits; `eventlet::green::ssl::TlsStream` is made from it
/// for green stacks. As with all of Tokio's writers, flush it before you wait for the answer. Shut
/// it down after the last write: see [how a connection ends](super#how-a-connection-ends).
///
/// Corresponds to Python's `ssl.SSLSocket`, eventlet's `GreenSSLSocket`.
///
/// # Killed
///
/// A cancelled read loses nothing; of a cancelled write, data that was not accepted is not sent.
///
/// # Errors
///
/// An error of the handshake is a [`HandshakeError`] inside an [`io::Error`] of kind `InvalidData`,
/// `UnexpectedEof` or `TimedOut`, and is returned again by all later calls. A peer that ends the
/// connection without `close_notify` causes `UnexpectedEof`.
pub struct TlsStream<T> {
    state: State<T>,
}

enum State<T> {
    Handshaking(Box<Handshake<T>>),
    Open(Box<tokio_rustls::TlsStream<T>>),
    Failed(io::ErrorKind, String),
}

impl<T: AsyncRead + AsyncWrite + Unpin> TlsStream<T> {
    /// Wraps a connection that was accepted. The handshake is yet to come.
    ///
    /// For sockets of Tokio there is [`wrap_ssl`](super::wrap_ssl).
    pub fn server(io: T, context: &Context<Server>) -> TlsStream<T> {
        let state = match context.config() {
            Ok(config) => State::accepting(TlsAcceptor::from(config).accept(io), context),
            Err(error) => State::Failed(error.kind(), error.to_string()),
        };
        TlsStream { state }
    }

    /// Connects over any byte stream, to the server of that name, and does the handshake.
    ///
    /// For sockets of Tokio there is [`wrap_ssl`](super::wrap_ssl).
    ///
    /// # Yields
    ///
    /// Until the handshake is done.
    ///
    /// # Killed
    ///
    /// The connection is closed.
    ///
    /// # Errors
    ///
    /// If the name is invalid, the system has no authorities, or the handshake fails.
    pub async fn client(
        io: T,
        context: &Context<Client>,
        server_hostname: &str,
    ) -> io::Result<TlsStream<T>> {
        let name = ServerName::try_from(server_hostname.to_owned()).map_err(|error| {
            let message = format!("{server_hostname:?} is not a valid name of a server: {error}");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?;
        let connecting = TlsConnector::from(context.config()?).connect(name, io);
        let handshake = Handshake::connect(connecting, context.limit());
        let mut stream = TlsStream { state: State::Handshaking(Box::new(handshake)) };
        stream.handshake().await?;
        Ok(stream)
    }

    /// Does the handshake, unless it was done.
    ///
    /// Corresponds to Python's `SSLSocket.do_handshake`.
    ///
    /// # Yields
    ///
    /// Until it is done, or has failed.
    ///
    /// # Killed
    ///
    /// The next use of the stream continues the handshake.
    ///
    /// # Errors
    ///
    /// A [`HandshakeError`], inside.
    pub async fn handshake(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_open(cx, Role::Write).map_ok(|_open| ())).await
    }

    /// Continues the handshake until the connection is open.
    #[inline]
    fn poll_open(
        &mut self,
        cx: &mut Waking<'_>,
        role: Role,
    ) -> Poll<io::Result<Pin<&mut tokio_rustls::TlsStream<T>>>> {
        if !matches!(self.state, State::Open(_)) {
            ready!(self.poll_handshake(cx, role))?;
        }
        match &mut self.state {
            State::Open(open) => Poll::Ready(Ok(Pin::new(&mut **open))),
            _ => unreachable!("the handshake is done"),
        }
    }

    #[cold]
    fn poll_handshake(&mut self, cx: &mut Waking<'_>, role: Role) -> Poll<io::Result<()>> {
        let done = match &mut self.state {
            State::Handshaking(handshake) => ready!(handshake.poll(cx, role)),
            State::Open(_) => return Poll::Ready(Ok(())),
            State::Failed(kind, message) => {
                return Poll::Ready(Err(HandshakeError::repeat(*kind, message)));
            }
        };
        Poll::Ready(match done {
            Ok(open) => {
                self.state = State::Open(Box::new(open));
                Ok(())
            }
            Err(error) => {
                tracing::debug!(target: "eventlet", "{error}");
                self.state = State::Failed(error.kind(), error.to_string());
                Err(error)
            }
        })
    }
}

impl<T> State<T> {
    fn accepting(accepting: tokio_rustls::Accept<T>, context: &Context<Server>) -> State<T> {
        State::Handshaking(Box::new(Handshake::accept(accepting, context.limit())))
    }
}

impl<T> TlsStream<T> {
    /// Returns the socket below, to look at its addresses and set its options; `None` once the
    /// handshake has failed, which closes it.
    pub fn get_ref(&self) -> Option<&T> {
        match &self.state {
            State::Handshaking(handshake) => handshake.get_ref(),
            State::Open(open) => Some(open.get_ref().0),
            State::Failed(..) => None,
        }
    }

    /// Returns the peer's chain of certificates, its own first. `None` before the handshake, and
    /// for clients that were not asked for any.
    ///
    /// Corresponds to Python's `SSLSocket.getpeercert`.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.session()?.peer_certificates()
    }

    /// Returns the protocol that both sides agreed on. `None` before the handshake, and without
    /// one.
    ///
    /// Corresponds to Python's `SSLSocket.selected_alpn_protocol`.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.session()?.alpn_protocol()
    }

    /// Returns the version that is spoken. `None` before the handshake.
    ///
    /// Corresponds to Python's `SSLSocket.version`.
    pub fn version(&self) -> Option<Version> {
        Version::of(self.session()?.protocol_version()?)
    }

    /// Returns the name that the client asked a server for (SNI). `None` before the handshake, and
    /// on the client's side.
    pub fn server_name(&self) -> Option<&str> {
        match &self.state {
            State::Open(open) => match &**open {
                tokio_rustls::TlsStream::Server(server) => server.get_ref().1.server_name(),
                tokio_rustls::TlsStream::Client(_) => None,
            },
            _ => None,
        }
    }

    /// Returns whether the handshake resumed a session from before.
    ///
    /// Corresponds to Python's `SSLSocket.session_reused`.
    pub fn session_reused(&self) -> bool {
        self.session().and_then(CommonState::handshake_kind) == Some(HandshakeKind::Resumed)
    }

    fn session(&self) -> Option<&CommonState> {
        match &self.state {
            State::Open(open) => Some(open.get_ref().1),
            _ => None,
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<T> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Waking<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx, Role::Read))?.poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<T> {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Waking<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx, Role::Write))?.poll_write(cx, buf)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Waking<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx, Role::Write))?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx, Role::Write))?.poll_flush(cx)
    }

    /// Sends `close_notify`, and closes the socket for writing.
    ///
    /// A connection whose handshake has failed, or was never begun, is closed without it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Open(open) => Pin::new(&mut **open).poll_shutdown(cx),
            State::Handshaking(handshake) => handshake.poll_shutdown(cx),
            State::Failed(..) => Poll::Ready(Ok(())),
        }
    }
}

impl<T> fmt::Debug for TlsStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Handshaking(_) => "handshaking",
            State::Open(_) => "open",
            State::Failed(..) => "failed",
        };
        f.debug_struct("TlsStream").field("state", &state).finish_non_exhaustive()
    }
}
