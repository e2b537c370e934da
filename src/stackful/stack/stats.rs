//! The numbers by which to choose a size.

use super::platform;

/// The stacks of an OS thread: what [`stack_stats`] returns.
///
/// # Examples
///
/// ```
/// use eventlet::stackful::{StackStats, stack_stats};
///
/// assert_eq!(stack_stats(), StackStats::default(), "no green stack was used yet");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackStats {
    /// Stacks that green threads have.
    pub in_use: usize,
    /// Stacks that wait for a green thread.
    pub pooled: usize,
    /// Bytes of memory that all these have.
    pub resident: usize,
    /// Bytes of address space that is mapped for them, their guards and others to come.
    pub mapped: usize,
    /// The most bytes that any stack was found to have used, in whole pages.
    ///
    /// A stack that is in use is looked at when this is asked for, and one that is given back when
    /// it was used deeper than before. What was missed is a use that left most of the stack
    /// untouched (a large array that was not written to) and was over before anybody looked.
    pub high_water: usize,
}

/// Looks at the green stacks of this OS thread.
///
/// To choose a [size](crate::stackful::Stackful::stack_size), run the program with a large one
/// under the load it is meant for, and ask for [`high_water`](StackStats::high_water).
///
/// It asks the kernel about each stack, so it takes about a microsecond for each. On systems other
/// than Linux `resident`, `mapped` and `high_water` are 0.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use eventlet::stackful::stack_stats;
/// use eventlet::{Block, spawn, stackful};
///
/// eventlet::run(stackful(|| {
///     let (before, after) = (stack_stats(), spawn(stackful(stack_stats)).block().unwrap());
///     assert_eq!(after.in_use, before.in_use + 1);
///     # #[cfg(target_os = "linux")]
///     assert!(after.high_water > 0 && after.resident >= after.high_water);
/// }));
/// ```
pub fn stack_stats() -> StackStats {
    platform::stats()
}

/// Gives the memory of all stacks of this OS thread that wait for a green thread back to the
/// system.
///
/// Within limits that happens by itself: see
/// [`max_idle_stack_bytes`](crate::runtime::Builder::max_idle_stack_bytes). This is for a program
/// that knows that a burst is over.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use eventlet::stackful::{stack_stats, trim_stacks};
/// use eventlet::{run, stackful};
///
/// run(stackful(|| ()));
/// trim_stacks();
/// assert_eq!(stack_stats().pooled, 0);
/// ```
pub fn trim_stacks() {
    platform::trim();
}
