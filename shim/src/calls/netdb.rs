//! Looking names up. What libc's resolver calls inside cannot be replaced, so an OS thread of
//! `tpool` calls all of it.

use std::ffi::{CStr, CString, c_char, c_int};
use std::mem::transmute;
use std::sync::OnceLock;

use libc::addrinfo;

use crate::areas::Area;
use crate::gate;
use crate::real;

type Lookup = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const addrinfo,
    *mut *mut addrinfo,
) -> c_int;

fn real_lookup() -> Option<Lookup> {
    static LOOKUP: OnceLock<Option<usize>> = OnceLock::new();
    let found = LOOKUP.get_or_init(|| real::next(c"getaddrinfo").map(|function| function.addr()));
    // SAFETY: it is the function of that name, which has this type.
    found.map(|function| unsafe { transmute::<usize, Lookup>(function) })
}

/// What a look-up is for, and what it gave: freed if nobody takes it.
struct Query {
    node: Option<CString>,
    service: Option<CString>,
    hints: Option<Hints>,
}

/// The part of the hints that is looked at.
struct Hints {
    flags: c_int,
    family: c_int,
    kind: c_int,
    protocol: c_int,
}

struct Answer {
    list: *mut addrinfo,
    error: c_int,
    errno: c_int,
}

// SAFETY: the list is nobody else's, and is freed on any OS thread.
unsafe impl Send for Answer {}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.list.is_null() {
            // SAFETY: it is a list of `getaddrinfo`, and ours.
            unsafe { libc::freeaddrinfo(self.list) };
        }
    }
}

impl Query {
    fn ask(&self, lookup: Lookup) -> Answer {
        let text =
            |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        let hints = self.hints.as_ref().map(|hints| {
            // SAFETY: all zeroes is a value of it.
            let mut all: addrinfo = unsafe { std::mem::zeroed() };
            (all.ai_flags, all.ai_family) = (hints.flags, hints.family);
            (all.ai_socktype, all.ai_protocol) = (hints.kind, hints.protocol);
            all
        });
        let hints = hints.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let mut list = std::ptr::null_mut();
        // SAFETY: the texts and the hints are there, and there is room for the list.
        let error = unsafe { lookup(text(&self.node), text(&self.service), hints, &mut list) };
        Answer { list, error, errno: real::errno() }
    }
}

/// # Safety
///
/// It is null or a string of C.
unsafe fn copied(text: *const c_char) -> Option<CString> {
    // SAFETY: the caller says so.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned())
}

/// As `getaddrinfo` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    list: *mut *mut addrinfo,
) -> c_int {
    let Some(lookup) = real_lookup() else {
        real::set_errno(libc::ENOSYS);
        return libc::EAI_SYSTEM;
    };
    if !gate::is_green(Area::Dns) || std::thread::panicking() || !gate::may_suspend() {
        // SAFETY: I1.
        return unsafe { lookup(node, service, hints, list) };
    }
    // SAFETY: I1.
    let query = unsafe { query(node, service, hints) };
    match gate::wait(eventlet::tpool::execute(move || query.ask(lookup))) {
        Ok(mut answer) => {
            // SAFETY: I1.
            unsafe { *list = std::mem::replace(&mut answer.list, std::ptr::null_mut()) };
            if answer.error == libc::EAI_SYSTEM {
                real::set_errno(answer.errno);
            }
            answer.error
        }
        Err(error) => {
            real::set_errno(error);
            libc::EAI_SYSTEM
        }
    }
}

/// # Safety
///
/// As `getaddrinfo`.
unsafe fn query(node: *const c_char, service: *const c_char, hints: *const addrinfo) -> Query {
    // SAFETY: I1.
    let node = unsafe { copied(node) };
    // SAFETY: I1.
    let service = unsafe { copied(service) };
    // SAFETY: I1.
    let hints = unsafe { hints.as_ref() }.map(|hints| Hints {
        flags: hints.ai_flags,
        family: hints.ai_family,
        kind: hints.ai_socktype,
        protocol: hints.ai_protocol,
    });
    Query { node, service, hints }
}
