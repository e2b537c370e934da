//! How a server speaks HTTP.

use http::Version;

use super::builder::Serving;
use crate::wsgi::protocol::Protocol;

impl<L, S, K> Serving<L, S, K> {
    /// Sets the version of HTTP in responses. The default is 1.1. In 1.0 no body is chunked, and a
    /// connection closes after its response.
    ///
    /// # Panics
    ///
    /// With any other version.
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
        assert!(
            known,
            "`max_http_version` takes `HTTP_10` or `HTTP_11`; for HTTP/2 see `protocol`"
        );
        self.options.http10 = version == Version::HTTP_10;
        self
    }

    /// Sets which versions of HTTP connections speak, and the limits of a request head.
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

    /// Sets how many bytes a request line may have. The default is 8192. A longer one is answered
    /// with 414.
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

    /// Sets whether header names are sent as `Content-Length`. The default is on; off sends
    /// `content-length`, and saves a sixth of hyper's work.
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

    /// Sets how many bytes of a body are held back before they are sent.
    ///
    /// By default, pieces are joined up to 4096 bytes while the site has more ready; when it waits,
    /// all there is is sent.
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

    /// Sets how many bytes of a request body that the site did not read are discarded, so that the
    /// connection can go on. The default is 64 KiB. If there are more, the connection closes.
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
}
