//! One poll of the hub by Tokio: which green threads run, and when Tokio gets its turn.
//!
//! Green threads run in the order in which they became ready. The hub gives the poll back to Tokio
//! when
//!
//! - no green thread is ready: Tokio waits for I/O and timers;
//! - Tokio's cooperative budget is used up: there is one for each poll, so the hub asks to be
//!   polled again at once and goes on with a new one, which avoids spurious polls of green threads.
//!   It does so [`POLLS_PER_LOOK`] times in a row at most, then as below;
//! - [`RUNS_PER_POLL`] green threads have run, or they have run for [`TIME_PER_POLL`]: the hub asks
//!   to be polled again *after* Tokio has polled its I/O and timer drivers, so green threads that
//!   spin never starve those that wait.
//!
//! The last does not use `cx.waker().wake_by_ref()`: a `LocalSet` polls a task that woke itself 61
//! times, and its runtime polls the `LocalSet` 61 times, before the driver is polled.
//! `tokio::task::yield_now` goes through the driver; that makes it a bad way for a green thread to
//! yield (300 ns) and the right way here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::task::coop;

use super::clock::Alarm;
use super::current_stack::Outer;
use super::job::Key;
use super::prefetch::{self, AT_ONCE};
use super::scheduler::{Hub, Turn};
use super::wake_id::WakeId;
use super::waker::waker;

/// Green threads that run before Tokio polls its drivers. A driver poll costs about 300 ns, so at
/// this number it adds about 1 ns to a turn, and delays I/O by the turns of these green threads.
const RUNS_PER_POLL: usize = 256;

/// The time after which Tokio polls its drivers, if green threads have long turns.
const TIME_PER_POLL: Duration = Duration::from_millis(1);

/// Polls in a row that end because Tokio's budget is used up, before Tokio polls its drivers.
///
/// One driver poll returns up to 1,024 events, and a budget serves 64 clients that read and write.
/// The whole batch is served before the next driver poll: otherwise new events interleave, and the
/// rest of the batch falls out of the caches. A driver poll every 256 turns cost a server of 8,000
/// clients a tenth.
const POLLS_PER_LOOK: usize = 16;

/// The green threads that have run in one poll.
///
/// The clock is read after 1, 2, 4, 8 of them and so on: eight times in a full poll, which is less
/// than a nanosecond for each turn, and soon enough if turns are long.
#[derive(Default)]
struct Runs {
    count: usize,
    /// The polls in a row before this one that ended because the budget was used up.
    polls: usize,
    /// When the first was over. Real time: the program's clock may be paused.
    start: Option<Instant>,
}

impl Runs {
    #[inline]
    fn may_go_on(&mut self) -> bool {
        let go_on = self.count < RUNS_PER_POLL && !(self.count.is_power_of_two() && self.is_late());
        self.count += 1;
        go_on
    }

    #[inline(never)]
    fn is_late(&mut self) -> bool {
        let now = Instant::now();
        now.duration_since(*self.start.get_or_insert(now)) >= TIME_PER_POLL
    }
}

impl Hub {
    /// Runs green threads until the hub must give the poll back; `Ready` when `main` has ended.
    pub(crate) fn poll(&self, main: Key, cx: &mut Context<'_>) -> Poll<()> {
        let _on_no_stack = Outer::leave();
        self.awake.set(true);
        self.attach(cx);
        if self.clock.rings(cx) {
            self.ring();
        }
        self.collect_remote();
        self.far.begin(self.ready());
        let mut runs = Runs { polls: self.polls.take(), ..Runs::default() };
        while !self.dead(main) {
            match catch_unwind(AssertUnwindSafe(|| self.run_ready(main, &mut runs, cx))) {
                Ok(()) => break,
                Err(payload) => self.finish_panicked(payload),
            }
        }
        self.far.end(runs.count, self.ready());
        self.awake.set(false);
        self.clock.arm(cx);
        if self.dead(main) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Runs ready green threads until there are none, `main` has ended, or it is time to return to
    /// Tokio. Unwinds when one of them panics.
    fn run_ready(&self, main: Key, runs: &mut Runs, cx: &mut Context<'_>) {
        while runs.may_go_on() {
            if !coop::has_budget_remaining() {
                if runs.polls == POLLS_PER_LOOK {
                    break;
                }
                self.polls.set(runs.polls + 1);
                cx.waker().wake_by_ref();
                return;
            }
            if self.far.must_fetch(runs.count) {
                self.show_next(AT_ONCE, prefetch::fetch);
            }
            match self.run_next(|key| waker(WakeId::new(self.id(), key))) {
                Turn::Ran => {}
                Turn::Idle if self.observer.looks_when_idle() && self.goes_on(main) => {}
                Turn::Idle => return,
                Turn::Ended if self.dead(main) => return,
                Turn::Ended => {}
            }
        }
        // Polled once, to be woken after the driver was polled, and dropped.
        let _pending = pin!(tokio::task::yield_now()).poll(cx);
    }

    /// Records which Tokio task the hub is: almost always the same as in the last poll.
    fn attach(&self, cx: &Context<'_>) {
        let same = self.task.borrow().as_ref().is_some_and(|task| task.will_wake(cx.waker()));
        if !same {
            self.remote.attach(cx.waker().clone());
            let _previous = self.task.replace(Some(cx.waker().clone()));
        }
    }

    /// Raises the alarms that are due. Each may run user code, so no borrow is held meanwhile.
    fn ring(&self) {
        for alarm in self.clock.alarms() {
            match alarm {
                Alarm::Wake(waker) => waker.wake(),
                Alarm::End(end) => {
                    let (victim, exit) = end();
                    self.kill(victim, exit);
                }
            }
        }
    }

    pub(super) fn collect_remote(&self) {
        for id in self.remote.collect() {
            self.wake(WakeId::from_bits(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hub, spawn};

    #[test]
    fn a_poll_is_bounded_in_runs_and_in_time() {
        let mut runs =
            Runs { start: Some(Instant::now() + Duration::from_secs(3600)), ..Runs::default() };
        assert_eq!((0..).take_while(|_| runs.may_go_on()).count(), RUNS_PER_POLL);

        let long_ago = Instant::now() - TIME_PER_POLL;
        let mut runs = Runs { count: 3, start: Some(long_ago), ..Runs::default() };
        assert_eq!((0..).take_while(|_| runs.may_go_on()).count(), 1);
    }

    #[test]
    fn those_whose_turns_are_next_are_shown_in_their_order() {
        crate::run(async {
            let green_threads = [(); 3].map(|()| spawn(async {}));
            let slots = green_threads.each_ref().map(|green_thread| green_thread.key().slot());
            green_threads[1].kill();
            let mut shown = Vec::new();
            hub::current().unwrap().show_next(3, |slot, _job| shown.push(slot));
            assert_eq!(shown, [slots[0], slots[2]]);
        });
    }

    #[test]
    fn a_crowd_is_fetched_before_its_turns_and_a_few_are_not() {
        let fetched = |crowd: usize| {
            let before = prefetch::FETCHED.get();
            crate::run(async move {
                let all: Vec<_> = (0..crowd)
                    .map(|_| {
                        spawn(async {
                            for _ in 0..20 {
                                crate::sleep(Duration::ZERO).await;
                            }
                        })
                    })
                    .collect();
                for one in all {
                    one.await.unwrap();
                }
            });
            prefetch::FETCHED.get() - before
        };
        let [few, many] = [10, 1_000].map(fetched);
        assert!(few <= 20, "{few}");
        assert!(many >= 10 * 1_000, "{many}");
    }
}
