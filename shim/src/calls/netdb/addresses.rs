//! `getaddrinfo`.

use std::ffi::{CStr, CString, c_char, c_int};
use std::mem;
use std::net::IpAddr;
use std::ptr;

use libc::addrinfo;

use super::{Failure, copied, in_thread, is_green, resolve};
use crate::real::{self, Next};

type Lookup = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const addrinfo,
    *mut *mut addrinfo,
) -> c_int;

/// The address is of another family. What libc says of a name is [`libc::EAI_NODATA`].
const EAI_ADDRFAMILY: c_int = -9;

/// Asks libc to handle other alphabets, for which it loads a library.
const AI_IDN: c_int = 0x40;

/// What a look-up is for.
#[derive(Clone)]
struct Query {
    node: Option<CString>,
    service: Option<CString>,
    hints: Hints,
}

/// The part of the hints that is looked at.
#[derive(Clone, Copy)]
struct Hints {
    flags: c_int,
    family: c_int,
    kind: c_int,
    protocol: c_int,
}

impl Hints {
    /// # Safety
    ///
    /// They are null or hints.
    unsafe fn read(hints: *const addrinfo) -> Hints {
        // SAFETY: the caller says so.
        match unsafe { hints.as_ref() } {
            Some(hints) => Hints {
                flags: hints.ai_flags,
                family: hints.ai_family,
                kind: hints.ai_socktype,
                protocol: hints.ai_protocol,
            },
            // As glibc has it.
            None => Hints {
                flags: libc::AI_V4MAPPED | libc::AI_ADDRCONFIG,
                family: libc::AF_UNSPEC,
                kind: 0,
                protocol: 0,
            },
        }
    }

    fn has(self, flags: c_int) -> bool {
        self.flags & flags == flags
    }
}

/// What a look-up gave: freed if nobody takes it.
struct Answer {
    list: *mut addrinfo,
    error: c_int,
    errno: c_int,
}

// SAFETY: the list is nobody else's, and is freed on any OS thread.
unsafe impl Send for Answer {}

impl Answer {
    fn failed(error: c_int) -> Answer {
        Answer { list: ptr::null_mut(), error, errno: 0 }
    }

    fn cancelled(errno: c_int) -> Answer {
        Answer { list: ptr::null_mut(), error: libc::EAI_SYSTEM, errno }
    }

    /// Adds the addresses of another at the end. `freeaddrinfo` of glibc frees one by one, so it
    /// does not matter which call has made which.
    fn append(&mut self, mut other: Answer) {
        let mut end = &mut self.list;
        // SAFETY: what is not null in a list is its next element, and the list is ours.
        while let Some(element) = unsafe { end.as_mut() } {
            end = &mut element.ai_next;
        }
        *end = mem::replace(&mut other.list, ptr::null_mut());
    }

    /// Has the first address say what the host's name is.
    fn name(&mut self, name: &CStr) {
        // SAFETY: it is the first element of the list, which is ours.
        if let Some(first) = unsafe { self.list.as_mut() } {
            // SAFETY: it copies a string of C.
            first.ai_canonname = unsafe { libc::strdup(name.as_ptr()) };
        }
    }

    /// # Safety
    ///
    /// There is room for the list.
    unsafe fn give(mut self, list: *mut *mut addrinfo) -> c_int {
        if self.error == 0 {
            // SAFETY: the caller says so.
            unsafe { *list = mem::replace(&mut self.list, ptr::null_mut()) };
        }
        if self.error == libc::EAI_SYSTEM {
            real::set_errno(self.errno);
        }
        self.error
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.list.is_null() {
            // SAFETY: it is a list of `getaddrinfo`, and ours.
            unsafe { libc::freeaddrinfo(self.list) };
        }
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Answer {
        match failure {
            Failure::NoName => Answer::failed(libc::EAI_NONAME),
            Failure::Again => Answer::failed(libc::EAI_AGAIN),
            Failure::System(errno) => Answer::cancelled(errno),
        }
    }
}

impl Query {
    /// Asks libc.
    fn ask(&self, lookup: Lookup) -> Answer {
        let text = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        // SAFETY: all zeroes is a value of it.
        let mut hints: addrinfo = unsafe { mem::zeroed() };
        (hints.ai_flags, hints.ai_family) = (self.hints.flags, self.hints.family);
        (hints.ai_socktype, hints.ai_protocol) = (self.hints.kind, self.hints.protocol);
        let mut list = ptr::null_mut();
        // SAFETY: the texts and the hints are there, and there is room for the list.
        let error = unsafe { lookup(text(&self.node), text(&self.service), &hints, &mut list) };
        Answer { list, error, errno: real::errno() }
    }

