//! How a waker names a green thread: *which hub, which slot, which green thread in that slot*, in
//! one word.
//!
//! ```text
//!   63        52 51                      32 31                             0
//!  +------------+--------------------------+--------------------------------+
//!  |    hub     |   low bits of serial     |              slot              |
//!  +------------+--------------------------+--------------------------------+
//! ```
//!
//! A waker may outlive its green thread and even its hub. It then names nothing or, once the
//! numbers have wrapped around, another green thread, which is polled spuriously once: futures
//! allow for that.

use super::job::Key;
use super::registry::MAX_HUBS;

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "eventlet names a green thread in one 64-bit word: 32-bit targets are not supported"
);

const SLOT_BITS: u32 = 32;
const SERIAL_BITS: u32 = 20;

const _: () = assert!(MAX_HUBS == 1 << (64 - SLOT_BITS - SERIAL_BITS));

/// The number by which a waker knows its green thread.
#[derive(Clone, Copy)]
pub(crate) struct WakeId(usize);

impl WakeId {
    pub(crate) fn new(hub: usize, key: Key) -> WakeId {
        let serial = key.serial() as usize & ((1 << SERIAL_BITS) - 1);
        WakeId(hub << (SLOT_BITS + SERIAL_BITS) | serial << SLOT_BITS | key.slot())
    }

    /// Makes it from the number that [`bits`](WakeId::bits) returned.
    pub(crate) fn from_bits(bits: usize) -> WakeId {
        WakeId(bits)
    }

    pub(crate) fn hub(self) -> usize {
        self.0 >> (SLOT_BITS + SERIAL_BITS)
    }

    pub(crate) fn slot(self) -> usize {
        self.0 & ((1 << SLOT_BITS) - 1)
    }

    /// Returns whether it names the green thread with that serial number. The caller has compared
    /// the slot.
    pub(crate) fn is_serial(self, serial: u64) -> bool {
        let mask = (1 << SERIAL_BITS) - 1;
        (self.0 >> SLOT_BITS) & mask == serial as usize & mask
    }

    /// Returns the number itself.
    pub(crate) fn bits(self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    #[test]
    fn it_keeps_its_three_parts_apart() {
        let key = Key::new(u32::MAX as usize, NonZeroU64::MAX);
        let id = WakeId::new(MAX_HUBS - 1, key);
        assert_eq!(id.hub(), MAX_HUBS - 1);
        assert_eq!(id.slot(), u32::MAX as usize);
        assert!(id.is_serial(u64::MAX));
        assert!(!id.is_serial(u64::MAX - 1));
    }
}
