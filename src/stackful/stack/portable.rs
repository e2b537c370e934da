//! Green stacks on systems other than Linux: corosensei's own, each a mapping of its own, and a
//! pool of the last ones.
//!
//! # Invariants
//!
//! - **I1**: a `GreenStack` is a `DefaultStack` and nothing else: the same memory, the same guard
//!   page.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;

use corosensei::stack::{DefaultStack, Stack, StackPointer};

use super::{MadeAt, StackStats, limits, whole_steps};

/// Stacks kept for later. More than that at once is a burst, whose memory goes back to the system.
const KEPT: usize = 1024;

/// Beyond this no address space has room.
const MAX_SIZE: usize = isize::MAX as usize / 2;

thread_local! {
    static POOL: RefCell<Vec<GreenStack>> = const { RefCell::new(Vec::new()) };
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

/// The stack of one green thread at a time.
pub(in crate::stackful) struct GreenStack {
    memory: DefaultStack,
    /// The size that was asked for.
    size: usize,
}

impl GreenStack {
    /// Unused here: on an overflow the system ends the process without asking.
    pub(in crate::stackful) fn set_label(
        &mut self,
        _id: u64,
        _name: Option<&str>,
        _made_at: MadeAt,
    ) {
    }
}

// SAFETY: by I1 it keeps what `DefaultStack` promises.
unsafe impl Stack for GreenStack {
    fn base(&self) -> StackPointer {
        self.memory.base()
    }

    fn limit(&self) -> StackPointer {
        self.memory.limit()
    }

    #[cfg(windows)]
    fn teb_fields(&self) -> corosensei::stack::StackTebFields {
        self.memory.teb_fields()
    }

    #[cfg(windows)]
    fn update_teb_fields(&mut self, stack_limit: usize, guaranteed_stack_bytes: usize) {
        self.memory.update_teb_fields(stack_limit, guaranteed_stack_bytes);
    }
}

/// Takes a stack of at least `size` bytes.
///
/// # Errors
///
/// When the operating system has none: it says so, and what to do.
pub(in crate::stackful) fn take(size: usize) -> io::Result<GreenStack> {
    let size = whole_steps(size);
    let stack = match pooled(size) {
        Some(stack) => stack,
        None if size > MAX_SIZE => {
            return Err(limits::refusal(size, io::ErrorKind::OutOfMemory.into()));
        }
        None => match DefaultStack::new(size) {
            Ok(memory) => GreenStack { memory, size },
            Err(error) => return Err(limits::refusal(size, error)),
        },
    };
    IN_USE.set(IN_USE.get() + 1);
    Ok(stack)
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
pub(in crate::stackful) fn give_back(stack: GreenStack) {
    IN_USE.set(IN_USE.get() - 1);
    // On an OS thread that is ending there is no next green thread: the stack is dropped.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < KEPT {
            pool.push(stack);
        }
    });
}

/// Counts the stacks of this OS thread. Their memory is not known.
pub(super) fn stats() -> StackStats {
    let pooled = POOL.try_with(|pool| pool.borrow().len()).unwrap_or_default();
    StackStats { in_use: IN_USE.get(), pooled, ..StackStats::default() }
}

/// Unmaps the idle stacks.
pub(super) fn trim() {
    let _ = POOL.try_with(RefCell::take);
}
