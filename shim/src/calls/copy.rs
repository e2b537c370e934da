//! `sendfile` and `splice`, with which `std::io::copy` moves data from one descriptor to another.
//!
//! They have no flag for a call that does not wait. So, as `connect` does, they set `O_NONBLOCK`
//! for themselves, and restore it before anybody else runs on this OS thread. They move some and
//! return how much, as they always may.

use std::ffi::{c_int, c_uint};
use std::os::fd::RawFd;

use libc::{off64_t, size_t, ssize_t};

use super::descriptor::{AGAIN, Next, Waiting, Way, flags, is_ready, set_flags};
use crate::areas::Area;
use crate::gate;
use crate::real::{Call, answer};

/// A descriptor that does not wait as long as this is there.
struct Nonblocking {
    descriptor: RawFd,
    flags: isize,
}

impl Nonblocking {
    fn make(descriptor: RawFd) -> Nonblocking {
        let flags = flags(descriptor);
        set_flags(descriptor, flags | libc::O_NONBLOCK as isize);
        Nonblocking { descriptor, flags }
    }
}

impl Drop for Nonblocking {
    fn drop(&mut self) {
        set_flags(self.descriptor, self.flags);
    }
}

/// Moves some data from one descriptor to another.
fn copy_green(from: RawFd, to: RawFd, plain: Call) -> isize {
    let are_nonblocking = (flags(from) | flags(to)) & libc::O_NONBLOCK as isize != 0;
    if are_nonblocking || !gate::may_suspend() {
        return plain.make();
    }
    let mut input = Waiting::new(from, Way::In);
    let mut output = Waiting::new(to, Way::Out);
    loop {
        let moved = {
            let _both = [from, to].map(Nonblocking::make);
            plain.make()
        };
        if moved != AGAIN {
            return moved;
        }
        let blocked = if is_ready(from, Way::In) { &mut output } else { &mut input };
        match blocked.wait() {
            Next::Retry => {}
            Next::Return(result) => return result,
            Next::Plain => return plain.make(),
        }
    }
}

/// As `sendfile` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendfile(
    to: c_int,
    from: c_int,
    offset: *mut off64_t,
    count: size_t,
) -> ssize_t {
    // SAFETY: I1.
    let plain = unsafe {
        Call::new(libc::SYS_sendfile, [to as usize, from as usize, offset.addr(), count])
    };
    if !gate::is_green(Area::Socket) {
        return plain.answer();
    }
    answer(copy_green(from, to, plain))
}

/// As `splice` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn splice(
    from: c_int,
    from_offset: *mut off64_t,
    to: c_int,
    to_offset: *mut off64_t,
    count: size_t,
    flags: c_uint,
) -> ssize_t {
    let at =
        [from as usize, from_offset.addr(), to as usize, to_offset.addr(), count, flags as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_splice, at) };
    if flags & libc::SPLICE_F_NONBLOCK != 0 || !gate::is_green(Area::Socket) {
        return plain.answer();
    }
    answer(copy_green(from, to, plain))
}

aliases! {
    sendfile64 = sendfile(to: c_int, from: c_int, offset: *mut off64_t, count: size_t) -> ssize_t;
}
