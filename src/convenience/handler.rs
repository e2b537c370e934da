//! The handler of a connection, and its outcome.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

#[cfg(not(feature = "ssl"))]
use super::error::is_handshake_error;
use super::stop::{Notice, Serving, StopServe};
use crate::exit::{BoxError, Exit};
use crate::report;
#[cfg(feature = "ssl")]
use crate::ssl::is_handshake_error;

/// What a handler of [`serve`](super::serve()) may return: nothing, or a `Result` of nothing.
///
/// The error is anything that converts into `Box<dyn Error + Send + Sync>`, a text too. It is
/// reported, unless it is a [`StopServe`], directly or inside an `io::Error`.
pub trait HandlerResult: sealed::Sealed {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), BoxError>;
}

mod sealed {
    /// Seals [`HandlerResult`](super::HandlerResult).
    pub trait Sealed {}
}

impl sealed::Sealed for () {}

impl HandlerResult for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> sealed::Sealed for Result<(), E> {}

impl<E: Into<BoxError>> HandlerResult for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

pin_project! {
    /// The work of a handler, which deals with its own outcome.
    ///
    /// Not an async block around the handler's future, which would hold it twice: once as what it
    /// captured and once as what it waits for.
    pub(super) struct Handling<F, A> {
        #[pin]
        future: F,
        peer: A,
        serving: Serving,
    }
}

impl<F, A> Handling<F, A> {
    pub(super) fn new(future: F, peer: A, serving: Serving) -> Handling<F, A> {
        Handling { future, peer, serving }
    }
}

impl<F, A> Future for Handling<F, A>
where
    F: Future<Output: HandlerResult>,
    A: fmt::Debug,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let outcome = match catch_unwind(AssertUnwindSafe(|| this.future.poll(cx))) {
            Ok(polled) => ready!(polled).into_result(),
            Err(payload) => Err(Exit::unwound(payload).into()),
        };
        if let Err(error) = outcome {
            settle(error, this.peer, this.serving.notice());
        }
        Poll::Ready(())
    }
}

/// Stops the server if a handler asks for it, and reports any other failure.
fn settle(error: BoxError, peer: &dyn fmt::Debug, notice: &Notice) {
    match StopServe::find(error) {
        Ok(stop) => notice.stop(stop),
        Err(error) => report_failure(&*error, peer),
    }
}

/// Reports what ended a handler.
pub(super) fn report_failure(error: &(dyn Error + Send + Sync + 'static), peer: &dyn fmt::Debug) {
    if is_handshake_error(error) {
        // Any client can send bytes that are not TLS, at any rate.
        tracing::debug!(target: "eventlet", "serving {peer:?}: {error}");
        return;
    }
    report::failure(&format!("serving {peer:?}"), &error);
}
