//! How many connections a server has, and how long they may wait.

use std::time::Duration;

use super::builder::Serving;
use crate::greenpool::GreenPool;
use crate::wsgi::options::KEEPALIVE;

impl<L, S, K> Serving<L, S, K> {
    /// Sets how many connections there may be at a time. The default is 1024.
    ///
    /// At the bound, one more is accepted, which waits for a place. To make room for it, the
    /// connection that has been idle for longest is closed.
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
        assert!(
            connections > 0,
            "`max_size` must be at least 1: with 0 no connection is ever served"
        );
        self.max_size = connections;
        self
    }

    /// Runs connections as green threads of this pool, which may have other members. Its size is
    /// then the bound, and [`max_size`](Serving::max_size) is ignored.
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

    /// Sets how long a connection may be idle, before its first request and between requests. The
    /// default is 75 seconds. `false` closes it after its first response.
    ///
    /// For the time that a request head may take, see
    /// [`Protocol::header_timeout`](crate::wsgi::Protocol::header_timeout).
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

    /// Sets how long the server waits for a part of a request body, and for the client to take a
    /// part of a response. The default is 60 seconds; `None` is without limit. A site that computes
    /// or sleeps is never cut.
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

    /// Sets whether TCP connections get `TCP_NODELAY`. The default is on.
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

    /// Sets whether a site that is a function is killed when its client has gone. The default is
    /// off: it runs to its end, as in eventlet.
    ///
    /// With this option a client that closes its sending side counts as gone, though it may still
    /// wait for its answer.
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
