//! A server to be.

use std::fmt;
use std::future::{IntoFuture, pending, poll_fn};
use std::io;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Version;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::Level;

use super::accept::Acceptor;
use super::format::Format;
use super::listener::IntoListener;
use super::log::Sink;
use super::options::{KEEPALIVE, Options};
use super::protocol::Protocol;
use super::server::Server;
use super::site::Site;
use super::tls::listener_below;
use super::traceback;
use crate::convenience::{Door, Listener};
use crate::event::Event;
use crate::greenpool::GreenPool;

/// Serves a site at a listener.
///
/// Wait for what it returns: with `.await`, or with `.block()` on a green stack. Before that,
/// options are set on it.
///
/// Each connection is a green thread, and each request of a site that is a function one more: what
/// ends it, a panic, a [`Timeout`](crate::Timeout) or a kill, becomes a 500, and nobody else
/// notices. [`debug::green_threads`] shows it as `GET /path`.
///
/// [`debug::green_threads`]: crate::debug::green_threads
///
/// Corresponds to `eventlet.wsgi.server`.
///
/// # Yields
///
/// Until the server is [shut down](Server::shutdown), so mostly forever.
///
/// # Killed
///
/// The listener and idle connections are closed. Requests that run go on.
///
/// # Errors
///
/// When the listener does not listen. Nothing else ends a server: a lack of file descriptors is
/// waited out.
///
/// # Differences
///
/// Tracebacks go to clients by [`debug`](Serving::debug) only. Nothing waits forever by default.
///
/// # Examples
///
/// ```
/// use eventlet::wsgi::{self, Environ};
/// use eventlet::{connect, listen, spawn};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # eventlet::run(async {
/// let listener = listen("127.0.0.1:0").await.unwrap();
/// let addr = listener.local_addr().unwrap();
/// let serving = wsgi::server(listener, |env: Environ| async move { format!("hello {}", env.path_info()) });
/// let serving = serving.log_output(false);
/// let server = serving.handle();
/// let served = spawn(serving.into_future());
///
/// let mut conn = connect(addr).await.unwrap();
/// conn.write_all(b"GET /you HTTP/1.0\r\n\r\n").await.unwrap();
/// let mut answer = String::new();
/// conn.read_to_string(&mut answer).await.unwrap();
/// assert!(answer.ends_with("\r\n\r\nhello /you"));
///
/// server.shutdown(None).await;
/// served.await.unwrap().unwrap();
/// # });
/// ```
#[track_caller]
pub fn server<L, S, K>(listener: L, site: S) -> Serving<L, S, K>
where
    L: IntoListener,
    S: Site<K>,
{
    Serving {
        listener,
        site,
        options: Options::new(Location::caller()),
        server: Server::default(),
        pool: None,
        max_size: 1024,
        event: None,
        stop: None,
        kind: PhantomData,
    }
}

/// A server to be: what [`server`] makes. It is started by waiting for it.
#[must_use = "nothing is served until this is waited for"]
pub struct Serving<L, S, K> {
    listener: L,
    site: S,
    options: Options,
    server: Server,
    pool: Option<GreenPool>,
    max_size: usize,
    event: Option<Event<Server>>,
    stop: Option<Pin<Box<dyn Future<Output = ()>>>>,
    kind: PhantomData<fn() -> K>,
}

impl<L, S, K> Serving<L, S, K> {
    /// Returns the handle of the server: to look at it, and to end it. [`Server::stats`] has an
    /// example.
    pub fn handle(&self) -> Server {
        self.server.clone()
    }

    /// Writes the log to a writer. Without this it goes to `tracing`, target `eventlet::wsgi`, or
    /// to standard error where nobody subscribes.
    ///
    /// A writer that fails ends the log, not the server.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::fs::File;
    /// # let path = std::env::temp_dir().join(format!("eventlet-log-{}", std::process::id()));
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log(File::create(&path).unwrap());
    /// answer_of(addr, serving, "GET /").await;
    /// let log = std::fs::read_to_string(&path).unwrap();
    /// assert!(log.contains("\"GET / HTTP/1.1\" 200 5"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # });
    /// ```
    pub fn log(mut self, writer: impl io::Write + 'static) -> Self {
        self.options.log.sink = Sink::Writer(Some(Box::new(writer) as Box<dyn io::Write>).into());
        self
    }

