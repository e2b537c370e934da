//! `gethostbyname`, `gethostbyaddr`, and what they are called where the caller has the room for the
//! answer.
//!
//! Those without `_r` answer in room that each green thread has of its own: it is good until the
//! next such call of that green thread, or its end.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::net::IpAddr;
use std::ptr;

use eventlet::corolocal::Local;
use libc::{hostent, size_t, socklen_t};

use super::{Failure, in_thread, is_green, resolve, set_h_errno};
use crate::real::{self, Next};

/// What `h_errno` says.
const NETDB_INTERNAL: c_int = -1;
const HOST_NOT_FOUND: c_int = 1;
const TRY_AGAIN: c_int = 2;
const NO_DATA: c_int = 4;

type ByName = unsafe extern "C" fn(*const c_char) -> *mut hostent;
type ByName2 = unsafe extern "C" fn(*const c_char, c_int) -> *mut hostent;
type ByAddress = unsafe extern "C" fn(*const c_void, socklen_t, c_int) -> *mut hostent;
type ByNameR = unsafe extern "C" fn(
    *const c_char,
    *mut hostent,
    *mut c_char,
    size_t,
    *mut *mut hostent,
    *mut c_int,
) -> c_int;
type ByName2R = unsafe extern "C" fn(
    *const c_char,
    c_int,
    *mut hostent,
    *mut c_char,
    size_t,
    *mut *mut hostent,
    *mut c_int,
) -> c_int;
type ByAddressR = unsafe extern "C" fn(
    *const c_void,
    socklen_t,
    c_int,
    *mut hostent,
    *mut c_char,
    size_t,
    *mut *mut hostent,
    *mut c_int,
) -> c_int;

static BY_NAME2_R: Next = Next::new(c"gethostbyname2_r");
static BY_ADDRESS_R: Next = Next::new(c"gethostbyaddr_r");

/// Why there is no host: what an `_r` returns, and what it says in its `h_errno`.
#[derive(Clone, Copy)]
struct NoHost {
    error: c_int,
    h_errno: c_int,
}

impl NoHost {
    fn because(error: c_int) -> NoHost {
        NoHost { error, h_errno: NETDB_INTERNAL }
    }
}

impl From<Failure> for NoHost {
    fn from(failure: Failure) -> NoHost {
        match failure {
            // As glibc has it: that there is none is no error.
            Failure::NoName => NoHost { error: 0, h_errno: HOST_NOT_FOUND },
            Failure::Again => NoHost { error: libc::EAGAIN, h_errno: TRY_AGAIN },
            Failure::System(error) => NoHost::because(error),
        }
    }
}

/// What is asked.
enum Question {
    /// A name, and the family of its addresses.
    Name(CString, c_int),
    /// An address, and its family.
    Address(Vec<u8>, c_int),
}

impl Question {
    /// Answers without blocking this OS thread.
    fn ask_greenly(self) -> Result<Host, NoHost> {
        if let Question::Name(name, family @ (libc::AF_INET | libc::AF_INET6)) = &self {
            let asked = (!is_in_numbers(name)).then(|| resolve(name)).flatten();
            if let Some(found) = asked {
                return Host::of(name, *family, &found?);
            }
        }
        in_thread(move || self.ask()).unwrap_or_else(|error| Err(NoHost::because(error)))
    }

    /// Asks libc.
    fn ask(&self) -> Result<Host, NoHost> {
        // SAFETY: all zeroes is a value of it.
        let mut entry: hostent = unsafe { std::mem::zeroed() };
        let (mut result, mut h_errno) = (ptr::null_mut(), 0);
        let mut buffer = vec![0; 1024];
        loop {
            // SAFETY: there is so much room.
            let error =
                unsafe { self.ask_into(&mut entry, &mut buffer, &mut result, &mut h_errno) };
            // SAFETY: it is null or `entry`, and what that names is in `buffer`.
            match unsafe { result.as_ref() } {
                // SAFETY: libc has filled it in.
                Some(entry) if error == 0 => return Ok(unsafe { Host::read(entry) }),
                _ if error == libc::ERANGE && buffer.len() < MOST => {
                    buffer.resize(buffer.len() * 2, 0);
                }
                _ => return Err(NoHost { error, h_errno }),
            }
        }
    }

