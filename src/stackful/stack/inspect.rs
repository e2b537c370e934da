//! Looks at the stacks of this OS thread, and trims them.

use super::platform;
use super::stats::StackStats;

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

/// Gives the memory of all idle stacks of this OS thread back to the system.
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
