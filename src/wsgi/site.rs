//! What a server serves.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::body::{Body, BoxError};
use super::connection::Connection;
use super::exchange::Exchange;

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
    type Future: Future<Output = Answer<Self::Body>> + 'static;

    /// Whether it minds how long a body takes to come.
    const MINDS_READING: bool;

    fn call(&self, request: Request<Incoming>, connection: &Rc<Connection>) -> Self::Future;
}

/// A response, and what is to be told when it has gone.
pub struct Answer<B> {
    pub(super) response: Response<Outgoing<B>>,
    pub(super) exchange: Option<Rc<Exchange>>,
}

pin_project! {
    /// The body of a response: the server's own, or the site's.
    #[project = Projected]
    pub enum Outgoing<B> {
        Ours {
            #[pin]
            body: Body,
        },
        Site {
            #[pin]
            body: B,
        },
    }
}

impl<B> Outgoing<B> {
    pub(super) fn ours(body: Body) -> Outgoing<B> {
        Outgoing::Ours { body }
    }

    pub(super) fn site(body: B) -> Outgoing<B> {
        Outgoing::Site { body }
    }
}

impl<B> http_body::Body for Outgoing<B>
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
            Projected::Ours { body } => body.poll_frame(cx),
            Projected::Site { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Ours { body } => body.is_end_stream(),
            Outgoing::Site { body } => body.is_end_stream(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Ours { body } => body.size_hint(),
            Outgoing::Site { body } => body.size_hint(),
        }
    }
}
