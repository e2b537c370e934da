//! What a server serves, and what answers its requests.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::body::Body;
use super::connection::Connection;
use super::exchange::Exchange;
use super::server::Server;
use crate::exit::BoxError;

/// What a server serves. Four kinds of values do:
///
/// | site | example |
/// |---|---|
/// | a function of the environ that gives a response, in either colour | `\|env: Environ\| async move { "hello" }`, `\|env: Environ\| stackful(move \|\| page(&env))` |
/// | [`application`](super::application()): a plain function of the environ and `start_response` that gives pieces | eventlet's own kind, on a green stack |
/// | an async function of the environ and `start_response` that gives a body | the same without a stack |
/// | [`service`](super::service()): a tower service, an axum router | |
///
/// `Kind` only tells them apart; it is always inferred.
pub trait Site<Kind>: 'static {
    #[doc(hidden)]
    type Handler: Handler;

    #[doc(hidden)]
    fn into_handler(self) -> Self::Handler;
}

/// Answers requests.
pub trait Handler: 'static {
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError>> + 'static;
    type Future: Future<Output = Answered<Self::Body>> + 'static;

    /// Whether it limits by itself how long a read of the request body waits. If it does not, the
    /// sweeper does.
    const LIMITS_READS: bool;

    fn call(
        &self,
        request: Request<Incoming>,
        connection: &Rc<Connection>,
        server: &Server,
    ) -> Self::Future;
}

/// A response, and the exchange that is to learn when it was sent, if there is one.
pub struct Answered<B> {
    pub(super) response: Response<ResponseBody<B>>,
    pub(super) exchange: Option<Rc<Exchange>>,
}

impl<B> fmt::Debug for Answered<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").field("status", &self.response.status()).finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a response: the server's, or the site's.
    #[project = Projected]
    pub enum ResponseBody<B> {
        Server {
            #[pin]
            body: Body,
        },
        Site {
            #[pin]
            body: B,
        },
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn server(body: Body) -> ResponseBody<B> {
        ResponseBody::Server { body }
    }

    pub(super) fn site(body: B) -> ResponseBody<B> {
        ResponseBody::Site { body }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl<B> http_body::Body for ResponseBody<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            Projected::Server { body } => body.poll_frame(cx),
            Projected::Site { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match self {
            ResponseBody::Server { body } => body.is_end_stream(),
            ResponseBody::Site { body } => body.is_end_stream(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Server { body } => body.size_hint(),
            ResponseBody::Site { body } => body.size_hint(),
        }
    }
}
