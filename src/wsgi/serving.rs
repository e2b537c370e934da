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
/// Wait for what it returns: with `.await`, or with `.block()` on a green stack. Before that, options are set on it.
///
/// Each connection is a green thread, and each request of a site that is a function one more: what ends it, a panic, a
/// [`Timeout`](crate::Timeout) or a kill, becomes a 500, and nobody else notices. [`debug::green_threads`] shows it as
/// `GET /path`.
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
/// When the listener does not listen. Nothing else ends a server: a lack of file descriptors is waited out.
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
    /// Returns the handle of the server: to look at it, and to end it. [`Server::stats`] has an example.
    pub fn handle(&self) -> Server {
        self.server.clone()
    }

    /// Writes the log to a writer. Without this it goes to `tracing`, target `eventlet::wsgi`, or to standard error where
    /// nobody subscribes.
    ///
    /// A writer that fails ends the log, not the server.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).log(std::io::stdout()).await
    /// # }
    /// ```
    pub fn log(mut self, writer: impl io::Write + 'static) -> Self {
        self.options.log.sink = Sink::Writer(Some(Box::new(writer) as Box<dyn io::Write>).into());
        self
    }

    /// Hands each line of the log to a function: requests at `INFO`, failures of the site at `ERROR`, what becomes of
    /// connections at `DEBUG`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).log_with(|level, line| println!("{level} {line}")).await
    /// # }
    /// ```
    pub fn log_with(mut self, function: impl Fn(Level, &str) + 'static) -> Self {
        self.options.log.sink = Sink::Function(Box::new(function));
        self
    }

    /// Whether anything is logged. On unless said otherwise.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).log_output(false).await
    /// # }
    /// ```
    pub fn log_output(mut self, log: bool) -> Self {
        if !log {
            self.options.log.sink = Sink::Off;
        }
        self
    }

    /// Sets what is logged of a request: `%(client_ip)s`, `client_port`, `date_time` (in UTC), `request_line`,
    /// `status_code`, `body_length`, `wall_seconds` (`%(wall_seconds).6f`), `request_id`.
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
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).log_format("%(client_ip)s %(status_code)d %(wall_seconds).3f").await
    /// # }
    /// ```
    #[track_caller]
    pub fn log_format(mut self, format: &str) -> Self {
        match Format::parse(format) {
            Ok(format) => self.options.log.format = format,
            Err(wrong) => panic!("`log_format`: {wrong}"),
        }
        self
    }

    /// Whether the logged address of a client is preceded by what `X-Forwarded-For` says. On unless said otherwise.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).log_x_forwarded_for(false).await
    /// # }
    /// ```
    pub fn log_x_forwarded_for(mut self, log: bool) -> Self {
        self.options.log_x_forwarded_for = log;
        self
    }

    /// Sets keys that each request's environ has, besides its own: they cannot replace those.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).environ([("shop.currency", "EUR")]).await
    /// # }
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
    /// At the bound nobody is accepted. One is accepted ahead, and takes the place of the connection that has been idle for
    /// longest, which is closed.
    ///
    /// # Panics
    ///
    /// With 0.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).max_size(100).await
    /// # }
    /// ```
    #[track_caller]
    pub fn max_size(mut self, connections: usize) -> Self {
        assert!(connections > 0, "`max_size` must be 1 at least: with 0 nobody is ever served");
        self.max_size = connections;
        self
    }

    /// Has connections be green threads of this pool, which may have other members. Its size is the bound then, and
    /// [`max_size`](Serving::max_size) is ignored.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).custom_pool(&eventlet::GreenPool::new(200)).await
    /// # }
    /// ```
    pub fn custom_pool(mut self, pool: &GreenPool) -> Self {
        self.pool = Some(pool.clone());
        self
    }

    /// Sets the version of HTTP that answers are in: 1.1 unless said otherwise. In 1.0 nothing is chunked, and a connection
    /// is closed after its response.
    ///
    /// # Panics
    ///
    /// With another than these two.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).max_http_version(http::Version::HTTP_10).await
    /// # }
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
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).protocol(wsgi::Protocol::http1().max_headers(20)).await
    /// # }
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
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).server_event(&eventlet::Event::new()).await
    /// # }
    /// ```
    pub fn server_event(mut self, event: &Event<Server>) -> Self {
        self.event = Some(event.clone());
        self
    }

    /// Sets how many bytes of a body are held back until they are sent.
    ///
    /// Unless said otherwise, pieces are joined up to 4096 bytes while the site has more ready; when it waits, what is
    /// there is sent.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).minimum_chunk_size(16_384).await
    /// # }
    /// ```
    pub fn minimum_chunk_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.options.minimum_chunk_size = bytes.into();
        self
    }

    /// Sets for how long a connection may be idle, before its first request and between two: 75 seconds unless said
    /// otherwise. `false` closes it after each response.
    ///
    /// It is never the limit of a head: see [`Protocol::header_timeout`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).keepalive(Duration::from_secs(5)).await
    /// # }
    /// ```
    pub fn keepalive(mut self, keepalive: impl Into<KeepAlive>) -> Self {
        self.options.keepalive = keepalive.into().0;
        self
    }

    /// Sets how many bytes a request line may have: 8192 unless said otherwise. A longer one is a 414.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).url_length_limit(1024).await
    /// # }
    /// ```
    pub fn url_length_limit(mut self, bytes: usize) -> Self {
        self.options.protocol.limits.request_line = bytes;
        self
    }

    /// Whether clients get to see why the site failed: the text of an error, or the message of a panic with a backtrace. Off
    /// unless said otherwise, for it is nobody's business outside.
    ///
    /// The first server that is told so sets a panic hook, which calls the one before it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).debug(true).await
    /// # }
    /// ```
    pub fn debug(mut self, debug: bool) -> Self {
        self.options.debug = debug;
        self
    }

    /// Sets how long a wait for a part of a body, or for the client to take some of a response, may last: 60 seconds unless
    /// said otherwise. `None` is forever. A site that computes or sleeps is never cut.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).socket_timeout(Duration::from_secs(10)).await
    /// # }
    /// ```
    pub fn socket_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.options.socket_timeout = limit.into();
        self
    }

    /// Whether the names of headers are sent as `Content-Length`. On unless said otherwise; off saves a sixth of hyper's work.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).capitalize_response_headers(false).await
    /// # }
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
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).shutdown_timeout(Duration::from_secs(30)).await
    /// # }
    /// ```
    pub fn shutdown_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.options.shutdown_timeout = limit.into();
        self
    }

    /// Whether a site that is a function is killed when its client has gone. Off unless said otherwise: it runs to its end,
    /// as in eventlet.
    ///
    /// A client that closes its sending side counts as gone then, though it may wait for its answer.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).kill_on_disconnect(true).await
    /// # }
    /// ```
    pub fn kill_on_disconnect(mut self, kill: bool) -> Self {
        self.options.kill_on_disconnect = kill;
        self
    }

    /// Sets how much of a body that the site did not read is read away, so that the connection can go on: 64 KiB unless
    /// said otherwise. Where there is more, it is closed.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).drain_unread(0).await
    /// # }
    /// ```
    pub fn drain_unread(mut self, bytes: usize) -> Self {
        self.options.drain_unread = bytes;
        self
    }

    /// Whether TCP connections get `TCP_NODELAY`. On unless said otherwise.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use eventlet::wsgi::{self, Environ};
    /// # use std::time::Duration;
    /// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// wsgi::server(listener, |_: Environ| async { "hello" }).tcp_nodelay(false).await
    /// # }
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
