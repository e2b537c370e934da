//! `res_nquery` and `res_nsearch`: questions to name servers, by a state of their caller's.
//!
//! An OS thread asks, with that state and the caller's buffer, so nothing cancels it. `res_query`
//! and its like are not here: their state, `_res`, is the OS thread's. That of another OS thread
//! has not the program's settings, and lent to one it would be used by two at once.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use super::{h_errno, is_green, set_h_errno};
use crate::calls::pool::caught;
use crate::gate;
use crate::real::{self, Next};

unsafe extern "C" {
    /// Returns `_res` of this OS thread.
    safe fn __res_state() -> *mut c_void;
}

type Function =
    unsafe extern "C" fn(*mut c_void, *const c_char, c_int, c_int, *mut u8, c_int) -> c_int;

/// A question, with the addresses of what it names.
#[derive(Clone, Copy)]
struct Question {
    state: usize,
    name: usize,
    class: c_int,
    kind: c_int,
    answer: usize,
    room: c_int,
}

impl Question {
    /// Asks. Returns the length of the answer or -1, `errno` and `h_errno`.
    fn ask(self, function: Function) -> (c_int, c_int, c_int) {
        let state = ptr::with_exposed_provenance_mut(self.state);
        let name = ptr::with_exposed_provenance(self.name);
        let answer = ptr::with_exposed_provenance_mut(self.answer);
        // SAFETY: by I1 of the function that C called, which returns later.
        let length = unsafe { function(state, name, self.class, self.kind, answer, self.room) };
        (length, real::errno(), h_errno())
    }

    /// Asks, in an OS thread if this is a green stack.
    fn ask_greenly(self, next: [&Next; 2]) -> c_int {
        // SAFETY: it is the type of those functions.
        let Some(function) = next.iter().find_map(|next| unsafe { next.get::<Function>() }) else {
            real::set_errno(libc::ENOSYS);
            return -1;
        };
        if !is_green() {
            return self.ask(function).0;
        }
        if self.state == __res_state().addr() {
            gate::note_blocked();
            return self.ask(function).0;
        }
        let job = eventlet::tpool::execute(move || self.ask(function));
        let asked = gate::wait_shielded(caught(job));
        let (length, errno, h_errno) = asked.unwrap_or_else(|| self.ask(function));
        if length < 0 {
            real::set_errno(errno);
        }
        set_h_errno(h_errno);
        length
    }
}

/// As `res_nquery` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn res_nquery(
    state: *mut c_void,
    name: *const c_char,
    class: c_int,
    kind: c_int,
    answer: *mut u8,
    room: c_int,
) -> c_int {
    // Where libc has a library of its own for them, only the other name is there.
    static NEXT: [Next; 2] = [Next::new(c"res_nquery"), Next::new(c"__res_nquery")];
    let (state, name) = (state.expose_provenance(), name.expose_provenance());
    let answer = answer.expose_provenance();
    Question { state, name, class, kind, answer, room }.ask_greenly(NEXT.each_ref())
}

/// As `res_nsearch` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn res_nsearch(
    state: *mut c_void,
    name: *const c_char,
    class: c_int,
    kind: c_int,
    answer: *mut u8,
    room: c_int,
) -> c_int {
    static NEXT: [Next; 2] = [Next::new(c"res_nsearch"), Next::new(c"__res_nsearch")];
    let (state, name) = (state.expose_provenance(), name.expose_provenance());
    let answer = answer.expose_provenance();
    Question { state, name, class, kind, answer, room }.ask_greenly(NEXT.each_ref())
}

aliases! {
    __res_nquery = res_nquery(
        state: *mut c_void,
        name: *const c_char,
        class: c_int,
        kind: c_int,
        answer: *mut u8,
        room: c_int
    ) -> c_int;
    __res_nsearch = res_nsearch(
        state: *mut c_void,
        name: *const c_char,
        class: c_int,
        kind: c_int,
        answer: *mut u8,
        room: c_int
    ) -> c_int;
}
