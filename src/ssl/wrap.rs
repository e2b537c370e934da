//! `wrap_ssl`.

use std::fmt;
use std::future::{IntoFuture, ready};
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use super::context::{Client, Context, Server, Side};
use super::listener::TlsListener;
use super::stream::TlsStream;
use crate::convenience::{Connect, Opening, Tcp};

/// Has a socket speak TLS.
///
/// | socket | context | what it gives |
/// |---|---|---|
/// | [`connect(..)`](crate::connect) itself | client's | a [`TlsStream`], once it is waited for |
/// | a connection | client's | the same; name the server with [`server_hostname`](WrapSsl::server_hostname) |
/// | a listener | server's | a [`TlsListener`] |
/// | a connection that was accepted | server's | a [`TlsStream`], whose handshake comes with its first use |
///
/// Corresponds to `eventlet.wrap_ssl`.
///
/// # Differences
///
/// Eventlet's verifies no server, and takes its options as arguments: here they are the
/// [`Context`]'s.
///
/// # Examples
///
/// ```no_run
/// use eventlet::{connect, ssl, wrap_ssl};
///
/// # eventlet::run(async {
/// let context = ssl::Context::client()?;
/// let conn = wrap_ssl(connect("example.org:443"), &context).await?;
/// println!("{:?}", conn.version());
///
/// let socket = connect("203.0.113.7:443").await?;
/// let conn = wrap_ssl(socket, &context).server_hostname("example.org").await?;
/// # std::io::Result::Ok(())
/// # });
/// ```
pub fn wrap_ssl<W: Wrap<S>, S: Side>(socket: W, context: &Context<S>) -> W::Wrapped {
    socket.wrap(context)
}

/// A socket that [`wrap_ssl`] takes, on one side.
pub trait Wrap<S: Side> {
    /// What it becomes.
    type Wrapped;

    #[doc(hidden)]
    fn wrap(self, context: &Context<S>) -> Self::Wrapped;
}

/// A connection of a client to be made: what [`wrap_ssl`] returns for one.
#[must_use = "nothing is connected until this is waited for"]
pub struct WrapSsl<T> {
    opening: Opening<T>,
    context: Context<Client>,
    server_hostname: Option<String>,
}

impl<T: Send + 'static> WrapSsl<T> {
    fn new(
        opening: impl Future<Output = io::Result<T>> + Send + 'static,
        context: &Context<Client>,
        server_hostname: Option<String>,
    ) -> WrapSsl<T> {
        WrapSsl { opening: Opening::new(opening), context: context.clone(), server_hostname }
    }
}

impl<T> WrapSsl<T> {
    /// Sets the name or IP address that the server's certificate must have.
    ///
    /// By default it is the host that `connect` was given.
    ///
    /// Corresponds to Python's argument `server_hostname`.
    pub fn server_hostname(mut self, name: impl Into<String>) -> WrapSsl<T> {
        self.server_hostname = Some(name.into());
        self
    }

    async fn open(self) -> io::Result<TlsStream<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let name = self.server_hostname.ok_or_else(nameless)?;
        TlsStream::client(self.opening.await?, &self.context, &name).await
    }
}

fn nameless() -> io::Error {
    let cure = "the socket does not tell which server it is to be: say so with `.server_hostname(..)`, or \
                wrap `connect(\"host:port\")` itself";
    io::Error::new(io::ErrorKind::InvalidInput, cure)
}

/// # Yields
///
/// Until the connection is made and the handshake done.
///
/// # Killed
///
/// The connection is closed.
///
/// # Errors
///
/// If the connection cannot be made, the server was not named, or the handshake fails: then the
/// error has a [`HandshakeError`](super::HandshakeError) inside, and no byte of data was sent.
impl<T> IntoFuture for WrapSsl<T>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = io::Result<TlsStream<T>>;
    type IntoFuture = Opening<TlsStream<T>>;

    fn into_future(self) -> Opening<TlsStream<T>> {
        Opening::new(self.open())
    }
}

impl<T> fmt::Debug for WrapSsl<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.server_hostname;
        f.debug_struct("WrapSsl").field("server_hostname", name).finish_non_exhaustive()
    }
}

impl Wrap<Client> for Connect<Tcp> {
    type Wrapped = WrapSsl<TcpStream>;

    fn wrap(self, context: &Context<Client>) -> WrapSsl<TcpStream> {
        let host = self.family.host();
        WrapSsl::new(self.into_future(), context, Some(host))
    }
}

macro_rules! wraps {
    ($stream:ty, $listener:ty) => {
        impl Wrap<Client> for $stream {
            type Wrapped = WrapSsl<$stream>;

            fn wrap(self, context: &Context<Client>) -> WrapSsl<$stream> {
                WrapSsl::new(ready(Ok(self)), context, None)
            }
        }

        impl Wrap<Server> for $stream {
            type Wrapped = TlsStream<$stream>;

            fn wrap(self, context: &Context<Server>) -> TlsStream<$stream> {
                TlsStream::server(self, context)
            }
        }

        impl Wrap<Server> for $listener {
            type Wrapped = TlsListener<$listener>;

            fn wrap(self, context: &Context<Server>) -> TlsListener<$listener> {
                TlsListener::new(self, context)
            }
        }
    };
}

wraps!(TcpStream, TcpListener);
#[cfg(unix)]
wraps!(UnixStream, UnixListener);
