//! How a green thread ended, and its links and waiters.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::task::{Context, Poll, ready};

use super::failure::failure_in;
use crate::exit::Exit;
use crate::hub::{Outer, SpawnedAt};
use crate::probe::{END, Point};
use crate::report;
use crate::waiters::{Place, Waiters};

/// What a link is called with and called for.
type Callback<T> = Box<dyn FnOnce(&Result<T, Exit>)>;

const TAKEN: &str = "the result of this green thread was taken already, by awaiting its handle";

/// Names a link of a green thread, for [`unlink`](super::GreenThread::unlink).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link(u64);

impl Link {
    /// A link that was called as soon as it was made.
    const CALLED: Link = Link(u64::MAX);
}

/// How a handle reaches the outcome of its green thread: through the job, which it keeps alive for
/// that. So a green thread is one allocation, and its handle need not know the type of its future.
pub(super) trait HasOutcome<T> {
    fn outcome(&self) -> &Outcome<T>;

    /// Returns whether the caller is this green thread itself.
    fn is_running(&self) -> bool;

    /// Moves the outcome out, once it is known.
    fn poll_take(&self, place: &mut Place, cx: &mut Context<'_>) -> Poll<Result<T, Exit>> {
        let polled = self.outcome().poll_take(place, cx);
        if polled.is_pending() {
            self.check_not_running();
        }
        polled
    }

    /// Panics inside the green thread itself, where waiting for it would never end.
    #[track_caller]
    fn check_not_running(&self) {
        assert!(
            !self.is_running(),
            "a green thread that waits for its own end would wait forever: let another green thread wait for it"
        );
    }
}

/// The outcome of one green thread: stored by its job, read by its handles.
pub(super) struct Outcome<T> {
    state: RefCell<State<T>>,
    waiters: Waiters<(), ()>,
    /// `None` for the many green threads that have none. Taken out while it is used.
    links: Cell<Option<Box<Links<T>>>>,
    /// The line that spawned it, from its end until some code has seen the outcome.
    unseen: Cell<Option<SpawnedAt>>,
}

/// The links of a green thread that has not ended.
struct Links<T> {
    /// By number, which is the order in which they were added.
    callbacks: BTreeMap<u64, Callback<T>>,
    next: u64,
}

// By hand: deriving it would ask for `T: Default`.
impl<T> Default for Links<T> {
    fn default() -> Self {
        Links { callbacks: BTreeMap::new(), next: 0 }
    }
}

impl<T> Links<T> {
    fn add(&mut self, callback: Callback<T>) -> Link {
        let link = Link(self.next);
        self.next += 1;
        self.callbacks.insert(link.0, callback);
        link
    }

    fn remove(&mut self, link: Link) -> Option<Callback<T>> {
        self.callbacks.remove(&link.0)
    }
}

enum State<T> {
    Unknown,
    Known(Result<T, Exit>),
    /// Moved to the waiter that awaited the handle.
    Taken,
}

impl<T> Outcome<T> {
    pub(super) fn new() -> Outcome<T> {
        Outcome {
            state: RefCell::new(State::Unknown),
            waiters: Waiters::new(),
            links: Cell::new(None),
            unseen: Cell::new(None),
        }
    }

    /// Stores the outcome, once, without announcing it.
    pub(super) fn store(&self, outcome: Result<T, Exit>) {
        let mut state = self.state.borrow_mut();
        debug_assert!(matches!(*state, State::Unknown));
        *state = State::Known(outcome);
    }

    /// Calls the links, in order, then wakes the waiters.
    #[inline]
    pub(super) fn announce(&self, spawned_at: SpawnedAt) {
        self.unseen.set(Some(spawned_at));
        if let Some(links) = self.links.take() {
            self.call(links.callbacks.into_values());
        }
        self.wake();
    }

