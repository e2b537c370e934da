//! Who has a lock. It is noted while somebody asks for it.

use std::cell::Cell;

use super::current;

thread_local! {
    static ARE_NOTED: Cell<bool> = const { Cell::new(false) };
}

/// Notes from now on, or no longer, who takes a lock on this OS thread.
pub(super) fn note_holders(note: bool) {
    let _too_late = ARE_NOTED.try_with(|noted| noted.set(note));
}

/// The serial number of the green thread that has something of which there is one.
pub(crate) struct Holder(Cell<u64>);

/// Nobody has it, or it was taken when nothing was noted.
const UNKNOWN: u64 = 0;
/// Of what there may be several, or what one takes for another: who has it says nothing.
const NEVER_NOTED: u64 = u64::MAX;

impl Holder {
    /// Makes that of a lock.
    pub(crate) fn of_lock() -> Holder {
        Holder(Cell::new(UNKNOWN))
    }

    pub(crate) fn never_noted() -> Holder {
        Holder(Cell::new(NEVER_NOTED))
    }

    pub(crate) fn is_of_lock(&self) -> bool {
        self.0.get() != NEVER_NOTED
    }

    /// Notes that whoever runs now has it.
    #[inline]
    pub(crate) fn take(&self) {
        if self.is_of_lock() && ARE_NOTED.get() {
            let running = current::current().and_then(|hub| hub.current());
            self.0.set(running.map_or(UNKNOWN, |running| running.serial()));
        }
    }

    /// Notes that it is given back.
    #[inline]
    pub(crate) fn give_back(&self) {
        if self.is_of_lock() {
            self.0.set(UNKNOWN);
        }
    }

    /// Returns the number of the green thread that has it, if that is known.
    pub(crate) fn id(&self) -> Option<u64> {
        Some(self.0.get()).filter(|id| ![UNKNOWN, NEVER_NOTED].contains(id))
    }
}