    /// Hands each line of the log to a function: requests at `INFO`, failures of the site at
    /// `ERROR`, what becomes of connections at `DEBUG`.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::{cell::RefCell, rc::Rc};
    /// let lines = Rc::new(RefCell::new(Vec::new()));
    /// let log = Rc::clone(&lines);
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log_with(move |level, line| {
    ///     log.borrow_mut().push(format!("{level} {line}"));
    /// });
    /// answer_of(addr, serving, "GET /").await;
    /// assert!(lines.borrow().iter().any(|line| line.starts_with("INFO ") && line.contains("GET /")));
    /// # });
    /// ```
    pub fn log_with(mut self, function: impl Fn(Level, &str) + 'static) -> Self {
        self.options.log.sink = Sink::Function(Box::new(function));
        self
    }

    /// Whether anything is logged. On unless said otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.ends_with("\r\n\r\nhello"));
    /// # });
    /// ```
    pub fn log_output(mut self, log: bool) -> Self {
        if !log {
            self.options.log.sink = Sink::Off;
        }
        self
    }

    /// Sets what is logged of a request: `%(client_ip)s`, `client_port`, `date_time` (in UTC),
    /// `request_line`, `status_code`, `body_length`, `wall_seconds` (`%(wall_seconds).6f`),
    /// `request_id`.
    ///
    /// # Panics
    ///
    /// With a key that is not known; it names those that are.
    ///
    /// # Differences
    ///
    /// `date_time` is in UTC, and `body_length` is the length of the body alone.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::{cell::RefCell, rc::Rc};
    /// # let lines = Rc::new(RefCell::new(Vec::new()));
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log_format("%(request_line)s is a %(status_code)d");
    /// # let log = Rc::clone(&lines);
    /// # let serving = serving.log_with(move |_, line| log.borrow_mut().push(line.to_owned()));
    /// answer_of(addr, serving, "GET /").await;
    /// assert!(lines.borrow().contains(&"GET / HTTP/1.1 is a 200".to_owned()));
    /// # });
    /// ```
    #[track_caller]
    pub fn log_format(mut self, format: &str) -> Self {
        match Format::parse(format) {
            Ok(format) => self.options.log.format = format,
            Err(wrong) => panic!("`log_format`: {wrong}"),
        }
        self
    }

    /// Whether the logged address of a client is preceded by what `X-Forwarded-For` says. On unless
    /// said otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::{cell::RefCell, rc::Rc};
    /// # let lines = Rc::new(RefCell::new(String::new()));
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log_x_forwarded_for(false);
    /// # let log = Rc::clone(&lines);
    /// # let serving = serving.log_with(move |_, line| log.borrow_mut().push_str(line));
    /// answer_of(addr, serving, "GET /\nX-Forwarded-For: 192.0.2.1").await;
    /// assert!(!lines.borrow().contains("192.0.2.1"));
    /// # });
    /// ```
    pub fn log_x_forwarded_for(mut self, log: bool) -> Self {
        self.options.log_x_forwarded_for = log;
        self
    }

    /// Sets keys that each request's environ has, besides its own: they cannot replace those.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let site = |env: Environ| async move { env.get("shop.currency").unwrap_or_default() };
    /// let serving = wsgi::server(listener, site).environ([("shop.currency", "EUR")]);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.ends_with("\r\n\r\nEUR"));
    /// # });
    /// ```
    pub fn environ<N: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.options.environ =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// Sets how many connections there may be at a time: 1024 unless said otherwise.
    ///
    /// At the bound nobody is accepted. One is accepted ahead, and takes the place of the
    /// connection that has been idle for longest, which is closed.
    ///
    /// # Panics
    ///
    /// With 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).max_size(100);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.ends_with("\r\n\r\nhello"));
    /// # });
    /// ```
    #[track_caller]
    pub fn max_size(mut self, connections: usize) -> Self {
        assert!(connections > 0, "`max_size` must be 1 at least: with 0 nobody is ever served");
        self.max_size = connections;
        self
    }

    /// Has connections be green threads of this pool, which may have other members. Its size is the
    /// bound then, and [`max_size`](Serving::max_size) is ignored.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let pool = eventlet::GreenPool::new(200);
    /// let members = pool.clone();
    /// let site = move |_: Environ| {
    ///     let running = members.running();
    ///     async move { running.to_string() }
    /// };
    /// let serving = wsgi::server(listener, site).custom_pool(&pool);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.ends_with("\r\n\r\n1"));
    /// # });
    /// ```
    pub fn custom_pool(mut self, pool: &GreenPool) -> Self {
        self.pool = Some(pool.clone());
        self
    }

    /// Sets the version of HTTP that answers are in: 1.1 unless said otherwise. In 1.0 nothing is
    /// chunked, and a connection is closed after its response.
    ///
    /// # Panics
    ///
    /// With another than these two.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).max_http_version(http::Version::HTTP_10);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"));
    /// # });
    /// ```
    #[track_caller]
    pub fn max_http_version(mut self, version: Version) -> Self {
        let known = version == Version::HTTP_10 || version == Version::HTTP_11;
        assert!(known, "`max_http_version` is `HTTP_10` or `HTTP_11`; HTTP/2 is by `protocol`");
        self.options.http10 = version == Version::HTTP_10;
        self
    }

    /// Sets how connections speak, and how much of a head they take.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).protocol(wsgi::Protocol::http1().max_headers(2));
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /\nX-One: 1\nX-Two: 2").await;
    /// assert!(answer.starts_with("HTTP/1.1 431 "));
    /// # });
    /// ```
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        let request_line = self.options.protocol.limits.request_line;
        self.options.protocol = protocol;
        self.options.protocol.limits.request_line = request_line;
        self
    }

    /// Sends the [`Server`] to an event once it accepts.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let event = eventlet::Event::new();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).server_event(&event);
    /// # let serving = serving.log_output(false);
    /// answer_of(addr, serving, "GET /").await;
    /// assert_eq!(event.wait().await.unwrap().stats().requests, 1);
    /// # });
    /// ```
    pub fn server_event(mut self, event: &Event<Server>) -> Self {
        self.event = Some(event.clone());
        self
    }

    /// Sets how many bytes of a body are held back until they are sent.
    ///
    /// Unless said otherwise, pieces are joined up to 4096 bytes while the site has more ready;
    /// when it waits, what is there is sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let site = |_: Environ| async { wsgi::Body::from_iter(["some", "more"]) };
    /// let serving = wsgi::server(listener, site).minimum_chunk_size(16_384);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.contains("some") && answer.contains("more"));
    /// # });
    /// ```
    pub fn minimum_chunk_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.options.minimum_chunk_size = bytes.into();
        self
    }

