//! Connecting, and the client's side of the handshake.

use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{Response, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tungstenite::http::{Request as Head, StatusCode, Uri};

use super::connection::{Connection, Io, Terms};
use super::defaults;
use super::deflate::Deflate;
use super::negotiate;
use super::request::{Request, joined};
use super::socket::WebSocket;
use super::tls::Tls;
use crate::convenience;
use crate::hub;
use crate::wsgi::header_has_token;

/// How many bytes the head of a server's answer may have.
const MAX_HEAD: usize = 64 * 1024;

/// Connects to a websocket server.
///
/// The scheme of the URL is `ws`, or `wss` with the feature `ssl`. For `wss` the server must show a
/// certificate for the host of the URL, signed by an authority that the system trusts;
/// [`ssl`](Connect::ssl) sets other authorities. Set options on what this returns, and wait for it:
/// with `.await`, or with `.block()` on a green stack.
///
/// Eventlet has no client of its own: its users take the `websocket-client` library, patched.
///
/// # Panics
///
/// Waiting for it panics without a hub: outside [`run`](crate::run) and
/// [`local`](crate::local).
///
/// # Yields
///
/// Until the server has answered, but no longer than
/// [`handshake_timeout`](Connect::handshake_timeout).
///
/// # Killed
///
/// The connection is closed.
///
/// # Errors
///
/// Those of connecting and of the TLS handshake; of kind `InvalidInput`, when the URL or an option
/// is invalid; of kind `ConnectionRefused`, when the server refuses, with a
/// [`FailedConnectionError`] inside that has the status; of kind `InvalidData`, when its answer is
/// not a websocket's; of kind `TimedOut`.
///
/// # Examples
///
/// ```
/// use eventlet::websocket::{self, Deflate, WebSocket, WebSocketWSGI};
///
/// # eventlet::run(async {
/// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
/// # let url = format!("ws://{}/", listener.local_addr().unwrap());
/// # let site = WebSocketWSGI::new(|ws: WebSocket| async move { ws.wait().await.map(drop) });
/// # let site = site.supported_protocols(["chat"]);
/// # eventlet::spawn_n(eventlet::wsgi::server(listener, site).into_future());
/// let ws = websocket::connect(&url)
///     .header("Cookie", "id=1")
///     .protocol("chat")
///     .compression(Deflate::default())
///     .await
///     .unwrap();
/// assert_eq!(ws.protocol(), Some("chat"));
/// assert!(ws.compressed());
///
/// let error = websocket::connect("http://localhost/").await.unwrap_err();
/// assert!(error.to_string().contains("ws://"));
/// # });
/// ```
pub fn connect(url: impl AsRef<str>) -> Connect {
    Connect {
        url: url.as_ref().to_owned(),
        headers: Vec::new(),
        protocols: Vec::new(),
        compression: None,
        max_frame_length: defaults::MAX_FRAME_LENGTH,
        ping_interval: defaults::PING_INTERVAL,
        close_timeout: defaults::CLOSE_TIMEOUT,
        handshake_timeout: defaults::HANDSHAKE_TIMEOUT,
        tls: Tls::default(),
    }
}

/// A client that is being configured: what [`connect`] returns.
#[derive(Clone, Debug)]
#[must_use = "nothing is connected until this is waited for"]
pub struct Connect {
    url: String,
    headers: Vec<(String, String)>,
    protocols: Vec<String>,
    compression: Option<Deflate>,
    max_frame_length: usize,
    ping_interval: Option<Duration>,
    close_timeout: Duration,
    handshake_timeout: Duration,
    pub(super) tls: Tls,
}

impl Connect {
    /// Adds a header to the request: `Authorization`, `Cookie`, `Origin`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Connect {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Offers a subprotocol, besides those that earlier calls offer. The server chooses one, or
    /// none.
    pub fn protocol(mut self, protocol: impl Into<String>) -> Connect {
        self.protocols.push(protocol.into());
        self
    }

    /// Offers compression. By default it is not offered.
    pub fn compression(mut self, compression: impl Into<Option<Deflate>>) -> Connect {
        self.compression = compression.into();
        self
    }

    /// Sets how many bytes a message may have. The default is 8 MiB. A longer one closes the
    /// connection, with code 1009.
    pub fn max_frame_length(mut self, bytes: usize) -> Connect {
        self.max_frame_length = bytes;
        self
    }

    /// Sets after how long a silence a waiting [`WebSocket`] pings the server; `None` is never.
    /// The default is 30 s. After twice as long a silence `wait`
    /// gives an error of kind `TimedOut`, and the connection is closed.
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Connect {
        self.ping_interval = interval.into();
        self
    }

    /// Sets how long [`WebSocket::close`] waits for the server's close frame. The default is 5 s.
    pub fn close_timeout(mut self, limit: Duration) -> Connect {
        self.close_timeout = limit;
        self
    }

    /// Sets how long connecting may take, up to the server's answer. The default is 10 s.
    pub fn handshake_timeout(mut self, limit: Duration) -> Connect {
        self.handshake_timeout = limit;
        self
    }

    /// Does the handshake over a connection that was made in another way: through TLS or a proxy,
    /// or to a Unix socket. Only the host and the path of the URL are used then.
    ///
    /// # Yields
    ///
    /// Until the server has answered.
    ///
    /// # Killed
    ///
    /// The connection is closed.
    ///
    /// # Errors
    ///
    /// As [`connect`]'s.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::websocket;
    ///
    /// # eventlet::run(async {
    /// let (io, peer) = tokio::io::duplex(1000);
    /// drop(peer);
    /// let error = websocket::connect("ws://localhost/").over(io).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    /// # });
    /// ```
    pub async fn over<T>(self, io: T) -> io::Result<WebSocket>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let head = self.head()?;
        let limit = self.handshake_timeout;
        in_time(limit, self.shake_hands(head, Box::new(io))).await
    }

    async fn open(self) -> io::Result<WebSocket> {
        let head = self.head()?;
        let limit = self.handshake_timeout;
        in_time(limit, async {
            let io = self.dial(head.uri()).await?;
            self.shake_hands(head, io).await
        })
        .await
    }

    /// Makes the head of the request.
    fn head(&self) -> io::Result<Head<()>> {
        let cannot = |why: &dyn fmt::Display| {
            let why = format!("cannot connect to {:?}: {why}", self.url);
            io::Error::new(io::ErrorKind::InvalidInput, why)
        };
        let uri: Uri = self.url.parse().map_err(|error| cannot(&error))?;
        if !matches!(uri.scheme_str(), Some("ws" | "wss")) {
            return Err(cannot(&"the URL of a websocket begins with ws:// or wss://"));
        }
        let mut head = uri.into_client_request().map_err(|error| cannot(&error))?;
        let headers = head.headers_mut();
        for (name, value) in &self.headers {
            let name: HeaderName =
                name.parse().map_err(|_| cannot(&format!("bad header {name:?}")))?;
            let value =
                value.parse().map_err(|_| cannot(&format!("bad value of header {name}")))?;
            match name {
                header::HOST => drop(headers.insert(name, value)),
                _ => drop(headers.append(name, value)),
            }
        }
        for protocol in &self.protocols {
            if protocol.parse::<HeaderName>().is_err() {
                return Err(cannot(&format!("bad name of a subprotocol {protocol:?}")));
            }
        }
        let mut put = |name: HeaderName, value: String| {
            headers.insert(name, HeaderValue::try_from(value).expect("its parts are ASCII"));
        };
        if !self.protocols.is_empty() {
            put(header::SEC_WEBSOCKET_PROTOCOL, self.protocols.join(", "));
        }
        if let Some(deflate) = &self.compression {
            put(header::SEC_WEBSOCKET_EXTENSIONS, negotiate::offer(deflate));
        }
        Ok(head)
    }

    async fn dial(&self, uri: &Uri) -> io::Result<Box<dyn Io>> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_secure = uri.scheme_str() == Some("wss");
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let connecting = convenience::connect((host, port));
        if is_secure { self.tls.secure(connecting).await } else { Ok(Box::new(connecting.await?)) }
    }

    async fn shake_hands(&self, head: Head<()>, mut io: Box<dyn Io>) -> io::Result<WebSocket> {
        let path = head.uri().path().to_owned();
        let origin = joined(head.headers(), &header::ORIGIN);
        let (request, key) = generate_request(head).map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("cannot ask for a websocket: {error}"),
            )
        })?;
        io.write_all(&request).await?;
        io.flush().await?;
        let (response, early) = read_head(&mut io).await?;
        check(&response, &key)?;
        let protocol = self.chosen_protocol(response.headers())?;
        let agreed = match (
            joined(response.headers(), &header::SEC_WEBSOCKET_EXTENSIONS),
            &self.compression,
        ) {
            (None, _) => None,
            (Some(_), None) => return Err(no_websocket("an extension that was not offered")),
            (Some(answer), Some(deflate)) => {
                Some(negotiate::answered(&answer, deflate).map_err(no_websocket)?)
            }
        };
        let terms = Terms {
            is_client: true,
            max_frame_length: self.max_frame_length,
            agreed,
            ping_interval: self.ping_interval,
            close_timeout: self.close_timeout,
        };
        let compressed = agreed.is_some();
        let request = Request { path, protocol, origin, version: 13, compressed, environ: None };
        Ok(WebSocket::new(Connection::new(io, &early, terms), Rc::new(request)))
    }

    fn chosen_protocol(&self, headers: &HeaderMap) -> io::Result<Option<String>> {
        let chosen = joined(headers, &header::SEC_WEBSOCKET_PROTOCOL);
        match &chosen {
            Some(chosen) if !self.protocols.contains(chosen) => {
                Err(no_websocket("a subprotocol that was not offered"))
            }
            _ => Ok(chosen),
        }
    }
}

