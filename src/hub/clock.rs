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

use super::scheduler::Hub;
use super::thread;

/// Waits for the future at most so long. `None` when the limit passed first.
///
/// The future is asked before the clock, so with a limit of zero it still gets one try.
pub(crate) async fn within<F: Future>(
    limit: Duration,
    mut future: Pin<&mut F>,
) -> Option<F::Output> {
    let mut timer = None;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let timer = timer.get_or_insert_with(|| Timer::after(limit));
        Pin::new(timer).poll(cx).map(|()| None)
    })
    .await
}

/// A moment to wait for.
pub(crate) struct Timer {
    hub: Rc<Hub>,
    /// `None` for a moment too far away to be represented: it never comes.
    deadline: Option<Instant>,
    /// Tells it from others with the same deadline: who asked first comes first.
    order: u64,
    /// Where it stands in the clock, from the first poll on.
    entry: Option<usize>,
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
        let deadline = Instant::now().checked_add(duration);
        let order = hub.clock.next_order();
        Timer { hub, deadline, order, entry: None }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let timer = &mut *self;
        let clock = &timer.hub.clock;
        match timer.entry {
            None => {
                timer.entry = Some(clock.set(deadline, timer.order, cx.waker().clone()));
                // Outside a poll of the hub nobody else would arm Tokio's timer.
                timer.hub.rouse();
                Poll::Pending
            }
            Some(entry) if clock.has_passed(entry, cx) => {
                timer.entry = None;
                clock.forget(entry);
                Poll::Ready(())
            }
            Some(_) => Poll::Pending,
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
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

/// Compared field by field: by deadline, then by the order of asking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    order: u64,
    entry: usize,
}

enum Entry {
    /// In the heap, with somebody waiting.
    Set(Waker),
    /// In the heap, with nobody waiting.
    Forgotten,
    /// Out of the heap, and its waiter does not know yet.
    Passed,
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

    fn set(&self, at: Instant, order: u64, waker: Waker) -> usize {
        let mut timers = self.timers.borrow_mut();
        let entry = timers.entries.insert(Entry::Set(waker));
        timers.heap.push(Reverse(Due { at, order, entry }));
        entry
    }

    /// Returns whether the moment has come; if not, it will wake `cx`.
    fn has_passed(&self, entry: usize, cx: &Context<'_>) -> bool {
        let mut timers = self.timers.borrow_mut();
        let entry = &mut timers.entries[entry];
        let _previous = match entry {
            Entry::Set(waker) if !waker.will_wake(cx.waker()) => {
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

    /// Wakes whoever's moment has come.
    pub(super) fn poll(&self, cx: &mut Context<'_>) {
        if self.armed.get().is_none() || self.poll_sleep(cx).is_pending() {
            return;
        }
        self.armed.set(None);
        let now = Instant::now();
        loop {
            // One at a time, as a waker may be a stranger's: it runs outside the borrow.
            let due = self.timers.borrow_mut().pop_due(now);
            match due {
                Some(waker) => waker.wake(),
                None => break,
            }
        }
    }

    /// Sees to it that Tokio polls the hub when the next moment comes.
    pub(super) fn arm(&self, cx: &mut Context<'_>) {
        let next = self.timers.borrow().heap.peek().map(|Reverse(due)| due.at);
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

impl Timers {
    /// Takes out the next timer whose moment has come by `now`.
    fn pop_due(&mut self, now: Instant) -> Option<Waker> {
        while self.heap.peek().is_some_and(|Reverse(due)| due.at <= now) {
            let Reverse(due) = self.heap.pop()?;
            match std::mem::replace(&mut self.entries[due.entry], Entry::Passed) {
                Entry::Set(waker) => return Some(waker),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn set(clock: &Clock, milliseconds: u64, waker: &Waker) -> usize {
        let at = Instant::now() + Duration::from_millis(milliseconds);
        clock.set(at, clock.next_order(), waker.clone())
    }

    fn size(clock: &Clock) -> (usize, usize) {
        let timers = clock.timers.borrow();
        (timers.heap.len(), timers.entries.len())
    }

    /// Eventlet's hub_test.TestTimerCleanup.
    #[test]
    fn timers_that_are_set_and_dropped_leave_little_behind() {
        let clock = Clock::new();
        for length in 0..2000 {
            let entry = set(&clock, 60_000 + length, Waker::noop());
            clock.forget(entry);
            assert_eq!(clock.len(), 0);
        }
        let (heap, entries) = size(&clock);
        assert!(heap <= 64 && entries <= 64, "{heap} in the heap, {entries} entries");
    }

    #[test]
    fn garbage_is_no_more_than_what_is_alive() {
        let clock = Clock::new();
        let all: Vec<_> = (0..3000).map(|i| set(&clock, 60_000 - i, Waker::noop())).collect();
        for (i, entry) in all.iter().enumerate() {
            if i % 3 != 0 {
                clock.forget(*entry);
            }
        }
        assert_eq!(clock.len(), 1000);
        let (heap, entries) = size(&clock);
        assert!(heap <= 2001 && entries == heap, "{heap} in the heap, {entries} entries");
        for entry in all.into_iter().step_by(3) {
            clock.forget(entry);
        }
        assert_eq!(clock.len(), 0);
        assert!(size(&clock).0 <= 64);
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
}