    /// Sets for how long a connection may be idle, before its first request and between two: 75
    /// seconds unless said otherwise. `false` closes it after each response.
    ///
    /// It is never the limit of a head: see [`Protocol::header_timeout`].
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::time::Duration;
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).keepalive(Duration::from_secs(5));
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /\nConnection: keep-alive").await;
    /// assert!(answer.contains("\r\nKeep-Alive: timeout=5\r\n"));
    /// # });
    /// ```
    pub fn keepalive(mut self, keepalive: impl Into<KeepAlive>) -> Self {
        self.options.keepalive = keepalive.into().0;
        self
    }

    /// Sets how many bytes a request line may have: 8192 unless said otherwise. A longer one is a
    /// 414.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).url_length_limit(1024);
    /// # let serving = serving.log_output(false);
    /// let long = format!("GET /{}", "x".repeat(2000));
    /// let answer = answer_of(addr, serving, &long).await;
    /// assert!(answer.starts_with("HTTP/1.1 414 "));
    /// # });
    /// ```
    pub fn url_length_limit(mut self, bytes: usize) -> Self {
        self.options.protocol.limits.request_line = bytes;
        self
    }

    /// Whether clients get to see why the site failed: the text of an error, or the message of a
    /// panic with a backtrace. Off unless said otherwise, for it is nobody's business outside.
    ///
    /// The first server that is told so sets a panic hook, which calls the one before it.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let site = |_: Environ| async { Err::<(), _>("out of paper") };
    /// let serving = wsgi::server(listener, site).debug(true);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.starts_with("HTTP/1.1 500 ") && answer.ends_with("out of paper"));
    /// # });
    /// ```
    pub fn debug(mut self, debug: bool) -> Self {
        self.options.debug = debug;
        self
    }

    /// Sets how long a wait for a part of a body, or for the client to take some of a response, may
    /// last: 60 seconds unless said otherwise. `None` is forever. A site that computes or sleeps is
    /// never cut.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::time::Duration;
    /// let site = |env: Environ| async move { env.input().read_all(1000).await };
    /// let serving = wsgi::server(listener, site).socket_timeout(Duration::from_secs(10));
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "POST /\n\nhello").await;
    /// assert!(answer.ends_with("\r\n\r\nhello"));
    /// # });
    /// ```
    pub fn socket_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.options.socket_timeout = limit.into();
        self
    }

    /// Whether the names of headers are sent as `Content-Length`. On unless said otherwise; off
    /// saves a sixth of hyper's work.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).capitalize_response_headers(false);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.contains("\r\ncontent-length: 5\r\n"));
    /// # });
    /// ```
    pub fn capitalize_response_headers(mut self, capitalize: bool) -> Self {
        self.options.capitalize_response_headers = capitalize;
        self
    }

    /// Shuts the server down when a future is done, as [`Server::shutdown`] does, within
    /// [`shutdown_timeout`](Serving::shutdown_timeout).
    ///
    /// ```no_run
    /// use eventlet::interrupted;
    /// use eventlet::wsgi::{self, Environ};
    ///
    /// # eventlet::run(async {
    /// let listener = eventlet::listen("127.0.0.1:8080").await.unwrap();
    /// wsgi::server(listener, |_: Environ| async { "hello" })
    ///     .shutdown_on(interrupted()) // Ctrl-C, or SIGTERM
    ///     .await
    ///     .unwrap();
    /// # });
    /// ```
    pub fn shutdown_on<F>(mut self, future: F) -> Self
    where
        F: IntoFuture<IntoFuture: 'static>,
    {
        let future = future.into_future();
        self.stop = Some(Box::pin(async move {
            future.await;
        }));
        self
    }

    /// Sets how long requests may go on when the server is shut down: without this, until they end.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::time::Duration;
    /// # drop(addr);
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).shutdown_timeout(Duration::from_secs(30));
    /// # let serving = serving.log_output(false);
    /// let serving = serving.shutdown_on(eventlet::sleep(Duration::ZERO));
    /// serving.await.unwrap();
    /// # });
    /// ```
    pub fn shutdown_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.options.shutdown_timeout = limit.into();
        self
    }

    /// Whether a site that is a function is killed when its client has gone. Off unless said
    /// otherwise: it runs to its end, as in eventlet.
    ///
    /// A client that closes its sending side counts as gone then, though it may wait for its
    /// answer.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).kill_on_disconnect(false);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.ends_with("\r\n\r\nhello"));
    /// # });
    /// ```
    pub fn kill_on_disconnect(mut self, kill: bool) -> Self {
        self.options.kill_on_disconnect = kill;
        self
    }

    /// Sets how much of a body that the site did not read is read away, so that the connection can
    /// go on: 64 KiB unless said otherwise. Where there is more, it is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).drain_unread(0);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "POST /\nConnection: keep-alive\n\nunread").await;
    /// assert!(answer.contains("\r\nConnection: close\r\n"));
    /// # });
    /// ```
    pub fn drain_unread(mut self, bytes: usize) -> Self {
        self.options.drain_unread = bytes;
        self
    }

    /// Whether TCP connections get `TCP_NODELAY`. On unless said otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).tcp_nodelay(false);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.ends_with("\r\n\r\nhello"));
    /// # });
    /// ```
    pub fn tcp_nodelay(mut self, nodelay: bool) -> Self {
        self.options.tcp_nodelay = nodelay;
        self
    }
}

