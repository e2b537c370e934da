//! A FIFO wait queue: what every meeting point is built on.
//!
//! Prior art: trio's `ParkingLot`, one wait queue that locks, queues and events share, and the
//! `event-listener` crate, whose listener passes its notification on when it is dropped. All users
//! are on one OS thread, so this needs none of their locks, atomics and fences, and has no window
//! between "nothing available" and "in the queue" for another task to slip into.
//!
//! A waiter brings an *offer* (a blocked putter brings its item) and leaves with a *grant* (a
//! getter is granted the item itself). A grant belongs to its waiter from then on, so no later
//! caller can overtake it. Code that drops a waiter gets its grant back, to pass it on.
//!
//! ```text
//!            join(offer)              choose(grant) -> offer           poll -> grant
//!   Outside ─────────────▶ InLine: Waiting ─────────────▶ InLine: Chosen ─────────────▶ Through
//!                              │ leave -> offer                │ leave -> grant            ▲
//!                              └───────────────────────────────┴───────────────────────────┘
//! ```
//!
//! No user code runs while the queue is borrowed: no waker is cloned, woken or dropped, and no
//! offer or grant is dropped. Dropping a waker may free a task whose destructors call back into the
//! queue. So wakers are returned as [`Wakeup`]s, for use once the meeting point is consistent
//! again.

use std::cell::RefCell;
use std::iter;
use std::mem;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::probe::{self, Point};

/// Stands for "none" in the links of the queue.
const NOBODY: u32 = u32::MAX;

/// A ticket is neither copied nor kept after its use, so its waiter is in the queue.
const IN_LINE: &str = "a ticket names a waiter in the queue";

/// A wait queue: first come, first served.
pub(crate) struct Waiters<Offer, Grant> {
    queue: RefCell<Queue<Offer, Grant>>,
}

/// The wait state of one waiter: what a future over a wait queue keeps between its polls.
#[derive(Debug, Default)]
pub(crate) enum Place {
    /// It has not asked yet.
    #[default]
    Outside,
    /// It is in the queue, or was chosen and has not resumed yet.
    InLine(Ticket),
    /// It got its grant, or gave up.
    Through,
}

impl Place {
    /// Returns whether it is in the queue.
    #[inline]
    pub(crate) fn is_in_line(&self) -> bool {
        matches!(self, Place::InLine(_))
    }
}

/// Names one waiter of one wait queue. It is neither `Clone` nor `Copy`: a slot has one owner, so
/// its number cannot be used after it was freed.
#[derive(Debug)]
pub(crate) struct Ticket(u32);

/// What a waiter held when it left.
#[derive(Debug, PartialEq)]
pub(crate) enum Left<Offer, Grant> {
    /// Nothing: it was not in the queue.
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
    /// Wakes the waiter. This runs user code: no borrow may be held, and the meeting point must be
    /// consistent.
    pub(crate) fn wake(self) {
        self.0.wake();
    }
}

/// Calls `choose` until it chooses no more waiters, then wakes those chosen, in that order.
///
/// Waking each at once would let user code see a queue that is only half served.
#[inline]
pub(crate) fn wake_all(mut choose: impl FnMut() -> Option<Wakeup>) {
    let Some(first) = choose() else { return };
    // One waiter is the rule.
    match choose() {
        None => first.wake(),
        Some(second) => wake_several([first, second], choose),
    }
}

#[cold]
fn wake_several(two: [Wakeup; 2], choose: impl FnMut() -> Option<Wakeup>) {
    let all: Vec<Wakeup> = two.into_iter().chain(iter::from_fn(choose)).collect();
    all.into_iter().for_each(Wakeup::wake);
}

impl<Offer, Grant> Waiters<Offer, Grant> {
    /// Makes an empty queue. It allocates when a second waiter joins, and after that only when it
    /// grows beyond its longest length so far.
    pub(crate) const fn new() -> Self {
        Waiters { queue: RefCell::new(Queue::Empty) }
    }

