//! The future of a socket.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of a socket, into which [`connect`](super::connect()) and [`listen`](super::listen())
/// convert when they are waited for.
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Opening<S>(Pin<Box<dyn Future<Output = io::Result<S>> + Send>>);

impl<S> Opening<S> {
    pub(crate) fn new(future: impl Future<Output = io::Result<S>> + Send + 'static) -> Opening<S> {
        Opening(Box::pin(future))
    }
}

impl<S> Future for Opening<S> {
    type Output = io::Result<S>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<S>> {
        self.0.as_mut().poll(cx)
    }
}

impl<S> fmt::Debug for Opening<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}
