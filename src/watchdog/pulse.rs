//! What a hub and the watchdog share.
//!
//! The hub writes, without a lock, whose turn it is. Each turn has a number of its own, and so have
//! the parts of one in which another green thread is ended. The watchdog reads the number before
//! and after the rest: where it is the same, so is the turn.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Dispatch, dispatcher};

use super::capture::Target;
use super::place::AtomicPlace;

/// How often something was blocked, and for how long in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stalls {
    pub(crate) count: u64,
    pub(crate) total: Duration,
}

/// The turn that a hub is in.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub(super) number: u64,
    /// Of the green thread whose turn it is.
    pub(super) id: u64,
    pub(super) spawned_at: &'static Location<'static>,
}

pub(crate) struct Pulse {
    /// The number of the turn, or 0 between turns.
    number: AtomicU64,
    id: AtomicU64,
    spawned_at: AtomicPlace,
    known: Mutex<Known>,
    pub(super) limit: Duration,
    /// The hub's OS thread.
    pub(super) target: Target,
    pub(super) thread: Option<String>,
    /// The log of the hub's OS thread, which may be another than that of the watchdog.
    pub(super) log: Dispatch,
}

/// What is known of green threads by their numbers. Those that have ended are forgotten.
#[derive(Default)]
struct Known {
    names: HashMap<u64, String>,
    stalls: HashMap<u64, Stalls>,
    /// Of all green threads, those that have ended included.
    total: Stalls,
}

impl Pulse {
    /// Makes the pulse of this OS thread's hub.
    pub(super) fn new(limit: Duration) -> Pulse {
        Pulse {
            number: AtomicU64::new(0),
            id: AtomicU64::new(0),
            spawned_at: AtomicPlace::none(),
            known: Mutex::default(),
            limit,
            target: Target::this_thread(),
            thread: thread::current().name().map(str::to_owned),
            log: dispatcher::get_default(Dispatch::clone),
        }
    }

    /// Notes that a turn begins, which is given this number. Called on the hub's OS thread.
    #[inline]
    pub(super) fn begin(&self, number: u64, id: u64, spawned_at: &'static Location<'static>) {
        self.number.store(0, Ordering::Relaxed);
        // Whoever reads what follows, and then the number, reads 0 or a later one.
        fence(Ordering::Release);
        self.id.store(id, Ordering::Relaxed);
        self.spawned_at.set(spawned_at);
        self.number.store(number, Ordering::Release);
    }

    /// Notes that nobody has a turn. Called on the hub's OS thread.
    #[inline]
    pub(super) fn rest(&self) {
        self.number.store(0, Ordering::Relaxed);
    }

    /// Returns the turn that the hub is in, unless it is between two. Called on any OS thread.
    pub(super) fn turn(&self) -> Option<Turn> {
        let number = self.number.load(Ordering::Acquire);
        let (id, spawned_at) = (self.id.load(Ordering::Relaxed), self.spawned_at.get()?);
        fence(Ordering::Acquire);
        (number != 0 && self.is_in(number)).then_some(Turn { number, id, spawned_at })
    }

    /// Returns whether the hub still is in a turn.
    pub(super) fn is_in(&self, number: u64) -> bool {
        self.number.load(Ordering::Relaxed) == number
    }

    pub(super) fn set_name(&self, id: u64, name: &str) {
        self.known().names.insert(id, name.to_owned());
    }

    pub(super) fn name(&self, id: u64) -> Option<String> {
        self.known().names.get(&id).cloned()
    }

    /// Notes that a green thread has ended. Called in its last turn, which ends with this.
    pub(super) fn forget(&self, id: u64) {
        let mut known = self.known();
        self.rest();
        known.names.remove(&id);
        known.stalls.remove(&id);
    }

    /// Notes that a turn is a stall, and returns whether it is: it may be over by now.
    pub(super) fn count(&self, turn: &Turn) -> bool {
        let mut known = self.known();
        // With the lock: a green thread that ends now is forgotten after this.
        let stalls = self.is_in(turn.number);
        if stalls {
            known.stalls.entry(turn.id).or_default().count += 1;
            known.total.count += 1;
        }
        stalls
    }

    /// Notes how long a stall took, in addition to what was noted before.
    pub(super) fn add(&self, turn: &Turn, time: Duration) {
        let mut known = self.known();
        known.total.total += time;
        if let Some(stalls) = known.stalls.get_mut(&turn.id) {
            stalls.total += time;
        }
    }

    pub(super) fn stalls(&self, id: u64) -> Stalls {
        self.known().stalls.get(&id).copied().unwrap_or_default()
    }

    pub(super) fn total(&self) -> Stalls {
        self.known().total
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_seen_until_it_is_over() {
        let (pulse, here) = (Pulse::new(Duration::from_secs(1)), Location::caller());
        assert!(pulse.turn().is_none());
        pulse.begin(1, 42, here);
        let turn = pulse.turn().unwrap();
        assert_eq!((turn.number, turn.id, turn.spawned_at), (1, 42, here));
        pulse.begin(2, 43, here);
        assert!(!pulse.is_in(turn.number) && pulse.turn().unwrap().id == 43);
        pulse.rest();
        assert!(pulse.turn().is_none());
    }

    #[test]
    fn of_a_green_thread_that_has_ended_only_the_total_is_left() {
        let (pulse, here) = (Pulse::new(Duration::from_secs(1)), Location::caller());
        pulse.begin(1, 42, here);
        let turn = pulse.turn().unwrap();
        assert!(pulse.count(&turn));
        pulse.add(&turn, Duration::from_secs(3));
        assert_eq!(pulse.stalls(42).total, Duration::from_secs(3));
        pulse.forget(42);
        assert!(!pulse.count(&turn), "it was counted after its end");
        pulse.add(&turn, Duration::from_secs(1));
        assert_eq!((pulse.stalls(42).count, pulse.total().count), (0, 1));
        assert_eq!(pulse.total().total, Duration::from_secs(4));
    }

    #[test]
    fn no_turn_is_seen_as_another() {
        let (pulse, here) = (Pulse::new(Duration::from_secs(1)), Location::caller());
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = 0;
                while seen < 100_000 {
                    let Some(turn) = pulse.turn() else { continue };
                    assert_eq!(turn.id, turn.number * 3);
                    seen = turn.number;
                }
            });
            (1..=100_000).for_each(|number| pulse.begin(number, number * 3, here));
            reader.join().unwrap();
        });
    }
}