    /// As [`HasOutcome::poll_take`], for any caller.
    pub(super) fn poll_take(
        &self,
        place: &mut Place,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, Exit>> {
        // While a link borrows the outcome no waiter can take it: waiters come after links.
        let known = |state: RefMut<'_, State<T>>| !matches!(*state, State::Unknown);
        let free = || self.state.try_borrow_mut().is_ok_and(known);
        ready!(self.waiters.wait(place, cx, || free().then_some(()).ok_or(()), end));
        self.unseen.set(None);
        match self.state.replace(State::Taken) {
            State::Known(outcome) => Poll::Ready(outcome),
            _ => panic!("{TAKEN}"),
        }
    }

    pub(super) fn leave(&self, place: &mut Place) {
        self.waiters.leave(place);
    }

    #[track_caller]
    pub(super) fn link(&self, callback: Callback<T>) -> Link {
        if self.known() {
            self.check_not_taken();
            self.call([callback]);
            self.wake();
            return Link::CALLED;
        }
        self.with_links(|links| links.get_or_insert_default().add(callback))
    }

    pub(super) fn unlink(&self, link: Link) -> bool {
        let removed = self.with_links(|links| links.as_mut().and_then(|links| links.remove(link)));
        // The callback's captures may run user code when dropped: it is dropped here, after the
        // links are back in their place.
        removed.is_some()
    }

    fn with_links<R>(&self, change: impl FnOnce(&mut Option<Box<Links<T>>>) -> R) -> R {
        let mut links = self.links.take();
        let result = change(&mut links);
        self.links.set(links);
        result
    }

    fn known(&self) -> bool {
        !matches!(*self.state.borrow(), State::Unknown)
    }

    /// Panics if the outcome has been moved out.
    #[track_caller]
    pub(super) fn check_not_taken(&self) {
        let taken = matches!(*self.state.borrow(), State::Taken);
        assert!(!taken, "{TAKEN}");
    }

    fn wake(&self) {
        self.waiters.choose_all(&());
    }

    fn call(&self, callbacks: impl IntoIterator<Item = Callback<T>>) {
        self.unseen.set(None);
        // The outcome is lent to the callbacks, so they must have returned before any green thread
        // has a turn.
        let _on_no_stack = Outer::leave();
        let state = self.state.borrow();
        let State::Known(outcome) = &*state else { return };
        for callback in callbacks {
            report::contain("in a link of a green thread", || callback(outcome));
        }
    }
}

/// What its waiters wait for.
fn end() -> Point {
    Point::new(END, "")
}

impl<T: Clone> Outcome<T> {
    /// Returns a copy of the outcome, once it is known.
    pub(super) fn poll_copy(
        &self,
        place: &mut Place,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, Exit>> {
        ready!(self.waiters.wait(place, cx, || self.known().then_some(()).ok_or(()), end));
        self.unseen.set(None);
        match &*self.state.borrow() {
            State::Known(outcome) => Poll::Ready(outcome.clone()),
            _ => panic!("{TAKEN}"),
        }
    }
}

/// An outcome that reports a failure if it is dropped before any code has looked at it.
pub(super) struct Reported<T: 'static>(Outcome<T>);

impl<T> Reported<T> {
    pub(super) fn new() -> Reported<T> {
        Reported(Outcome::new())
    }
}

impl<T> Deref for Reported<T> {
    type Target = Outcome<T>;

    #[inline]
    fn deref(&self) -> &Outcome<T> {
        &self.0
    }
}

impl<T> Drop for Reported<T> {
    #[inline]
    fn drop(&mut self) {
        if let (State::Known(outcome), Some(spawned_at)) =
            (self.0.state.get_mut(), self.0.unseen.get())
        {
            if let Some(failure) = failure_in(outcome) {
                let what =
                    format!("in a green thread spawned at {spawned_at} that nobody waited for");
                report::failure(&what, &failure);
            }
        }
    }
}

/// A green thread that ended before it began.
impl<T> HasOutcome<T> for Reported<T> {
    fn outcome(&self) -> &Outcome<T> {
        self
    }

    fn is_running(&self) -> bool {
        false
    }
}
