//! Asks a suspended stack for a backtrace: only code on the stack can capture one.
//!
//! # Invariants
//!
//! - **I1**: `ANSWER` is null, or points to where [`asking`] waits for an answer.
#![allow(unsafe_code)]

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::ptr;

thread_local! {
    /// Where the resumed stack stores its backtrace.
    static ANSWER: Cell<*mut Option<Backtrace>> = const { Cell::new(ptr::null_mut()) };
}

/// The bytes a stack must have left for a capture, with its guard: several times what one takes.
const NEEDED: usize = 48 * 1024;

/// Calls `resume`, which resumes a stack to capture its backtrace, and returns the backtrace.
/// `None` if the stack had no room left.
pub(super) fn asking(resume: impl FnOnce()) -> Option<Backtrace> {
    let mut answer = None;
    let _asked = Asked::enter(&mut answer);
    resume();
    answer
}

/// Resets `ANSWER` when dropped.
struct Asked;

impl Asked {
    fn enter(answer: *mut Option<Backtrace>) -> Asked {
        ANSWER.set(answer);
        Asked
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        ANSWER.set(ptr::null_mut());
    }
}

/// Returns whether the stack that is being resumed has been asked for its backtrace.
pub(super) fn is_asked() -> bool {
    !ANSWER.get().is_null()
}

/// Returns whether a stack has room for a capture, given its lowest address and one that is in use.
pub(super) fn has_room(limit: usize, here: usize) -> bool {
    here - limit >= NEEDED
}

/// Captures the backtrace, on the stack that was asked, if it has room.
pub(super) fn answer(limit: usize) {
    if has_room(limit, ptr::from_ref(&limit).addr()) {
        let backtrace = Backtrace::force_capture();
        // SAFETY: by I1, and as this is called only inside `asking`.
        unsafe { *ANSWER.get() = Some(backtrace) };
    }
}
