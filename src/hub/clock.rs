//! Sleeps and deadlines of green threads, kept over one Tokio sleep.
//!
//! Most deadlines never pass: they are set around an operation and dropped right after it. So
//! setting and dropping one is cheap here (see [`Wheel`]), and cheapest within one poll of the hub,
//! at whose end only the remaining ones are sorted. Tokio's timer is reset only for a moment
//! earlier than all others.
//!
//! Deadlines are Tokio's `Instant`s: they follow a paused clock, and round up to Tokio's
//! millisecond. Equal deadlines pass in the order in which they were requested, whatever the order
//! of polls.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::job::Key;
use super::places::Places;
use super::timer_wheel::{Due, Wheel};
use crate::exit::Exit;

thread_local! {
    /// One number for each moment that is requested.
    static NEXT_ORDER: Cell<u64> = const { Cell::new(0) };

    /// The first reading of the clock since the innermost [`Start`] was made.
    static FIRST_READ: Cell<u64> = const { Cell::new(UNREAD) };
}

const UNREAD: u64 = u64::MAX;

#[inline]
fn next_order() -> u64 {
    NEXT_ORDER.replace(NEXT_ORDER.get() + 1)
}

/// The start of a timer that may not be needed: it takes its rank among equal deadlines now, and
/// reads the clock only when the timer is needed.
///
/// Other timers may have read the clock by then. The first of their readings counts for this timer
/// too, so no timer of equal length that started later is due before it.
pub(super) struct Start {
    order: u64,
    /// The first reading since the start around this one.
    outer: u64,
}

impl Start {
    #[inline]
    pub(super) fn new() -> Start {
        Start { order: next_order(), outer: FIRST_READ.replace(UNREAD) }
    }
}

impl Drop for Start {
    #[inline]
    fn drop(&mut self) {
        // A reading inside this start also counts for the outer one.
        FIRST_READ.set(FIRST_READ.get().min(self.outer));
    }
}

/// When something is due. Of two equal times, the one requested first comes first.
///
/// Compared field by field.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    /// Nanoseconds since the clock was made: half the size of an `Instant`, and compared in one
    /// step.
    at: u64,
    order: u64,
}

impl Moment {
    /// Returns the moment so long after another, unless it cannot be represented.
    #[inline]
    fn new(from: u64, duration: Duration, order: u64) -> Option<Moment> {
        Some(Moment { at: from.checked_add(nanoseconds(duration)?)?, order })
    }
}

/// The timers of one hub.
pub(crate) struct Clock {
    timers: RefCell<Timers>,
    /// Tokio's timer. Made when it is first needed: making it needs a runtime with timers.
    sleep: RefCell<Option<Pin<Box<tokio::time::Sleep>>>>,
    /// What `sleep` waits for; `None` when that may not be early enough.
    armed: Cell<Option<u64>>,
    /// From when moments are counted.
    origin: Instant,
    /// Where the entries were set, while that is noted.
    places: Places,
}

struct Timers {
    wheel: Wheel<Entry>,
    /// Entries that have left the wheel: due, or due within the current tick.
    out: BinaryHeap<Reverse<(Moment, usize)>>,
    /// Entries without a waiter: those that are not [set](EntryState::Set).
    over: usize,
}

struct Entry {
    moment: Moment,
    state: EntryState,
}

enum EntryState {
    /// Somebody waits.
    Set(Alarm),
    /// It has no waiter any more, but is still in `out`, from where it will be removed.
    Forgotten,
    /// The alarm was raised, and its owner has not been polled since.
    Passed,
}

/// What to do when a deadline passes.
pub(super) enum Alarm {
    Wake(Waker),
    /// Makes the exit only then, as the deadline rarely passes.
    End(Box<dyn FnOnce() -> (Key, Exit)>),
}

