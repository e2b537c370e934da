//! A stack that is suspended is asked for a backtrace: it alone can capture one.
//!
//! # Invariants
//!
//! - **I1**: `ANSWER` is null, or points to where [`asking`] waits for an answer.
#![allow(unsafe_code)]

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::ptr;

thread_local! {
    /// Where the stack that is resumed puts its backtrace.
    static ANSWER: Cell<*mut Option<Backtrace>> = const { Cell::new(ptr::null_mut()) };
}

/// What a stack must have left for a capture, with its guard: several times what one takes.
const NEEDED: usize = 48 * 1024;

/// Calls `resume`, which resumes a stack that is to answer, and returns the answer. `None` where it
/// had no room left.
pub(super) fn asking(resume: impl FnOnce()) -> Option<Backtrace> {
    let mut answer = None;
    let _asked = Asked::enter(&mut answer);
    resume();
    answer
}

/// Restores that nobody is asked.
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

/// Returns whether the stack that is resumed now is to answer.
pub(super) fn is_asked() -> bool {
    !ANSWER.get().is_null()
}

/// Returns whether a stack has room for a capture, of which these are the lowest address and one
/// that is in use.
pub(super) fn has_room(limit: usize, here: usize) -> bool {
    here - limit >= NEEDED
}

/// Answers, on the stack that is asked, if it has room for that.
pub(super) fn answer(limit: usize) {
    if has_room(limit, ptr::from_ref(&limit).addr()) {
        let backtrace = Backtrace::force_capture();
        // SAFETY: by I1, and as this is called only while somebody asks.
        unsafe { *ANSWER.get() = Some(backtrace) };
    }
}
