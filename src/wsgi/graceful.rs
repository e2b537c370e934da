//! Runs a connection of hyper's to its end, and shuts it down gracefully when it is to close.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::StatusCode;

use super::connection::Closing;
use crate::exit::BoxError;

/// A connection of hyper's, in one of the versions of HTTP.
pub(super) trait HttpConnection {
    /// Has it end once the requests that it has begun are answered.
    fn shut_down(self: Pin<&mut Self>);

    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended>;
}

/// How a connection of hyper's ended.
pub(super) enum Ended {
    Complete,
    /// The client sent a malformed head, and got this answer.
    Refused(StatusCode),
    Broken(BoxError),
}

impl From<hyper::Error> for Ended {
    fn from(error: hyper::Error) -> Ended {
        if !error.is_parse() {
            return Ended::Broken(error.into());
        }
        // Only the text of hyper's error tells which of the two was too large.
        Ended::Refused(if !error.is_parse_too_large() {
            StatusCode::BAD_REQUEST
        } else if error.to_string().contains("URI") {
            StatusCode::URI_TOO_LONG
        } else {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        })
    }
}

/// The future of a connection of hyper's.
pub(super) struct Graceful<C> {
    http: Pin<Box<C>>,
    /// `None` once the shutdown has begun.
    closing: Option<Closing>,
}

impl<C: HttpConnection> Graceful<C> {
    pub(super) fn new(http: C, closing: Closing) -> Graceful<C> {
        Graceful { http: Box::pin(http), closing: Some(closing) }
    }
}

impl<C: HttpConnection> Future for Graceful<C> {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = &mut *self;
        if this.closing.as_mut().is_some_and(|closing| closing.poll(cx).is_ready()) {
            this.closing = None;
            this.http.as_mut().shut_down();
        }
        this.http.as_mut().poll_end(cx)
    }
}
