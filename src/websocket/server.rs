//! The server's side of the handshake, and the handlers of a server.

use std::error::Error;
use std::fmt;
use std::future::{Ready, poll_fn, ready};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tungstenite::handshake::derive_accept_key;
use tungstenite::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tungstenite::http::{Method, Response, StatusCode, Version};
use tungstenite::protocol::frame::coding::CloseCode;

use super::close::Close;
use super::connection::{Connection, Terms};
use super::defaults;
use super::deflate::Deflate;
use super::negotiate;
use super::request::{Request, joined};
use super::socket::WebSocket;
use crate::convenience::HandlerResult;
use crate::exit::{BoxError, Exit};
use crate::report;
use crate::wsgi::{Body, Environ, Hijacked, Site, header_has_token};

/// Decides by the headers `Host` and `Origin` of a request.
type OriginChecker = Box<dyn Fn(&str, Option<&str>) -> bool>;

/// A site whose requests become websockets.
///
/// The handler gets each [`WebSocket`], in either colour, and the connection is closed when it has
/// ended:
///
/// | the handler | close code |
/// |---|---|
/// | returns | 1000 |
/// | returns an error, or panics, which is reported | 1011 |
/// | is killed, or the server is shut down | 1001 |
///
/// When the server is shut down, the close frame is sent at once and `wait` gives `None`; the
/// handler goes on until it ends, or the limit of the shutdown has passed. An error that only says
/// that the client has gone is not reported.
///
/// An invalid handshake is answered with 400, one of a version other than 13 and 8 with 426. Then
/// the connection closes.
///
/// Within another site, [`call`](WebSocketWSGI::call) answers single requests.
///
/// Corresponds to `eventlet.websocket.WebSocketWSGI`; its `configured` is the methods here.
///
/// # Differences
///
/// Methods, HTTP versions and keys are checked. A handler that fails closes with 1011, where
/// eventlet writes an HTTP response into the websocket. The versions before RFC 6455, hixie-75 and
/// 76, are not supported. Silent clients are pinged.
///
/// # Examples
///
/// ```
/// use eventlet::websocket::{WebSocket, WebSocketWSGI};
/// use eventlet::{listen, wsgi};
///
/// async fn echo(ws: WebSocket) -> std::io::Result<()> {
///     while let Some(message) = ws.wait().await? {
///         ws.send(message).await?;
///     }
///     Ok(())
/// }
///
/// # eventlet::run(async {
/// let site = WebSocketWSGI::new(echo)
///     .supported_protocols(["chat.v2", "chat.v1"])
///     .origin_checker(|host, origin| origin == Some(&format!("https://{host}")));
/// let listener = listen("127.0.0.1:0").await.unwrap();
/// let addr = listener.local_addr().unwrap();
/// eventlet::spawn_n(wsgi::server(listener, site).log_output(false).into_future());
///
/// let client = || eventlet::websocket::connect(format!("ws://{addr}/")).protocol("chat.v1");
/// assert!(client().await.is_err());
/// let ws = client().header("Origin", format!("https://{addr}")).await.unwrap();
/// assert_eq!(ws.protocol(), Some("chat.v1"));
/// # });
/// ```
pub struct WebSocketWSGI<H> {
    handler: Rc<H>,
    protocols: Vec<String>,
    origin_checker: Option<OriginChecker>,
    compression: Option<Deflate>,
    max_frame_length: usize,
    ping_interval: Option<Duration>,
    close_timeout: Duration,
}

