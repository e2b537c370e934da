//! `getnameinfo`.

use std::ffi::{c_char, c_int};

use libc::{sockaddr, sockaddr_storage, socklen_t};

use super::{in_thread, is_green};
use crate::real::{self, Next};

type Lookup = unsafe extern "C" fn(
    *const sockaddr,
    socklen_t,
    *mut c_char,
    socklen_t,
    *mut c_char,
    socklen_t,
    c_int,
) -> c_int;

/// What is asked, with room for the answer.
struct Query {
    address: Vec<u8>,
    host: Vec<u8>,
    service: Vec<u8>,
    flags: c_int,
}

/// At most so many bytes of an answer are of use: a name and a service are shorter.
const MOST: socklen_t = 4096;

impl Query {
    /// # Safety
    ///
    /// As `getnameinfo` wants the address.
    unsafe fn new(
        address: *const sockaddr,
        length: socklen_t,
        [host, service]: [socklen_t; 2],
        flags: c_int,
    ) -> Query {
        // No address is longer, and a shorter one is refused by libc.
        let length = (length as usize).min(size_of::<sockaddr_storage>());
        // SAFETY: the caller says so.
        let address = unsafe { std::slice::from_raw_parts(address.cast::<u8>(), length) }.to_vec();
        let room = |length: socklen_t| vec![0; length.min(MOST) as usize];
        Query { address, host: room(host), service: room(service), flags }
    }

    /// Asks libc. Returns the error, and `errno`.
    fn ask(&mut self, lookup: Lookup) -> (c_int, c_int) {
        // SAFETY: all zeroes is a value of it.
        let mut address: sockaddr_storage = unsafe { std::mem::zeroed() };
        // SAFETY: no address is longer than that.
        unsafe {
            let place = (&raw mut address).cast::<u8>();
            place.copy_from_nonoverlapping(self.address.as_ptr(), self.address.len());
        }
        let room = |buffer: &mut Vec<u8>| match buffer.len() {
            0 => (std::ptr::null_mut(), 0),
            length => (buffer.as_mut_ptr().cast(), length as socklen_t),
        };
        let (host, host_length) = room(&mut self.host);
        let (service, service_length) = room(&mut self.service);
        let length = self.address.len() as socklen_t;
        let address = (&raw const address).cast();
        // SAFETY: the address is there, and there is so much room.
        let error = unsafe {
            lookup(address, length, host, host_length, service, service_length, self.flags)
        };
        (error, real::errno())
    }

    /// # Safety
    ///
    /// There is as much room as it was asked with.
    unsafe fn give(&self, host: *mut c_char, service: *mut c_char) {
        for (found, place) in [(&self.host, host), (&self.service, service)] {
            let end = found.iter().position(|byte| *byte == 0).map_or(0, |end| end + 1);
            // SAFETY: the caller says so.
            unsafe { place.cast::<u8>().copy_from_nonoverlapping(found.as_ptr(), end) };
        }
    }
}

/// As `getnameinfo` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn getnameinfo(
    address: *const sockaddr,
    length: socklen_t,
    host: *mut c_char,
    host_length: socklen_t,
    service: *mut c_char,
    service_length: socklen_t,
    flags: c_int,
) -> c_int {
    static LOOKUP: Next = Next::new(c"getnameinfo");
    // SAFETY: it is the type of that function.
    let Some(lookup) = (unsafe { LOOKUP.get::<Lookup>() }) else {
        real::set_errno(libc::ENOSYS);
        return libc::EAI_SYSTEM;
    };
    let in_numbers = libc::NI_NUMERICHOST | libc::NI_NUMERICSERV;
    if flags & in_numbers == in_numbers || address.is_null() || !is_green() {
        // SAFETY: I1.
        return unsafe {
            lookup(address, length, host, host_length, service, service_length, flags)
        };
    }
    let host_length = if host.is_null() { 0 } else { host_length };
    let service_length = if service.is_null() { 0 } else { service_length };
    // SAFETY: I1.
    let mut query = unsafe { Query::new(address, length, [host_length, service_length], flags) };
    let asked = in_thread(move || {
        let answer = query.ask(lookup);
        (answer, query)
    });
    let ((error, errno), found) = match asked {
        Ok((answer, query)) => (answer, Some(query)),
        Err(errno) => ((libc::EAI_SYSTEM, errno), None),
    };
    match (error, found) {
        // SAFETY: I1.
        (0, Some(found)) => unsafe { found.give(host, service) },
        (libc::EAI_SYSTEM, _) => real::set_errno(errno),
        _ => {}
    }
    error
}
