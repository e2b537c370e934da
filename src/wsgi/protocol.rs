//! The versions of HTTP, and the limits of a request head.

use std::time::Duration;

/// Which versions of HTTP connections speak, and the limits of a request head.
///
/// Corresponds to the class `HttpProtocol` of eventlet, and the knobs in it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use eventlet::wsgi::Protocol;
///
/// let strict = Protocol::http1().max_header_line(1024).header_timeout(Duration::from_secs(5));
/// # let _ = strict;
/// ```
#[derive(Clone, Debug)]
pub struct Protocol {
    #[cfg_attr(not(feature = "http2"), expect(dead_code))]
    pub(super) http2: bool,
    pub(super) max_headers: Option<usize>,
    pub(super) max_header_size: usize,
    pub(super) header_timeout: Option<Duration>,
    pub(super) limits: Limits,
}

/// What a request may be like.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) request_line: usize,
    pub(super) header_line: usize,
    pub(super) reject_bad_requests: bool,
}

impl Protocol {
    /// HTTP/1.1 and HTTP/1.0: the default.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::{self, Environ, Protocol};
    ///
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let protocol = Protocol::http1();
    /// let serving = wsgi::server(listener, |_: Environ| async {}).protocol(protocol);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.starts_with("HTTP/1.1 200 "));
    /// # });
    /// ```
    pub fn http1() -> Protocol {
        Protocol {
            http2: false,
            max_headers: None,
            max_header_size: 65_536,
            header_timeout: Some(Duration::from_secs(30)),
            limits: Limits { request_line: 8192, header_line: 8192, reject_bad_requests: true },
        }
    }

    /// Sets how many headers a request may have. The default is 100. More are answered with 431.
    ///
    /// # Panics
    ///
    /// With 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::{self, Environ, Protocol};
    ///
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let protocol = Protocol::http1().max_headers(2);
    /// let serving = wsgi::server(listener, |_: Environ| async {}).protocol(protocol);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /\nX-One: 1\nX-Two: 2").await;
    /// assert!(answer.starts_with("HTTP/1.1 431 "));
    /// # });
    /// ```
    #[track_caller]
    pub fn max_headers(mut self, most: usize) -> Protocol {
        assert!(most > 0, "`max_headers` must be at least 1: every request has a `Host`");
        // With any number that is set hyper allocates for each request.
        self.max_headers = (most != 100).then_some(most);
        self
    }

    /// Sets how many bytes a header may have, with its name. The default is 8192. A longer one is
    /// answered with 431.
    ///
    /// Corresponds to `MAX_HEADER_LINE`.
    ///
    /// # Differences
    ///
    /// Eventlet answers 400.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::{self, Environ, Protocol};
    ///
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let protocol = Protocol::http1().max_header_line(20);
    /// let serving = wsgi::server(listener, |_: Environ| async {}).protocol(protocol);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /\nX-Long: as long as this header").await;
    /// assert!(answer.starts_with("HTTP/1.1 431 "));
    /// # });
    /// ```
    pub fn max_header_line(mut self, bytes: usize) -> Protocol {
        self.limits.header_line = bytes;
        self
    }

    /// Sets how many bytes a head may have, the request line included. The default is 65,536. A
    /// longer one is answered with 431.
    ///
    /// Corresponds to `MAX_TOTAL_HEADER_SIZE`.
    ///
    /// # Differences
    ///
    /// Eventlet answers 400.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::{self, Environ, Protocol};
    ///
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let protocol = Protocol::http1().max_header_size(8192);
    /// let serving = wsgi::server(listener, |_: Environ| async {}).protocol(protocol);
    /// # let serving = serving.log_output(false);
    /// let long = format!("GET /\nX-Long: {}", "x".repeat(10_000));
    /// let answer = answer_of(addr, serving, &long).await;
    /// assert!(answer.starts_with("HTTP/1.1 431 "));
    /// # });
    /// ```
    pub fn max_header_size(mut self, bytes: usize) -> Protocol {
        self.max_header_size = bytes;
        self
    }

    /// Sets how long a head may take, from its first byte; then the connection closes. The default
    /// is 30 seconds; `None` is without limit.
    ///
    /// # Differences
    ///
    /// In eventlet each read of a head has the limit `socket_timeout`, so a client that sends a
    /// byte from time to time is never cut.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use eventlet::wsgi::{self, Environ, Protocol};
    ///
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let protocol = Protocol::http1().header_timeout(Duration::from_secs(5));
    /// let serving = wsgi::server(listener, |_: Environ| async {}).protocol(protocol);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.starts_with("HTTP/1.1 200 "));
    /// # });
    /// ```
    pub fn header_timeout(mut self, limit: impl Into<Option<Duration>>) -> Protocol {
        self.header_timeout = limit.into();
        self
    }

    /// Sets whether to refuse what HTTP forbids but old clients send: a request without `Host` or
    /// with two, and codings other than `chunked`. The default is on.
    ///
    /// Corresponds to `HttpProtocol.reject_bad_requests`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::{self, Environ, Protocol};
    ///
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// let protocol = Protocol::http1().reject_bad_requests(false);
    /// let serving = wsgi::server(listener, |_: Environ| async {}).protocol(protocol);
    /// # let serving = serving.log_output(false);
    /// let answer = answer_of(addr, serving, "GET /\nHost: two").await;
    /// assert!(answer.starts_with("HTTP/1.1 200 "));
    /// # });
    /// ```
    pub fn reject_bad_requests(mut self, reject: bool) -> Protocol {
        self.limits.reject_bad_requests = reject;
        self
    }
}

/// HTTP/1.1 and HTTP/1.0.
impl Default for Protocol {
    fn default() -> Protocol {
        Protocol::http1()
    }
}
