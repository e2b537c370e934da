//! Who lives in the hub, and what it shows to whoever observes it: see [`debug`](crate::debug).

use std::ops::Range;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Waker};

use tokio::time::Instant;

use super::clock::Pending;
use super::holder::note_holders;
use super::job::{Job, Key, SpawnedAt};
use super::notes::State;
use super::observer::Schedule;
use super::scheduler::Hub;
use super::spans::Traced;
use super::usage::Accounts;
use super::waker::id_of;
use crate::watchdog::{Stalls, Watched};

/// One green thread that has not ended.
pub(crate) struct Living {
    pub(crate) key: Key,
    pub(crate) name: Option<Rc<str>>,
    pub(crate) spawned_at: SpawnedAt,
    pub(crate) state: State,
    pub(crate) last_turn: Option<Instant>,
    pub(crate) stalls: Stalls,
}

impl Hub {
    /// Names a green thread, unless it has ended.
    pub(crate) fn set_name(&self, key: Key, name: Rc<str>) {
        if !self.dead(key) {
            self.observer.set_name(key.serial(), &name);
            self.notes.set_name(key, name);
        }
    }

    /// Has a function called when nobody is ready.
    #[cfg_attr(not(feature = "stackful"), expect(dead_code))]
    pub(crate) fn when_idle(&self, function: fn()) {
        self.observer.set_when_idle(function);
    }

    /// Notes the time of every turn from now on, or no longer.
    pub(crate) fn record_turn_times(&self, keep: bool) {
        self.observer.record_turn_times(keep);
        if !keep {
            self.notes.forget_times();
        }
    }

    #[inline]
    pub(crate) fn name(&self, key: Key) -> Option<Rc<str>> {
        self.notes.name(key)
    }

    /// Returns all green threads that have not ended, in the order in which they were spawned.
    pub(crate) fn living(&self) -> Vec<Living> {
        let mut asked_for = self.notes.asked_for();
        let mut living = self.map_slots(|key, slot| Living {
            key,
            name: self.notes.name(key).or_else(|| asked_for.remove(&key.serial())),
            spawned_at: slot.spawned_at,
            state: self.state_of(key, slot),
            last_turn: self.notes.last_turn(key),
            stalls: self.observer.stalls(key.serial()),
        });
        living.sort_by_key(|living| living.key.serial());
        living
    }
}

impl Hub {
    /// Leaves the hub to itself, as it has ended.
    pub(super) fn stop_observing(&self) {
        self.observer.set_schedule(None);
        self.set_watched(None);
        note_holders(false);
    }

    /// Makes a span for each green thread from now on, or no longer.
    pub(crate) fn trace(&self, trace: bool) {
        self.observer.trace(trace);
    }

    /// Counts from now on who uses the hub, and what the processor does for each where that is
    /// asked for, or counts no longer.
    pub(crate) fn keep_usage(&self, keep: bool, asks_processor: bool) {
        self.observer.keep_accounts(keep.then(|| Accounts::new(asks_processor)));
    }

    /// Returns what was counted, if anything is.
    pub(crate) fn usage(&self) -> Option<Rc<Accounts>> {
        self.observer.accounts()
    }

    /// Notes from now on where each timer is set, or no longer.
    pub(crate) fn keep_timer_places(&self, keep: bool) {
        self.clock.keep_places(keep);
    }

    /// Returns all timers that somebody waits for, and who does, where that is known.
    pub(crate) fn pending_timers(&self) -> Vec<Pending<Key>> {
        self.clock.pending(|waker| self.key_of(id_of(waker)?))
    }

    /// Lets a schedule say whose turn is next, until the hub ends.
    #[cfg_attr(not(feature = "test-util"), expect(dead_code))]
    pub(crate) fn set_schedule(&self, schedule: Rc<dyn Schedule>) {
        self.observer.set_schedule(Some(schedule));
    }

    /// Has the hub end, with an error, when nothing can wake it any more.
    pub(crate) fn detect_deadlocks(&self, detect: bool) {
        self.observer.detect_deadlocks(detect);
        note_holders(detect);
    }

