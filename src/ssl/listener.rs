//! Listeners.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::context::{Context, Server};
use super::stream::TlsStream;
use crate::convenience::Listener;

/// A listener whose connections speak TLS.
///
/// It gives a connection as soon as it is accepted, and the handshake happens at its first use: a
/// silent client delays no other. [`serve`](crate::serve()) and `wsgi::server` take it. The
/// connections of one around a listener of green stacks are of `eventlet::green::ssl`.
///
/// Corresponds to what `eventlet.wrap_ssl` makes of a listening socket.
#[derive(Debug)]
pub struct TlsListener<L> {
    listener: L,
    context: Context<Server>,
}

impl<L> TlsListener<L> {
    /// Wraps any source of connections. For those of Tokio there is [`wrap_ssl`](super::wrap_ssl).
    pub fn new(listener: L, context: &Context<Server>) -> TlsListener<L> {
        TlsListener { listener, context: context.clone() }
    }

    /// Returns the listener below.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// Returns the context, to reload its certificates.
    pub fn context(&self) -> &Context<Server> {
        &self.context
    }

    /// Converts the listener below.
    #[cfg_attr(not(all(feature = "stackful", feature = "wsgi")), expect(dead_code))]
    pub(crate) fn try_map<M>(
        self,
        convert: impl FnOnce(L) -> io::Result<M>,
    ) -> io::Result<TlsListener<M>> {
        Ok(TlsListener { listener: convert(self.listener)?, context: self.context })
    }
}

impl<L: Listener> TlsListener<L> {
    /// Waits for the next connection below.
    pub(crate) async fn accept_below(&mut self) -> io::Result<(L::Io, L::Addr)> {
        // An unusable context is an error of the server, not of a client.
        self.context.config()?;
        self.listener.accept().await
    }
}

impl TlsListener<tokio::net::TcpListener> {
    /// Returns where it listens.
    ///
    /// # Errors
    ///
    /// That of the operating system.
    pub fn local_addr(&self) -> io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }
}

impl<L> Listener for TlsListener<L>
where
    L: Listener<Io: AsyncRead + AsyncWrite + Unpin>,
{
    type Io = TlsStream<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> io::Result<(TlsStream<L::Io>, L::Addr)> {
        let (io, addr) = self.accept_below().await?;
        Ok((TlsStream::server(io, &self.context), addr))
    }

    fn is_secure(&self) -> bool {
        true
    }
}
