//! Calls that an OS thread of `tpool` makes.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::gate;
use crate::real::Call;

/// Polls a future, and ends with `None` where it panics, as it does where the system has no OS
/// thread to give: no unwind passes a function of C.
pub(super) async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(cx));
        match catch_unwind(poll) {
            Ok(poll) => poll.map(Some),
            Err(_reported_by_its_hook) => Poll::Ready(None),
        }
    })
    .await
}

/// Makes a call in an OS thread, and returns what the kernel does. Nothing cancels that: what the
/// call names is its caller's, and has to be there until it is over.
pub(super) fn in_thread(call: Call) -> isize {
    let job = eventlet::tpool::execute(move || call.make());
    gate::wait_shielded(caught(job)).unwrap_or_else(|| call.make())
}
