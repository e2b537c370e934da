//! From the copy of a stack to the addresses of the calls on it.

use framehop::{CacheNative, Unwinder, UnwinderNative};

use super::objects::objects;
use super::{Frames, WORD};

/// Frames that are looked for at most.
const MOST_FRAMES: usize = 128;

/// Returns where each call on the stack goes on, the innermost first: as far as the copy and the
/// unwind tables tell.
pub(super) fn addresses(frames: &Frames) -> Vec<usize> {
    let mut unwinder = UnwinderNative::<Vec<u8>, _>::new();
    objects().into_iter().for_each(|object| unwinder.add_module(object.into_module()));
    let mut cache = CacheNative::new();
    let mut read = |address: u64| frames.word(address as usize).map(|word| word as u64).ok_or(());
    let start = frames.registers.instruction_pointer() as u64;
    let registers = frames.registers.for_unwinder();
    let mut calls = unwinder.iter_frames(start, registers, &mut cache, &mut read);
    let mut addresses = Vec::new();
    while let (Ok(Some(call)), true) = (calls.next(), addresses.len() < MOST_FRAMES) {
        // What is looked up is before a return address. So that is where the interrupted code is
        // put, too.
        addresses.push(call.address_for_lookup() as usize + 1);
    }
    addresses
}

impl Frames {
    /// Returns a word of the stack, if it was copied.
    fn word(&self, address: usize) -> Option<usize> {
        let first = self.registers.stack_pointer().next_multiple_of(WORD);
        let offset = address.checked_sub(first).filter(|offset| offset % WORD == 0)?;
        self.stack.get(offset / WORD).copied()
    }
}
