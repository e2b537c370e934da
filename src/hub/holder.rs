//! The holder of a lock, recorded on request.

use std::cell::Cell;

use super::current;

thread_local! {
    static ARE_NOTED: Cell<bool> = const { Cell::new(false) };
}

/// Starts or stops recording the holders of locks on this OS thread.
pub(super) fn note_holders(note: bool) {
    let _too_late = ARE_NOTED.try_with(|noted| noted.set(note));
}

/// The serial number of the green thread that holds an exclusive thing.
pub(crate) struct Holder(Cell<u64>);

/// It is free, or was taken while holders were not recorded.
const UNKNOWN: u64 = 0;
/// For things that several may hold, or that one takes on behalf of another: a single holder is
/// meaningless.
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

    /// Records the running green thread as the holder.
    #[inline]
    pub(crate) fn take(&self) {
        if self.is_of_lock() && ARE_NOTED.get() {
            let running = current::current().and_then(|hub| hub.current());
            self.0.set(running.map_or(UNKNOWN, |running| running.serial()));
        }
    }

    /// Records that it is released.
    #[inline]
    pub(crate) fn give_back(&self) {
        if self.is_of_lock() {
            self.0.set(UNKNOWN);
        }
    }

    /// Returns the number of the green thread that holds it, if that is known.
    pub(crate) fn id(&self) -> Option<u64> {
        Some(self.0.get()).filter(|id| ![UNKNOWN, NEVER_NOTED].contains(id))
    }
}
