//! The waker of a green thread: a number that names it.
//!
//! Tokio's own wakers count references, an atomic operation for each clone and each drop. Ours is one
//! word that says *which hub, which slot, which green thread in that slot*: cloning copies it,
//! dropping does nothing, and waking on the hub's own OS thread touches no atomic and no lock.
//!
//! ```text
//!   63        52 51                      32 31                             0
//!  +------------+--------------------------+--------------------------------+
//!  |    hub     |   low bits of serial     |              slot              |
//!  +------------+--------------------------+--------------------------------+
//! ```
//!
//! A waker may outlive its green thread and even its hub. It then names nothing, or, once the numbers
//! have come round, somebody else, who is polled once in vain: futures allow for that.
//!
//! # Invariants
//!
//! - **I1**: the data pointer of our wakers is a number. Nothing ever reads through it, and nothing is
//!   owned by it, so copies and drops need no care, on any OS thread, at any time.
//! - **I2**: `wake` and `wake_by_ref` touch only the waker's number, the calling OS thread's own
//!   hub, and [`registry`] and [`Remote`](super::remote::Remote), which are `Sync`.
#![allow(unsafe_code)]

use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::registry::{self, MAX_HUBS};
use super::scheduler::Key;
use super::thread;

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "eventlet names a green thread in one 64-bit word: 32-bit targets are not supported"
);

const SLOT_BITS: u32 = 32;
const SERIAL_BITS: u32 = 20;

const _: () = assert!(MAX_HUBS == 1 << (64 - SLOT_BITS - SERIAL_BITS));

/// The name of a green thread as its waker carries it.
#[derive(Clone, Copy)]
pub(crate) struct Name(usize);

impl Name {
    pub(crate) fn new(hub: usize, key: Key) -> Name {
        let serial = key.serial() as usize & ((1 << SERIAL_BITS) - 1);
        Name(hub << (SLOT_BITS + SERIAL_BITS) | serial << SLOT_BITS | key.slot())
    }

    /// Makes a name out of the number that `bits` gave.
    pub(crate) fn from_bits(bits: usize) -> Name {
        Name(bits)
    }

    fn hub(self) -> usize {
        self.0 >> (SLOT_BITS + SERIAL_BITS)
    }

    pub(crate) fn slot(self) -> usize {
        self.0 & ((1 << SLOT_BITS) - 1)
    }

    /// Returns whether this is the name of `key`, of which it has the slot already.
    pub(crate) fn is_serial(self, serial: u64) -> bool {
        let mask = (1 << SERIAL_BITS) - 1;
        (self.0 >> SLOT_BITS) & mask == serial as usize & mask
    }

    /// Returns the waker of this green thread.
    pub(crate) fn waker(self) -> Waker {
        // SAFETY: by I1 and I2 the functions of the table are sound for any number, from any OS
        // thread, in any order and number of calls, which is all that `RawWaker` asks.
        unsafe { Waker::new(ptr::without_provenance(self.0), &TABLE) }
    }

    fn wake(self) {
        if !thread::wake(self.hub(), self) {
            if let Some(remote) = registry::find(self.hub()) {
                remote.wake(self.0);
            }
        }
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);

fn clone(name: *const ()) -> RawWaker {
    RawWaker::new(name, &TABLE)
}

fn wake(name: *const ()) {
    Name(name.addr()).wake();
}

fn drop(_name: *const ()) {}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    #[test]
    fn a_name_keeps_its_three_parts_apart() {
        let key = Key::new(u32::MAX as usize, NonZeroU64::MAX);
        let name = Name::new(MAX_HUBS - 1, key);
        assert_eq!(name.hub(), MAX_HUBS - 1);
        assert_eq!(name.slot(), u32::MAX as usize);
        assert!(name.is_serial(u64::MAX));
        assert!(!name.is_serial(u64::MAX - 1));
    }

    #[test]
    fn a_waker_of_nobody_is_harmless() {
        let waker = Name::new(MAX_HUBS - 1, Key::new(7, NonZeroU64::MIN)).waker();
        assert!(waker.will_wake(&waker.clone()));
        waker.wake_by_ref();
        std::thread::spawn(move || waker.wake()).join().unwrap();
    }
}
