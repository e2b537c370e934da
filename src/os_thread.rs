//! Blocking an OS thread without a hub until a future is ready.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot;

/// Blocks this OS thread until a future is ready.
///
/// # Panics
///
/// As [`assert_may_block`] does.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    assert_may_block();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, mut cx) = (pin!(future), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Panics inside a runtime, with Tokio's message and at the caller's line.
#[track_caller]
pub(crate) fn assert_may_block() {
    let (_, nothing) = oneshot::channel::<()>();
    let _closed = nothing.blocking_recv();
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
