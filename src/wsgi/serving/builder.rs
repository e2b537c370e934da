//! A server that is being configured.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use crate::event::Event;
use crate::greenpool::GreenPool;
use crate::wsgi::listener::IntoListener;
use crate::wsgi::options::Options;
use crate::wsgi::server::Server;
use crate::wsgi::site::Site;

/// Serves a site at a listener.
///
/// Set options on what this returns, and wait for it: with `.await`, or with `.block()` on a green
/// stack.
///
/// Each connection is a green thread. If the site is a function, each request is another: if a
/// panic, a [`Timeout`](crate::Timeout) or a kill ends it, the client gets a 500, and other
/// requests are not affected. [`debug::green_threads`] shows it as `GET /path`.
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
/// When the listener does not listen. Nothing else ends a server: if file descriptors run out, it
/// waits until there are some.
///
/// # Differences
///
/// Clients get tracebacks only with [`debug`](Serving::debug). By default, every wait for a client
/// has a limit.
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

/// A server that is being configured: what [`server`] returns. Waiting for it starts it.
#[must_use = "nothing is served until this is waited for"]
pub struct Serving<L, S, K> {
    pub(super) listener: L,
    pub(super) site: S,
    pub(super) options: Options,
    pub(super) server: Server,
    pub(super) pool: Option<GreenPool>,
    pub(super) max_size: usize,
    pub(super) event: Option<Event<Server>>,
    pub(super) stop: Option<Pin<Box<dyn Future<Output = ()>>>>,
    pub(super) kind: PhantomData<fn() -> K>,
}

impl<L, S, K> Serving<L, S, K> {
    /// Returns a handle of the server, which shows what it does, and ends it. [`Server::stats`] has
    /// an example.
    pub fn handle(&self) -> Server {
        self.server.clone()
    }

    /// Adds keys to the environ of each request. They cannot replace its own.
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

    /// Sends the [`Server`] to an event once it accepts connections.
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

    /// Sets whether clients see why the site failed: the text of an error, or the message of a
    /// panic with a backtrace. The default is off, as this may disclose secrets.
    ///
    /// The first server with this option sets a panic hook, which calls the one before it.
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

    /// Shuts the server down when a future is ready, as [`Server::shutdown`] does, with
    /// [`shutdown_timeout`](Serving::shutdown_timeout) as the limit.
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

    /// Sets how long requests may go on when [`shutdown_on`](Serving::shutdown_on) shuts the server
    /// down. The default is until they end.
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
}

impl<L, S, K> fmt::Debug for Serving<L, S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("server", &self.server).finish_non_exhaustive()
    }
}