/// A timer that somebody waits for.
pub(crate) struct Pending<R> {
    pub(crate) due_in: Duration,
    pub(crate) who: Option<R>,
    /// Where it was set, if that was noted.
    pub(crate) place: Option<Rc<Backtrace>>,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock {
            timers: RefCell::new(Timers { wheel: Wheel::new(), out: BinaryHeap::new(), over: 0 }),
            sleep: RefCell::new(None),
            armed: Cell::new(None),
            origin: Instant::now(),
            places: Places::default(),
        }
    }

    pub(super) fn is_borrowed(&self) -> bool {
        self.timers.try_borrow_mut().is_err() || self.sleep.try_borrow_mut().is_err()
    }

    /// Returns how many entries there are, including those without a waiter.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.timers.borrow().wheel.len()
    }

    /// Returns how many timers have a waiter.
    pub(super) fn len(&self) -> usize {
        let timers = self.timers.borrow();
        timers.wheel.len() - timers.over
    }

    /// Notes from now on where each timer is set, or no longer.
    pub(super) fn keep_places(&self, keep: bool) {
        self.places.keep(keep);
    }

    /// Returns the timers that have waiters, with what `who` makes of their wakers.
    pub(super) fn pending<R>(&self, who: impl Fn(&Waker) -> Option<R>) -> Vec<Pending<R>> {
        let (timers, now) = (self.timers.borrow(), self.now());
        let pending = timers.wheel.iter().filter_map(|entry| {
            let who = match &entry.state {
                EntryState::Set(Alarm::Wake(waker)) => who(waker),
                EntryState::Set(Alarm::End(_)) => None,
                EntryState::Forgotten | EntryState::Passed => return None,
            };
            Some(Pending {
                due_in: Duration::from_nanos(entry.moment.at.saturating_sub(now)),
                who,
                place: self.places.of(entry.moment.order),
            })
        });
        pending.collect()
    }

    /// Returns the moment so long after now, unless it cannot be represented.
    #[inline]
    pub(super) fn moment_after(&self, duration: Duration) -> Option<Moment> {
        Moment::new(self.read(), duration, next_order())
    }

    /// Returns the moment so long after a start.
    #[inline]
    pub(super) fn moment_since(&self, start: &Start, duration: Duration) -> Option<Moment> {
        let from = match FIRST_READ.get() {
            UNREAD => self.read(),
            first => first,
        };
        Moment::new(from, duration, start.order)
    }

    /// Returns the time, for something that starts now.
    #[inline]
    fn read(&self) -> u64 {
        let now = self.now();
        FIRST_READ.set(FIRST_READ.get().min(now));
        now
    }

    /// Returns the time.
    #[inline]
    fn now(&self) -> u64 {
        nanoseconds(self.origin.elapsed()).unwrap_or(u64::MAX)
    }

    /// Returns how long it is until a moment of this clock, unless that never comes.
    pub(super) fn left_until(&self, moment: Option<Moment>) -> Option<Duration> {
        Some(Duration::from_nanos(moment?.at).saturating_sub(self.origin.elapsed()))
    }

    #[inline]
    pub(super) fn set(&self, moment: Moment, alarm: Alarm) -> usize {
        if self.places.are_kept() {
            self.note_place(moment);
        }
        self.timers.borrow_mut().wheel.insert(Entry { moment, state: EntryState::Set(alarm) })
    }

    /// Notes where a timer is set, and forgets the places of those without waiters.
    #[cold]
    fn note_place(&self, moment: Moment) {
        self.places.note(moment.order);
        if self.places.len() > 2 * self.len() + 64 {
            let timers = self.timers.borrow();
            let set = timers.wheel.iter().filter(|entry| matches!(entry.state, EntryState::Set(_)));
            let set: HashSet<u64> = set.map(|entry| entry.moment.order).collect();
            self.places.retain(|order| set.contains(&order));
        }
    }

    /// Makes an entry that is set wake `cx`.
    pub(super) fn set_for(&self, entry: usize, cx: &Context<'_>) {
        let mut timers = self.timers.borrow_mut();
        let _previous = match &mut timers.wheel.get_mut(entry).state {
            EntryState::Set(Alarm::Wake(waker)) if !waker.will_wake(cx.waker()) => {
                mem::replace(waker, cx.waker().clone())
            }
            _ => return,
        };
        // Dropping the previous waker may run user code, so it is dropped after the borrow.
        drop(timers);
    }

    /// Returns whether the moment has come. In most polls none has, and no entry is read.
    #[inline]
    pub(super) fn has_passed(&self, entry: usize) -> bool {
        let timers = self.timers.borrow();
        timers.over != 0 && matches!(timers.wheel.get(entry).state, EntryState::Passed)
    }

    #[inline]
    pub(super) fn forget(&self, entry: usize) {
        // A separate statement: dropping the alarm may run user code, so it is dropped after the
        // borrow.
        let _alarm = self.timers.borrow_mut().forget(entry);
    }

    /// Returns whether anything may be due: Tokio's timer has passed.
    pub(super) fn rings(&self, cx: &mut Context<'_>) -> bool {
        let rings = self.armed.get().is_some() && self.poll_sleep(cx).is_ready();
        if rings {
            self.armed.set(None);
        }
        rings
    }

    /// Takes all alarms that are due, one by one: raising one may set others.
    pub(super) fn alarms(&self) -> impl Iterator<Item = Alarm> {
        let now = self.now();
        self.timers.borrow_mut().advance(now);
        std::iter::from_fn(move || self.timers.borrow_mut().pop_due(now))
    }

    /// Arms Tokio's timer, so that the hub is polled when the next moment comes.
    #[inline]
    pub(super) fn arm(&self, cx: &mut Context<'_>) {
        let next = {
            let mut timers = self.timers.borrow_mut();
            let earliest = timers.sort();
            match self.armed.get() {
                Some(armed) => earliest.filter(|earliest| *earliest < armed),
                None => timers.next(),
            }
        };
        if let Some(next) = next {
            self.arm_for(next, cx);
        }
    }

    fn arm_for(&self, next: u64, cx: &mut Context<'_>) {
        self.armed.set(Some(next));
        let next = self.origin + Duration::from_nanos(next);
        match &mut *self.sleep.borrow_mut() {
            Some(sleep) => sleep.as_mut().reset(next),
            none => *none = Some(Box::pin(tokio::time::sleep_until(next))),
        }
        if self.poll_sleep(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn poll_sleep(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.sleep.borrow_mut() {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

/// A tick of the wheel is 2 to the power of this, in nanoseconds: about a millisecond.
pub(super) const TICK_BITS: u32 = 20;

impl Due for Entry {
    #[inline]
    fn tick(&self) -> u64 {
        self.moment.at >> TICK_BITS
    }
}

/// Returns the nanoseconds of a duration, unless they overflow.
#[inline]
fn nanoseconds(duration: Duration) -> Option<u64> {
    let whole = duration.as_secs().checked_mul(1_000_000_000)?;
    whole.checked_add(duration.subsec_nanos().into())
}

impl Timers {
    /// Sorts the entries set since the last call, and returns the earliest of them.
    #[inline]
    fn sort(&mut self) -> Option<u64> {
        let earliest = self.wheel.fresh().map(|entry| entry.moment.at).min();
        self.wheel.sort(|key, entry| self.out.push(Reverse((entry.moment, key))));
        earliest
    }

    #[inline]
    fn forget(&mut self, key: usize) -> EntryState {
        let state = mem::replace(&mut self.wheel.get_mut(key).state, EntryState::Forgotten);
        let waits = matches!(state, EntryState::Set(_));
        if waits && self.wheel.is_out(key) {
            // Its key is in `out`, and must not be reused before it is removed there.
            self.over += 1;
        } else {
            self.over -= usize::from(!waits);
            self.wheel.remove(key);
        }
        state
    }

    /// Takes all entries up to the tick of `now` out of the wheel.
    fn advance(&mut self, now: u64) {
        self.sort();
        let out = &mut self.out;
        self.wheel.advance(now >> TICK_BITS, |key, entry| out.push(Reverse((entry.moment, key))));
    }

    /// Takes the alarm of the next timer whose moment has come by `now`.
    fn pop_due(&mut self, now: u64) -> Option<Alarm> {
        while self.out.peek().is_some_and(|Reverse((moment, _))| moment.at <= now) {
            let Reverse((_, key)) = self.out.pop()?;
            if let EntryState::Set(alarm) =
                mem::replace(&mut self.wheel.get_mut(key).state, EntryState::Passed)
            {
                self.over += 1;
                return Some(alarm);
            }
            self.over -= 1;
            self.wheel.remove(key);
        }
        None
    }

    /// Returns a time before which no sorted entry is due.
    fn next(&self) -> Option<u64> {
        let out = self.out.peek().map(|Reverse((moment, _))| moment.at);
        let in_wheel = || self.wheel.at_next_tick().map(|entry| entry.moment.at).min();
        // Too far away for the wheel to have sorted it yet: it will when that tick comes.
        let unsorted = || self.wheel.next_tick().map(|tick| tick << TICK_BITS);
        out.or_else(in_wheel).or_else(unsorted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(clock: &Clock, milliseconds: u64, waker: &Waker) -> usize {
        let moment = clock.moment_after(Duration::from_millis(milliseconds)).unwrap();
        clock.set(moment, Alarm::Wake(waker.clone()))
    }

    /// Eventlet's hub_test.TestTimerCleanup.
    #[test]
    fn timers_that_are_set_and_dropped_leave_nothing_behind() {
        let clock = Clock::new();
        let all: Vec<_> = (0..3000).map(|i| set(&clock, 60_000 - i, Waker::noop())).collect();
        for (i, entry) in all.iter().enumerate() {
            if i % 3 != 0 {
                clock.forget(*entry);
            }
        }
        assert_eq!((clock.len(), clock.entries()), (1000, 1000));
        for entry in all.into_iter().step_by(3) {
            clock.forget(entry);
        }
        assert_eq!((clock.len(), clock.entries()), (0, 0));
        assert!(clock.timers.borrow_mut().sort().is_none());
        assert!(clock.timers.borrow().next().is_none());
    }

    #[test]
    fn a_dropped_timer_keeps_no_waker() {
        struct Counted;
        impl std::task::Wake for Counted {
            fn wake(self: std::sync::Arc<Self>) {}
        }
        let counted = std::sync::Arc::new(Counted);
        let clock = Clock::new();
        let entry = set(&clock, 60_000, &Waker::from(std::sync::Arc::clone(&counted)));
        assert_eq!(std::sync::Arc::strong_count(&counted), 2);
        clock.forget(entry);
        assert_eq!(std::sync::Arc::strong_count(&counted), 1);
    }

    #[test]
    fn tokio_is_asked_for_the_very_moment() {
        let clock = Clock::new();
        for milliseconds in [50, 5] {
            let entry = set(&clock, milliseconds, Waker::noop());
            let mut timers = clock.timers.borrow_mut();
            timers.sort();
            assert_eq!(timers.next(), Some(timers.wheel.get(entry).moment.at));
        }
    }
}
