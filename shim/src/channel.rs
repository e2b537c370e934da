//! Channels of `std` between green threads of one hub.
//!
//! Who waits for such a channel leaves a context with it: what was selected for it, whom to unpark,
//! and the identity of its OS thread, which is the address of a thread-local. Who sends or receives
//! looks for a context with another identity than its own, so that no thread selects itself. All
//! green threads of a hub have one identity, and would leave each other alone. So while a green
//! thread waits, its context has an identity that no OS thread has.
//!
//! No call tells where the context is, but it is a value of a known shape: two counts of an `Arc`,
//! and four words, two of which are zero, one is the handle of this OS thread, and one its
//! identity. Its address is on the stack of who waits. It is looked for there, whatever the order
//! of the words is. Where nothing has that shape the channel works as it would without this.
//!
//! Other channels are left alone: `crossbeam-channel` has a number as the identity, which any other
//! value may be.
//!
//! # Invariants
//!
//! - **I1**: a block of memory that has the shape, and whose address is on the stack of a green
//!   thread that parks, is the context of the channel for which it does. It is there as long as
//!   that green thread is parked, as it is a value of one of its callers.
//! - **I2**: no code but ours changes the identity, and other code only compares it.

use std::cell::Cell;
use std::hint;
use std::ops::Range;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::futex::Word;
use crate::identity;
use crate::real::Call;

/// The part of a stack, in bytes, in which a context is looked for. Between it and the function
/// that parks are frames of `std` and of this crate.
const DEPTH: usize = 16 << 10;

/// The part in which the address mostly is.
const NEAR: usize = 2 << 10;

/// The pieces in which a stack is read: it may end before that part does.
const PIECE: usize = 512;

/// Where memory may be.
const ADDRESSES: Range<usize> = 1 << 16..1 << 48;

/// The counts of an `Arc`, and the words of a context.
type Block = [usize; 6];

/// Where contexts were found last: a channel is often waited for again, and each OS thread keeps
/// the context that it has used.
const KNOWN: usize = 4;

thread_local! {
    static FOUND: Cell<[usize; KNOWN]> = const { Cell::new([0; KNOWN]) };

    /// The identity of this OS thread, once it was seen.
    static OWN: Cell<usize> = const { Cell::new(0) };
}

/// The context of a green thread that waits for a channel.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    /// The addresses of two words that are zero until something is selected for it.
    selected: [usize; 2],
    /// The address of the identity.
    identity: usize,
}

impl Context {
    /// Finds the context with which the caller waits, who parks at that word.
    pub(crate) fn find(parking: Word) -> Option<Context> {
        let local = 0_usize;
        // What is below belongs to this search.
        let stack = ptr::from_ref(hint::black_box(&local)).addr();
        find_known(parking, stack).or_else(|| find_any(parking, stack))
    }

    /// Returns whether something is selected for it.
    ///
    /// Called while its green thread is parked, by I1.
    pub(crate) fn is_selected(&self) -> bool {
        self.selected.iter().any(|&at| word_at(at).load(Ordering::SeqCst) != 0)
    }

    /// Gives it an identity that no OS thread has, until that is dropped.
    pub(crate) fn be_another(self) -> Another {
        let identity = word_at(self.identity);
        Another { identity, own: identity.swap(self.identity, Ordering::SeqCst) }
    }
}

/// See [`Context::be_another`].
pub(crate) struct Another {
    identity: &'static AtomicUsize,
    own: usize,
}

impl Drop for Another {
    fn drop(&mut self) {
        self.identity.store(self.own, Ordering::SeqCst);
    }
}

fn word_at(address: usize) -> &'static AtomicUsize {
    // SAFETY: by I1 and I2: the context is there, and its words are read and written atomically.
    unsafe { AtomicUsize::from_ptr(ptr::with_exposed_provenance_mut(address)) }
}

/// Looks whether one that was found before is it: one call of the kernel reads those, and the
/// stack.
#[inline(never)]
fn find_known(parking: Word, stack: usize) -> Option<Context> {
    let found = FOUND.get();
    let known = &found[..found.iter().position(|&at| at == 0).unwrap_or(KNOWN)];
    let mut pieces = [Piece::default(); KNOWN + NEAR / PIECE];
    let blocks_of = known.iter().map(|&start| Piece { start, length: size_of::<Block>() });
    let all = blocks_of.chain(pieces_of(stack..stack + NEAR));
    pieces.iter_mut().zip(all).for_each(|(piece, it)| *piece = it);
    let (mut blocks, mut words) = ([Block::default(); KNOWN], [0; NEAR / 8]);
    let blocks_read = blocks[..known.len()].as_flattened_mut();
    let before = blocks_read.len();
    let length =
        read(&pieces[..known.len() + NEAR / PIECE], &mut [blocks_read, words.as_mut_slice()]);
    let words = &words[..length.saturating_sub(before)];
    let mut all = known.iter().zip(&blocks);
    all.find_map(|(at, block)| words.contains(at).then(|| of_shape(*at, block, parking))?)
}

