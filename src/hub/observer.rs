//! What is done around each turn for whoever observes the hub.
//!
//! A hub that nobody observes looks at one flag in each turn, and in each end of a green thread.

use std::cell::{Cell, RefCell};

use super::job::{Key, SpawnedAt};
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

    pub(super) fn rest(&self) {
        if let Some(watched) = &*self.watched.borrow() {
            watched.rest();
        }
    }

    /// Has the watchdog look at the hub, or at it no longer.
    pub(super) fn set_watched(&self, watched: Option<Watched>) {
        // The old one is dropped after the borrow.
        let _old = self.watched.replace(watched);
        self.change();
    }

    /// Returns how often the hub was blocked, where the watchdog looks at it.
    pub(super) fn all_stalls(&self) -> Stalls {
        self.watched.borrow().as_ref().map_or_else(Stalls::default, Watched::total)
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
