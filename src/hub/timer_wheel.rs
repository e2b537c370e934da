//! A timer wheel, for many timers of which most are cancelled before they are due.
//!
//! Adding and removing take constant time, and a removed entry leaves nothing behind. A heap, which
//! this replaces, keeps cancelled entries until it is swept, and moves entries for each one that is
//! due.
//!
//! An entry is fresh at first: it is in a separate bucket until [`Wheel::sort`] computes its slot,
//! so an entry that is removed before that never costs the computation.
//!
//! Time goes in ticks. Level 0 has a slot for each of the next 64 ticks, level 1 a slot for each 64
//! ticks, level 2 for each 64 × 64, and so on. An entry is in the bucket of a slot of the highest
//! level in which its tick differs from the wheel's; when the wheel gets there, the entries of the
//! slot move down to where they now belong. The idea is Varghese and Lauck's, the arithmetic
//! Tokio's. Those link the entries of a slot to each other. Here a bucket is an array of keys, so
//! that the cache misses of its scattered entries overlap: with 100,000 entries, those are most of
//! the work.

use std::mem;

use slab::Slab;

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// Six levels cover two years of milliseconds. An entry further away is in the last slot, and is
/// placed again when the wheel gets there.
const LEVELS: usize = 6;
const REACH: u64 = (SLOTS as u64 - 1) << (SLOT_BITS * (LEVELS as u32 - 1));

/// Keys that an empty bucket keeps its memory for.
const KEPT: usize = 256;

/// What can be in a wheel.
pub(super) trait Due {
    /// Returns when it comes: always the same.
    fn tick(&self) -> u64;
}

pub(super) struct Wheel<T> {
    entries: Slab<Entry<T>>,
    levels: Box<[Level; LEVELS]>,
    /// Entries without a slot in the wheel.
    fresh: Bucket,
    /// The tick up to which everything has been taken out.
    now: u64,
}

/// The keys of entries.
type Bucket = Vec<u32>;

struct Level {
    /// A bit for each slot that is not empty.
    occupied: u64,
    slots: [Bucket; SLOTS],
}

struct Entry<T> {
    value: T,
    position: Position,
    /// Where its key is in its bucket.
    at: u32,
}

/// Which bucket an entry is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Fresh,
    Slot {
        level: u8,
        slot: u8,
    },
    /// In none, as its tick has come.
    Out,
}

impl<T: Due> Wheel<T> {
    pub(super) fn new() -> Wheel<T> {
        let levels = Box::new([const { Level::new() }; LEVELS]);
        Wheel { entries: Slab::new(), levels, fresh: Bucket::new(), now: 0 }
    }

    /// Returns all entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_key, entry)| &entry.value)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds an entry, which is fresh, and returns its key.
    #[inline]
    pub(super) fn insert(&mut self, value: T) -> usize {
        let at = self.fresh.len() as u32;
        let key = self.entries.insert(Entry { value, position: Position::Fresh, at });
        self.fresh.push(key as u32);
        key
    }

    /// Moves every fresh entry to its slot. One whose tick is not in the future is put
    /// [out](Wheel::is_out).
    #[inline]
    pub(super) fn sort(&mut self, mut out: impl FnMut(usize, &T)) {
        if !self.fresh.is_empty() {
            let mut fresh = mem::take(&mut self.fresh);
            self.place_all(&mut fresh, &mut out);
            self.fresh = fresh;
        }
    }

    /// Returns everything that is fresh.
    pub(super) fn fresh(&self) -> impl Iterator<Item = &T> {
        self.all_in(&self.fresh)
    }

    /// Removes an entry: fresh, in the wheel or out.
    #[inline]
    pub(super) fn remove(&mut self, key: usize) -> T {
        // Most often the entry that was set last is removed.
        if self.fresh.last() == Some(&(key as u32)) {
            self.fresh.pop();
        } else {
            self.leave_bucket(key);
        }
        self.entries.remove(key).value
    }