impl IntoFuture for Connect {
    type Output = io::Result<WebSocket>;
    type IntoFuture = Connecting;

    fn into_future(self) -> Connecting {
        Connecting(Box::pin(self.open()))
    }
}

/// The future that [`Connect`] becomes when it is waited for.
#[must_use = "futures do nothing unless waited for"]
pub struct Connecting(Pin<Box<dyn Future<Output = io::Result<WebSocket>>>>);

impl Future for Connecting {
    type Output = io::Result<WebSocket>;

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<WebSocket>> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    hub::within(Some(limit), work).await.unwrap_or_else(|| {
        let why = format!("no websocket within {limit:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    })
}

/// Reads the head of the server's answer, and what came after it.
async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> io::Result<(Response, Vec<u8>)> {
    let mut read = Vec::new();
    while read.len() <= MAX_HEAD {
        if io.read_buf(&mut read).await? == 0 {
            let why = "the server closed the connection instead of answering";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        let head = Response::try_parse(&read).map_err(|error| no_websocket(&error.to_string()))?;
        if let Some((length, response)) = head {
            return Ok((response, read.split_off(length)));
        }
    }
    Err(no_websocket("a head that does not end"))
}

/// Checks the server's answer by RFC 6455.
fn check(response: &Response, key: &str) -> io::Result<()> {
    let headers = response.headers();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let failed = FailedConnectionError { status: response.status().as_u16() };
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, failed));
    }
    if !header_has_token(headers, &header::UPGRADE, b"websocket")
        || !header_has_token(headers, &header::CONNECTION, b"upgrade")
    {
        return Err(no_websocket("an upgrade to something else"));
    }
    let accept = joined(headers, &header::SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|accept| accept != derive_accept_key(key.as_bytes())) {
        return Err(no_websocket("an answer to another request"));
    }
    Ok(())
}

fn no_websocket(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the server's answer makes no websocket: {why}"),
    )
}

/// The error of a handshake that the server refused. It is inside the [`io::Error`] that
/// [`connect`] gives.
///
/// Corresponds to `eventlet.websocket.FailedConnectionError`.
///
/// # Examples
///
/// ```
/// use eventlet::websocket::{self, FailedConnectionError};
/// use eventlet::wsgi::{self, Environ};
///
/// # eventlet::run(async {
/// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
/// # let url = format!("ws://{}/", listener.local_addr().unwrap());
/// # let site = |_: Environ| async { 404 };
/// # eventlet::spawn_n(wsgi::server(listener, site).into_future());
/// let error = websocket::connect(&url).await.unwrap_err();
/// let failed: &FailedConnectionError = error.get_ref().unwrap().downcast_ref().unwrap();
/// assert_eq!(failed.status(), 404);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedConnectionError {
    status: u16,
}

impl FailedConnectionError {
    /// Returns the status of the server's answer.
    pub fn status(&self) -> u16 {
        self.status
    }
}

impl fmt::Display for FailedConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {} to the request for a websocket", self.status)
    }
}

impl Error for FailedConnectionError {}
