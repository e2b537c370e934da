//! Message queues of POSIX. Here one is a descriptor, of which `poll` tells.
//!
//! The calls have no flag for not waiting. But one whose time is over does not wait, and returns
//! `ETIMEDOUT`: so each is tried.

use std::ffi::{c_char, c_int, c_uint};
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

use libc::{mqd_t, size_t, ssize_t, timespec};

use super::time::{duration_of, now};
use crate::areas::Area;
use crate::clock::Deadline;
use crate::gate;
use crate::reactor::{Woken, wait_for};
use crate::real::{Call, answer, failed};

/// A time that is over.
static PAST: timespec = timespec { tv_sec: 0, tv_nsec: 0 };

const LATE: isize = -(libc::ETIMEDOUT as isize);

/// Makes a call that waits until a time, where it is given one, for what `poll` calls `events`.
///
/// # Safety
///
/// The time is null or there, and `call` makes the call that is to be made with another time.
unsafe fn make(
    queue: RawFd,
    events: i16,
    time: *const timespec,
    call: impl Fn(*const timespec) -> Call,
) -> isize {
    // SAFETY: the caller says so.
    let limit = unsafe { time.as_ref() }.map(limit_of);
    // The kernel refuses what is no time.
    if limit == Some(None) || !gate::is_green(Area::Os) {
        return call(time).make();
    }
    let mut deadline = limit.flatten().map(Deadline::after).unwrap_or_default();
    let attempt = call(&PAST);
    loop {
        match attempt.make() {
            LATE if !gate::may_suspend() => return call(time).make(),
            LATE => {}
            result => return result,
        }
        match wait_for([(queue, events as u32)].into_iter(), &mut deadline) {
            Ok(Woken::Ready) => {}
            Ok(Woken::Late) => return attempt.make(),
            Ok(Woken::Closed) => return failed(libc::EBADF),
            Err(error) => return failed(error),
        }
    }
}

/// Returns how long it is until a time, unless that is none.
fn limit_of(time: &timespec) -> Option<Duration> {
    Some(duration_of(time)?.saturating_sub(now(libc::CLOCK_REALTIME)?))
}

/// As `mq_timedreceive` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn mq_timedreceive(
    queue: mqd_t,
    buffer: *mut c_char,
    size: size_t,
    priority: *mut c_uint,
    time: *const timespec,
) -> ssize_t {
    let call = |time: *const timespec| {
        let at = [queue as usize, buffer.addr(), size, priority.addr(), time.addr()];
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_mq_timedreceive, at) }
    };
    // SAFETY: I1.
    answer(unsafe { make(queue, libc::POLLIN, time, call) })
}

/// As `mq_receive` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn mq_receive(
    queue: mqd_t,
    buffer: *mut c_char,
    size: size_t,
    priority: *mut c_uint,
) -> ssize_t {
    // SAFETY: I1.
    unsafe { mq_timedreceive(queue, buffer, size, priority, ptr::null()) }
}

/// As `mq_timedsend` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn mq_timedsend(
    queue: mqd_t,
    message: *const c_char,
    size: size_t,
    priority: c_uint,
    time: *const timespec,
) -> c_int {
    let call = |time: *const timespec| {
        let at = [queue as usize, message.addr(), size, priority as usize, time.addr()];
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_mq_timedsend, at) }
    };
    // SAFETY: I1.
    answer(unsafe { make(queue, libc::POLLOUT, time, call) }) as c_int
}

/// As `mq_send` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn mq_send(
    queue: mqd_t,
    message: *const c_char,
    size: size_t,
    priority: c_uint,
) -> c_int {
    // SAFETY: I1.
    unsafe { mq_timedsend(queue, message, size, priority, ptr::null()) }
}
