//! A future as the work of a green thread.
//!
//! A job is shared by the hub, which polls and finishes it, and the handles of the green thread. So
//! its future is in a cell. The hub alone opens it, one poll at a time.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::failure::error_in;
use super::outcome::{HasOutcome, Outcome, Reported};
use crate::exit::Exit;
use crate::hub::{self, Job, PinCell, SpawnedAt};
use crate::report;

const IN_VALUE: &str = "in the destructor of the value of a green thread";

pin_project! {
    /// A future that is dropped in place, before its end is announced.
    struct Work<F> {
        #[pin]
        future: PinCell<Option<F>>,
    }
}

impl<F: Future> Work<F> {
    fn new(future: F) -> Work<F> {
        Work { future: PinCell::new(Some(future)) }
    }

    #[inline]
    fn poll(self: Pin<&Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut future = self.project_ref().future.borrow_mut();
        let polled = future.as_mut().as_pin_mut();
        polled.expect("a green thread was polled after its end").poll(cx)
    }

    /// Returns whether its future is being polled or dropped.
    fn is_open(&self) -> bool {
        self.future.is_borrowed()
    }

    /// Drops the future, which has completed or never will complete.
    #[inline]
    fn discard(self: Pin<&Self>) {
        report::contain("in a destructor of a green thread that has ended", || {
            self.project_ref().future.borrow_mut().as_mut().set(None);
        });
    }
}

pin_project! {
    /// Work whose outcome can be waited for: what `spawn` makes.
    pub(super) struct Spawned<F>
    where
        F: Future,
        F: 'static,
    {
        #[pin]
        work: Work<F>,
        outcome: Reported<F::Output>,
    }
}

impl<F: Future + 'static> Spawned<F> {
    pub(super) fn new(future: F) -> Spawned<F> {
        Spawned { work: Work::new(future), outcome: Reported::new() }
    }
}

impl<F: Future + 'static> HasOutcome<F::Output> for Spawned<F> {
    fn outcome(&self) -> &Outcome<F::Output> {
        &self.outcome
    }

    fn is_running(&self) -> bool {
        self.work.is_open()
    }
}

impl<F: Future + 'static> Job for Spawned<F> {
    fn poll(self: Pin<&Self>, cx: &mut Context<'_>) -> Poll<()> {
        let value = ready!(self.project_ref().work.poll(cx));
        self.outcome.store(Ok(value));
        Poll::Ready(())
    }

    fn finish(self: Pin<Rc<Self>>, exit: Option<Exit>, spawned_at: SpawnedAt) {
        self.as_ref().project_ref().work.discard();
        if let Some(exit) = exit {
            self.outcome.store(Err(exit));
        }
        self.outcome.announce(spawned_at);
        // If there is no handle any more, the value is dropped now.
        report::discard(IN_VALUE, self);
    }
}

pin_project! {
    /// Work without a handle: what `spawn_n` makes.
    pub(super) struct Unwatched<F> {
        #[pin]
        work: Work<F>,
    }
}

impl<F: Future> Unwatched<F> {
    pub(super) fn new(future: F) -> Unwatched<F> {
        Unwatched { work: Work::new(future) }
    }
}

impl<F: Future + 'static> Job for Unwatched<F> {
    fn poll(self: Pin<&Self>, cx: &mut Context<'_>) -> Poll<()> {
        let value = ready!(self.project_ref().work.poll(cx));
        if let Some(error) = error_in(&value) {
            report_unwatched(hub::current().and_then(|hub| hub.spawned_at()), &error);
        }
        report::discard(IN_VALUE, value);
        Poll::Ready(())
    }

    fn finish(self: Pin<Rc<Self>>, exit: Option<Exit>, spawned_at: SpawnedAt) {
        self.as_ref().project_ref().work.discard();
        if let Some(exit) = exit.filter(Exit::is_panic) {
            report_unwatched(Some(spawned_at), &exit);
        }
    }
}

#[cold]
fn report_unwatched(spawned_at: Option<SpawnedAt>, error: &dyn fmt::Display) {
    let place = spawned_at.map_or_else(String::new, |place| format!(" spawned at {place}"));
    report::failure(&format!("in a green thread{place}"), error);
}

pin_project! {
    /// Work whose outcome goes to another OS thread.
    pub(super) struct Delivered<F: Future, D> {
        #[pin]
        work: Work<F>,
        value: Cell<Option<F::Output>>,
        // What to call with the outcome. `None` once it was.
        deliver: Cell<Option<D>>,
    }
}

impl<F: Future, D> Delivered<F, D> {
    pub(super) fn new(future: F, deliver: D) -> Delivered<F, D> {
        let deliver = Cell::new(Some(deliver));
        Delivered { work: Work::new(future), value: Cell::new(None), deliver }
    }
}

impl<F, D> Job for Delivered<F, D>
where
    F: Future,
    D: FnOnce(Result<F::Output, Exit>),
{
    fn poll(self: Pin<&Self>, cx: &mut Context<'_>) -> Poll<()> {
        let value = ready!(self.project_ref().work.poll(cx));
        self.value.set(Some(value));
        Poll::Ready(())
    }

    fn finish(self: Pin<Rc<Self>>, exit: Option<Exit>, _spawned_at: SpawnedAt) {
        self.as_ref().project_ref().work.discard();
        let outcome = self.value.take().ok_or_else(|| exit.unwrap_or_else(Exit::killed));
        if let Some(deliver) = self.deliver.take() {
            // If there is no waiter any more, the value is dropped now.
            report::contain(IN_VALUE, || deliver(outcome));
        }
    }
}
