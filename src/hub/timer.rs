//! One deadline in the clock of the hub.

use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::clock::{Alarm, Moment, Start};
use super::current;
use super::job::Key;
use super::scheduler::Hub;
use crate::exit::Exit;

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
    /// If there is no hub.
    #[inline]
    #[track_caller]
    pub(crate) fn after(duration: Duration) -> Timer {
        let hub = current::expect("waiting for the clock");
        let moment = hub.clock.moment_after(duration);
        Timer { hub, moment, state: State::Unset }
    }

    /// Makes a timer that counts from a start.
    ///
    /// # Panics
    ///
    /// If there is no hub.
    #[inline]
    pub(super) fn since(start: &Start, duration: Duration) -> Timer {
        let hub = current::expect("waiting for the clock");
        let moment = hub.clock.moment_since(start, duration);
        Timer { hub, moment, state: State::Unset }
    }

    /// Returns what it waits for, unless that never comes.
    pub(crate) fn moment(&self) -> Option<Moment> {
        self.moment
    }

    /// Returns whether the moment has come. Only the moment of a polled timer comes.
    #[inline]
    pub(crate) fn has_passed(&mut self) -> bool {
        if let State::Set(entry) = self.state {
            if self.hub.clock.has_passed(entry) {
                self.hub.clock.forget(entry);
                self.state = State::Passed;
            }
        }
        matches!(self.state, State::Passed)
    }

    /// Waits for the moment, waking `cx` only.
    #[inline]
    pub(crate) fn set_for(&mut self, cx: &Context<'_>) {
        if self.hub.is_ending() {
            self.move_to_this_hub();
        }
        match (&self.state, self.moment) {
            (State::Unset, Some(moment)) => self.set(moment, Alarm::Wake(cx.waker().clone())),
            (State::Set(entry), _) => self.hub.clock.set_for(*entry, cx),
            _ => {}
        }
    }

    /// Moves to the hub of this OS thread, as its own has ended and would never wake it.
    #[cold]
    #[track_caller]
    fn move_to_this_hub(&mut self) {
        let hub = current::expect("waiting for the clock");
        if Rc::ptr_eq(&hub, &self.hub) {
            return;
        }
        if let State::Set(entry) = mem::replace(&mut self.state, State::Unset) {
            self.hub.clock.forget(entry);
        }
        let left = self.hub.clock.left_until(self.moment);
        self.moment = left.and_then(|left| hub.clock.moment_after(left));
        self.hub = hub;
    }

    /// Ends a green thread when the moment comes, unless the timer is dropped first. `exit` is
    /// called only then.
    pub(crate) fn end_then(mut self, victim: Key, exit: impl FnOnce() -> Exit + 'static) -> Timer {
        if let Some(moment) = self.moment {
            self.set(moment, Alarm::End(Box::new(move || (victim, exit()))));
        }
        self
    }

    #[inline]
    fn set(&mut self, moment: Moment, alarm: Alarm) {
        self.state = State::Set(self.hub.clock.set(moment, alarm));
        // Outside a poll of the hub nothing else would arm Tokio's timer.
        self.hub.rouse();
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_passed() {
            return Poll::Ready(());
        }
        self.set_for(cx);
        Poll::Pending
    }
}

impl Drop for Timer {
    // Not inlined, so that an `Option<Timer>` that is `None` is dropped inline.
    #[inline(never)]
    fn drop(&mut self) {
        if let State::Set(entry) = self.state {
            self.hub.clock.forget(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::task::Waker;

    use super::*;
    use crate::hub::clock::TICK_BITS;
    use crate::sleep;
    use crate::waiters::stepping::paused;

    #[test]
    fn the_exit_of_a_limit_is_made_when_the_moment_comes_and_not_before() {
        paused(async {
            let made = Rc::new(Cell::new(0));
            let gt = crate::spawn(std::future::pending::<()>());
            let end = |milliseconds| {
                let made = Rc::clone(&made);
                Timer::after(Duration::from_millis(milliseconds)).end_then(gt.key(), move || {
                    made.set(made.get() + 1);
                    Exit::killed()
                })
            };
            drop(end(1));
            let _second = end(5);
            sleep(Duration::from_millis(4)).await;
            assert_eq!(made.get(), 0);
            sleep(Duration::from_millis(2)).await;
            assert_eq!((made.get(), gt.dead()), (1, true));
        });
    }

    fn entries() -> usize {
        current::current().unwrap().clock.entries()
    }

    #[test]
    fn what_has_passed_leaves_nothing_behind() {
        paused(async {
            for milliseconds in [1, 100, 100_000] {
                sleep(Duration::from_millis(milliseconds)).await;
                assert_eq!(entries(), 0);
            }
        });
    }

    #[test]
    fn what_is_dropped_between_its_tick_and_its_moment_leaves_nothing_behind() {
        paused(async {
            // Both are of one tick: when the first has passed, the second is out of the wheel.
            assert_eq!(43_000_000 >> TICK_BITS, 44_000_000 >> TICK_BITS);
            let mut second = Timer::after(Duration::from_millis(44));
            second.set_for(&Context::from_waker(Waker::noop()));
            sleep(Duration::from_millis(43)).await;
            assert_eq!(entries(), 1);
            drop(second);
            sleep(Duration::from_millis(10)).await;
            assert_eq!(entries(), 0);
        });
    }
}
