//! Conversations, and HTTP/1 by hyper.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::StatusCode;
use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::BoxError;
use super::connection::{Connection, Conversation, Told};
use super::front::Front;
use super::site::Handler;
use super::tap::Tap;

/// How a conversation ended.
pub(super) enum Ended {
    Well,
    /// With a head that was no head; the client got this answer.
    Refused(StatusCode),
    Broken(BoxError),
}

/// A conversation in one of the versions of HTTP.
pub(super) trait Speaks {
    /// Has it end when what it does is done.
    fn finish(self: Pin<&mut Self>);

    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended>;
}

/// Speaks HTTP/1 with a client to the end.
pub(super) async fn http1<T, H>(tap: Tap<T>, front: Front<H>, connection: &Rc<Connection>) -> Ended
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let options = &connection.options;
    let mut http1 = Builder::new();
    http1
        .half_close(!options.kill_on_disconnect)
        .keep_alive(options.keepalive.is_some())
        .title_case_headers(options.capitalize_response_headers)
        .max_header_size(options.protocol.max_header_size)
        // The sweeper minds the time, without a timer for each request.
        .header_read_timeout(None);
    if let Some(most) = options.protocol.max_headers {
        http1.max_headers(most);
    }
    let speaker = Box::pin(http1.serve_connection(TokioIo::new(tap), front).with_upgrades());
    Conversation { speaker, told: Some(Told::new(Rc::clone(connection))) }.await
}

impl<T, H> Speaks for UpgradeableConnection<TokioIo<Tap<T>>, Front<H>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }

    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        self.poll(cx).map(|ended| ended.map_or_else(how_it_broke, |()| Ended::Well))
    }
}

/// Tells what hyper refused, and answered, from what broke.
pub(super) fn how_it_broke(error: hyper::Error) -> Ended {
    if !error.is_parse() {
        return Ended::Broken(error.into());
    }
    // hyper says in words alone which of the two was too large.
    Ended::Refused(if !error.is_parse_too_large() {
        StatusCode::BAD_REQUEST
    } else if error.to_string().contains("URI") {
        StatusCode::URI_TOO_LONG
    } else {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    })
}
