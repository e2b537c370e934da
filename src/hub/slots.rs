//! The green threads of a hub, each in a slot, and the queue of the ready ones.
//!
//! This is a slab, with the serial numbers in it, and two differences.
//!
//! A slot is always in one chain at most: that of the vacant ones, or the queue. So both go through
//! the slots themselves, and waking a green thread never allocates.
//!
//! And fields are stored one by one. Moving a whole `Slot` compiles to wide loads of bytes that
//! narrower stores have just written, which stalls store forwarding: a twelfth of each of 100,000
//! spawns.

use std::iter;
use std::num::NonZeroU64;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

use super::job::{Job, Key, SpawnedAt};
use super::wake_id::WakeId;

pub(super) struct Slots {
    slots: Vec<Slot>,
    /// The vacant slot that is taken next, or [`END`].
    vacant: u32,
    /// The slot whose turn is next, or [`END`].
    first: u32,
    /// The last of the queue, while there is one.
    last: u32,
    /// How many are in the queue.
    ready: usize,
    /// Slots that are taken.
    len: usize,
    /// A bit for each slot, set while it is taken: iterating over a few in a large table skips 64
    /// vacant ones at a time.
    taken: Vec<u64>,
}

/// Where a chain ends.
const END: u32 = u32::MAX;

/// The place of a green thread.
pub(super) struct Slot {
    /// `None` while the slot is vacant.
    serial: Option<NonZeroU64>,
    /// Whether it is in the queue. The slot of a green thread killed there becomes vacant when its
    /// turn comes.
    pub(super) ready: bool,
    pub(super) started: bool,
    /// Whether its own code says when it starts: it was spawned to start later.
    delayed: bool,
    /// The next slot in its chain.
    next: u32,
    pub(super) spawned_at: &'static Location<'static>,
    /// `None` while the slot is vacant.
    job: Option<Pin<Rc<dyn Job>>>,
}

/// Whose turn it is.
pub(super) enum Next {
    Nobody,
    /// A green thread that was killed while it was ready.
    Gone,
    Ready(Key, Pin<Rc<dyn Job>>),
}

impl Default for Slots {
    fn default() -> Slots {
        Slots {
            slots: Vec::new(),
            vacant: END,
            first: END,
            last: END,
            ready: 0,
            len: 0,
            taken: Vec::new(),
        }
    }
}

