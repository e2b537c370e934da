//! Sleeps and limits of green threads, kept by the hub over one Tokio sleep.
//!
//! Most limits never pass: they are set around an operation and dropped right after it. Setting one is
//! a push on a heap and dropping it marks the entry; Tokio's timer is touched only when the earliest
//! deadline moves forward. Marked entries leave when they come up, or all at once when they
//! are more than half of the heap, so the garbage is bounded by what is alive.
//!
//! Deadlines are Tokio's `Instant`s: they follow a paused clock, and round up to Tokio's millisecond.
//! Equal deadlines pass in the order in which they were asked for, whoever is polled first.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::time::Instant;

use super::scheduler::{Hub, Key};
use super::thread;
use crate::exit::Exit;

/// When something is due. Of two things due at the same time, the one asked for first comes first.
///
/// Compared field by field.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    at: Instant,
    order: u64,
}

/// A moment to wait for.
pub(crate) struct Timer {
    hub: Rc<Hub>,
    /// `None` for a moment too far away to be represented: it never comes.
    moment: Option<Moment>,
    state: State,
}

enum State {
    /// Not in the clock: it was not polled yet.
    Unset,
    Set(usize),
    Passed,
}

impl Timer {
    /// Makes a timer that counts from now.
    ///
    /// # Panics
    ///
    /// Where there is no hub.
    #[track_caller]
    pub(crate) fn after(duration: Duration) -> Timer {
        let hub = thread::expect("waiting for the clock");
        let at = Instant::now().checked_add(duration);
        let moment = at.map(|at| Moment { at, order: hub.clock.next_order() });
        Timer { hub, moment, state: State::Unset }
    }

    /// Returns what it waits for, unless that never comes.
    pub(crate) fn moment(&self) -> Option<Moment> {
        self.moment
    }

    /// Returns the moment if it has come. If it has not, and was waited for, this wakes `cx` when it comes.
    pub(crate) fn passed(&mut self, cx: &Context<'_>) -> Option<Moment> {
        if let State::Set(entry) = self.state {
            if self.hub.clock.has_passed(entry, cx) {
                self.hub.clock.forget(entry);
                self.state = State::Passed;
            }
        }
        if let State::Passed = self.state { self.moment } else { None }
    }

    /// Begins to wait for the moment in the name of `cx`, unless that was done.
    pub(crate) fn set_for(&mut self, cx: &Context<'_>) {
        if let (State::Unset, Some(moment)) = (&self.state, self.moment) {
            self.set(moment, Alarm::Wake(cx.waker().clone()));
        }
    }

    /// Ends a green thread when the moment comes, unless the timer is dropped first.
    pub(crate) fn end_then(mut self, victim: Key, exit: Exit) -> Timer {
        if let Some(moment) = self.moment {
            self.set(moment, Alarm::End(victim, exit));
        }
        self
    }

    fn set(&mut self, moment: Moment, alarm: Alarm) {
        self.state = State::Set(self.hub.clock.set(moment, alarm));
        // Outside a poll of the hub nobody else would arm Tokio's timer.
        self.hub.rouse();
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.passed(cx) {
            Some(_) => Poll::Ready(()),
            None => {
                self.set_for(cx);
                Poll::Pending
            }
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let State::Set(entry) = self.state {
            self.hub.clock.forget(entry);
        }
    }
}

/// The timers of one hub.
pub(crate) struct Clock {
    timers: RefCell<Timers>,
    /// Tokio's timer. Made when it is first needed: making it needs a runtime with timers.
    sleep: RefCell<Option<Pin<Box<tokio::time::Sleep>>>>,
    /// What `sleep` waits for; `None` when it waits for nothing.
    armed: Cell<Option<Instant>>,
    next_order: Cell<u64>,
}

#[derive(Default)]
struct Timers {
    heap: BinaryHeap<Reverse<Due>>,
    entries: Slab<Entry>,
    /// Entries in the heap that nobody waits for any more.
    garbage: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    moment: Moment,
    entry: usize,
}

enum Entry {
    /// In the heap, with somebody waiting.
    Set(Alarm),
    /// In the heap, with nobody waiting.
    Forgotten,
    /// Out of the heap, and its owner does not know yet.
    Passed,
}

/// What to do when a moment comes.
enum Alarm {
    Wake(Waker),
    End(Key, Exit),
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock {
            timers: RefCell::default(),
            sleep: RefCell::new(None),
            armed: Cell::new(None),
            next_order: Cell::new(0),
        }
    }

