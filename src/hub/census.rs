//! Who lives in the hub, and what it shows to whoever observes it: see [`debug`](crate::debug).

use std::rc::Rc;

use tokio::time::Instant;

use super::job::{Key, SpawnedAt};
use super::notes::State;
use super::scheduler::Hub;
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

    /// Notes the time of every turn from now on, or no longer.
    pub(crate) fn keep_times(&self, keep: bool) {
        self.observer.keep_times(keep);
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
        self.set_watched(None);
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

    /// Does what is due after a turn.
    pub(super) fn turn_is_over(&self, key: Key) {
        self.show(None);
        if self.observer.keeps_times() {
            self.notes.turn_is_over(key);
        }
    }
}