    /// Notes from now on, or no longer, who takes a lock.
    pub(crate) fn note_holders(&self, note: bool) {
        note_holders(note);
    }

    /// Has the watchdog look at this hub, or at it no longer.
    pub(crate) fn set_watched(&self, watched: Option<Watched>) {
        if let Some(watched) = &watched {
            for living in self.living() {
                if let Some(name) = living.name {
                    watched.set_name(living.key.serial(), &name);
                }
            }
        }
        self.observer.set_watched(watched);
        self.show(self.current());
    }

    /// Returns how often the hub was blocked, where the watchdog looks at it.
    pub(crate) fn all_stalls(&self) -> Stalls {
        self.observer.all_stalls()
    }

    /// Shows the watchdog who has the turn now.
    pub(super) fn show(&self, key: Option<Key>) {
        match key.and_then(|key| Some((key, self.place_of(key)?))) {
            Some((key, spawned_at)) => self.observer.begin(key, spawned_at),
            None => self.observer.rest(),
        }
    }

    /// Answers questions, or else puts the green thread that the schedule chooses in front of the
    /// others that are ready. Returns whether there were questions: some may have had a turn then.
    pub(super) fn prepare_turn(&self) -> bool {
        if self.put_questions() {
            return true;
        }
        if let Some(schedule) = self.observer.schedule() {
            schedule.before_turn();
            let ready = self.ready();
            if ready > 1 {
                self.prefer(schedule.choose(ready));
            }
        }
        false
    }

    /// Polls a green thread, and returns whether it is done.
    #[inline(never)]
    pub(super) fn poll_observed(&self, key: Key, job: Pin<&dyn Job>, waker: &Waker) -> bool {
        if let Some(schedule) = self.observer.schedule() {
            schedule.turn_of(key, self.place_of(key));
        }
        let accounts = self.observer.accounts();
        let start = accounts.as_ref().map(|accounts| accounts.start());
        self.show(Some(key));
        let done = self.poll_traced(key, job, waker);
        self.show(None);
        if let (Some(accounts), Some(start)) = (accounts, start) {
            accounts.add(key.serial(), start);
        }
        if self.observer.keeps_times() {
            self.notes.turn_is_over(key);
        }
        done
    }

    /// Polls a green thread in its span, where it has one.
    fn poll_traced(&self, key: Key, job: Pin<&dyn Job>, waker: &Waker) -> bool {
        match self.traced(key, waker) {
            Some(traced) => traced.poll(waker, |waker| self.poll_counted(key, job, waker)),
            None => self.poll_counted(key, job, waker),
        }
    }

    /// Polls a green thread with a waker of which clones are counted, where deadlocks are looked
    /// for.
    fn poll_counted(&self, key: Key, job: Pin<&dyn Job>, waker: &Waker) -> bool {
        let detector = &self.observer.detector;
        if detector.is_on() {
            let counted = detector.waker(key, waker);
            job.poll(&mut Context::from_waker(&counted)).is_ready()
        } else {
            job.poll(&mut Context::from_waker(waker)).is_ready()
        }
    }

    fn traced(&self, key: Key, waker: &Waker) -> Option<Traced> {
        let spans = &self.observer.spans;
        let spawned_at = self.place_of(key).filter(|_| spans.is_on())?;
        Some(spans.of(key, self.notes.name(key).as_deref(), spawned_at, waker))
    }

    /// Does what is to be done when nobody is ready, and returns whether somebody is then.
    pub(super) fn goes_on(&self, main: Key) -> bool {
        self.observer.when_idle();
        if self.timers() == 0 {
            self.observer.schedule().inspect(|schedule| schedule.when_idle());
        }
        if self.observer.detector.is_on() {
            self.look_for_deadlock(main);
        }
        self.ready() > 0 && !self.dead(main)
    }

    /// Returns where the work of a green thread is in memory, with its outcome.
    pub(super) fn range_of(&self, key: Key) -> Range<usize> {
        self.job(key).map_or(0..0, |job| {
            let start = ptr::from_ref(&*job).addr();
            start..start + size_of_val(&*job)
        })
    }
}
