//! Who lives in the hub: what [`debug`](crate::debug) shows.
//!
//! Running green threads takes none of this, so what is not in their slots anyway lies beside them, and a program
//! that asks for nothing pays one look at an empty map for each that ends.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;
use std::rc::Rc;

use tokio::time::Instant;

use super::scheduler::{Hub, Key};
use crate::watchdog::Stalls;

/// What a green thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It has not started, and waits for its first turn or for the time at which it is to start.
    New,
    /// It was woken, and waits for its turn.
    Ready,
    /// It has its turn.
    Running,
    /// It waits for something to happen.
    Waiting,
}

/// One green thread that has not ended.
pub(crate) struct Living {
    pub(crate) key: Key,
    pub(crate) name: Option<Rc<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) state: State,
    pub(crate) last_turn: Option<Instant>,
    pub(crate) stalls: Stalls,
}

/// What is noted of green threads.
#[derive(Default)]
pub(crate) struct Notes {
    /// By serial number.
    of: RefCell<HashMap<u64, Note>>,
}

#[derive(Default)]
struct Note {
    name: Option<Rc<str>>,
    last_turn: Option<Instant>,
}

impl Notes {
    /// Notes that the turn of a green thread is over.
    pub(super) fn turn_is_over(&self, key: Key) {
        self.note(key, |note| note.last_turn = Some(Instant::now()));
    }

    fn forget_times(&self) {
        self.of.borrow_mut().values_mut().for_each(|note| note.last_turn = None);
    }

    #[inline]
    pub(super) fn forget(&self, key: Key) {
        let mut of = self.of.borrow_mut();
        if !of.is_empty() {
            of.remove(&key.serial());
        }
    }

    #[cold]
    fn note(&self, key: Key, change: impl FnOnce(&mut Note)) {
        change(self.of.borrow_mut().entry(key.serial()).or_default());
    }
}

impl Hub {
    /// Names a green thread, unless it has ended.
    pub(crate) fn set_name(&self, key: Key, name: Rc<str>) {
        if !self.dead(key) {
            self.observer.set_name(key.serial(), &name);
            self.notes.note(key, |note| note.name = Some(name));
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
        self.notes.of.borrow().get(&key.serial())?.name.clone()
    }

    /// Returns all green threads that have not ended, in the order in which they were spawned.
    pub(crate) fn living(&self) -> Vec<Living> {
        let notes = self.notes.of.borrow();
        let mut living = self.map_slots(|key, slot| {
            let note = notes.get(&key.serial());
            Living {
                key,
                name: note.and_then(|note| note.name.clone()),
                spawned_at: slot.spawned_at,
                state: self.state_of(key, slot),
                last_turn: note.and_then(|note| note.last_turn),
                stalls: self.observer.stalls(key.serial()),
            }
        });
        living.sort_by_key(|living| living.key.serial());
        living
    }
}
