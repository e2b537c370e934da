//! A look at stacks that are suspended: where does the code on each of them wait?
//!
//! What a stack holds nobody can read from outside. But the code on it can: it is resumed in the
//! place where it was suspended, captures a backtrace, and suspends itself again. It does so
//! where it would have noticed otherwise that its green thread is being ended, so those that are
//! resumed to go on take no notice of all this.
#![allow(unsafe_code)]

use std::backtrace::Backtrace;
use std::collections::HashSet;
use std::panic::Location;

use super::asked::{asking, is_asked};
use super::frame::{Frame, Front, for_each_frame};
use crate::hub::Outer;

/// A stack that is suspended, at the moment when somebody looked.
pub(crate) struct Seen {
    /// The number of the green thread that started it. 0 outside green threads.
    pub(crate) id: u64,
    /// Where its `stackful(..)` was called.
    pub(crate) place: &'static Location<'static>,
    /// `None` where the stack had no room left for it.
    pub(crate) backtrace: Option<Backtrace>,
}

/// Looks at all stacks of this OS thread that are suspended and were started by those green
/// threads, in the order in which they were started.
pub(crate) fn look(by: impl Fn(u64) -> bool) -> Vec<Seen> {
    let mut seen = Vec::new();
    // One look at a time: an allocator that looks again while a stack answers sees nothing.
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
