//! Connections that a site takes over.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::body::Body;
use super::connection::{Closing, Connection};
use super::exchange::Exchange;

/// Answers a request with 101, and has a function take the connection over.
pub(super) fn take_over<F, R>(exchange: &Rc<Exchange>, function: F) -> Response<Body>
where
    F: FnOnce(Hijacked) -> R + 'static,
    R: Future + 'static,
{
    let mut parts = exchange.parts.borrow_mut();
    let wanted = parts.headers.get(header::UPGRADE).cloned();
    let (Some(upgrade), Some(wanted)) = (parts.extensions.remove::<OnUpgrade>(), wanted) else {
        return response(StatusCode::UPGRADE_REQUIRED, "close", None);
    };
    release_buffer(&mut parts);
    let connection = Rc::clone(&exchange.connection);
    let takeover = async move {
        // This fails if the site answers something else, or the client has gone.
        if let Ok(io) = upgrade.await {
            function(Hijacked { io: TokioIo::new(io), connection }).await;
        }
    };
    exchange.connection.hijack(Box::pin(takeover));
    response(StatusCode::SWITCHING_PROTOCOLS, "Upgrade", Some(wanted))
}

/// Copies what the head refers to, so that hyper's read buffer of 8 KiB is freed: a connection that
/// was taken over may last for long.
fn release_buffer(parts: &mut Parts) {
    for value in parts.headers.values_mut() {
        if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
    }
    if let Ok(copy) = parts.uri.to_string().parse() {
        parts.uri = copy;
    }
}

fn response(
    status: StatusCode,
    connection: &'static str,
    upgrade: Option<HeaderValue>,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static(connection));
    if let Some(upgrade) = upgrade {
        headers.insert(header::UPGRADE, upgrade);
    }
    response
}

/// The socket of a connection that a site has taken over.
///
/// What the client sent before it got the answer is read first.
pub struct Hijacked {
    io: TokioIo<Upgraded>,
    connection: Rc<Connection>,
}

impl Hijacked {
    /// Waits until the server is shut down, and the connection is to be closed.
    ///
    /// A connection is cut then if its site does not wait for this.
    ///
    /// # Yields
    ///
    /// Until the server is shut down, so mostly forever.
    pub fn closing(&self) -> impl Future<Output = ()> + 'static {
        let mut closing = Closing::new(Rc::clone(&self.connection));
        poll_fn(move |cx| closing.poll(cx))
    }
}

impl AsyncRead for Hijacked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Hijacked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl fmt::Debug for Hijacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hijacked").finish_non_exhaustive()
    }
}