    fn leave_bucket(&mut self, key: usize) {
        let &Entry { position, at, .. } = &self.entries[key];
        let bucket = match position {
            Position::Fresh => &mut self.fresh,
            Position::Slot { level, slot } => &mut self.levels[level as usize].slots[slot as usize],
            Position::Out => return,
        };
        bucket.swap_remove(at as usize);
        if let Some(moved) = bucket.get(at as usize) {
            self.entries[*moved as usize].at = at;
        }
        if bucket.is_empty() {
            bucket.shrink_to(KEPT);
            if let Position::Slot { level, slot } = position {
                self.levels[level as usize].occupied &= !(1 << slot);
            }
        }
    }

    /// Returns whether the tick of an entry has come. It stays until it is removed.
    pub(super) fn is_out(&self, key: usize) -> bool {
        self.entries[key].position == Position::Out
    }

    #[inline]
    pub(super) fn get(&self, key: usize) -> &T {
        &self.entries[key].value
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: usize) -> &mut T {
        &mut self.entries[key].value
    }

    /// Returns a tick at which the wheel should be advanced: nothing but fresh entries is due
    /// before it.
    pub(super) fn next_tick(&self) -> Option<u64> {
        self.next_slot().map(|(_, _, tick)| tick)
    }

    /// Returns all entries of the next tick, if that is known yet.
    pub(super) fn at_next_tick(&self) -> impl Iterator<Item = &T> {
        let slot = self.next_slot().filter(|(level, _, _)| *level == 0);
        slot.into_iter().flat_map(|(level, slot, _)| self.all_in(&self.levels[level].slots[slot]))
    }

    fn all_in(&self, bucket: &Bucket) -> impl Iterator<Item = &T> {
        bucket.iter().map(|key| &self.entries[*key as usize].value)
    }

    /// Advances to a tick, and puts out all entries that are due by then, in no particular order.
    pub(super) fn advance(&mut self, to: u64, mut out: impl FnMut(usize, &T)) {
        while let Some((level, slot, tick)) = self.next_slot().filter(|(_, _, tick)| *tick <= to) {
            self.now = tick;
            let mut bucket = self.levels[level].empty_slot(slot);
            self.place_all(&mut bucket, &mut out);
            // None of them has returned to this bucket, as the tick at which the slot begins has
            // come.
            self.levels[level].slots[slot] = bucket;
        }
        self.now = self.now.max(to);
    }

    /// Returns the next slot that is not empty, and the tick at which it begins.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let (at, level) = self.levels.iter().enumerate().find(|(_, level)| level.occupied != 0)?;
        let shift = SLOT_BITS * at as u32;
        let current = self.now >> shift;
        let ahead = level.occupied.rotate_right((current % SLOTS as u64) as u32).trailing_zeros();
        let slot = current + u64::from(ahead);
        Some((at, (slot % SLOTS as u64) as usize, slot << shift))
    }

    /// Empties a bucket, and moves its entries to their slots, or out if their tick has come.
    fn place_all(&mut self, bucket: &mut Bucket, out: &mut impl FnMut(usize, &T)) {
        for key in bucket.drain(..) {
            let entry = &mut self.entries[key as usize];
            let tick = entry.value.tick();
            if tick <= self.now {
                entry.position = Position::Out;
                out(key as usize, &entry.value);
                continue;
            }
            let (level, slot) = place(self.now, tick);
            let level_there = &mut self.levels[level];
            let there = &mut level_there.slots[slot];
            entry.position = Position::Slot { level: level as u8, slot: slot as u8 };
            entry.at = there.len() as u32;
            there.push(key);
            level_there.occupied |= 1 << slot;
        }
        bucket.shrink_to(KEPT);
    }
}

/// Returns the level and the slot of a future tick.
fn place(now: u64, tick: u64) -> (usize, usize) {
    // A tick too far away would be in a slot that the wheel reaches too soon.
    let tick = tick.min(now + REACH);
    // It is in the future, so it does differ.
    let level = (now ^ tick).ilog2() / SLOT_BITS;
    let level = level.min(LEVELS as u32 - 1);
    (level as usize, (tick >> (SLOT_BITS * level)) as usize % SLOTS)
}

