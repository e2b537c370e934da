//! Names and states of green threads, for debugging.
//!
//! The scheduler needs none of this, so it is kept in a side table. A program that does not use it
//! pays one lookup in an empty map for each green thread that ends.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use tokio::time::Instant;

use super::job::Key;

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

/// The notes on green threads.
#[derive(Default)]
pub(crate) struct Notes {
    /// By serial number.
    of: RefCell<HashMap<u64, Note>>,
    /// Sources of names, asked during an inspection.
    namers: RefCell<Vec<Weak<dyn Names>>>,
}

/// Names green threads at the time of an inspection: for those that are too many and too
/// short-lived to be named one by one.
pub(crate) trait Names {
    /// Passes the names of those that it knows to `tell`.
    fn names(&self, tell: &mut dyn FnMut(Key, String));
}

#[derive(Default)]
struct Note {
    name: Option<Rc<str>>,
    last_turn: Option<Instant>,
}

impl Notes {
    pub(super) fn is_borrowed(&self) -> bool {
        self.of.try_borrow_mut().is_err() || self.namers.try_borrow_mut().is_err()
    }

    /// Records that the turn of a green thread is over.
    pub(super) fn turn_is_over(&self, key: Key) {
        self.note(key, |note| note.last_turn = Some(Instant::now()));
    }

    pub(super) fn forget_times(&self) {
        self.of.borrow_mut().values_mut().for_each(|note| note.last_turn = None);
    }

    #[inline]
    pub(super) fn forget(&self, key: Key) {
        let mut of = self.of.borrow_mut();
        if !of.is_empty() {
            of.remove(&key.serial());
        }
    }

    pub(super) fn name(&self, key: Key) -> Option<Rc<str>> {
        self.of.borrow().get(&key.serial())?.name.clone()
    }

    pub(super) fn last_turn(&self, key: Key) -> Option<Instant> {
        self.of.borrow().get(&key.serial())?.last_turn
    }

    pub(super) fn set_name(&self, key: Key, name: Rc<str>) {
        self.note(key, |note| note.name = Some(name));
    }

    /// Adds a source of names, which is asked during an inspection as long as it is alive.
    #[cfg_attr(not(feature = "wsgi"), expect(dead_code))]
    pub(crate) fn ask_for_names(&self, namer: Weak<dyn Names>) {
        let mut namers = self.namers.borrow_mut();
        namers.retain(|namer| namer.strong_count() > 0);
        namers.push(namer);
    }

    /// Returns the names from the sources, by serial number.
    pub(super) fn asked_for(&self) -> HashMap<u64, Rc<str>> {
        let namers: Vec<_> = self.namers.borrow().iter().filter_map(Weak::upgrade).collect();
        let mut asked_for = HashMap::new();
        for namer in namers {
            namer.names(&mut |key, name| drop(asked_for.insert(key.serial(), name.into())));
        }
        asked_for
    }

    #[cold]
    fn note(&self, key: Key, change: impl FnOnce(&mut Note)) {
        change(self.of.borrow_mut().entry(key.serial()).or_default());
    }
}
