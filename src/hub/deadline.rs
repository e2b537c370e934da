//! Limits: waiting for a future until a deadline.
//!
//! Limits nest, and several may have passed by the time of a poll, after a long computation or
//! because they were equal. Then the earliest takes effect, and of equal ones the outermost.
//! Polling goes outside-in and completion inside-out, so without help the innermost expired limit
//! would win. So a poll under an expired limit records it here, and an inner one that expired later
//! stays pending.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::clock::{Moment, Start};
use super::current;
use super::timer::Timer;

thread_local! {
    /// The earliest of the expired limits around the code that is being polled.
    static ENCLOSING: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// Records one more expired limit around the code that is polled, until it is dropped.
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

/// Returns whether an expired limit takes effect: no earlier one encloses it.
fn takes_effect(limit: Moment) -> bool {
    ENCLOSING.get().is_none_or(|outer| limit < outer)
}

impl Timer {
    /// Returns whether this limit ends a pending wait that has no limits inside it. If not, `cx` is
    /// woken when it passes.
    #[inline]
    #[cfg_attr(not(feature = "stackful"), expect(dead_code))]
    pub(crate) fn ends_wait(&mut self, cx: &Context<'_>) -> bool {
        if self.has_passed() {
            return self.moment().is_some_and(takes_effect);
        }
        self.set_for(cx);
        false
    }
}

/// Waits for the future at most so long, counted from the first poll. `None` when the limit passed
/// first.
///
/// The future is polled before the clock is read: a future that is ready at once costs no reading,
/// and with a limit of zero the future still gets one poll. See [`Start`] for how limits inside are
/// not due before those of equal length around them.
///
/// # Panics
///
/// If there is a limit and no hub.
#[inline]
#[track_caller]
pub(crate) fn within<F: Future>(limit: Option<Duration>, future: F) -> Within<F> {
    if limit.is_some() {
        current::check("a time limit");
    }
    Within { future, limit: limit.map(Limit::New) }
}

pin_project! {
    /// The future of [`within`].
    pub(crate) struct Within<F> {
        #[pin]
        future: F,
        limit: Option<Limit>,
    }
}

/// A limit starts in the first poll, not when it is made: in `outer.run(inner.run(..))` the inner
/// one is made first, and the outer one must be the earlier.
enum Limit {
    New(Duration),
    Started(Timer),
}

impl<F: Future> Future for Within<F> {
    type Output = Option<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = self.project();
        match this.limit {
            None => return this.future.poll(cx).map(Some),
            Some(Limit::New(duration)) => {
                let start = Start::new();
                if let Poll::Ready(output) = this.future.poll(cx) {
                    return Poll::Ready(Some(output));
                }
                let mut timer = Timer::since(&start, *duration);
                timer.set_for(cx);
                *this.limit = Some(Limit::Started(timer));
            }
            Some(Limit::Started(timer)) => {
                if timer.has_passed() {
                    return poll_late(this.future, timer.moment(), cx);
                }
                if let Poll::Ready(output) = this.future.poll(cx) {
                    return Poll::Ready(Some(output));
                }
                timer.set_for(cx);
            }
        }
        Poll::Pending
    }
}

/// Polls a future whose limit has passed: if it is ready its value still counts, and so does an
/// earlier limit.
#[cold]
fn poll_late<F: Future>(
    future: Pin<&mut F>,
    limit: Option<Moment>,
    cx: &mut Context<'_>,
) -> Poll<Option<F::Output>> {
    let polled = {
        let _inside = Enclosing::enter(limit);
        future.poll(cx)
    };
    match polled {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if limit.is_some_and(takes_effect) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    }
}