    /// # Safety
    ///
    /// It is called for the host of this question only.
    unsafe fn ask_into(
        &self,
        entry: &mut hostent,
        buffer: &mut [c_char],
        result: &mut *mut hostent,
        h_errno: &mut c_int,
    ) -> c_int {
        let (room, length) = (buffer.as_mut_ptr(), buffer.len());
        match self {
            Question::Name(name, family) => {
                // SAFETY: it is the type of that function.
                let Some(function) = (unsafe { BY_NAME2_R.get::<ByName2R>() }) else {
                    return libc::ENOSYS;
                };
                // SAFETY: the name is there, and there is so much room.
                unsafe { function(name.as_ptr(), *family, entry, room, length, result, h_errno) }
            }
            Question::Address(address, family) => {
                // SAFETY: it is the type of that function.
                let Some(function) = (unsafe { BY_ADDRESS_R.get::<ByAddressR>() }) else {
                    return libc::ENOSYS;
                };
                let (at, size) = (address.as_ptr().cast(), address.len() as socklen_t);
                // SAFETY: the address is there, and there is so much room.
                unsafe { function(at, size, *family, entry, room, length, result, h_errno) }
            }
        }
    }
}

/// No host has so much to say.
const MOST: usize = 1 << 20;

fn is_in_numbers(name: &CStr) -> bool {
    let bytes = name.to_bytes();
    bytes.contains(&b':') || bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// What is known of a host. Texts end with a null.
struct Host {
    name: Vec<u8>,
    aliases: Vec<Vec<u8>>,
    family: c_int,
    addresses: Vec<Vec<u8>>,
}

impl Host {
    fn of(name: &CStr, family: c_int, ips: &[IpAddr]) -> Result<Host, NoHost> {
        let bytes = |ip: &IpAddr| match (family, ip) {
            (libc::AF_INET, IpAddr::V4(ip)) => Some(ip.octets().to_vec()),
            (libc::AF_INET6, IpAddr::V6(ip)) => Some(ip.octets().to_vec()),
            _ => None,
        };
        let addresses: Vec<_> = ips.iter().filter_map(bytes).collect();
        if addresses.is_empty() {
            return Err(NoHost { error: 0, h_errno: NO_DATA });
        }
        let name = name.to_bytes_with_nul().to_vec();
        Ok(Host { name, aliases: Vec::new(), family, addresses })
    }

    /// # Safety
    ///
    /// libc has filled it in.
    unsafe fn read(entry: &hostent) -> Host {
        // SAFETY: they are strings of C.
        let text = |at: *mut c_char| unsafe { CStr::from_ptr(at) }.to_bytes_with_nul().to_vec();
        let length = entry.h_length as usize;
        // SAFETY: each address is as long as the entry says.
        let address = |at: *mut c_char| unsafe { std::slice::from_raw_parts(at.cast(), length) };
        // SAFETY: the caller says so.
        let aliases = unsafe { elements(entry.h_aliases) };
        // SAFETY: the caller says so.
        let addresses = unsafe { elements(entry.h_addr_list) };
        Host {
            name: text(entry.h_name),
            aliases: aliases.into_iter().map(text).collect(),
            family: entry.h_addrtype,
            addresses: addresses.into_iter().map(|at| address(at).to_vec()).collect(),
        }
    }

    /// Writes it where C wants it. `None` where there is not enough room.
    ///
    /// # Safety
    ///
    /// There is as much room as it says, and room for the entry.
    unsafe fn write(&self, entry: *mut hostent, mut room: Room) -> Option<()> {
        // SAFETY: the caller says so.
        let addresses = unsafe { room.put_list(&self.addresses) }?;
        // SAFETY: the caller says so.
        let aliases = unsafe { room.put_list(&self.aliases) }?;
        // SAFETY: the caller says so.
        let name = unsafe { room.put(&self.name) }?;
        let length = self.addresses.first().map_or(0, Vec::len) as c_int;
        let host = hostent {
            h_name: name,
            h_aliases: aliases,
            h_addrtype: self.family,
            h_length: length,
            h_addr_list: addresses,
        };
        // SAFETY: the caller says so.
        unsafe { entry.write(host) };
        Some(())
    }
}

/// Returns the elements of a list that ends with null. There may be no list.
///
/// # Safety
///
/// It is such a list, or null.
unsafe fn elements(mut list: *mut *mut c_char) -> Vec<*mut c_char> {
    let mut all = Vec::new();
    // SAFETY: the caller says so, and the end is not passed.
    while let Some(element) = unsafe { list.as_ref() }.filter(|element| !element.is_null()) {
        all.push(*element);
        list = list.wrapping_add(1);
    }
    all
}

/// Room for what an entry names.
struct Room {
    next: *mut u8,
    left: usize,
}

impl Room {
    /// Takes so many bytes.
    fn take(&mut self, size: usize, align: usize) -> Option<*mut u8> {
        let skipped = self.next.align_offset(align);
        let left = self.left.checked_sub(skipped.checked_add(size)?)?;
        let place = self.next.wrapping_add(skipped);
        (self.next, self.left) = (place.wrapping_add(size), left);
        Some(place)
    }

    /// # Safety
    ///
    /// There is as much room as it says.
    unsafe fn put(&mut self, bytes: &[u8]) -> Option<*mut c_char> {
        let place = self.take(bytes.len(), align_of::<u32>())?;
        // SAFETY: the caller says so.
        unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Some(place.cast())
    }

    /// # Safety
    ///
    /// There is as much room as it says.
    unsafe fn put_list(&mut self, items: &[Vec<u8>]) -> Option<*mut *mut c_char> {
        let size = (items.len() + 1) * size_of::<*mut c_char>();
        let list = self.take(size, align_of::<*mut c_char>())?.cast::<*mut c_char>();
        for (at, item) in items.iter().enumerate() {
            // SAFETY: the caller says so.
            let place = unsafe { self.put(item) }?;
            // SAFETY: there is room for all items, and for the end.
            unsafe { list.wrapping_add(at).write(place) };
        }
        // SAFETY: likewise.
        unsafe { list.wrapping_add(items.len()).write(ptr::null_mut()) };
        Some(list)
    }
}

/// Where the caller of an `_r` wants the answer.
struct Wanted {
    entry: *mut hostent,
    buffer: *mut c_char,
    length: size_t,
    result: *mut *mut hostent,
    h_errno: *mut c_int,
}

impl Wanted {
    /// # Safety
    ///
    /// There is room for all of it.
    unsafe fn give(self, found: Result<Host, NoHost>) -> c_int {
        let room = Room { next: self.buffer.cast(), left: self.length };
        // SAFETY: the caller says so.
        let write = |host: Host| unsafe { host.write(self.entry, room) };
        let written = found.and_then(|host| write(host).ok_or(NoHost::because(libc::ERANGE)));
        let (result, error) = match written {
            Ok(()) => (self.entry, 0),
            Err(why) => {
                // SAFETY: the caller says so.
                unsafe { self.h_errno.write(why.h_errno) };
                (ptr::null_mut(), why.error)
            }
        };
        // SAFETY: the caller says so.
        unsafe { self.result.write(result) };
        error
    }
}

/// The last answer of each green thread. Its entry comes first, and what that names behind it.
static LAST: Local<RefCell<Vec<u64>>> = Local::new(RefCell::default);

/// Keeps an answer until the next one of this green thread.
fn keep(found: Result<Host, NoHost>) -> *mut hostent {
    match found {
        Ok(host) => LAST.with(|last| {
            let mut last = last.borrow_mut();
            keep_in(&host, &mut last)
        }),
        Err(why) => {
            set_h_errno(why.h_errno);
            if why.error != 0 {
                real::set_errno(why.error);
            }
            ptr::null_mut()
        }
    }
}

fn keep_in(host: &Host, place: &mut Vec<u64>) -> *mut hostent {
    const { assert!(align_of::<hostent>() <= align_of::<u64>()) };
    loop {
        let left = size_of_val(place.as_slice()).saturating_sub(size_of::<hostent>());
        let entry = place.as_mut_ptr().cast::<hostent>();
        let room = Room { next: entry.wrapping_add(1).cast(), left };
        // SAFETY: where there is an entry's room, so much is left behind it; else none is, and
        // nothing is written.
        if unsafe { host.write(entry, room) }.is_some() {
            return entry;
        }
        *place = vec![0; place.len().max(64) * 2];
    }
}

/// # Safety
///
/// It is a string of C.
unsafe fn name(name: *const c_char, family: c_int) -> Question {
    // SAFETY: the caller says so.
    Question::Name(unsafe { CStr::from_ptr(name) }.to_owned(), family)
}

/// # Safety
///
/// The address is so long.
unsafe fn address(address: *const c_void, length: socklen_t, family: c_int) -> Question {
    // SAFETY: the caller says so.
    let bytes = unsafe { std::slice::from_raw_parts(address.cast::<u8>(), length as usize) };
    Question::Address(bytes.to_vec(), family)
}

/// As `gethostbyname` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn gethostbyname(host: *const c_char) -> *mut hostent {
    static BY_NAME: Next = Next::new(c"gethostbyname");
    if is_green() {
        // SAFETY: I1.
        return keep(unsafe { name(host, libc::AF_INET) }.ask_greenly());
    }
    // SAFETY: it is the type of that function.
    match unsafe { BY_NAME.get::<ByName>() } {
        // SAFETY: I1.
        Some(function) => unsafe { function(host) },
        None => ptr::null_mut(),
    }
}

