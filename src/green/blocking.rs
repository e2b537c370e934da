//! Calls that block, made in Tokio's blocking pool.
//!
//! Not in `tpool`: that has few OS threads, which long computations may occupy, and a paused clock
//! does not wait for it.

use std::io;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::{JoinHandle, spawn_blocking};

use super::wait::wait_io;
use crate::uninterruptible::{self, Asked, What};

/// Makes a blocking call, for which only the green thread waits.
///
/// While the green stack unwinds it cannot be suspended, and destructors write their buffers out:
/// there the call blocks this OS thread, as in `std`.
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