    /// Returns the number of waiters. Chosen ones no longer count.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// The body of every future over a wait queue: tries `at_once` first. If that returns an offer
    /// instead of a grant, the waiter joins the queue with the offer.
    ///
    /// `at_once` may return an offer only when no waiter in the queue could be granted anything
    /// either.
    /// `point` describes the meeting point for debugging.
    #[inline]
    pub(crate) fn wait(
        &self,
        place: &mut Place,
        cx: &Context<'_>,
        at_once: impl FnOnce() -> Result<Grant, Offer>,
        point: impl FnOnce() -> Point,
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
                let polled = self.poll(ticket, cx.waker(), point);
                if polled.is_ready() {
                    *place = Place::Through;
                }
                polled
            }
            Place::Through => panic!("a future of a meeting point was polled after it was done"),
        }
    }

    /// Takes a waiter out of the queue. The caller must pass a grant that it had on to the next
    /// one.
    #[inline]
    pub(crate) fn leave(&self, place: &mut Place) -> Left<Offer, Grant> {
        // Almost always it got its grant.
        match mem::replace(place, Place::Through) {
            Place::InLine(ticket) => self.take_out(ticket),
            _ => Left::Nothing,
        }
    }

    #[inline(never)]
    fn take_out(&self, ticket: Ticket) -> Left<Offer, Grant> {
        // A separate statement, because the borrow must end before the waker below is dropped.
        let state = self.queue.borrow_mut().remove(&ticket);
        match state {
            State::Waiting { offer, .. } => Left::Offer(offer),
            State::Chosen(grant) => Left::Grant(grant),
        }
    }

    /// Grants something to the first waiter and takes its offer, or returns the grant if the queue
    /// is empty.
    #[inline]
    pub(crate) fn choose(&self, grant: Grant) -> Result<(Offer, Wakeup), Grant> {
        self.queue.borrow_mut().choose(grant)
    }

    /// Grants a copy to every waiter and wakes them, in order, whatever they offer.
    pub(crate) fn choose_all(&self, grant: &Grant)
    where
        Grant: Clone,
    {
        wake_all(|| self.choose(grant.clone()).ok().map(|(_offer, wakeup)| wakeup));
    }

    #[inline]
    fn join(&self, offer: Offer, waker: Waker) -> Ticket {
        self.queue.borrow_mut().join(offer, waker)
    }

    #[inline]
    fn poll(&self, ticket: &Ticket, waker: &Waker, point: impl FnOnce() -> Point) -> Poll<Grant> {
        let look = self.queue.borrow_mut().look(ticket, waker);
        match look {
            Look::Granted(grant) => Poll::Ready(grant),
            Look::Waiting => {
                probe::note(self, || self.len(), point);
                Poll::Pending
            }
            Look::OtherWaker => self.poll_replacing(ticket, waker.clone()),
        }
    }

    /// Polls with a waker that the queue does not have yet: the polling task has changed.
    #[cold]
    fn poll_replacing(&self, ticket: &Ticket, waker: Waker) -> Poll<Grant> {
        // The old waker is dropped when this returns, and its drop may choose this very waiter. The
        // queue has the new waker by then, so the task is polled again.
        let (polled, _waker) = self.queue.borrow_mut().replace(ticket, waker);
        polled
    }
}

/// The queue itself. Its methods only move values: the user's go in and come out by value.
///
/// Most queues, such as that of a green thread's outcome, never have more than one waiter: they
/// stay small and never allocate.
enum Queue<Offer, Grant> {
    Empty,
    /// Number 0 is in the queue, or was chosen and has not resumed.
    One(State<Offer, Grant>),
    /// It has had more than one waiter at a time.
    Many(Box<Many<Offer, Grant>>),
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

impl<Offer, Grant> Queue<Offer, Grant> {
    #[inline]
    fn len(&self) -> usize {
        match self {
            Queue::One(State::Waiting { .. }) => 1,
            Queue::Many(many) => many.waiting as usize,
            _ => 0,
        }
    }

    #[inline]
    fn join(&mut self, offer: Offer, waker: Waker) -> Ticket {
        match self {
            Queue::Empty => {
                // `self` has nothing to drop; `forget` avoids the call of out-of-line drop glue.
                mem::forget(mem::replace(self, Queue::One(State::Waiting { offer, waker })));
                Ticket(0)
            }
            Queue::Many(many) => Ticket(many.join(offer, waker)),
            Queue::One(_) => Ticket(self.many().join(offer, waker)),
        }
    }

    /// Makes room for more than one.
    #[cold]
    fn many(&mut self) -> &mut Many<Offer, Grant> {
        let one = mem::replace(self, Queue::Many(Box::new(Many::new())));
        match (self, one) {
            (Queue::Many(many), Queue::One(state)) => {
                many.take_in(state);
                many
            }
            _ => unreachable!("it is called on one, and makes it many"),
        }
    }

    #[inline]
    fn choose(&mut self, grant: Grant) -> Result<(Offer, Wakeup), Grant> {
        match self {
            Queue::One(state) if state.is_waiting() => Ok(state.choose(grant)),
            Queue::Many(many) => many.choose(grant),
            _ => Err(grant),
        }
    }

