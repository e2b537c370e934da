//! A future as the work of a green thread.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::outcome::Outcome;
use crate::exit::Exit;
use crate::hub::Job;
use crate::report;

pin_project! {
    /// Work whose outcome somebody may wait for: what `spawn` makes.
    pub(crate) struct Spawned<F: Future> {
        // `None` once it has completed or was discarded: its destructors run before anybody hears of
        // its end.
        #[pin]
        future: Option<F>,
        outcome: Rc<Outcome<F::Output>>,
    }
}

impl<F: Future> Spawned<F> {
    pub(crate) fn new(future: F, outcome: Rc<Outcome<F::Output>>) -> Spawned<F> {
        Spawned { future: Some(future), outcome }
    }
}

impl<F: Future> Job for Spawned<F> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let value = ready!(poll_some(this.future.as_mut(), cx));
        this.future.set(None);
        this.outcome.store(Ok(value));
        Poll::Ready(())
    }

    fn finish(mut self: Pin<Box<Self>>, exit: Option<Exit>) {
        let mut this = self.as_mut().project();
        if let Some(exit) = exit {
            discard(this.future.as_mut());
            this.outcome.store(Err(exit));
        }
        this.outcome.announce();
        // Where there is no handle any more the value goes now, and its destructor is foreign code.
        report::contain("in the value of a green thread that nobody waited for", || drop(self));
    }
}

pin_project! {
    /// Work that nobody waits for: what `spawn_n` makes.
    pub(crate) struct Unwatched<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F> Unwatched<F> {
    pub(crate) fn new(future: F) -> Unwatched<F> {
        Unwatched { future: Some(future) }
    }
}

impl<F: Future> Job for Unwatched<F> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut future = self.project().future;
        let _value = ready!(poll_some(future.as_mut(), cx));
        future.set(None);
        Poll::Ready(())
    }

    fn finish(mut self: Pin<Box<Self>>, exit: Option<Exit>) {
        discard(self.as_mut().project().future);
        if let Some(exit) = exit.filter(Exit::is_panic) {
            report::failure("in a green thread started with spawn_n", &exit);
        }
    }
}

pin_project! {
    /// Work whose outcome goes to somebody beyond this OS thread.
    pub(crate) struct Delivered<F: Future, D> {
        #[pin]
        future: Option<F>,
        value: Option<F::Output>,
        // What to call with the outcome. `None` once it was.
        deliver: Option<D>,
    }
}

impl<F: Future, D> Delivered<F, D> {
    pub(crate) fn new(future: F, deliver: D) -> Delivered<F, D> {
        Delivered { future: Some(future), value: None, deliver: Some(deliver) }
    }
}

impl<F, D> Job for Delivered<F, D>
where
    F: Future,
    D: FnOnce(Result<F::Output, Exit>),
{
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let value = ready!(poll_some(this.future.as_mut(), cx));
        this.future.set(None);
        *this.value = Some(value);
        Poll::Ready(())
    }

    fn finish(mut self: Pin<Box<Self>>, exit: Option<Exit>) {
        let mut this = self.as_mut().project();
        discard(this.future.as_mut());
        let outcome = this.value.take().ok_or_else(|| exit.unwrap_or_else(Exit::killed));
        if let Some(deliver) = this.deliver.take() {
            // Where nobody waits any more the value goes now, and its destructor is foreign code.
            report::contain("in the value of a green thread that nobody waited for", || {
                deliver(outcome)
            });
        }
    }
}

fn poll_some<F: Future>(future: Pin<&mut Option<F>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    future.as_pin_mut().expect("a green thread was polled after its end").poll(cx)
}

/// Drops the work. Its destructors are foreign code, and the hub is no place to unwind into.
fn discard<F>(mut future: Pin<&mut Option<F>>) {
    report::contain("in a destructor of a green thread that was ended", || future.set(None));
}
