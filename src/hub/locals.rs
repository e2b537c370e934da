//! The values of green-thread locals, behind [`corolocal`](crate::corolocal).
//!
//! They are kept beside the green threads, not in them. So a green thread without locals pays no
//! memory for them, and at its end one lookup in a map that is empty in most programs.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use super::job::Key;
use crate::report;

/// The values of all green threads of a hub.
#[derive(Default)]
pub(crate) struct Locals {
    /// By the serial number of the green thread. Its slot would not do: another green thread may
    /// have it while the last values of an ended one are dropped.
    of: RefCell<HashMap<u64, Vec<Kept>, BuildHasherDefault<Spread>>>,
}

struct Kept {
    local: u64,
    /// `None` once it is dropped: the green thread has ended, and the value is not made again.
    value: Option<Rc<dyn Any>>,
}

/// The state of one local of a green thread.
pub(crate) enum Found {
    Value(Rc<dyn Any>),
    /// It has not used it yet.
    Nothing,
    /// It has ended, and this value was dropped.
    Gone,
}

impl Locals {
    pub(super) fn is_borrowed(&self) -> bool {
        self.of.try_borrow_mut().is_err()
    }

    /// Returns the state of a local of a green thread.
    ///
    /// The value is shared, not borrowed, so that the map is free while user code looks at it.
    pub(crate) fn find(&self, owner: Key, local: u64) -> Found {
        let of = self.of.borrow();
        let kept = of.get(&owner.serial()).and_then(|values| of_local(values, local));
        match kept {
            None => Found::Nothing,
            Some(kept) => kept.value.clone().map_or(Found::Gone, Found::Value),
        }
    }

    /// Keeps a value that was not found, and returns the one kept: the first, if making this value
    /// has stored another already.
    pub(crate) fn keep(&self, owner: Key, local: u64, value: Rc<dyn Any>) -> Rc<dyn Any> {
        if let Found::Value(first) = self.find(owner, local) {
            return first;
        }
        let kept = Kept { local, value: Some(Rc::clone(&value)) };
        self.of.borrow_mut().entry(owner.serial()).or_default().push(kept);
        value
    }

    /// Drops the values of a green thread that has ended, the latest first.
    #[inline]
    pub(super) fn drop_all(&self, owner: Key) {
        if !self.of.borrow().is_empty() {
            self.drop_one_by_one(owner);
        }
    }

    #[cold]
    fn drop_one_by_one(&self, owner: Key) {
        // One at a time, as a destructor may use the remaining ones, and add new ones.
        while let Some(value) = self.take_latest(owner) {
            report::contain("in a destructor of a green thread's local", || drop(value));
        }
        self.of.borrow_mut().remove(&owner.serial());
    }

    fn take_latest(&self, owner: Key) -> Option<Rc<dyn Any>> {
        let mut of = self.of.borrow_mut();
        of.get_mut(&owner.serial())?.iter_mut().rev().find_map(|kept| kept.value.take())
    }
}

/// A green thread has a handful of locals at most: looking through them is faster than hashing.
fn of_local(values: &[Kept], local: u64) -> Option<&Kept> {
    values.iter().find(|kept| kept.local == local)
}

/// Hashes a serial number. An attacker cannot choose these, so one multiplication spreads them well
/// enough.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a serial number is hashed as one word");
    }

    fn write_u64(&mut self, serial: u64) {
        self.0 = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn key(serial: u64) -> Key {
        Key::new(0, NonZeroU64::new(serial).unwrap())
    }

    #[test]
    fn nothing_is_left_of_a_green_thread_that_has_ended() {
        let (locals, one, two) = (Locals::default(), key(1), key(2));
        for (owner, local) in [(one, 7), (one, 8), (two, 7)] {
            locals.keep(owner, local, Rc::new(local));
        }
        locals.drop_all(one);
        assert!(matches!(locals.find(one, 7), Found::Nothing));
        assert!(matches!(locals.find(two, 7), Found::Value(_)));
        locals.drop_all(two);
        assert_eq!(locals.of.borrow().len(), 0);
    }
}
