//! Where green stacks come from, and where they wait for their next use.
//!
//! A fresh stack costs some microseconds (a mapping, a guard page, the first page faults), a used one
//! nothing. So a stack that is given back is kept for the next green thread on this OS thread. The
//! last one given back is the first to be taken: its pages are still in the cache.

//!
//! # Invariants
//!
//! - **I1**: a `GreenStack` is a `DefaultStack` and nothing else: the same memory, the same guard page.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::io;

use corosensei::stack::{DefaultStack, Stack, StackPointer};

/// Stacks kept for later. More than that at once is a burst, whose memory goes back to the system.
const KEPT: usize = 1024;

/// Beyond this no address space has room.
const MAX_SIZE: usize = isize::MAX as usize / 2;

thread_local! {
    static POOL: RefCell<Vec<GreenStack>> = const { RefCell::new(Vec::new()) };
}

/// The stack of one green thread at a time.
pub(super) struct GreenStack {
    memory: DefaultStack,
    /// The size that was asked for.
    size: usize,
}

// SAFETY: by I1 it keeps what `DefaultStack` promises.
unsafe impl Stack for GreenStack {
    fn base(&self) -> StackPointer {
        self.memory.base()
    }

    fn limit(&self) -> StackPointer {
        self.memory.limit()
    }
}

/// Takes a stack of at least `size` bytes.
///
/// # Errors
///
/// When the operating system has none: it says so, and what to do.
pub(super) fn take(size: usize) -> io::Result<GreenStack> {
    match pooled(size) {
        Some(stack) => Ok(stack),
        None if size > MAX_SIZE => Err(refused(size, io::ErrorKind::OutOfMemory.into())),
        None => match DefaultStack::new(size) {
            Ok(memory) => Ok(GreenStack { memory, size }),
            Err(error) => Err(refused(size, error)),
        },
    }
}

fn pooled(size: usize) -> Option<GreenStack> {
    let take = |pool: &RefCell<Vec<GreenStack>>| {
        let mut pool = pool.borrow_mut();
        // Almost always the last, as most programs use one size.
        let at = pool.iter().rposition(|stack| stack.size == size)?;
        Some(pool.remove(at))
    };
    POOL.try_with(take).ok().flatten()
}

/// Keeps a stack for the next green thread that wants one of its size.
pub(super) fn give_back(stack: GreenStack) {
    // On an OS thread that is ending there is no next green thread: the stack is dropped.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < KEPT {
            pool.push(stack);
        }
    });
}

fn refused(size: usize, error: io::Error) -> io::Error {
    let text = format!(
        "the system refuses a green stack of {size} bytes: {error}; fewer green threads at a time (a \
         `GreenPool`), smaller stacks, or a higher limit (`ulimit -v`, on Linux also \
         `sysctl vm.max_map_count`, of which each stack takes two) make room"
    );
    io::Error::new(error.kind(), text)
}