impl Slots {
    /// Gives a green thread a slot, and appends it to the queue.
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
        let at = self.vacant;
        let slot = &mut self.slots[at as usize];
        self.vacant = slot.next;
        slot.serial = Some(serial);
        slot.ready = true;
        slot.started = false;
        slot.delayed = delayed;
        slot.spawned_at = spawned_at;
        slot.next = END;
        slot.job = Some(job);
        self.len += 1;
        self.taken[at as usize / 64] |= 1 << (at % 64);
        self.append(at);
        Key::new(at as usize, serial)
    }

    /// Adds a slot, as none is vacant.
    #[inline(never)]
    fn add(&mut self) {
        let at = u32::try_from(self.slots.len()).ok().filter(|at| *at != END);
        self.vacant = at.expect("four thousand million green threads are too many");
        if self.slots.len() % 64 == 0 {
            self.taken.push(0);
        }
        self.slots.push(Slot::vacant());
    }

    /// Removes a green thread, and returns where it was spawned. Its slot is reused next, unless it
    /// is in the queue.
    pub(super) fn remove(&mut self, key: Key) -> Option<(Pin<Rc<dyn Job>>, SpawnedAt)> {
        let vacant = self.vacant;
        let slot = self.get_mut(key)?;
        slot.serial = None;
        let removed = slot.job.take().map(|job| (job, slot.spawned_at));
        if !slot.ready {
            slot.next = vacant;
            self.vacant = key.slot() as u32;
        }
        self.len -= 1;
        self.taken[key.slot() / 64] &= !(1 << (key.slot() % 64));
        removed
    }

    /// Appends that green thread to the queue, unless it has ended or is there already, and returns
    /// whether it did.
    #[inline]
    pub(super) fn wake(&mut self, id: WakeId) -> bool {
        let Some(slot) = self.slots.get_mut(id.slot()) else { return false };
        let wakes = !slot.ready && slot.serial.is_some_and(|it| id.is_serial(it.get()));
        if wakes {
            slot.ready = true;
            slot.next = END;
            self.append(id.slot() as u32);
        }
        wakes
    }

    /// Links a slot that is ready to the end of the queue.
    #[inline]
    fn append(&mut self, at: u32) {
        if self.first == END {
            self.first = at;
        } else {
            self.slots[self.last as usize].next = at;
        }
        self.last = at;
        self.ready += 1;
    }

    /// Takes the first out of the queue, for its turn.
    #[inline]
    pub(super) fn take_turn(&mut self) -> Next {
        let at = self.first;
        let Some(slot) = self.slots.get_mut(at as usize) else {
            return Next::Nobody;
        };
        self.first = slot.next;
        self.ready -= 1;
        slot.ready = false;
        let (Some(serial), Some(job)) = (slot.serial, &slot.job) else {
            slot.next = self.vacant;
            self.vacant = at;
            return Next::Gone;
        };
        slot.started |= !slot.delayed;
        Next::Ready(Key::new(at as usize, serial), job.clone())
    }

    /// Moves the green thread that is behind so many others to the front of the queue.
    pub(super) fn prefer(&mut self, after: usize) {
        let before = match after.checked_sub(1) {
            Some(between) => (0..between).fold(self.first, |at, _| self.slots[at as usize].next),
            None => return,
        };
        let at = self.slots[before as usize].next;
        self.slots[before as usize].next = self.slots[at as usize].next;
        self.slots[at as usize].next = self.first;
        self.first = at;
        if self.last == at {
            self.last = before;
        }
    }

    /// Returns how many are in the queue.
    #[inline]
    pub(super) fn ready(&self) -> usize {
        self.ready
    }

    /// Returns those whose turns are among the next `most`, with their slots. Those that are gone
    /// count, too: there may be any number of them.
    pub(super) fn next(&self, most: usize) -> impl Iterator<Item = (usize, &dyn Job)> {
        let first = self.slots.get(self.first as usize).map(|slot| (self.first, slot));
        let queue = iter::successors(first, |(_at, slot)| {
            self.slots.get(slot.next as usize).map(|next| (slot.next, next))
        });
        queue.take(most).filter_map(|(at, slot)| Some((at as usize, &**slot.job.as_ref()?)))
    }

    /// Returns the slot of a green thread, unless it has ended.
    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key.slot())?;
        key.has_serial(slot.serial).then_some(slot)
    }

    /// Returns the green thread in a slot.
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
        self.taken.iter().zip((0..).step_by(64)).flat_map(move |(word, first)| {
            ones(*word)
                .filter_map(move |bit| Some((self.key_at(first + bit)?, &self.slots[first + bit])))
        })
    }
}

/// Returns the numbers of the bits that are set, from the lowest on.
fn ones(word: u64) -> impl Iterator<Item = usize> {
    let left = |word: &u64| Some(word & (word - 1)).filter(|left| *left != 0);
    let words = iter::successors(Some(word).filter(|word| *word != 0), left);
    words.map(|word| word.trailing_zeros() as usize)
}

impl Slot {
    pub(super) fn job(&self) -> Option<Pin<Rc<dyn Job>>> {
        self.job.clone()
    }