    /// Returns how many timers somebody waits for.
    pub(super) fn len(&self) -> usize {
        let timers = self.timers.borrow();
        timers.heap.len() - timers.garbage
    }

    fn next_order(&self) -> u64 {
        let order = self.next_order.get();
        self.next_order.set(order + 1);
        order
    }

    fn set(&self, moment: Moment, alarm: Alarm) -> usize {
        let mut timers = self.timers.borrow_mut();
        let entry = timers.entries.insert(Entry::Set(alarm));
        timers.heap.push(Reverse(Due { moment, entry }));
        entry
    }

    /// Returns whether the moment has come; if not, it will wake `cx`.
    fn has_passed(&self, entry: usize, cx: &Context<'_>) -> bool {
        let mut timers = self.timers.borrow_mut();
        let entry = &mut timers.entries[entry];
        let _previous = match entry {
            Entry::Set(Alarm::Wake(waker)) if !waker.will_wake(cx.waker()) => {
                std::mem::replace(waker, cx.waker().clone())
            }
            Entry::Set(_) => return false,
            Entry::Passed => return true,
            Entry::Forgotten => unreachable!("a timer was polled after it was dropped"),
        };
        // The previous waker may be a stranger's: it is dropped after the borrow.
        drop(timers);
        false
    }

    fn forget(&self, entry: usize) {
        let mut timers = self.timers.borrow_mut();
        let waker = match &mut timers.entries[entry] {
            Entry::Passed => timers.entries.remove(entry),
            set => {
                let waker = std::mem::replace(set, Entry::Forgotten);
                timers.garbage += 1;
                timers.sweep();
                waker
            }
        };
        drop(timers);
        drop(waker);
    }

    /// Returns whether anything may be due: Tokio's timer has passed.
    pub(super) fn rings(&self, cx: &mut Context<'_>) -> bool {
        let rings = self.armed.get().is_some() && self.poll_sleep(cx).is_ready();
        if rings {
            self.armed.set(None);
        }
        rings
    }

    /// Sees to it that Tokio polls the hub when the next moment comes.
    pub(super) fn arm(&self, cx: &mut Context<'_>) {
        let next = self.timers.borrow().heap.peek().map(|Reverse(due)| due.moment.at);
        let Some(next) = next else { return };
        if self.armed.get().is_some_and(|armed| armed <= next) {
            return;
        }
        self.armed.set(Some(next));
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

impl Hub {
    /// Does what is due.
    pub(super) fn ring(&self) {
        let now = Instant::now();
        loop {
            // One at a time, as each may run foreign code: that is done outside the borrow.
            let due = self.clock.timers.borrow_mut().pop_due(now);
            match due {
                Some(Alarm::Wake(waker)) => waker.wake(),
                Some(Alarm::End(victim, exit)) => self.kill(victim, exit),
                None => break,
            }
        }
    }
}

impl Timers {
    /// Takes out the next timer whose moment has come by `now`.
    fn pop_due(&mut self, now: Instant) -> Option<Alarm> {
        while self.heap.peek().is_some_and(|Reverse(due)| due.moment.at <= now) {
            let Reverse(due) = self.heap.pop()?;
            match std::mem::replace(&mut self.entries[due.entry], Entry::Passed) {
                Entry::Set(alarm) => return Some(alarm),
                _ => {
                    self.entries.remove(due.entry);
                    self.garbage -= 1;
                }
            }
        }
        None
    }

    /// Throws the garbage away once it is most of the heap: cheap for each, as it is rare.
    fn sweep(&mut self) {
        if self.garbage < 64 || self.garbage * 2 < self.heap.len() {
            return;
        }
        let entries = &mut self.entries;
        self.heap.retain(|Reverse(due)| match entries[due.entry] {
            Entry::Forgotten => {
                entries.remove(due.entry);
                false
            }
            _ => true,
        });
        self.garbage = 0;
    }
}
