//! Where green stacks come from, and where they are kept for their next use.
//!
//! A fresh stack costs microseconds (a guard, page faults), a used one nanoseconds. So a stack that
//! is given back is kept for the next green thread on this OS thread: stacks stay on the OS thread
//! that made them, and no lock or atomic is in the way.
//!
//! | file | what it holds |
//! |---|---|
//! | `pool` | the stacks of this OS thread: those that are kept, in which order, and how many |
//! | `slab` | many stacks in one mapping, and how deep each has been used |
//! | `guard` | guard pages, which a stack that overflows runs into |
//! | `process_madvise` | one call of the operating system for many guards, or pages |
//! | `overflow` | the message when one does |
//! | `label` | whose stack it is, for that message |
//! | `limits` | which limit it was that made the system refuse a stack |
//! | `stats`, `inspect` | the numbers by which to choose a size; how a program asks for them |
//! | `portable` | in place of `pool`, `slab`, `guard`, `process_madvise`, `overflow` and `label` on systems other than Linux: corosensei's own stacks |

#[cfg(target_os = "linux")]
mod guard;
mod inspect;
#[cfg(target_os = "linux")]
mod label;
mod limits;
#[cfg(target_os = "linux")]
mod overflow;
#[cfg(target_os = "linux")]
mod pool;
#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(target_os = "linux")]
mod process_madvise;
#[cfg(target_os = "linux")]
mod slab;
mod stats;

#[cfg(target_os = "linux")]
use pool as platform;
#[cfg(not(target_os = "linux"))]
use portable as platform;

pub use inspect::{stack_stats, trim_stacks};
#[cfg(all(feature = "backtrace", target_os = "linux"))]
pub(crate) use slab::end_of_stack;
pub use stats::StackStats;

pub(super) use platform::{GreenStack, give_back, take};

use std::panic::Location;

/// Where a stack was asked for.
pub(super) type MadeAt = &'static Location<'static>;

/// Sizes are multiples of this: of whole pages, on any machine. It is also the minimum, whatever
/// was asked for: a panic needs room to print its message and its backtrace and to unwind.
pub(super) const STACK_SIZE_STEP: usize = 64 * 1024;

/// Returns the size of the stack that is made for a request of so many bytes.
#[inline]
fn whole_steps(size: usize) -> usize {
    size.max(1).checked_next_multiple_of(STACK_SIZE_STEP).unwrap_or(size)
}