impl<L, S, K> Serving<L, S, K>
where
    L: IntoListener,
    S: Site<K>,
{
    async fn serve(self) -> io::Result<()> {
        let listener = self.listener.into_listener()?;
        let pool = self.pool.unwrap_or_else(|| GreenPool::new(self.max_size));
        assert!(!pool.is_member(), "a server cannot run inside the pool of its own connections");
        if self.options.debug {
            traceback::keep();
        }
        let options = Rc::new(self.options);
        let server = self.server;
        server.name_green_threads();
        let closing = ClosesConnections(&server);
        let log = &options.log;
        let (pid, at) = (std::process::id(), place(&listener));
        log.info(&format_args!("({pid}) wsgi starting up on {at}"));
        if let Some(event) = self.event {
            event.send(server.clone());
        }
        let acceptor = Acceptor {
            door: Door::new(listener),
            handler: Rc::new(self.site.into_handler()),
            pool,
            server: server.clone(),
            options: Rc::clone(&options),
        };
        let stop = self.stop.unwrap_or_else(|| Box::pin(pending()));
        let end = until_stopped(acceptor, &server, stop).await;
        if matches!(end, Ok(End::ToldToShutDown)) {
            server.shutdown(options.shutdown_timeout).await;
        }
        if end.is_ok() {
            server.settled().await;
        }
        drop(closing);
        log.info(&format_args!("({pid}) wsgi exited"));
        end.map(drop)
    }
}

