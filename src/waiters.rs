//! One FIFO line of sleeping tasks: what every meeting point is built on.
//!
//! Prior art: trio's `ParkingLot`, one wait-list that locks, queues and events share, and the
//! `event-listener` crate, whose listener passes its notification on when it is dropped. One thread
//! lets us drop their locks, atomics and fences, and with them the window between "nothing to be
//! had" and "in line": nobody can slip in between.
//!
//! A waiter brings an *offer* (a blocked putter brings its item) and leaves with a *grant* (a getter
//! is granted the item itself). What is granted belongs to that waiter from then on, so nobody who
//! comes later can overtake it, and whoever throws the waiter away gets the grant back to pass on.
//!
//! ```text
//!            join(offer)              choose(grant) -> offer           poll -> grant
//!   Outside ─────────────▶ InLine: Waiting ─────────────▶ InLine: Chosen ─────────────▶ Through
//!                              │ leave -> offer                │ leave -> grant            ▲
//!                              └───────────────────────────────┴───────────────────────────┘
//! ```
//!
//! Nothing foreign runs while the line is borrowed: no waker is cloned, woken or dropped, and no
//! offer or grant either. The drop of a waker may free a task, whose destructors may come back in
//! here. So wakers are handed out as [`Wakeup`]s, to be used when the whole meeting point is in
//! order again.

use std::cell::RefCell;
use std::iter;
use std::mem;
use std::task::{Context, Poll, Waker};

use slab::Slab;

/// Stands for "nobody" in the links of the line.
const NOBODY: usize = usize::MAX;

/// A line of sleeping tasks, first come, first served.
pub(crate) struct Waiters<Offer, Grant> {
    line: RefCell<Line<Offer, Grant>>,
}

/// Where one waiter stands: what a future over a line keeps between its polls.
#[derive(Debug, Default)]
pub(crate) enum Place {
    /// It has not asked yet.
    #[default]
    Outside,
    /// It stands in line, or was chosen and has not resumed yet.
    InLine(Ticket),
    /// It got its grant, or gave up.
    Through,
}

/// Names one waiter of one line. It is neither `Clone` nor `Copy`: a slot has one owner, so its
/// number cannot be used after it was freed.
#[derive(Debug)]
pub(crate) struct Ticket(usize);

/// What a waiter held when it left.
#[derive(Debug, PartialEq)]
pub(crate) enum Left<Offer, Grant> {
    /// Nothing: it was not in line.
    Nothing,
    /// It was still waiting.
    Offer(Offer),
    /// It had been chosen, but had not resumed.
    Grant(Grant),
}

/// Wakes one chosen waiter.
#[must_use = "the waiter was chosen, but sleeps until it is woken"]
pub(crate) struct Wakeup(Waker);

impl Wakeup {
    /// Wakes the waiter. This runs foreign code: whatever is borrowed must have been given back,
    /// and the meeting point be fit to be used.
    pub(crate) fn wake(self) {
        self.0.wake();
    }
}

/// Wakes everybody whom `choose` chooses, in that order, once it has nobody left to choose.
///
/// Waking each at once would let foreign code meet a line that is only half served.
pub(crate) fn wake_all(mut choose: impl FnMut() -> Option<Wakeup>) {
    let Some(first) = choose() else { return };
    // One waiter is the rule, and then this allocates nothing.
    let rest: Vec<Wakeup> = iter::from_fn(choose).collect();
    first.wake();
    rest.into_iter().for_each(Wakeup::wake);
}

impl<Offer, Grant> Waiters<Offer, Grant> {
    /// Makes an empty line. It allocates when somebody joins, and then only when more stand in line
    /// than ever did before.
    pub(crate) const fn new() -> Self {
        let line = Line { waiters: Slab::new(), first: NOBODY, last: NOBODY, waiting: 0 };
        Waiters { line: RefCell::new(line) }
    }

    /// Returns how many are waiting. Those who were chosen no longer are.
    pub(crate) fn len(&self) -> usize {
        self.line.borrow().waiting
    }

    /// Is the body of every future over a line: tries `at_once` when it comes, and where that gives
    /// an offer instead of a grant, stands in line with it.
    ///
    /// `at_once` may only give an offer when nobody in line could be granted anything either.
    pub(crate) fn wait(
        &self,
        place: &mut Place,
        cx: &Context<'_>,
        at_once: impl FnOnce() -> Result<Grant, Offer>,
    ) -> Poll<Grant> {
        match place {
            Place::Outside => match at_once() {
                Ok(grant) => {
                    *place = Place::Through;
                    Poll::Ready(grant)
                }
                Err(offer) => {
                    *place = Place::InLine(self.join(offer, cx.waker().clone()));
                    Poll::Pending
                }
            },
            Place::InLine(ticket) => {
                let polled = self.poll(ticket, cx.waker());
                if polled.is_ready() {
                    *place = Place::Through;
                }
                polled
            }
            Place::Through => panic!("a future of a meeting point was polled after it was done"),
        }
    }