    #[inline]
    fn look(&mut self, ticket: &Ticket, waker: &Waker) -> Look<Grant> {
        match self.at(ticket) {
            State::Waiting { waker: known, .. } if known.will_wake(waker) => Look::Waiting,
            State::Waiting { .. } => Look::OtherWaker,
            State::Chosen(_) => Look::Granted(self.remove_chosen(ticket)),
        }
    }

    /// Replaces the old waker, and returns the one that is not needed.
    fn replace(&mut self, ticket: &Ticket, new: Waker) -> (Poll<Grant>, Waker) {
        match self.at(ticket) {
            State::Waiting { waker, .. } => (Poll::Pending, mem::replace(waker, new)),
            // Cloning the new waker ran user code: the waiter may have been chosen meanwhile.
            State::Chosen(_) => (Poll::Ready(self.remove_chosen(ticket)), new),
        }
    }

    #[inline]
    fn remove_chosen(&mut self, ticket: &Ticket) -> Grant {
        match self.remove(ticket) {
            State::Chosen(grant) => grant,
            State::Waiting { .. } => unreachable!("only called on a chosen waiter"),
        }
    }

    #[inline]
    fn at(&mut self, ticket: &Ticket) -> &mut State<Offer, Grant> {
        match self {
            Queue::One(state) => state,
            Queue::Many(many) => many.at(ticket.0),
            Queue::Empty => unreachable!("{IN_LINE}"),
        }
    }

    #[inline]
    fn remove(&mut self, ticket: &Ticket) -> State<Offer, Grant> {
        if let Queue::Many(many) = self {
            return many.remove(ticket.0);
        }
        match mem::replace(self, Queue::Empty) {
            Queue::One(state) => state,
            other => {
                // Dropping the other variant here would force the value through memory: a
                // store-forwarding stall.
                mem::forget(other);
                unreachable!("{IN_LINE}")
            }
        }
    }
}

impl<Offer, Grant> State<Offer, Grant> {
    #[inline]
    fn is_waiting(&self) -> bool {
        matches!(self, State::Waiting { .. })
    }

    /// Gives a waiter its grant and takes its offer.
    #[inline]
    fn choose(&mut self, grant: Grant) -> (Offer, Wakeup) {
        match mem::replace(self, State::Chosen(grant)) {
            State::Waiting { offer, waker } => (offer, Wakeup(waker)),
            State::Chosen(_) => unreachable!("a chosen waiter has left the queue"),
        }
    }
}

/// A queue of several waiters, linked by number. 32 bits name more than memory holds.
///
/// A slab frees any entry in O(1), and does not allocate while the number of waiters is steady.
struct Many<Offer, Grant> {
    /// The waiters in the queue, and the chosen ones that have not resumed yet.
    waiters: Slab<Waiter<Offer, Grant>>,
    first: u32,
    last: u32,
    /// How many are linked.
    waiting: u32,
}

struct Waiter<Offer, Grant> {
    /// The one before. Meaningless once the waiter was chosen, as it is unlinked then.
    before: u32,
    after: u32,
    state: State<Offer, Grant>,
}

impl<Offer, Grant> Many<Offer, Grant> {
    fn new() -> Self {
        Many { waiters: Slab::new(), first: NOBODY, last: NOBODY, waiting: 0 }
    }

    /// Takes in the only waiter so far. It keeps its number: the first in a new slab is 0.
    fn take_in(&mut self, one: State<Offer, Grant>) {
        match one {
            State::Waiting { offer, waker } => self.join(offer, waker),
            chosen => {
                self.waiters.insert(Waiter { before: NOBODY, after: NOBODY, state: chosen }) as u32
            }
        };
    }

    /// Puts a waiter at the end.
    #[inline(never)]
    fn join(&mut self, offer: Offer, waker: Waker) -> u32 {
        let state = State::Waiting { offer, waker };
        let number = self.waiters.insert(Waiter { before: self.last, after: NOBODY, state }) as u32;
        match self.waiters.get_mut(self.last as usize) {
            Some(last) => last.after = number,
            None => self.first = number,
        }
        self.last = number;
        self.waiting += 1;
        number
    }

    #[inline(never)]
    fn choose(&mut self, grant: Grant) -> Result<(Offer, Wakeup), Grant> {
        let Some(waiter) = self.waiters.get_mut(self.first as usize) else {
            return Err(grant);
        };
        let (before, after) = (waiter.before, waiter.after);
        let chosen = waiter.state.choose(grant);
        self.unlink(before, after);
        Ok(chosen)
    }

