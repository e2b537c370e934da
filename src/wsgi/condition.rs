//! Waiting for a condition that other green threads bring about.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::probe::Point;
use crate::waiters::{Place, Waiters};

/// A queue of green threads that wait for one condition: std's `Condvar` on one OS thread.
pub(super) struct Condition(Waiters<(), ()>);

impl Default for Condition {
    fn default() -> Condition {
        Condition(Waiters::new())
    }
}

impl Condition {
    /// Waits until the condition holds. After a wakeup it is taken to hold and not looked at again.
    pub(super) async fn wait_until(&self, holds: impl Fn() -> bool) {
        let mut waiting = Waiting { condition: self, place: Place::default() };
        poll_fn(|cx| self.poll_wait(&mut waiting.place, cx, &holds)).await;
    }

    /// Polls such a wait, whose caller keeps its place and must [leave](Condition::leave) it.
    pub(super) fn poll_wait(
        &self,
        place: &mut Place,
        cx: &Context<'_>,
        holds: impl FnOnce() -> bool,
    ) -> Poll<()> {
        let condition = || Point::new("a condition of a server", "");
        self.0.wait(place, cx, || if holds() { Ok(()) } else { Err(()) }, condition)
    }

    /// Gives up a place in the queue.
    pub(super) fn leave(&self, place: &mut Place) {
        self.0.leave(place);
    }

    /// Wakes all that wait: the condition holds.
    pub(super) fn notify_all(&self) {
        self.0.choose_all(&());
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.0.len() > 0
    }
}

struct Waiting<'a> {
    condition: &'a Condition,
    place: Place,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.condition.leave(&mut self.place);
    }
}
