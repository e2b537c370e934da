//! Inspects suspended stacks: where does the code on each of them wait?
//!
//! A suspended stack cannot be walked from outside, but the code on it can walk its own. It is
//! resumed where it was suspended, captures a backtrace, and suspends itself again. This happens
//! where the code checks for the end of its green thread anyway, so an ordinary resume pays nothing
//! for it.
#![allow(unsafe_code)]

use std::backtrace::Backtrace;
use std::collections::HashSet;
use std::panic::Location;

use super::asked::{asking, is_asked};
use super::frame::{Frame, Front, for_each_frame};
use crate::hub::Outer;

/// A suspended stack, at the moment of inspection.
pub(crate) struct Seen {
    /// The number of the green thread that started it. 0 outside green threads.
    pub(crate) id: u64,
    /// Where its `stackful(..)` was called.
    pub(crate) place: &'static Location<'static>,
    /// `None` if the stack had no room left for it.
    pub(crate) backtrace: Option<Backtrace>,
}

/// Inspects all suspended stacks of this OS thread that were started by those green threads, in the
/// order in which they were started.
pub(crate) fn look(by: impl Fn(u64) -> bool) -> Vec<Seen> {
    let mut seen = Vec::new();
    // One inspection at a time: an allocator that calls this while a stack answers sees nothing.
    if is_asked() {
        return seen;
    }
    for_each_frame(|frame| seen.extend(look_at(frame, &by)));
    seen.reverse();
    seen
}

/// Returns the numbers of the green threads that started a stack of this OS thread which is in use.
pub(crate) fn owners() -> HashSet<u64> {
    let mut owners = HashSet::new();
    for_each_frame(|frame| {
        if !frame.is_ending() {
            // SAFETY: by I5 of `frame`.
            owners.insert(unsafe { frame.front().as_ref() }.id);
        }
    });
    owners
}

fn look_at(frame: &Frame, by: &impl Fn(u64) -> bool) -> Option<Seen> {
    if !frame.is_put_aside() {
        return None;
    }
    // SAFETY: by I5 of `frame`, as it is not being ended.
    let &Front { id, place, .. } = unsafe { frame.front().as_ref() };
    by(id).then(|| Seen { id, place, backtrace: capture(frame) })
}

/// Has a stack that is suspended capture its backtrace.
fn capture(frame: &Frame) -> Option<Backtrace> {
    let _on_no_stack = Outer::leave();
    // SAFETY: it is suspended, and while it is asked it suspends itself again.
    asking(|| unsafe { Front::resume(frame.front()) })
}

/// Returns whether a line of a backtrace names a frame below the closure of a green stack.
pub(crate) fn is_bottom(line: &str) -> bool {
    // The second is how newer compilers write it.
    line.contains("eventlet::stackful::frame::Frame::run")
        || line.contains("<eventlet::stackful::frame::Frame>::run")
        || line.contains("eventlet::stackful::coroutine::body")
        || line.contains("corosensei::")
}
