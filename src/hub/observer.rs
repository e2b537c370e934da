//! What is done around each turn for whoever observes the hub.
//!
//! A hub that nobody observes looks at one flag in each turn, and in each end of a green thread.

use std::cell::{Cell, RefCell};

use super::scheduler::{Hub, Key, SpawnedAt};
use crate::watchdog::{Stalls, Watched};

/// Who observes a hub.
#[derive(Default)]
pub(crate) struct Observer {
    /// Whether anybody does.
    on: Cell<bool>,
    /// Whether the time of each turn is noted.
    keeps_times: Cell<bool>,
    /// The blocking detector.
    watched: RefCell<Option<Watched>>,
}

impl Observer {
    /// Returns whether anybody observes the hub.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.on.get()
    }

    fn change(&self) {
        self.on.set(self.keeps_times.get() || self.watched.borrow().is_some());
    }

    pub(super) fn keeps_times(&self) -> bool {
        self.keeps_times.get()
    }

    pub(super) fn keep_times(&self, keep: bool) {
        self.keeps_times.set(keep);
        self.change();
    }

    /// Shows the watchdog that a green thread begins its turn, or its end.
    pub(super) fn begin(&self, key: Key, spawned_at: SpawnedAt) {
        if let Some(watched) = &*self.watched.borrow() {
            watched.begin(key.serial(), spawned_at);
        }
    }

    fn rest(&self) {
        if let Some(watched) = &*self.watched.borrow() {
            watched.rest();
        }
    }

    /// Returns how often a green thread blocked the hub.
    pub(super) fn stalls(&self, id: u64) -> Stalls {
        self.watched.borrow().as_ref().map_or_else(Stalls::default, |watched| watched.stalls(id))
    }

    pub(super) fn set_name(&self, id: u64, name: &str) {
        if let Some(watched) = &*self.watched.borrow() {
            watched.set_name(id, name);
        }
    }

    pub(super) fn forget(&self, id: u64) {
        if let Some(watched) = &*self.watched.borrow() {
            watched.forget(id);
        }
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
        // The old one is dropped after the borrow.
        let _old = self.observer.watched.replace(watched);
        self.observer.change();
        self.show(self.current());
    }

    /// Returns how often the hub was blocked, where the watchdog looks at it.
    pub(crate) fn all_stalls(&self) -> Stalls {
        let watched = self.observer.watched.borrow();
        watched.as_ref().map_or_else(Stalls::default, Watched::total)
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