/// Why nobody is accepted any more.
enum End {
    Stopped,
    ToldToShutDown,
}

/// Accepts connections until told otherwise, and closes the listener.
async fn until_stopped<L, H>(
    mut acceptor: Acceptor<L, H>,
    server: &Server,
    mut stop: Pin<Box<dyn Future<Output = ()>>>,
) -> io::Result<End>
where
    L: Listener<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static, Addr: 'static> + 'static,
    H: super::site::Handler,
{
    let mut accepting = pin!(acceptor.accept());
    let mut stopped = pin!(server.stopped());
    poll_fn(|cx| {
        if stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(End::Stopped));
        }
        if stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(End::ToldToShutDown));
        }
        accepting.as_mut().poll(cx).map(Err)
    })
    .await
}

/// Closes connections when a server ends, in whatever way.
struct ClosesConnections<'a>(&'a Server);

impl Drop for ClosesConnections<'_> {
    fn drop(&mut self) {
        self.0.close_connections();
    }
}

/// Shows where a listener listens, where that is known.
fn place<L: Listener + 'static>(listener: &L) -> String {
    let scheme = if listener.is_secure() { "https" } else { "http" };
    let below = listener_below(listener);
    if let Some(tcp) = below.downcast_ref::<tokio::net::TcpListener>() {
        let addr = tcp.local_addr();
        return addr.map_or_else(|error| error.to_string(), |addr| format!("{scheme}://{addr}"));
    }
    if let Some(unix) = below.downcast_ref::<tokio::net::UnixListener>() {
        let addr = unix.local_addr().ok();
        let path = addr.as_ref().and_then(|addr| addr.as_pathname());
        return path
            .map_or(format!("{scheme}:unix"), |path| format!("{scheme}:{}", path.display()));
    }
    "a listener of its own".to_owned()
}

impl<L, S, K> IntoFuture for Serving<L, S, K>
where
    L: IntoListener,
    S: Site<K>,
    K: 'static,
{
    type Output = io::Result<()>;
    type IntoFuture = Served;

    fn into_future(self) -> Served {
        Served(Box::pin(self.serve()))
    }
}

/// A server that runs: the future of [`Serving`].
#[must_use = "futures do nothing unless waited for"]
pub struct Served(Pin<Box<dyn Future<Output = io::Result<()>>>>);

impl Future for Served {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").finish_non_exhaustive()
    }
}

impl<L, S, K> fmt::Debug for Serving<L, S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("server", &self.server).finish_non_exhaustive()
    }
}

/// What [`Serving::keepalive`] takes: `false`, `true`, or a time.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive(Option<Duration>);

impl From<bool> for KeepAlive {
    fn from(keep: bool) -> KeepAlive {
        KeepAlive(keep.then_some(KEEPALIVE))
    }
}

impl From<Duration> for KeepAlive {
    fn from(limit: Duration) -> KeepAlive {
        KeepAlive(Some(limit))
    }
}