    #[inline(never)]
    fn at(&mut self, number: u32) -> &mut State<Offer, Grant> {
        &mut self.waiters.get_mut(number as usize).expect(IN_LINE).state
    }

    #[inline(never)]
    fn remove(&mut self, number: u32) -> State<Offer, Grant> {
        let waiter = self.waiters.try_remove(number as usize).expect(IN_LINE);
        if waiter.state.is_waiting() {
            self.unlink(waiter.before, waiter.after);
        }
        waiter.state
    }

    /// Links the two neighbours of a waiter that leaves.
    fn unlink(&mut self, before: u32, after: u32) {
        match self.waiters.get_mut(before as usize) {
            Some(before) => before.after = after,
            None => self.first = after,
        }
        match self.waiters.get_mut(after as usize) {
            Some(after) => after.before = before,
            None => self.last = before,
        }
        self.waiting -= 1;
    }
}

/// Futures stepped by hand, for the tests of all meeting points. These need a runtime only for the
/// clock.
#[cfg(test)]
pub(crate) mod stepping {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    /// Tells whether a waker was woken.
    #[derive(Default)]
    pub(crate) struct Flag(AtomicBool);

    impl Flag {
        /// Returns whether there was a wakeup since this was last asked.
        pub(crate) fn take(&self) -> bool {
            self.0.swap(false, Ordering::Relaxed)
        }
    }

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Runs a future under a clock that stands still while any task is ready.
    pub(crate) fn paused(future: impl Future<Output = ()> + 'static) {
        crate::runtime::Builder::new().start_paused(true).run(future).unwrap();
    }

    /// A future that is polled when the test says so.
    pub(crate) struct Stepped<F> {
        future: Pin<Box<F>>,
        woken: Arc<Flag>,
    }

    impl<F: Future> Stepped<F> {
        pub(crate) fn new(future: F) -> Self {
            Stepped { future: Box::pin(future), woken: Arc::default() }
        }

        pub(crate) fn step(&mut self) -> Poll<F::Output> {
            let waker = Waker::from(Arc::clone(&self.woken));
            self.future.as_mut().poll(&mut Context::from_waker(&waker))
        }

        /// Returns whether it was woken since this was last asked.
        pub(crate) fn take_wakeup(&self) -> bool {
            self.woken.take()
        }