/// As `gethostbyname2` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn gethostbyname2(
    host: *const c_char,
    family: c_int,
) -> *mut hostent {
    static BY_NAME2: Next = Next::new(c"gethostbyname2");
    if is_green() {
        // SAFETY: I1.
        return keep(unsafe { name(host, family) }.ask_greenly());
    }
    // SAFETY: it is the type of that function.
    match unsafe { BY_NAME2.get::<ByName2>() } {
        // SAFETY: I1.
        Some(function) => unsafe { function(host, family) },
        None => ptr::null_mut(),
    }
}

/// As `gethostbyaddr` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn gethostbyaddr(
    host: *const c_void,
    length: socklen_t,
    family: c_int,
) -> *mut hostent {
    static BY_ADDRESS: Next = Next::new(c"gethostbyaddr");
    if is_green() {
        // SAFETY: I1.
        return keep(unsafe { address(host, length, family) }.ask_greenly());
    }
    // SAFETY: it is the type of that function.
    match unsafe { BY_ADDRESS.get::<ByAddress>() } {
        // SAFETY: I1.
        Some(function) => unsafe { function(host, length, family) },
        None => ptr::null_mut(),
    }
}

/// As `gethostbyname_r` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn gethostbyname_r(
    host: *const c_char,
    entry: *mut hostent,
    buffer: *mut c_char,
    length: size_t,
    result: *mut *mut hostent,
    h_errno: *mut c_int,
) -> c_int {
    static BY_NAME_R: Next = Next::new(c"gethostbyname_r");
    if is_green() {
        let wanted = Wanted { entry, buffer, length, result, h_errno };
        // SAFETY: I1.
        let question = unsafe { name(host, libc::AF_INET) };
        // SAFETY: I1.
        return unsafe { wanted.give(question.ask_greenly()) };
    }
    // SAFETY: it is the type of that function.
    match unsafe { BY_NAME_R.get::<ByNameR>() } {
        // SAFETY: I1.
        Some(function) => unsafe { function(host, entry, buffer, length, result, h_errno) },
        None => libc::ENOSYS,
    }
}