impl Level {
    const fn new() -> Level {
        Level { occupied: 0, slots: [const { Bucket::new() }; SLOTS] }
    }

    fn empty_slot(&mut self, slot: usize) -> Bucket {
        self.occupied &= !(1 << slot);
        mem::take(&mut self.slots[slot])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Sort,
        Remove(usize),
        Advance(u64),
    }

    fn span() -> impl Strategy<Value = u64> {
        prop_oneof![0..3_u64, 0..130_u64, 0..300_000_u64, 0..=2 * REACH]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => prop_oneof![9 => span(), 1 => Just(u64::MAX / 4)].prop_map(Step::Insert),
            2 => Just(Step::Sort),
            2 => any::<usize>().prop_map(Step::Remove),
            2 => span().prop_map(Step::Advance),
        ]
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Stage {
        Fresh,
        In,
        Out,
    }

    impl Due for (usize, u64) {
        fn tick(&self) -> u64 {
            self.1
        }
    }

    /// The entries of the wheel, by number: key, tick and place.
    type Model = BTreeMap<usize, (usize, u64, Stage)>;

    /// Moves all entries of one place that have a matching tick to another, and returns them.
    fn shift(model: &mut Model, from: Stage, to: Stage, right: impl Fn(u64) -> bool) -> Vec<usize> {
        let moved = model.iter_mut().filter(|(_, (_, tick, at))| *at == from && right(*tick));
        moved
            .map(|(id, entry)| {
                entry.2 = to;
                *id
            })
            .collect()
    }

    proptest! {
        #[test]
        fn everything_comes_once_and_on_time(steps in prop::collection::vec(step(), 1..200)) {
            let (mut wheel, mut model, mut now) = (Wheel::new(), Model::new(), 0_u64);
            for (id, step) in steps.into_iter().enumerate() {
                let mut came = Vec::new();
                let mut expected = Vec::new();
                match step {
                    Step::Insert(after) => {
                        let key = wheel.insert((id, now + after));
                        model.insert(id, (key, now + after, Stage::Fresh));
                    }
                    Step::Sort => {
                        let fresh = model.values().filter(|(_, _, place)| *place == Stage::Fresh);
                        let mut ticks: Vec<_> = fresh.map(|(_, tick, _)| *tick).collect();
                        let mut found: Vec<_> = wheel.fresh().map(Due::tick).collect();
                        ticks.sort_unstable();
                        found.sort_unstable();
                        prop_assert_eq!(found, ticks);
                        wheel.sort(|_, (id, _)| came.push(*id));
                        expected = shift(&mut model, Stage::Fresh, Stage::Out, |tick| tick <= now);
                        shift(&mut model, Stage::Fresh, Stage::In, |_| true);
                    }
                    Step::Remove(any) if !model.is_empty() => {
                        let id = *model.keys().nth(any % model.len()).unwrap();
                        let (key, tick, _) = model.remove(&id).unwrap();
                        prop_assert_eq!(wheel.remove(key), (id, tick));
                    }
                    Step::Remove(_) => {}
                    Step::Advance(by) => {
                        now += by;
                        wheel.advance(now, |_, (id, _)| came.push(*id));
                        expected = shift(&mut model, Stage::In, Stage::Out, |tick| tick <= now);
                    }
                }
                came.sort_unstable();
                prop_assert_eq!(came, expected);
                prop_assert_eq!(wheel.len(), model.len());
                for (key, _, place) in model.values() {
                    prop_assert_eq!(wheel.is_out(*key), *place == Stage::Out);
                }
                let inside = model.values().filter(|(_, _, place)| *place == Stage::In);
                let earliest = inside.map(|(_, tick, _)| *tick).min();
                prop_assert_eq!(wheel.next_tick().is_some(), earliest.is_some());
                if let (Some(next), Some(earliest)) = (wheel.next_tick(), earliest) {
                    prop_assert!(now < next && next <= earliest, "{next} is not in time for {earliest}");
                    prop_assert!(wheel.at_next_tick().all(|(_, tick)| *tick == next));
                }
            }
        }
    }
}