        /// Drops the future, as a kill does.
        pub(crate) fn kill(self) -> Arc<Flag> {
            self.woken
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;
    use std::task::Wake;

    use super::stepping::Flag;
    use super::*;

    type Queue = Waiters<u32, char>;

    fn nothing() -> Point {
        Point::new("nothing", "")
    }

    /// Polls a waiter that can get nothing at once.
    fn poll(line: &Queue, place: &mut Place, offer: u32, waker: &Waker) -> Poll<char> {
        line.wait(place, &Context::from_waker(waker), || Err(offer), nothing)
    }

    fn join(line: &Queue, offer: u32) -> Place {
        let mut place = Place::default();
        assert_eq!(poll(line, &mut place, offer, Waker::noop()), Poll::Pending);
        place
    }

    fn resume(line: &Queue, place: &mut Place) -> Poll<char> {
        poll(line, place, 0, Waker::noop())
    }

    fn choose(line: &Queue, grant: char) -> Result<u32, char> {
        line.choose(grant).map(|(offer, wakeup)| {
            wakeup.wake();
            offer
        })
    }

    #[test]
    fn what_is_to_be_had_at_once_needs_no_line() {
        let (line, mut place) = (Queue::new(), Place::default());
        let cx = Context::from_waker(Waker::noop());
        let polled = line.wait(&mut place, &cx, || Ok('a'), nothing);
        assert_eq!(polled, Poll::Ready('a'));
        assert_eq!(line.leave(&mut place), Left::Nothing);
    }

    #[test]
    fn first_come_first_served() {
        let line = Queue::new();
        let mut places = [1, 2, 3].map(|offer| join(&line, offer));
        assert_eq!(line.len(), 3);
        assert_eq!(choose(&line, 'a'), Ok(1));
        assert_eq!(choose(&line, 'b'), Ok(2));
        assert_eq!(line.len(), 1);
        // In whatever order they resume, each gets what it was granted.
        assert_eq!(resume(&line, &mut places[1]), Poll::Ready('b'));
        assert_eq!(resume(&line, &mut places[2]), Poll::Pending);
        assert_eq!(resume(&line, &mut places[0]), Poll::Ready('a'));
        assert_eq!(choose(&line, 'c'), Ok(3));
        assert_eq!(choose(&line, 'd'), Err('d'));
    }

    #[test]
    fn any_of_them_may_leave_and_the_order_stays() {
        for leaver in 0..3 {
            let line = Queue::new();
            let mut places = [0, 1, 2].map(|offer| join(&line, offer));
            assert_eq!(line.leave(&mut places[leaver]), Left::Offer(leaver as u32));
            assert_eq!(line.leave(&mut places[leaver]), Left::Nothing);
            let _late = join(&line, 3);
            let rest: Vec<u32> = iter::from_fn(|| choose(&line, 'x').ok()).collect();
            let expected: Vec<u32> = (0..4).filter(|&offer| offer != leaver as u32).collect();
            assert_eq!(rest, expected);
        }
    }

    #[test]
    fn a_chosen_waiter_that_leaves_gives_its_grant_back() {
        let line = Queue::new();
        let (mut first, _second) = (join(&line, 1), join(&line, 2));
        assert_eq!(choose(&line, 'a'), Ok(1));
        assert_eq!(line.leave(&mut first), Left::Grant('a'));
        assert_eq!(line.len(), 1);
        assert_eq!(choose(&line, 'a'), Ok(2));
    }

    #[test]
    fn whoever_was_chosen_alone_keeps_its_grant_when_others_join() {
        let line = Queue::new();
        let mut first = join(&line, 1);
        assert_eq!(choose(&line, 'a'), Ok(1));
        assert_eq!((line.len(), choose(&line, 'b')), (0, Err('b')));
        let mut second = join(&line, 2);
        assert_eq!((line.len(), choose(&line, 'b')), (1, Ok(2)));
        assert_eq!(resume(&line, &mut second), Poll::Ready('b'));
        assert_eq!(resume(&line, &mut first), Poll::Ready('a'));
        assert_eq!(choose(&line, 'c'), Err('c'));
    }

    #[test]
    fn only_the_waker_of_the_last_poll_is_woken() {
        let line = Queue::new();
        let (old, new) = (Arc::<Flag>::default(), Arc::<Flag>::default());
        let mut place = Place::default();
        for flag in [&old, &old, &new] {
            assert!(poll(&line, &mut place, 1, &Arc::clone(flag).into()).is_pending());
        }
        assert_eq!(choose(&line, 'a'), Ok(1));
        assert!(!old.take());
        assert!(new.take());
    }

    #[test]
    #[should_panic = "after it was done"]
    fn whoever_is_through_may_not_come_again() {
        let line = Queue::new();
        let mut place = join(&line, 1);
        line.leave(&mut place);
        let _ = resume(&line, &mut place);
    }

    #[test]
    fn a_lone_waiter_allocates_nothing() {
        let line = Queue::new();
        for offer in 1..100 {
            let mut place = join(&line, offer);
            line.leave(&mut place);
        }
        assert_eq!(capacity(&line), 0);
    }

    #[test]
    fn a_steady_number_of_waiters_allocates_once() {
        let line = Queue::new();
        let mut places = [join(&line, 1), join(&line, 2)];
        let before = capacity(&line);
        for offer in 3..100 {
            let next = join(&line, offer);
            line.leave(&mut places[0]);
            places.rotate_left(1);
            places[1] = next;
        }
        assert_eq!(capacity(&line), before);
    }

    fn capacity(line: &Queue) -> usize {
        match &*line.queue.borrow() {
            super::Queue::Many(many) => many.waiters.capacity(),
            _ => 0,
        }
    }

    thread_local! {
        /// A queue that wakers can reach. They cannot hold one, as they must be `Send`.
        static LINE: Rc<Queue> = Rc::new(Queue::new());
    }

    /// A waker that uses the queue whenever it is woken or dropped.
    struct Nosy;

    impl Nosy {
        fn join_and_leave(&self) {
            LINE.with(|line| line.leave(&mut join(line, 99)));
        }
    }

    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {
            self.join_and_leave();
        }
    }

    impl Drop for Nosy {
        fn drop(&mut self) {
            self.join_and_leave();
        }
    }

    #[test]
    fn wakers_that_come_back_find_nothing_borrowed() {
        let nosy = || Waker::from(Arc::new(Nosy));
        let line = LINE.with(Rc::clone);
        let mut places = [Place::default(), Place::default()];
        for place in &mut places {
            assert!(poll(&line, place, 1, &nosy()).is_pending());
            assert!(poll(&line, place, 1, &nosy()).is_pending());
        }
        assert_eq!(choose(&line, 'a'), Ok(1));
        assert_eq!(line.leave(&mut places[1]), Left::Offer(1));
        assert_eq!(resume(&line, &mut places[0]), Poll::Ready('a'));
        assert_eq!(line.len(), 0);
    }
}