/// As `gethostbyname2_r` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn gethostbyname2_r(
    host: *const c_char,
    family: c_int,
    entry: *mut hostent,
    buffer: *mut c_char,
    length: size_t,
    result: *mut *mut hostent,
    h_errno: *mut c_int,
) -> c_int {
    if is_green() {
        let wanted = Wanted { entry, buffer, length, result, h_errno };
        // SAFETY: I1.
        let question = unsafe { name(host, family) };
        // SAFETY: I1.
        return unsafe { wanted.give(question.ask_greenly()) };
    }
    // SAFETY: it is the type of that function.
    match unsafe { BY_NAME2_R.get::<ByName2R>() } {
        // SAFETY: I1.
        Some(function) => unsafe { function(host, family, entry, buffer, length, result, h_errno) },
        None => libc::ENOSYS,
    }
}

/// As `gethostbyaddr_r` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn gethostbyaddr_r(
    host: *const c_void,
    size: socklen_t,
    family: c_int,
    entry: *mut hostent,
    buffer: *mut c_char,
    length: size_t,
    result: *mut *mut hostent,
    h_errno: *mut c_int,
) -> c_int {
    if is_green() {
        let wanted = Wanted { entry, buffer, length, result, h_errno };
        // SAFETY: I1.
        let question = unsafe { address(host, size, family) };
        // SAFETY: I1.
        return unsafe { wanted.give(question.ask_greenly()) };
    }
    // SAFETY: it is the type of that function.
    match unsafe { BY_ADDRESS_R.get::<ByAddressR>() } {
        // SAFETY: I1.
        Some(function) => unsafe {
            function(host, size, family, entry, buffer, length, result, h_errno)
        },
        None => libc::ENOSYS,
    }
}
