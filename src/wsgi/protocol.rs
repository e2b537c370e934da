//! How connections speak.

use std::time::Duration;

/// How connections speak, and how much of a head they take.
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

    /// How many headers a request may have: 100 unless said otherwise. More are a 431.
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
        assert!(most > 0, "`max_headers` must be 1 at least: every request has a `Host`");
        // Any number that is said costs hyper an allocation a request.
        self.max_headers = (most != 100).then_some(most);
        self
    }

    /// How many bytes one header may have, with its name: 8192 unless said otherwise. More are a
    /// 431.
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

    /// How many bytes a head may have, the request line included: 65,536 unless said otherwise.
    /// More are a 431.
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

    /// How long a head may take, from its first byte: 30 seconds unless said otherwise. `None` is
    /// forever. Then the connection is closed.
    ///
    /// # Differences
    ///
    /// In eventlet it is `socket_timeout`, for each wait, so that a byte now and then suffices.
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

    /// Whether to refuse what HTTP forbids but old clients send: a request without `Host` or with
    /// two, and codings other than `chunked`. On unless said otherwise.
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
