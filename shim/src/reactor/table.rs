//! Who waits for which descriptor of a hub, and what is remembered of it.

use std::cell::{Cell, RefCell};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use super::shared::{Moment, Woken, shared_by};

/// One call that waits for some descriptors.
#[derive(Default)]
pub(super) struct Wait {
    pub(super) woken: Cell<Option<Woken>>,
    pub(super) waker: RefCell<Option<Waker>>,
}

impl Wait {
    /// Ends it, and returns who is to be woken.
    fn end(&self, woken: Woken) -> Option<Waker> {
        self.woken.set(Some(self.woken.get().unwrap_or(woken)));
        self.waker.take()
    }
}

pub(super) struct Waiter {
    pub(super) interest: u32,
    pub(super) generation: u32,
    pub(super) trust: Trust,
    pub(super) wait: Rc<Wait>,
}

/// Whether a wait began on what is remembered.
#[derive(PartialEq, Eq)]
pub(super) enum Trust {
    Asked,
    New,
    /// It has seen a tick.
    Old,
}

#[derive(Clone, Copy)]
pub(super) struct Registered {
    pub(super) interests: u32,
    pub(super) generation: u32,
}

pub(super) fn is_registered(
    registered: Option<Registered>,
    interests: u32,
    generation: u32,
) -> bool {
    registered.is_some_and(|registered| {
        registered.generation == generation && registered.interests & interests == interests
    })
}

/// What is known of one descriptor, and who waits for it.
pub(super) struct Entry {
    pub(super) waiters: Vec<Waiter>,
    pub(super) registered: Option<Registered>,
    /// For what it is known to wait without a limit, and since when.
    pub(super) patient: u32,
    pub(super) known_since: Moment,
    /// How many events found nobody, one after the other.
    pub(super) unclaimed: u8,
}

impl Entry {
    const EMPTY: Entry = Entry {
        waiters: Vec::new(),
        registered: None,
        patient: 0,
        known_since: Moment::NEVER,
        unclaimed: 0,
    };

    /// Forgets all but who waits.
    pub(super) fn forget(&mut self) {
        (self.registered, self.patient) = (None, 0);
    }

    /// Ends some of the waits, and returns whether there were any.
    pub(super) fn end(
        &mut self,
        descriptor: RawFd,
        woken: Woken,
        mut which: impl FnMut(&mut Waiter) -> bool,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let before = self.waiters.len();
        self.waiters.retain_mut(|waiter| {
            let ends = which(waiter);
            if ends {
                shared_by(descriptor).waiting.fetch_sub(1, Ordering::SeqCst);
                wakers.extend(waiter.wait.end(woken));
            }
            !ends
        });
        self.waiters.len() < before
    }
}

const CHUNK: usize = 256;

/// The entries by descriptor, in chunks that are made when they are needed.
#[derive(Default)]
pub(super) struct Table(Vec<Option<Box<[Entry]>>>);

/// Not inlined, and made where it stays: it has several pages, which no green stack is to have.
#[cold]
#[inline(never)]
fn new_chunk() -> Box<[Entry]> {
    (0..CHUNK).map(|_| Entry::EMPTY).collect()
}

impl Table {
    pub(super) fn entry(&mut self, descriptor: RawFd) -> &mut Entry {
        let (chunk, at) = (descriptor as usize / CHUNK, descriptor as usize % CHUNK);
        if self.0.len() <= chunk {
            self.0.resize_with(chunk + 1, || None);
        }
        &mut self.0[chunk].get_or_insert_with(new_chunk)[at]
    }

    /// The entry of a descriptor, if there may be something in it.
    pub(super) fn get(&mut self, descriptor: RawFd) -> Option<&mut Entry> {
        let (chunk, at) = (descriptor as usize / CHUNK, descriptor as usize % CHUNK);
        Some(&mut self.0.get_mut(chunk)?.as_mut()?[at])
    }

    /// All entries in which there may be something, with their descriptors.
    pub(super) fn entries(&mut self) -> impl Iterator<Item = (RawFd, &mut Entry)> {
        self.0.iter_mut().enumerate().flat_map(|(number, chunk)| {
            let entries = chunk.iter_mut().flat_map(|chunk| chunk.iter_mut());
            entries.enumerate().map(move |(at, entry)| ((number * CHUNK + at) as RawFd, entry))
        })
    }
}