    /// As this one, of a host in numbers: libc asks nobody for it.
    fn of_numbers(&self, node: CString) -> Query {
        let cut = libc::AI_CANONNAME | AI_IDN;
        let flags = self.hints.flags & !cut | libc::AI_NUMERICHOST;
        Query { node: Some(node), hints: Hints { flags, ..self.hints }, ..self.clone() }
    }

    /// Returns whether nobody need be asked for the host. There may be none.
    fn is_in_numbers(&self, lookup: Lookup) -> bool {
        let Some(node) = &self.node else { return true };
        let any = Hints { flags: 0, family: libc::AF_UNSPEC, kind: 0, protocol: 0 };
        let alone = Query { node: None, service: None, hints: any };
        self.hints.has(libc::AI_NUMERICHOST)
            || alone.of_numbers(node.clone()).ask(lookup).error == 0
    }

    /// Returns whether no file need be read for the service.
    fn has_service_in_numbers(&self) -> bool {
        let is_digits = |text: &CString| text.to_bytes().iter().all(u8::is_ascii_digit);
        self.service.as_ref().is_none_or(is_digits) || self.hints.has(libc::AI_NUMERICSERV)
    }

    /// Makes the list for addresses that the hub's resolver has found. libc makes what belongs to
    /// each: it knows the services, and what the hints mean.
    fn ask_of(&self, ips: &[IpAddr], lookup: Lookup) -> Answer {
        let mapped = self.hints.family == libc::AF_INET6 && self.hints.has(libc::AI_V4MAPPED);
        let only_v6 = mapped && !self.hints.has(libc::AI_ALL) && ips.iter().any(IpAddr::is_ipv6);
        let mut all = Answer { list: ptr::null_mut(), error: libc::EAI_NODATA, errno: 0 };
        for ip in ips.iter().filter(|ip| !only_v6 || ip.is_ipv6()) {
            let Ok(text) = CString::new(ip.to_string()) else { continue };
            let one = self.of_numbers(text).ask(lookup);
            match one.error {
                0 => {
                    all.error = 0;
                    all.append(one);
                }
                EAI_ADDRFAMILY => {}
                _ => return one,
            }
        }
        if let Some(node) = self.node.as_ref().filter(|_| self.hints.has(libc::AI_CANONNAME)) {
            all.name(node);
        }
        all
    }

    /// Answers without blocking this OS thread.
    fn ask_greenly(self, lookup: Lookup) -> Answer {
        if self.is_in_numbers(lookup) {
            return self.finish(move |query| query.ask(lookup));
        }
        match self.node.as_deref().and_then(resolve) {
            Some(Ok(ips)) => self.finish(move |query| query.ask_of(&ips, lookup)),
            Some(Err(failure)) => failure.into(),
            None => in_thread(move || self.ask(lookup)).unwrap_or_else(Answer::cancelled),
        }
    }

    /// Calls a function right here, unless it reads a file for the name of the service.
    fn finish(self, function: impl FnOnce(&Query) -> Answer + Send + 'static) -> Answer {
        if self.has_service_in_numbers() {
            return function(&self);
        }
        in_thread(move || function(&self)).unwrap_or_else(Answer::cancelled)
    }
}

/// As `getaddrinfo` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    list: *mut *mut addrinfo,
) -> c_int {
    static LOOKUP: Next = Next::new(c"getaddrinfo");
    // SAFETY: it is the type of that function.
    let Some(lookup) = (unsafe { LOOKUP.get::<Lookup>() }) else {
        real::set_errno(libc::ENOSYS);
        return libc::EAI_SYSTEM;
    };
    if !is_green() {
        // SAFETY: I1.
        return unsafe { lookup(node, service, hints, list) };
    }
    // SAFETY: I1.
    let node = unsafe { copied(node) };
    // SAFETY: I1.
    let service = unsafe { copied(service) };
    // SAFETY: I1.
    let hints = unsafe { Hints::read(hints) };
    let answer = Query { node, service, hints }.ask_greenly(lookup);
    // SAFETY: I1.
    unsafe { answer.give(list) }
}