/// Looks at whatever the stack has addresses of.
#[cold]
#[inline(never)]
fn find_any(parking: Word, stack: usize) -> Option<Context> {
    let candidates = pointers_on(stack);
    let mut left = candidates.as_slice();
    while !left.is_empty() {
        let some = &left[..left.len().min(64)];
        let pieces: Vec<_> =
            some.iter().map(|&start| Piece { start, length: size_of::<Block>() }).collect();
        let mut blocks = [Block::default(); 64];
        let there = read(&pieces, &mut [blocks.as_flattened_mut()]) / Block::default().len();
        for (&at, block) in some.iter().zip(&blocks).take(there) {
            if let Some(context) = of_shape(at, block, parking) {
                let mut found = FOUND.get();
                found.rotate_right(1);
                found[0] = at;
                FOUND.set(found);
                return Some(context);
            }
        }
        // The one after those that were read is not there.
        left = &left[some.len().min(there + 1)..];
    }
    None
}

/// Returns what may be addresses of memory that was allocated, among the words of a stack.
fn pointers_on(stack: usize) -> Vec<usize> {
    let stack = stack..stack + DEPTH;
    let pieces: Vec<_> = pieces_of(stack.clone()).collect();
    let mut words = vec![0; DEPTH / 8];
    let length = read(&pieces, &mut [&mut words]);
    words.truncate(length);
    words.retain(|word| word % 8 == 0 && ADDRESSES.contains(word) && !stack.contains(word));
    words.sort_unstable();
    words.dedup();
    words
}

/// Returns the context that these words at an address are, if they have its shape.
fn of_shape(at: usize, words: &Block, parking: Word) -> Option<Context> {
    // The waiter has it, and so has the channel.
    let (2..1024, 1) = (words[0], words[1]) else { return None };
    let parts = || (2..words.len()).map(|part| (at + part * 8, words[part]));
    let handle = |word: usize| (1..=256).contains(&parking.address().wrapping_sub(word));
    let mut zeroes = parts().filter(|&(_, word)| word == 0).map(|(at, _)| at);
    let selected = [zeroes.next()?, zeroes.next()?];
    let mut others = parts().filter(|&(_, word)| word != 0);
    let (one, other) = (others.next()?, others.next()?);
    let identity = match () {
        () if handle(one.1) => other,
        () if handle(other.1) => one,
        () => return None,
    };
    is_own(identity.1).then_some(Context { selected, identity: identity.0 })
}

/// Returns whether it is the identity of this OS thread.
fn is_own(identity: usize) -> bool {
    if OWN.get() == identity {
        return true;
    }
    let is_own = identity::is_thread_local(identity);
    if is_own {
        OWN.set(identity);
    }
    is_own
}

/// Some bytes of memory, as the kernel has it.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Piece {
    start: usize,
    length: usize,
}

/// Returns the pieces of a part of a stack.
fn pieces_of(stack: Range<usize>) -> impl Iterator<Item = Piece> {
    stack.step_by(PIECE).map(|start| Piece { start, length: PIECE })
}

/// Reads pieces of this process's memory one after the other, up to the first that is not there,
/// and returns how many words it has read.
fn read<const N: usize>(pieces: &[Piece], words: &mut [&mut [usize]; N]) -> usize {
    let room = words.each_mut().map(|part| Piece {
        start: part.as_mut_ptr().expose_provenance(),
        length: size_of_val(*part),
    });
    let arguments = [
        process::id() as usize,
        room.as_ptr().expose_provenance(),
        room.len(),
        pieces.as_ptr().expose_provenance(),
        pieces.len(),
        0,
    ];
    // SAFETY: there is room for the words, and the kernel looks whether there is what it reads.
    let call = unsafe { Call::new(libc::SYS_process_vm_readv, arguments) };
    usize::try_from(call.make()).unwrap_or(0) / size_of::<usize>()
}