    /// Takes a waiter out of the line. The caller owes a grant to the next one.
    pub(crate) fn leave(&self, place: &mut Place) -> Left<Offer, Grant> {
        let Place::InLine(ticket) = mem::replace(place, Place::Through) else {
            return Left::Nothing;
        };
        // A statement of its own, for the borrow must end before the waker below is dropped.
        let state = self.line.borrow_mut().remove(&ticket);
        match state {
            State::Waiting { offer, .. } => Left::Offer(offer),
            State::Chosen(grant) => Left::Grant(grant),
        }
    }

    /// Grants something to the first in line and takes its offer, or gives the grant back when
    /// nobody waits.
    pub(crate) fn choose(&self, grant: Grant) -> Result<(Offer, Wakeup), Grant> {
        self.line.borrow_mut().choose(grant)
    }

    fn join(&self, offer: Offer, waker: Waker) -> Ticket {
        self.line.borrow_mut().join(offer, waker)
    }

    fn poll(&self, ticket: &Ticket, waker: &Waker) -> Poll<Grant> {
        let look = self.line.borrow_mut().look(ticket, waker);
        match look {
            Look::Granted(grant) => Poll::Ready(grant),
            Look::Waiting => Poll::Pending,
            Look::OtherWaker => self.poll_replacing(ticket, waker.clone()),
        }
    }

    /// Polls with a waker the line does not know yet: the task that polls has changed.
    #[cold]
    fn poll_replacing(&self, ticket: &Ticket, waker: Waker) -> Poll<Grant> {
        let old = self.line.borrow_mut().replace(ticket, waker);
        match old {
            // The old waker's drop may choose this very waiter; the new one has been woken then.
            Ok(_old) => Poll::Pending,
            Err(grant) => Poll::Ready(grant),
        }
    }
}

/// The line itself. Its methods only move things: what is foreign goes in and comes out by value.
struct Line<Offer, Grant> {
    /// Those in line, and those chosen that have not resumed yet. A slab gives a slot back in O(1),
    /// whoever leaves, and a steady number of waiters never allocates.
    waiters: Slab<Waiter<Offer, Grant>>,
    first: usize,
    last: usize,
    /// How many are linked.
    waiting: usize,
}

struct Waiter<Offer, Grant> {
    /// Who stands before; it means nothing once the waiter was chosen, for then it is unlinked.
    before: usize,
    after: usize,
    state: State<Offer, Grant>,
}

enum State<Offer, Grant> {
    Waiting { offer: Offer, waker: Waker },
    Chosen(Grant),
}

/// What a poll finds.
enum Look<Grant> {
    Granted(Grant),
    Waiting,
    OtherWaker,
}

impl<Offer, Grant> Line<Offer, Grant> {
    fn join(&mut self, offer: Offer, waker: Waker) -> Ticket {
        let state = State::Waiting { offer, waker };
        let ticket = self.waiters.insert(Waiter { before: self.last, after: NOBODY, state });
        match self.waiters.get_mut(self.last) {
            Some(last) => last.after = ticket,
            None => self.first = ticket,
        }
        self.last = ticket;
        self.waiting += 1;
        Ticket(ticket)
    }

    fn choose(&mut self, grant: Grant) -> Result<(Offer, Wakeup), Grant> {
        let Some(waiter) = self.waiters.get_mut(self.first) else {
            return Err(grant);
        };
        let (before, after) = (waiter.before, waiter.after);
        match mem::replace(&mut waiter.state, State::Chosen(grant)) {
            State::Waiting { offer, waker } => {
                self.unlink(before, after);
                Ok((offer, Wakeup(waker)))
            }
            State::Chosen(_) => unreachable!("whoever was chosen has left the line"),
        }
    }

    fn look(&mut self, ticket: &Ticket, waker: &Waker) -> Look<Grant> {
        match &self.waiters[ticket.0].state {
            State::Waiting { waker: known, .. } if known.will_wake(waker) => Look::Waiting,
            State::Waiting { .. } => Look::OtherWaker,
            State::Chosen(_) => Look::Granted(self.remove_chosen(ticket)),
        }
    }

    /// Replaces the waker and gives the old one back, or the grant where there is one by now.
    fn replace(&mut self, ticket: &Ticket, new: Waker) -> Result<(Waker, Option<Waker>), Grant> {
        match &mut self.waiters[ticket.0].state {
            State::Waiting { waker, .. } => Ok((mem::replace(waker, new), None)),
            State::Chosen(_) => Err(self.remove_chosen(ticket)),
        }
    }

    fn remove_chosen(&mut self, ticket: &Ticket) -> Grant {
        match self.waiters.remove(ticket.0).state {
            State::Chosen(grant) => grant,
            State::Waiting { .. } => unreachable!("only called on a chosen waiter"),
        }
    }

    fn remove(&mut self, ticket: &Ticket) -> State<Offer, Grant> {
        let Waiter { before, after, state } = self.waiters.remove(ticket.0);
        if let State::Waiting { .. } = state {
            self.unlink(before, after);
        }
        state
    }

    /// Joins the two neighbours of a waiter that goes.
    fn unlink(&mut self, before: usize, after: usize) {
        match self.waiters.get_mut(before) {
            Some(before) => before.after = after,
            None => self.first = after,
        }
        match self.waiters.get_mut(after) {
            Some(after) => after.before = before,
            None => self.last = before,
        }
        self.waiting -= 1;
    }
}
