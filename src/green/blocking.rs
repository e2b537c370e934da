//! Calls that block, made in Tokio's blocking pool.
//!
//! Not in `tpool`: that has few threads, which a program may well fill with long computations, and
//! a paused clock runs ahead of it.

use std::io;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::{JoinHandle, spawn_blocking};

use super::wait::wait_io;
use crate::uninterruptible::{self, Asked, What};

/// Makes a call that blocks, while only the green thread waits.
///
/// While the green stack unwinds nobody can wait. That is where destructors run, and buffers are
/// written out: there the call is made right here, as `std` would.
#[track_caller]
pub(super) fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    if std::thread::panicking() {
        return call();
    }
    let place = Location::caller();
    wait_io(async { Call::start(place, call).await })
}

/// A call that was handed to the pool. It is never made if this is dropped before it began.
pub(super) struct Call<T> {
    made: JoinHandle<io::Result<T>>,
    _asked: Asked,
}

impl<T: Send + 'static> Call<T> {
    pub(super) fn start(
        place: &'static Location<'static>,
        code: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Call<T> {
        let asked = uninterruptible::ask(What::Files(place));
        let call = asked.call();
        Call { made: spawn_blocking(move || call.make(code)), _asked: asked }
    }
}

impl<T> Future for Call<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match ready!(Pin::new(&mut self.made).poll(cx)) {
            Ok(result) => Poll::Ready(result),
            Err(error) => match error.try_into_panic() {
                Ok(payload) => resume_unwind(payload),
                Err(ended) => Poll::Ready(Err(io::Error::other(ended))),
            },
        }
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        self.made.abort();
    }
}
