//! The green threads of a hub, each in a slot.
//!
//! This is a slab, with the serial numbers in it, and one difference: a green thread is written to its slot word by word. A
//! slot that is moved as a whole is read in other pieces than it was just written in, and a processor waits for the
//! writes then: that took a twelfth of each of 100,000 spawns.

use std::num::NonZeroU64;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

use super::scheduler::{Job, Key};
use super::waker::Name;

pub(super) struct Slots {
    slots: Vec<Slot>,
    /// The vacant slot that is taken next, and so the first of a chain, or [`END`].
    vacant: u32,
    /// Slots that are taken.
    len: usize,
}

/// Where a chain of vacant slots ends.
const END: u32 = u32::MAX;

/// The place of a green thread.
pub(super) struct Slot {
    /// `None` while the slot is vacant.
    serial: Option<NonZeroU64>,
    /// Whether its key is in the queue of those who are ready.
    pub(super) ready: bool,
    pub(super) started: bool,
    /// Whether it says itself when it starts: it was spawned to start later.
    delayed: bool,
    /// Whether it has a stack of its own.
    pub(super) stackful: bool,
    /// The next vacant slot, while this one is vacant.
    next: u32,
    pub(super) spawned_at: &'static Location<'static>,
    /// `None` while the slot is vacant.
    job: Option<Pin<Rc<dyn Job>>>,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots { slots: Vec::new(), vacant: END, len: 0 }
    }
}

impl Slots {
    /// Gives a green thread a slot, from which it is ready to start.
    #[inline]
    pub(super) fn insert(
        &mut self,
        serial: NonZeroU64,
        job: Pin<Rc<dyn Job>>,
        delayed: bool,
        spawned_at: &'static Location<'static>,
    ) -> Key {
        if self.vacant == END {
            self.add();
        }
        let at = self.vacant as usize;
        let slot = &mut self.slots[at];
        self.vacant = slot.next;
        slot.serial = Some(serial);
        slot.ready = true;
        slot.started = false;
        slot.delayed = delayed;
        slot.stackful = false;
        slot.spawned_at = spawned_at;
        slot.job = Some(job);
        self.len += 1;
        Key::new(at, serial)
    }

    /// Makes a slot where none is vacant.
    #[inline(never)]
    fn add(&mut self) {
        let at = u32::try_from(self.slots.len()).ok().filter(|at| *at != END);
        self.vacant = at.expect("four thousand million green threads are too many");
        self.slots.push(Slot::vacant());
    }

    /// Takes a green thread out. Its slot is the next one that is taken.
    pub(super) fn remove(&mut self, key: Key) -> Option<Pin<Rc<dyn Job>>> {
        let next = self.vacant;
        let slot = self.get_mut(key)?;
        slot.serial = None;
        slot.next = next;
        let job = slot.job.take();
        self.vacant = key.slot() as u32;
        self.len -= 1;
        job
    }

    /// Returns the slot of a green thread, unless it has ended.
    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key.slot())?;
        slot.is_of(key).then_some(slot)
    }

    /// Returns the slot of the green thread of that name, unless it has ended.
    #[inline]
    pub(super) fn get_named(&mut self, name: Name) -> Option<(Key, &mut Slot)> {
        let slot = self.slots.get_mut(name.slot())?;
        let serial = slot.serial.filter(|serial| name.is_serial(serial.get()))?;
        Some((Key::new(name.slot(), serial), slot))
    }

    /// Returns who is in a slot.
    #[inline]
    pub(super) fn key_at(&self, at: usize) -> Option<Key> {
        Some(Key::new(at, self.slots.get(at)?.serial?))
    }

    /// Returns how many slots are taken.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns how many slots there are, taken or vacant.
    pub(super) fn all(&self) -> usize {
        self.slots.len()
    }

    /// Returns all that are taken.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Slot)> {
        let taken = |(at, slot): (usize, _)| Some((self.key_at(at)?, slot));
        self.slots.iter().enumerate().filter_map(taken)
    }
}

impl Slot {
    fn vacant() -> Slot {
        Slot {
            serial: None,
            ready: false,
            started: false,
            delayed: false,
            stackful: false,
            next: END,
            spawned_at: Location::caller(),
            job: None,
        }
    }

    #[inline]
    fn is_of(&self, key: Key) -> bool {
        self.serial == Some(key.serial)
    }

    /// Returns the job, unless the slot is vacant.
    #[inline]
    pub(super) fn job(&self) -> Option<&Pin<Rc<dyn Job>>> {
        self.job.as_ref()
    }

    /// Takes the turn of its green thread, and returns what to run.
    #[inline]
    pub(super) fn take_turn(&mut self) -> Option<Pin<Rc<dyn Job>>> {
        self.ready = false;
        self.started |= !self.delayed;
        self.job.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use super::*;
    use crate::exit::Exit;

    struct Nothing;

    impl Job for Nothing {
        fn poll(self: Pin<&Self>, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }

        fn finish(self: Pin<Rc<Self>>, _exit: Option<Exit>) {}
    }

    fn insert(slots: &mut Slots, serial: u64) -> Key {
        let serial = NonZeroU64::new(serial).unwrap();
        slots.insert(serial, Rc::pin(Nothing), false, Location::caller())
    }

    fn serials(slots: &Slots) -> Vec<u64> {
        slots.iter().map(|(key, _slot)| key.serial()).collect()
    }

    #[test]
    fn the_slot_that_was_left_last_is_taken_next() {
        let mut slots = Slots::default();
        let keys = [1, 2, 3, 4].map(|serial| insert(&mut slots, serial));
        assert_eq!(keys.map(Key::slot), [0, 1, 2, 3]);
        assert!(slots.remove(keys[1]).is_some() && slots.remove(keys[3]).is_some());
        assert_eq!((slots.len(), slots.all(), serials(&slots)), (2, 4, vec![1, 3]));
        let again = [5, 6, 7].map(|serial| insert(&mut slots, serial));
        assert_eq!(again.map(Key::slot), [3, 1, 4]);
        assert_eq!((slots.len(), slots.all(), serials(&slots)), (5, 5, vec![1, 6, 3, 5, 7]));
    }

    #[test]
    fn a_key_that_is_stale_finds_nothing() {
        let mut slots = Slots::default();
        let old = insert(&mut slots, 1);
        let _job = slots.remove(old);
        assert!(slots.get_mut(old).is_none() && slots.remove(old).is_none());
        assert_eq!(slots.key_at(old.slot()), None);
        let new = insert(&mut slots, 2);
        assert_eq!(new.slot(), old.slot());
        assert!(slots.get_mut(old).is_none() && slots.remove(old).is_none());
        assert_eq!((slots.key_at(new.slot()), slots.len()), (Some(new), 1));
        assert_eq!(slots.key_at(1), None);
    }

    #[test]
    fn a_slot_that_is_taken_again_keeps_nothing_of_the_last_one() {
        let mut slots = Slots::default();
        let old = slots.insert(NonZeroU64::MIN, Rc::pin(Nothing), true, Location::caller());
        let slot = slots.get_mut(old).unwrap();
        (slot.ready, slot.started, slot.stackful) = (false, true, true);
        let _job = slots.remove(old);
        let new = insert(&mut slots, 2);
        let slot = slots.get_mut(new).unwrap();
        assert_eq!((slot.ready, slot.started, slot.stackful), (true, false, false));
        assert!(slot.take_turn().is_some() && slot.started && !slot.ready);
    }
}
