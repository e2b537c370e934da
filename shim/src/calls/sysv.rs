//! Semaphores and message queues of System V. They are no descriptors, and nothing tells of them.
//!
//! So each call is tried with `IPC_NOWAIT`, and again after 1, 2, 4 and at most 50 ms. A thread
//! that waits in the kernel is served before. A wait for a semaphore to be zero does not see one
//! that is zero for a moment only, and the kernel does not count those who wait here (`GETNCNT`).

use std::ffi::{c_int, c_long, c_void};
use std::future::poll_fn;
use std::ptr;
use std::task::Poll;
use std::time::Duration;

use libc::{sembuf, size_t, ssize_t, timespec};

use super::descriptor::AGAIN;
use super::time::{Pauses, duration_of};
use crate::areas::Area;
use crate::clock::Deadline;
use crate::gate;
use crate::real::{Call, answer, failed};

const NO_MESSAGE: isize = -(libc::ENOMSG as isize);
const INVALID: isize = -(libc::EINVAL as isize);

/// Makes a call that returns `busy` in place of waiting, again and again until it returns something
/// else or the time is over. `plain` is the call as it was asked for.
fn repeat(attempt: Call, busy: isize, limit: Option<Duration>, plain: Call) -> isize {
    let mut result = attempt.make();
    let mut deadline = limit.map(Deadline::after).unwrap_or_default();
    let mut pauses = Pauses::up_to(50);
    while result == busy {
        if !gate::may_suspend() {
            return plain.make();
        }
        let mut pause = Deadline::after(pauses.longer());
        let waited = gate::wait(poll_fn(|cx| match deadline.poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending => pause.poll(cx).map(|()| false),
        }));
        let is_late = match waited {
            Ok(is_late) => is_late,
            Err(error) => return failed(error),
        };
        result = attempt.make();
        match result {
            // It was there before.
            INVALID => return failed(libc::EIDRM),
            _ if is_late => return result,
            _ => {}
        }
    }
    result
}

/// The most operations of a call that is looked at. The kernel takes 500, as long as nobody sets
/// another limit.
const MOST: size_t = 500;

/// As `semtimedop` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn semtimedop(
    set: c_int,
    operations: *mut sembuf,
    count: size_t,
    limit: *const timespec,
) -> c_int {
    let call = |operations: *const sembuf, limit: *const timespec| {
        let at = [set as usize, operations.addr(), count, limit.addr()];
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_semtimedop, at) }
    };
    let plain = call(operations, limit);
    // SAFETY: I1.
    let limit = unsafe { limit.as_ref() }.map(duration_of);
    let is_known = (1..=MOST).contains(&count) && limit != Some(None);
    if !is_known || !gate::is_green(Area::Os) {
        return plain.answer() as c_int;
    }
    // SAFETY: I1.
    let asked = unsafe { std::slice::from_raw_parts(operations, count) };
    let does_not_wait = |operation: &sembuf| c_int::from(operation.sem_flg) & libc::IPC_NOWAIT != 0;
    if asked.iter().any(does_not_wait) {
        if !asked.iter().all(does_not_wait) {
            // Only the kernel knows which of them cannot be done.
            gate::note_blocked();
        }
        return plain.answer() as c_int;
    }
    let mut tried = asked.to_vec();
    tried.iter_mut().for_each(|operation| operation.sem_flg |= libc::IPC_NOWAIT as i16);
    let attempt = call(tried.as_ptr(), ptr::null());
    answer(repeat(attempt, AGAIN, limit.flatten(), plain)) as c_int
}

/// As `semop` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn semop(set: c_int, operations: *mut sembuf, count: size_t) -> c_int {
    // SAFETY: I1.
    unsafe { semtimedop(set, operations, count, ptr::null()) }
}

/// Makes a call of message queues, of which `call` returns the one with other flags.
fn on_queue(flags: c_int, busy: isize, call: impl Fn(c_int) -> Call) -> isize {
    let plain = call(flags);
    if flags & libc::IPC_NOWAIT != 0 || !gate::is_green(Area::Os) {
        return plain.answer();
    }
    answer(repeat(call(flags | libc::IPC_NOWAIT), busy, None, plain))
}

/// As `msgrcv` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn msgrcv(
    queue: c_int,
    message: *mut c_void,
    size: size_t,
    kind: c_long,
    flags: c_int,
) -> ssize_t {
    on_queue(flags, NO_MESSAGE, |flags| {
        let at = [queue as usize, message.addr(), size, kind as usize, flags as usize];
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_msgrcv, at) }
    })
}

/// As `msgsnd` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn msgsnd(
    queue: c_int,
    message: *const c_void,
    size: size_t,
    flags: c_int,
) -> c_int {
    let sent = on_queue(flags, AGAIN, |flags| {
        let at = [queue as usize, message.addr(), size, flags as usize];
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_msgsnd, at) }
    });
    sent as c_int
}