    fn vacant() -> Slot {
        Slot {
            serial: None,
            ready: false,
            started: false,
            delayed: false,
            next: END,
            spawned_at: Location::caller(),
            job: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashSet, VecDeque};
    use std::task::{Context, Poll};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::exit::Exit;

    struct Nothing;

    impl Job for Nothing {
        fn poll(self: Pin<&Self>, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }

        fn finish(self: Pin<Rc<Self>>, _exit: Option<Exit>, _spawned_at: SpawnedAt) {}
    }

    fn insert(slots: &mut Slots, serial: u64) -> Key {
        let serial = NonZeroU64::new(serial).unwrap();
        slots.insert(serial, Rc::pin(Nothing), false, Location::caller())
    }

    /// Inserts a green thread that has had its first turn. No other may be ready.
    fn insert_waiting(slots: &mut Slots, serial: u64) -> Key {
        let key = insert(slots, serial);
        assert_eq!(turn(slots), Some(Some(key)));
        key
    }

    /// Takes a turn: of none, of one that is gone, or of a green thread.
    fn turn(slots: &mut Slots) -> Option<Option<Key>> {
        match slots.take_turn() {
            Next::Nobody => None,
            Next::Gone => Some(None),
            Next::Ready(key, _job) => Some(Some(key)),
        }
    }

    fn wake(slots: &mut Slots, key: Key) -> bool {
        slots.wake(WakeId::new(0, key))
    }

    fn serials(slots: &Slots) -> Vec<u64> {
        slots.iter().map(|(key, _slot)| key.serial()).collect()
    }

    #[test]
    fn the_slot_that_was_left_last_is_taken_next() {
        let mut slots = Slots::default();
        let keys = [1, 2, 3, 4].map(|serial| insert_waiting(&mut slots, serial));
        assert_eq!(keys.map(Key::slot), [0, 1, 2, 3]);
        assert!(slots.remove(keys[1]).is_some() && slots.remove(keys[3]).is_some());
        assert_eq!((slots.len(), slots.all(), serials(&slots)), (2, 4, vec![1, 3]));
        let again = [5, 6, 7].map(|serial| insert(&mut slots, serial));
        assert_eq!(again.map(Key::slot), [3, 1, 4]);
        assert_eq!((slots.len(), slots.all(), serials(&slots)), (5, 5, vec![1, 6, 3, 5, 7]));
    }

    #[test]
    fn whoever_is_preferred_comes_first_and_the_others_keep_their_order() {
        for (after, expected) in [(0, [1, 2, 3, 4]), (1, [2, 1, 3, 4]), (3, [4, 1, 2, 3])] {
            let mut slots = Slots::default();
            let _keys = [1, 2, 3].map(|serial| insert(&mut slots, serial));
            insert(&mut slots, 4);
            slots.prefer(after);
            let turns = [(); 4].map(|()| turn(&mut slots).flatten().unwrap().serial());
            assert_eq!((turns, turn(&mut slots)), (expected, None));
            insert(&mut slots, 5);
            assert_eq!(turn(&mut slots).flatten().unwrap().serial(), 5);
        }
    }

    #[test]
    fn a_key_that_is_stale_finds_nothing() {
        let mut slots = Slots::default();
        let old = insert_waiting(&mut slots, 1);
        let _job = slots.remove(old);
        let finds = |slots: &mut Slots| slots.get_mut(old).is_some() || wake(slots, old);
        assert!(!finds(&mut slots) && slots.remove(old).is_none());
        assert_eq!(slots.key_at(old.slot()), None);
        let new = insert_waiting(&mut slots, 2);
        assert_eq!(new.slot(), old.slot());
        assert!(!finds(&mut slots) && slots.remove(old).is_none());
        assert_eq!((slots.key_at(new.slot()), slots.len()), (Some(new), 1));
        assert_eq!(slots.key_at(1), None);
    }

    #[test]
    fn a_slot_that_is_taken_again_keeps_nothing_of_the_last_one() {
        let mut slots = Slots::default();
        let old = slots.insert(NonZeroU64::MIN, Rc::pin(Nothing), true, Location::caller());
        assert_eq!(turn(&mut slots), Some(Some(old)));
        let slot = slots.get_mut(old).unwrap();
        assert!(!slot.started, "it says itself when it starts");
        slot.started = true;
        let _job = slots.remove(old);
        let new = insert(&mut slots, 2);
        let slot = slots.get_mut(new).unwrap();
        assert_eq!((slot.ready, slot.started), (true, false));
        assert_eq!(turn(&mut slots), Some(Some(new)));
        let slot = slots.get_mut(new).unwrap();
        assert_eq!((slot.ready, slot.started), (false, true));
    }

    #[test]
    fn whoever_is_killed_in_the_queue_leaves_a_slot_that_nobody_has_before_its_turn() {
        let mut slots = Slots::default();
        let keys = [1, 2, 3].map(|serial| insert(&mut slots, serial));
        assert!(slots.remove(keys[1]).is_some());
        let fourth = insert(&mut slots, 4);
        assert_eq!((fourth.slot(), slots.ready(), slots.len()), (3, 4, 3));
        let shown: Vec<usize> = slots.next(9).map(|(slot, _job)| slot).collect();
        assert_eq!(shown, [0, 2, 3]);
        let turns: Vec<_> = iter::from_fn(|| turn(&mut slots)).collect();
        assert_eq!(turns, [Some(keys[0]), None, Some(keys[2]), Some(fourth)]);
        assert_eq!(insert(&mut slots, 5).slot(), keys[1].slot());
    }

    #[test]
    fn whoever_is_gone_counts_where_the_next_ones_are_shown() {
        let mut slots = Slots::default();
        let keys: Vec<_> = (1..=20).map(|serial| insert(&mut slots, serial)).collect();
        for key in &keys[..19] {
            let _job = slots.remove(*key);
        }
        assert_eq!(slots.next(8).count(), 0, "no walk through the 19 to the one that is left");
        assert_eq!(slots.next(20).count(), 1);
    }

    #[test]
    fn a_walk_over_few_in_a_large_table_skips_what_is_vacant() {
        let mut slots = Slots::default();
        let keys: Vec<_> = (1..=6_400).map(|serial| insert_waiting(&mut slots, serial)).collect();
        for key in &keys {
            if ![1, 64, 65, 6_400].contains(&key.serial()) {
                let _job = slots.remove(*key);
            }
        }
        assert_eq!(serials(&slots), [1, 64, 65, 6_400]);
        let looks =
            slots.taken.len() + slots.taken.iter().map(|word| ones(*word).count()).sum::<usize>();
        assert_eq!((slots.all(), looks), (6_400, 104));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert,
        Wake(usize),
        Remove(usize),
        TakeTurn,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let whom = 0..20_usize;
        let step = prop_oneof![
            3 => Just(Step::Insert),
            3 => whom.clone().prop_map(Step::Wake),
            2 => whom.prop_map(Step::Remove),
            4 => Just(Step::TakeTurn),
        ];
        vec(step, 0..200)
    }

    proptest! {
        /// The queue behaves as a plain list of keys, whatever the order of wakeups and kills.
        #[test]
        fn turns_come_in_the_order_in_which_green_threads_became_ready(steps in steps()) {
            let mut slots = Slots::default();
            let (mut all, mut alive, mut queue) = (Vec::new(), HashSet::new(), VecDeque::new());
            for step in steps {
                match step {
                    Step::Insert => {
                        let key = insert(&mut slots, all.len() as u64 + 1);
                        prop_assert!(all.iter().all(|it: &Key| !alive.contains(it) || it.slot() != key.slot()));
                        all.push(key);
                        alive.insert(key);
                        queue.push_back(key);
                    }
                    Step::Wake(whom) => if let Some(key) = all.get(whom) {
                        let is_new = alive.contains(key) && !queue.contains(key);
                        prop_assert_eq!(wake(&mut slots, *key), is_new);
                        if is_new {
                            queue.push_back(*key);
                        }
                    },
                    Step::Remove(whom) => if let Some(key) = all.get(whom) {
                        prop_assert_eq!(slots.remove(*key).is_some(), alive.remove(key));
                    },
                    Step::TakeTurn => {
                        let next = queue.pop_front().map(|key| Some(key).filter(|it| alive.contains(it)));
                        prop_assert_eq!(turn(&mut slots), next);
                    }
                }
                prop_assert_eq!((slots.len(), slots.ready()), (alive.len(), queue.len()));
                prop_assert_eq!(slots.iter().map(|(key, _slot)| key).collect::<HashSet<_>>(), alive.clone());
            }
        }
    }
}