impl<H, F> WebSocketWSGI<H>
where
    H: Fn(WebSocket) -> F + 'static,
    F: Future<Output: HandlerResult> + 'static,
{
    /// Makes a site of a handler: `|ws| async move { .. }`, or `|ws| stackful(move || ..)`.
    pub fn new(handler: H) -> WebSocketWSGI<H> {
        WebSocketWSGI {
            handler: Rc::new(handler),
            protocols: Vec::new(),
            origin_checker: None,
            compression: Some(Deflate::default()),
            max_frame_length: defaults::MAX_FRAME_LENGTH,
            ping_interval: defaults::PING_INTERVAL,
            close_timeout: defaults::CLOSE_TIMEOUT,
        }
    }

    /// Sets how many bytes a message may have: in one frame, in all its frames, and inflated. The
    /// default is 8 MiB. A longer one closes the connection with code 1009.
    pub fn max_frame_length(mut self, bytes: usize) -> Self {
        self.max_frame_length = bytes;
        self
    }

    /// Sets the subprotocols. The first of a client's offers that is among these is chosen. A
    /// client that offers none of these is served without a subprotocol.
    pub fn supported_protocols(
        mut self,
        protocols: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a function that decides by the headers `Host` and `Origin` whether a client may
    /// connect. Others are answered with 403.
    ///
    /// Browsers let any page connect to any server, and send their cookies along. A site that
    /// trusts cookies needs this.
    pub fn origin_checker(
        mut self,
        checker: impl Fn(&str, Option<&str>) -> bool + 'static,
    ) -> Self {
        self.origin_checker = Some(Box::new(checker));
        self
    }

    /// Sets how messages are compressed for clients that offer it; `None` refuses. The default is
    /// [`Deflate::default`].
    pub fn compression(mut self, compression: impl Into<Option<Deflate>>) -> Self {
        self.compression = compression.into();
        self
    }

    /// Sets after how long a silence a waiting [`WebSocket`] pings its client; `None` is never.
    /// The default is 30 s. After twice as long a silence `wait` gives an error of kind `TimedOut`,
    /// and the connection is closed with code 1001.
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.ping_interval = interval.into();
        self
    }

    /// Sets how long the client's close frame is waited for. The default is 5 s.
    pub fn close_timeout(mut self, limit: Duration) -> Self {
        self.close_timeout = limit;
        self
    }

    /// Answers a request, and runs the handler on its connection if it is a valid handshake.
    ///
    /// # Yields
    ///
    /// Never: the handler runs after the response was sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::websocket::{WebSocket, WebSocketWSGI};
    /// use eventlet::wsgi::{Environ, IntoResponse};
    ///
    /// let clock = WebSocketWSGI::new(|ws: WebSocket| async move { ws.send("12 o'clock").await });
    /// let site = move |env: Environ| {
    ///     let response = match env.path_info().as_str() {
    ///         "/clock" => clock.call(&env).into_response(),
    ///         _ => "a page".into_response(),
    ///     };
    ///     async { response }
    /// };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "a page");
    /// # });
    /// ```
    pub fn call(&self, env: &Environ) -> Response<Body> {
        match self.shake_hands(env) {
            Ok(response) => response,
            Err(refused) => refused.response(),
        }
    }

    fn shake_hands(&self, env: &Environ) -> Result<Response<Body>, Refused> {
        if env.method() != Method::GET || env.server_protocol() != Version::HTTP_11 {
            return Err(Refused::BadRequest);
        }
        let headers = env.headers();
        let handshake = self.agree(&headers)?;
        let request = Rc::new(Request {
            path: env.path_info(),
            protocol: handshake.protocol.clone(),
            origin: handshake.origin,
            version: handshake.version,
            compressed: handshake.compression.is_some(),
            environ: Some(env.clone()),
        });
        drop(headers);
        let terms = Terms {
            is_client: false,
            max_frame_length: self.max_frame_length,
            agreed: handshake.compression.as_ref().map(|(agreed, _)| *agreed),
            ping_interval: self.ping_interval,
            close_timeout: self.close_timeout,
        };
        let handler = Rc::clone(&self.handler);
        let mut response = env.hijack(move |io| serve(handler, io, terms, request));
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let mut put = |name: HeaderName, value: &str| {
                let value =
                    HeaderValue::from_str(value).expect("the value is ASCII, or the client's own");
                response.headers_mut().insert(name, value);
            };
            put(header::UPGRADE, "websocket");
            put(header::SEC_WEBSOCKET_ACCEPT, &handshake.accept);
            if let Some(protocol) = &handshake.protocol {
                put(header::SEC_WEBSOCKET_PROTOCOL, protocol);
            }
            if let Some((_, answer)) = &handshake.compression {
                put(header::SEC_WEBSOCKET_EXTENSIONS, answer);
            }
        }
        Ok(response)
    }

    /// Checks the headers of a request by RFC 6455, and chooses from what they offer.
    fn agree(&self, headers: &HeaderMap) -> Result<Handshake, Refused> {
        let upgrades = header_has_token(headers, &header::UPGRADE, b"websocket")
            && header_has_token(headers, &header::CONNECTION, b"upgrade");
        let version = joined(headers, &header::SEC_WEBSOCKET_VERSION);
        let version = match (upgrades, version.as_deref()) {
            (false, _) | (true, None) => return Err(Refused::BadRequest),
            (true, Some("13")) => 13,
            (true, Some("8")) => 8,
            (true, Some(_)) => return Err(Refused::Version),
        };
        let key = joined(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
        let key = key.ok_or(Refused::BadRequest)?;
        let origin = joined(headers, &header::ORIGIN).or_else(|| {
            let name = HeaderName::from_static("sec-websocket-origin");
            joined(headers, &name).filter(|_| version == 8)
        });
        let host = joined(headers, &header::HOST).unwrap_or_default();
        if self.origin_checker.as_ref().is_some_and(|may| !may(&host, origin.as_deref())) {
            return Err(Refused::Origin);
        }
        let offered = joined(headers, &header::SEC_WEBSOCKET_PROTOCOL).unwrap_or_default();
        let protocol = offered.split(',').map(str::trim).find(|offer| self.supports(offer));
        let offers = joined(headers, &header::SEC_WEBSOCKET_EXTENSIONS).unwrap_or_default();
        let compression = self.compression.as_ref();
        Ok(Handshake {
            accept: derive_accept_key(key.as_bytes()),
            protocol: protocol.map(str::to_owned),
            compression: compression.and_then(|deflate| negotiate::accept(&offers, deflate)),
            origin,
            version,
        })
    }

    fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|supported| supported == protocol)
    }
}

