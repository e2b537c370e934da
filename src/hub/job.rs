//! What a hub runs, and how it names a green thread.

use std::cell::Cell;
use std::num::NonZeroU64;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::exit::Exit;

thread_local! {
    /// The serial number of the newest green thread. It outlives the hub, so that a handle that was
    /// kept from one hub never names a green thread of the next.
    static SERIAL: Cell<u64> = const { Cell::new(0) };
}

/// The work of a green thread, and what becomes of its outcome.
pub(crate) trait Job {
    /// Goes on with the work. `Ready` when it is done and its value is stored. The hub never polls
    /// a job that is being polled.
    fn poll(self: Pin<&Self>, cx: &mut Context<'_>) -> Poll<()>;

    /// Ends the job: with the value that `poll` stored, or, for `exit`, without one.
    ///
    /// Drops the work, then announces the outcome. Never unwinds.
    fn finish(self: Pin<Rc<Self>>, exit: Option<Exit>, spawned_at: SpawnedAt);
}

/// The line that spawned a green thread.
pub(crate) type SpawnedAt = &'static Location<'static>;

/// Identifies a green thread among all that this OS thread ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    slot: u32,
    /// Not zero, so that an `Option<Key>` is two words: the current key is stored twice a turn.
    serial: NonZeroU64,
}

impl Key {
    pub(crate) fn new(slot: usize, serial: NonZeroU64) -> Key {
        Key { slot: slot as u32, serial }
    }

    /// Makes a key for something that has ended before it ever had a slot.
    pub(crate) fn ended() -> Key {
        Key { slot: u32::MAX, serial: next_serial() }
    }

    pub(crate) fn slot(self) -> usize {
        self.slot as usize
    }

    pub(crate) fn serial(self) -> u64 {
        self.serial.get()
    }

    #[inline]
    pub(super) fn has_serial(self, serial: Option<NonZeroU64>) -> bool {
        serial == Some(self.serial)
    }

    /// Returns whether its serial number was given before another.
    pub(super) fn is_older_than(self, serial: NonZeroU64) -> bool {
        self.serial < serial
    }
}

/// Returns a serial number that no green thread of this OS thread has had.
#[inline]
pub(super) fn next_serial() -> NonZeroU64 {
    let serial = NonZeroU64::MIN.saturating_add(SERIAL.get());
    SERIAL.set(serial.get());
    serial
}
