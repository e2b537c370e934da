//! A look at stacks that are put aside: where does the code on each of them wait?
//!
//! What a stack holds nobody can read from outside. But the code on it can: it is resumed in the place where it was put
//! aside, captures a backtrace, and puts itself aside again. It does so where it would have noticed otherwise that
//! its green thread is being ended, so those that are resumed to go on take no notice of all this.
//!
//! # Invariants
//!
//! - **I1**: `first` begins a list, through [`Links`], of exactly the frames of this OS thread that are alive.
//!   Each is entered when it is where it stays, and leaves when it is dropped.
//! - **I2**: `answer` is null, or points to where [`capture`] waits for an answer.
#![allow(unsafe_code)]

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::HashSet;
use std::panic::Location;
use std::ptr;

use super::coroutine::Front;
use super::frame::Frame;
use crate::hub::Outer;

thread_local! {
    static PARKED: Parked =
        const { Parked { first: Cell::new(ptr::null()), answer: Cell::new(ptr::null_mut()) } };
}

struct Parked {
    /// The newest frame.
    first: Cell<*const Frame>,
    /// Where the stack that is resumed puts its backtrace.
    answer: Cell<*mut Option<Backtrace>>,
}

/// The place of a frame in the list of all. Both are null while it is in none.
pub(super) struct Links {
    newer: Cell<*const Frame>,
    older: Cell<*const Frame>,
}

impl Links {
    pub(super) const fn none() -> Links {
        Links { newer: Cell::new(ptr::null()), older: Cell::new(ptr::null()) }
    }
}

/// Enters a frame, which does not move from now on.
#[inline]
pub(super) fn enter(frame: &Frame) {
    // SAFETY: by I5 of `frame`, as it is new.
    unsafe { frame.front().as_ref() }.frame.set(frame);
    PARKED.with(|parked| {
        let second = parked.first.replace(frame);
        frame.links().older.set(second);
        // SAFETY: by I1.
        if let Some(second) = unsafe { second.as_ref() } {
            second.links().newer.set(frame);
        }
    });
}

/// Takes a frame out, which is in.
#[inline]
pub(super) fn leave(frame: &Frame) {
    if !frame.is_being_ended() {
        // SAFETY: by I5 of `frame`.
        unsafe { frame.front().as_ref() }.frame.set(ptr::null());
    }
    let (newer, older) = (frame.links().newer.get(), frame.links().older.get());
    // SAFETY: by I1.
    match unsafe { newer.as_ref() } {
        Some(newer) => newer.links().older.set(older),
        None => PARKED.with(|parked| parked.first.set(older)),
    }
    // SAFETY: by I1.
    if let Some(older) = unsafe { older.as_ref() } {
        older.links().newer.set(newer);
    }
}

/// Notes that a stack is being ended, if there is code on it.
#[inline]
pub(super) fn end(front: &Front) {
    // SAFETY: by I5 of `frame`.
    if let Some(frame) = unsafe { front.frame.get().as_ref() } {
        frame.end();
    }
}

/// A stack that is put aside, at the moment when somebody looked.
pub(crate) struct Seen {
    /// The number of the green thread that started it. 0 outside green threads.
    pub(crate) id: u64,
    /// Where its `stackful(..)` was called.
    pub(crate) place: &'static Location<'static>,
    /// `None` where the stack had no room left for it.
    pub(crate) backtrace: Option<Backtrace>,
}

/// Looks at all stacks of this OS thread that are put aside and were started by those green threads, in the order in
/// which they were started.
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
        if !frame.is_being_ended() {
            // SAFETY: by I5 of `frame`.
            owners.insert(unsafe { frame.front().as_ref() }.id);
        }
    });
    owners
}

/// Shows all frames of this OS thread, the newest first. Nothing that is done with one starts or ends another.
fn for_each_frame(mut see: impl FnMut(&Frame)) {
    let mut at = PARKED.with(|parked| parked.first.get());
    // SAFETY: by I1. Nobody starts or ends meanwhile: no code runs but ours.
    while let Some(frame) = unsafe { at.as_ref() } {
        see(frame);
        at = frame.links().older.get();
    }
}

fn look_at(frame: &Frame, by: &impl Fn(u64) -> bool) -> Option<Seen> {
    if !frame.is_put_aside() {
        return None;
    }
    // SAFETY: by I5 of `frame`, as it is not being ended.
    let &Front { id, place, .. } = unsafe { frame.front().as_ref() };
    by(id).then(|| Seen { id, place, backtrace: capture(frame) })
}

/// Has a stack that is put aside capture its backtrace.
fn capture(frame: &Frame) -> Option<Backtrace> {
    let mut answer = None;
    let _asked = Asked::enter(&mut answer);
    let _on_no_stack = Outer::leave();
    // SAFETY: it is put aside, and while it is asked it puts itself aside again.
    unsafe { Front::resume(frame.front()) };
    answer
}

/// Restores that nobody is asked.
struct Asked;

impl Asked {
    fn enter(answer: *mut Option<Backtrace>) -> Asked {
        PARKED.with(|parked| parked.answer.set(answer));
        Asked
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        PARKED.with(|parked| parked.answer.set(ptr::null_mut()));
    }
}

/// Returns whether the stack that is resumed now is to answer.
pub(super) fn is_asked() -> bool {
    PARKED.with(|parked| !parked.answer.get().is_null())
}

/// What a stack must have left for a capture, with its guard: several times what one takes.
const NEEDED: usize = 48 * 1024;

fn has_room(front: &Front, here: usize) -> bool {
    here - front.limit >= NEEDED
}

/// Returns whether the stack of a frame has room for a capture below an address of it.
pub(super) fn has_room_for_backtrace(frame: &Frame, here: usize) -> bool {
    // SAFETY: by I5 of `frame`, as this is called by code on its stack.
    !frame.is_being_ended() && has_room(unsafe { frame.front().as_ref() }, here)
}

/// Answers, on the stack that is asked, if it has room for that.
pub(super) fn answer(front: &Front) {
    let here = ptr::from_ref(&front).addr();
    if has_room(front, here) {
        let backtrace = Backtrace::force_capture();
        let answer = PARKED.with(|parked| parked.answer.get());
        // SAFETY: by I2, and as this is called only while somebody asks.
        unsafe { *answer = Some(backtrace) };
    }
}

/// Returns whether a line of a backtrace names a frame below the closure of a green stack.
pub(crate) fn is_bottom(line: &str) -> bool {
    // The second is how newer compilers write it.
    line.contains("eventlet::stackful::frame::Frame::run")
        || line.contains("<eventlet::stackful::frame::Frame>::run")
        || line.contains("eventlet::stackful::coroutine::body")
        || line.contains("corosensei::")
}