/// What a valid handshake has agreed on.
struct Handshake {
    accept: String,
    protocol: Option<String>,
    compression: Option<(negotiate::Agreed, String)>,
    origin: Option<String>,
    version: u8,
}

/// Why a request does not become a websocket.
enum Refused {
    BadRequest,
    Version,
    Origin,
}

impl Refused {
    fn response(&self) -> Response<Body> {
        let status = match self {
            Refused::BadRequest => StatusCode::BAD_REQUEST,
            Refused::Version => StatusCode::UPGRADE_REQUIRED,
            Refused::Origin => StatusCode::FORBIDDEN,
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13, 8"));
        }
        response
    }
}

/// Returns whether a text is sixteen bytes in base64.
fn is_key(key: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let digits = key.strip_suffix("==").unwrap_or_default();
    digits.len() == 22 && digits.bytes().all(digit)
}

/// A function of the environ that answers handshakes.
type Plain = Box<dyn Fn(Environ) -> Ready<Response<Body>>>;

impl<H, F> Site<WebSocketWSGI<H>> for WebSocketWSGI<H>
where
    H: Fn(WebSocket) -> F + 'static,
    F: Future<Output: HandlerResult> + 'static,
{
    type Handler = <Plain as Site<fn(Environ) -> Ready<Response<Body>>>>::Handler;

    fn into_handler(self) -> Self::Handler {
        let plain: Plain = Box::new(move |env| ready(self.call(&env)));
        Site::into_handler(plain)
    }
}

impl<H> fmt::Debug for WebSocketWSGI<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketWSGI")
            .field("supported_protocols", &self.protocols)
            .field("max_frame_length", &self.max_frame_length)
            .finish_non_exhaustive()
    }
}

/// Runs a handler on a connection that was taken over, and closes it.
async fn serve<H, F>(handler: Rc<H>, io: Hijacked, terms: Terms, request: Rc<Request>)
where
    H: Fn(WebSocket) -> F,
    F: Future<Output: HandlerResult>,
{
    // Kept to the end, as a connection without such a wait is cut when the server shuts down.
    let mut closing = pin!(io.closing());
    let connection = Connection::new(Box::new(io), b"", terms);
    let mut guard = CloseIfKilled { connection: Rc::clone(&connection), ended: false };
    let ws = WebSocket::new(Rc::clone(&connection), request);
    let outcome = match catch_unwind(AssertUnwindSafe(|| handler(ws))) {
        Ok(running) => run(pin!(running), closing.as_mut(), &connection).await,
        Err(payload) => Err(Exit::unwound(payload).into()),
    };
    connection.close(close_after(outcome)).await;
    guard.ended = true;
}

/// Runs a handler to its end. When the server shuts down, a close frame is sent at once.
async fn run<F>(
    mut handler: Pin<&mut F>,
    mut closing: Pin<&mut impl Future>,
    connection: &Connection,
) -> Result<(), BoxError>
where
    F: Future<Output: HandlerResult>,
{
    let mut close_sent = false;
    poll_fn(|cx| {
        if !close_sent && closing.as_mut().poll(cx).is_ready() {
            close_sent = true;
            connection.send_close(Close::new(CloseCode::Away, "the server is shut down"), cx);
        }
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(polled) => polled.map(HandlerResult::into_result),
            Err(payload) => Poll::Ready(Err(Exit::unwound(payload).into())),
        }
    })
    .await
}

/// Returns the close frame for a handler's outcome, and reports a failure.
fn close_after(outcome: Result<(), BoxError>) -> Close {
    match outcome {
        Ok(()) => Close::new(CloseCode::Normal, ""),
        Err(error) => {
            if !is_client_gone(&*error) {
                report::failure("serving a websocket", &error);
            }
            Close::new(CloseCode::Error, "")
        }
    }
}

/// Returns whether an error only says that the client has gone, as clients may at any time.
fn is_client_gone(error: &(dyn Error + 'static)) -> bool {
    use ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut, UnexpectedEof,
    };
    let kind = error.downcast_ref().map(io::Error::kind);
    matches!(
        kind,
        Some(
            BrokenPipe
                | ConnectionAborted
                | ConnectionReset
                | NotConnected
                | TimedOut
                | UnexpectedEof
        )
    )
}

/// Closes the connection if its green thread is killed.
struct CloseIfKilled {
    connection: Rc<Connection>,
    ended: bool,
}

impl Drop for CloseIfKilled {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.abandon(Close::new(CloseCode::Away, ""));
        }
    }
}
