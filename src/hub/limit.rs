//! Limits: a future is waited for until a moment comes.
//!
//! Limits nest, and several may pass at once, when somebody computed for a while, or when they were set to
//! the same time. Then the earliest is the one that takes effect, and of equal ones the outermost. But a future is
//! polled from the outside in and answers from the inside out, so the innermost would speak first. So everyone who
//! polls under a limit says here, for the time of the poll, what the earliest limit around it is;
//! a limit that has passed keeps quiet where an earlier one has, and leaves the word to that.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::clock::{Moment, Timer};

thread_local! {
    /// The earliest limit around the code that is being polled.
    static ENCLOSING: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// Puts one more limit around what is polled until it is dropped.
pub(crate) struct Enclosing {
    outer: Option<Moment>,
}

impl Enclosing {
    pub(crate) fn enter(limit: Option<Moment>) -> Enclosing {
        let outer = ENCLOSING.get();
        ENCLOSING.set(earliest(outer, limit));
        Enclosing { outer }
    }
}

impl Drop for Enclosing {
    fn drop(&mut self) {
        ENCLOSING.set(self.outer);
    }
}

/// Returns the earlier of two moments, of which `None` never comes.
fn earliest(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

/// Returns whether a limit that has passed is to take effect: no earlier one encloses it.
pub(crate) fn takes_effect(limit: Moment) -> bool {
    ENCLOSING.get().is_none_or(|outer| limit < outer)
}

/// Waits for the future at most so long. `None` when the limit passed first.
///
/// The future is asked before the clock, so with a limit of zero it still gets one try.
pub(crate) async fn within<F: Future>(
    limit: Duration,
    mut future: Pin<&mut F>,
) -> Option<F::Output> {
    let mut limit = Timer::after(limit);
    poll_fn(|cx| {
        {
            let _inside = Enclosing::enter(limit.moment());
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
        }
        match limit.moment() {
            Some(moment) if limit.has_passed(cx) && takes_effect(moment) => Poll::Ready(None),
            _ => Poll::Pending,
        }
    })
    .await
}
