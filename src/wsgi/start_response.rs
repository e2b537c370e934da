//! Begins a response as WSGI does: `start_response`.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use http::Response;
use http_body::Body as _;

use super::body::Body;
use super::channel::{HasChannel, Write};
use super::exchange::Exchange;
use super::response::{IntoHeaders, IntoStatus};
use crate::exit::BoxError;

/// Begins a response: gives its status and headers, before the body is returned or written.
///
/// Corresponds to the argument `start_response` of a WSGI application.
///
/// # Examples
///
/// ```
/// use eventlet::wsgi::{Environ, StartResponse};
///
/// async fn hello(env: Environ, start_response: StartResponse) -> &'static str {
///     if env.path_info() != "/" {
///         start_response.call("404 Not Found", [("Content-Type", "text/plain")]);
///         return "Not Found\r\n";
///     }
///     start_response.call("200 OK", [("Content-Type", "text/plain")]);
///     "Hello, World!\r\n"
/// }
/// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
/// # use ask::body_of;
/// # eventlet::run(async move {
/// assert_eq!(body_of(hello, "GET /").await, "Hello, World!\r\n");
/// # });
/// ```
#[derive(Clone)]
pub struct StartResponse(Rc<Exchange>);

impl StartResponse {
    pub(super) fn of(exchange: Rc<Exchange>) -> StartResponse {
        StartResponse(exchange)
    }

    /// Sets the status and the headers, and returns a writer of the body.
    ///
    /// Nothing is sent before the first piece, and until then a later call replaces an earlier one.
    /// A status or a header that HTTP does not allow, and a call after the head was sent, are
    /// errors of the site: they are logged, and the client gets a 500, or is cut off.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::{Body, Environ, StartResponse};
    ///
    /// let site = |_: Environ, start_response: StartResponse| async move {
    ///     let write = start_response.call("200 OK", [("Content-Type", "text/plain")]);
    ///     for n in 0..1000 {
    ///         if write.write(format!("{n}\n")).await.is_err() {
    ///             break; // The client has gone.
    ///         }
    ///     }
    ///     Body::empty()
    /// };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.contains("\n999\n"));
    /// # });
    /// ```
    pub fn call(&self, status: impl IntoStatus, headers: impl IntoHeaders) -> Write {
        self.0.start(head(status, headers));
        Write::new(Rc::<Exchange>::clone(&self.0))
    }

    /// Sends what the site returned, after what it wrote.
    pub(super) async fn send(&self, body: Body) -> Result<(), BoxError> {
        self.check()?;
        let mut body = pin!(body);
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            if let Ok(piece) = frame?.into_data() {
                self.push(piece)?;
                if !body.is_end_stream() {
                    self.0.channel().wait_for_room().await?;
                }
            }
        }
        self.check()
    }

    /// Adds a piece to the body.
    pub(super) fn push(&self, piece: Bytes) -> Result<(), BoxError> {
        self.check()?;
        Ok(self.0.channel().push(piece)?)
    }

    /// Fails if the site has misused `start_response`, or has not called it.
    pub(super) fn check(&self) -> Result<(), BoxError> {
        self.0.check_use()?;
        if self.0.is_started() {
            Ok(())
        } else {
            Err("the site did not call `start_response`".into())
        }
    }
}

fn head(status: impl IntoStatus, headers: impl IntoHeaders) -> Result<Response<()>, BoxError> {
    let mut head = Response::new(());
    status.into_status()?.set_on(&mut head);
    *head.headers_mut() = headers.into_headers()?;
    Ok(head)
}

impl fmt::Debug for StartResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartResponse").finish_non_exhaustive()
    }
}
