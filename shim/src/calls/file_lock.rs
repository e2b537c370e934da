//! `flock`, `lockf`, and `fcntl` where it waits for a lock.
//!
//! A lock is tried without waiting, and again after 1, 2, 4 and at most 50 ms. An OS thread that
//! waits in the kernel would be told at once, but it cannot be called back: it would get the lock
//! for a green thread that is gone, through a descriptor that may be another file's by then. Who
//! tries has the lock or has it not. What is lost is the kernel's order of those who wait, and that
//! `F_SETLKW` sees two processes wait for each other (`EDEADLK`).

use std::ffi::c_int;
use std::os::fd::RawFd;

use libc::{flock as Lock, off_t};

use super::descriptor::AGAIN;
use super::settings::change;
use super::time::Pauses;
use crate::areas::Area;
use crate::gate;
use crate::reactor::{Woken, pause_beside};
use crate::real::{self, Call, Next, answer, failed};

/// Tries until there is a lock, or an error.
fn lock_green(descriptor: RawFd, attempt: Call, plain: Call) -> isize {
    let mut pauses = Pauses::up_to(50);
    loop {
        match attempt.make() {
            AGAIN if !gate::may_suspend() => return plain.make(),
            AGAIN => {}
            result => return result,
        }
        match pause_beside(descriptor, pauses.longer()) {
            Ok(Woken::Closed) => return failed(libc::EBADF),
            Ok(_) => {}
            Err(error) => return failed(error),
        }
    }
}

/// As `flock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn flock(descriptor: c_int, operation: c_int) -> c_int {
    let call = |operation: c_int| {
        // SAFETY: it has no arguments but numbers.
        unsafe { Call::new(libc::SYS_flock, [descriptor as usize, operation as usize]) }
    };
    let waits = operation & (libc::LOCK_SH | libc::LOCK_EX) != 0 && operation & libc::LOCK_NB == 0;
    if !waits || !gate::is_green(Area::Os) {
        return call(operation).answer() as c_int;
    }
    answer(lock_green(descriptor, call(operation | libc::LOCK_NB), call(operation))) as c_int
}

/// What the kernel calls the owner of a descriptor's signals: a kind, and a number.
type Owner = [c_int; 2];

const F_GETOWN_EX: c_int = 16;
const F_OWNER_PGRP: c_int = 2;

/// As `fcntl` of libc. It takes one argument: where it is given none that is not used.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fcntl(descriptor: c_int, command: c_int, argument: usize) -> c_int {
    let call = |command: c_int| {
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_fcntl, [descriptor as usize, command as usize, argument]) }
    };
    let attempt = match command {
        libc::F_SETLKW => libc::F_SETLK,
        libc::F_OFD_SETLKW => libc::F_OFD_SETLK,
        libc::F_GETOWN => return answer(owner(descriptor)) as c_int,
        libc::F_SETFL => return change(call(command)) as c_int,
        _ => return call(command).answer() as c_int,
    };
    if !gate::is_green(Area::Os) {
        return call(command).answer() as c_int;
    }
    answer(lock_green(descriptor, call(attempt), call(command))) as c_int
}

/// Asks for the owner as libc does: a group of processes, a negative number, would look like an
/// error of the kernel's.
fn owner(descriptor: RawFd) -> isize {
    let mut owner: Owner = [0; 2];
    let arguments = [descriptor as usize, F_GETOWN_EX as usize, owner.as_mut_ptr().addr()];
    // SAFETY: there is room for the answer.
    let error = unsafe { Call::new(libc::SYS_fcntl, arguments) }.make();
    match (error, owner) {
        (0, [F_OWNER_PGRP, group]) => -(group as isize),
        (0, [_, process]) => process as isize,
        (error, _) => error,
    }
}

type RealLockf = unsafe extern "C" fn(c_int, c_int, off_t) -> c_int;

/// As `lockf` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn lockf(descriptor: c_int, command: c_int, length: off_t) -> c_int {
    static LOCKF: Next = Next::new(c"lockf");
    if command == libc::F_LOCK && gate::is_green(Area::Os) {
        let lock = Lock {
            l_type: libc::F_WRLCK as _,
            l_whence: libc::SEEK_CUR as _,
            l_start: 0,
            l_len: length,
            l_pid: 0,
        };
        // SAFETY: the lock is there for the call.
        return unsafe { fcntl(descriptor, libc::F_SETLKW, (&raw const lock).addr()) };
    }
    // SAFETY: it is the type of that function.
    match unsafe { LOCKF.get::<RealLockf>() } {
        // SAFETY: I1.
        Some(function) => unsafe { function(descriptor, command, length) },
        None => {
            real::set_errno(libc::ENOSYS);
            -1
        }
    }
}

aliases! {
    fcntl64, __fcntl = fcntl(descriptor: c_int, command: c_int, argument: usize) -> c_int;
    lockf64 = lockf(descriptor: c_int, command: c_int, length: off_t) -> c_int;
}
