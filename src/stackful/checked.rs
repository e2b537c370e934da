//! An optional check, in debug builds, that no code waits where a wait is unsound.
//!
//! `std` does not say that the initializer of a `thread_local!` is running, but its frame is on the
//! stack and can be found by name. Reading all names of a stack takes a tenth of a millisecond, so
//! each way to a wait is checked once: two waits of one type, equally deep on a stack, are taken to
//! have come the same way.

use std::any::type_name;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::collections::HashSet;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::asked;
use super::frame::Frame;
use super::parked;

static ASKED_FOR: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The waits that were checked: how deep, and of what type.
    static SEEN: RefCell<HashSet<(usize, &'static str)>> = RefCell::default();
}

pub(crate) fn check_waits(check: bool) {
    ASKED_FOR.store(check, Ordering::Relaxed);
}

/// Panics if the code that is about to wait for an `F` is inside the initializer of a thread-local.
#[inline]
#[track_caller]
pub(super) fn check<F>(frame: &Frame) {
    if cfg!(debug_assertions) && ASKED_FOR.load(Ordering::Relaxed) {
        check_way_to(frame, type_name::<F>());
    }
}

#[track_caller]
fn check_way_to(frame: &Frame, waits_for: &'static str) {
    let here = ptr::from_ref(&frame).addr();
    let depth = ptr::from_ref(frame).addr() - here;
    let is_new = SEEN.try_with(|seen| seen.borrow_mut().insert((depth, waits_for)));
    if is_new != Ok(true) || !has_room(frame, here) {
        return;
    }
    if let Some(what) = unsound(&Backtrace::force_capture().to_string()) {
        SEEN.with(|seen| seen.borrow_mut().remove(&(depth, waits_for)));
        panic!(
            "this wait is inside {what}, which other green threads find half done meanwhile: wait before it, or use \
             `green::thread_local!`, which has a value for each green thread"
        );
    }
}

/// Returns whether the stack has room for a backtrace.
fn has_room(frame: &Frame, here: usize) -> bool {
    frame.limit().is_some_and(|limit| asked::has_room(limit, here))
}

/// Returns what the backtrace shows the code to be inside of, if waiting there is unsound.
fn unsound(backtrace: &str) -> Option<&'static str> {
    backtrace.lines().take_while(|line| !parked::is_bottom(line)).find_map(named)
}

/// Returns what a line of a backtrace names, if that is something whose callees must not wait.
fn named(line: &str) -> Option<&'static str> {
    let initializes = |line: &str| line.contains("initialize") || line.contains("get_or_init_slow");
    if line.contains("std::sys::thread_local::") && initializes(line) {
        Some("the initializer of a `std::thread_local!`")
    } else if line.contains("scoped_tls::ScopedKey") && line.contains("::set") {
        Some("a `set` of scoped-tls")
    } else {
        None
    }
}
