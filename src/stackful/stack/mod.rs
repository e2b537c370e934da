//! Where green stacks come from, and where they wait for their next use.
//!
//! A fresh stack costs microseconds (a guard, page faults), a used one nanoseconds. So a stack that is
//! given back is kept for the next green thread on this OS thread: stacks stay on the OS thread that made
//! them, and no lock or atomic is in the way.
//!
//! | file | what it holds |
//! |---|---|
//! | `pool` | the stacks of this OS thread: those that are kept, in which order, and how many |
//! | `slab` | many stacks in one mapping, and how deep each has been used |
//! | `guard` | what a stack that runs over meets |
//! | `pieces` | one call of the operating system for many guards, or pages |
//! | `overflow` | what is said when somebody meets it |
//! | `limits` | which limit it was, when the system refuses a stack |
//! | `stats` | the numbers by which to choose a size |
//! | `elsewhere` | in place of `pool`, `slab`, `guard`, `pieces` and `overflow` on systems other than Linux: corosensei's own stacks |

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod guard;
mod limits;
#[cfg(target_os = "linux")]
mod overflow;
#[cfg(target_os = "linux")]
mod pieces;
#[cfg(target_os = "linux")]
mod pool;
#[cfg(target_os = "linux")]
mod slab;
mod stats;

#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use pool as platform;

pub use stats::{StackStats, stack_stats, trim_stacks};

pub(super) use platform::{GreenStack, give_back, take};

use std::panic::Location;

/// What is said of a stack that runs over: whose it is.
#[cfg_attr(not(target_os = "linux"), expect(dead_code))]
#[derive(Clone, Copy)]
pub(super) struct Label {
    /// The number of the green thread that started to use the stack. 0 outside green threads.
    pub(super) id: u64,
    pub(super) name: ShortName,
    /// Where its `stackful(..)` was called. `None` before the first use, when a label is all zero.
    pub(super) place: Option<&'static Location<'static>>,
}

/// The beginning of a name, in a form that a signal handler can read at any moment.
#[derive(Clone, Copy)]
pub(super) struct ShortName {
    len: u8,
    text: [u8; 31],
}

impl ShortName {
    pub(super) const NONE: ShortName = ShortName { len: 0, text: [0; 31] };

    pub(super) fn of(name: &str) -> ShortName {
        let mut short = ShortName::NONE;
        let fitting = (0..=short.text.len()).rev().find(|len| name.is_char_boundary(*len));
        let len = fitting.unwrap_or(0);
        short.text[..len].copy_from_slice(&name.as_bytes()[..len]);
        short.len = len as u8;
        short
    }

    /// Returns the beginning of the name, unless there is none.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))]
    fn get(&self) -> Option<&str> {
        let text = self.text.get(..usize::from(self.len))?;
        std::str::from_utf8(text).ok().filter(|name| !name.is_empty())
    }
}

/// Sizes are multiples of this: of whole pages, on any machine. It is also the least that a stack has,
/// whatever was asked for: a panic must find room to print its message and its backtrace and to unwind.
pub(super) const STACK_SIZE_STEP: usize = 64 * 1024;

/// Returns the size of the stack that is made for who asks for so many bytes.
#[inline]
fn whole_steps(size: usize) -> usize {
    size.max(1).checked_next_multiple_of(STACK_SIZE_STEP).unwrap_or(size)
}
