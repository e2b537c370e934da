//! Waiting for child processes. One that is named is watched by a descriptor of it. Where it may be
//! any, or one of a group, they are looked at again and again, at first after a millisecond, then
//! less often.

use std::ffi::c_int;
use std::os::fd::RawFd;

use libc::{id_t, idtype_t, pid_t, rusage, siginfo_t};

use super::time::Pauses;
use crate::areas::Area;
use crate::clock::Deadline;
use crate::gate;
use crate::reactor::{Woken, wait_for};
use crate::real::{Call, answer, failed};

/// Which children are waited for.
enum Children {
    One(pid_t),
    Watched(RawFd),
    Several,
}

/// Waits as `plain` does, which must look only if its options have `WNOHANG`: that is `look`, which
/// returns whether there was something.
fn wait_green(children: &Children, mut look: impl FnMut() -> (isize, bool), plain: Call) -> isize {
    if !gate::may_suspend() {
        return plain.make();
    }
    let opened = Opened::of(children);
    let mut pauses = Pauses::up_to(50);
    loop {
        let (result, there) = look();
        if there || result < 0 {
            return result;
        }
        let waited = match opened.descriptor() {
            Some(descriptor) => wait_for_exit(descriptor),
            None => gate::wait(eventlet::sleep(pauses.longer())),
        };
        if let Err(error) = waited {
            return failed(error);
        }
    }
}

fn wait_for_exit(descriptor: RawFd) -> Result<(), c_int> {
    let wanted = [(descriptor, libc::POLLIN as u32)];
    match wait_for(wanted.into_iter(), &mut Deadline::default())? {
        Woken::Closed => Err(libc::EBADF),
        Woken::Ready | Woken::Late => Ok(()),
    }
}

/// A descriptor that tells when a child has ended. One that was opened for it is closed in the end.
enum Opened {
    Ours(RawFd),
    Theirs(RawFd),
    None,
}

impl Opened {
    fn of(children: &Children) -> Opened {
        match children {
            Children::One(child) => {
                // SAFETY: it has no arguments but numbers.
                let opened =
                    unsafe { Call::new(libc::SYS_pidfd_open, [*child as usize, 0]) }.make();
                if opened < 0 { Opened::None } else { Opened::Ours(opened as RawFd) }
            }
            Children::Watched(descriptor) => Opened::Theirs(*descriptor),
            Children::Several => Opened::None,
        }
    }

    fn descriptor(&self) -> Option<RawFd> {
        match self {
            Opened::Ours(descriptor) | Opened::Theirs(descriptor) => Some(*descriptor),
            Opened::None => None,
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Opened::Ours(descriptor) = self {
            // SAFETY: it is ours.
            unsafe { super::unistd::close(*descriptor) };
        }
    }
}

fn is_green(options: c_int) -> bool {
    // A child that stops or goes on does not make its descriptor ready.
    let others = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
    options & others == 0 && gate::is_green(Area::Subprocess)
}

/// As `wait4` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn wait4(
    child: pid_t,
    status: *mut c_int,
    options: c_int,
    usage: *mut rusage,
) -> pid_t {
    let call = |options: c_int| {
        let at = [child as usize, status.addr(), options as usize, usage.addr()];
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_wait4, at) }
    };
    if !is_green(options) {
        return call(options).answer() as pid_t;
    }
    let children = if child > 0 { Children::One(child) } else { Children::Several };
    let look = || {
        let result = call(options | libc::WNOHANG).make();
        (result, result != 0)
    };
    answer(wait_green(&children, look, call(options))) as pid_t
}

/// As `waitpid` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn waitpid(child: pid_t, status: *mut c_int, options: c_int) -> pid_t {
    // SAFETY: I1.
    unsafe { wait4(child, status, options, std::ptr::null_mut()) }
}

/// As `wait3` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn wait3(
    status: *mut c_int,
    options: c_int,
    usage: *mut rusage,
) -> pid_t {
    // SAFETY: I1.
    unsafe { wait4(-1, status, options, usage) }
}

/// As `wait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn wait(status: *mut c_int) -> pid_t {
    // SAFETY: I1.
    unsafe { wait4(-1, status, 0, std::ptr::null_mut()) }
}

/// As `waitid` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn waitid(
    kind: idtype_t,
    id: id_t,
    about: *mut siginfo_t,
    options: c_int,
) -> c_int {
    // SAFETY: all zeroes is a value of it.
    let mut unused: siginfo_t = unsafe { std::mem::zeroed() };
    let about = if about.is_null() { &raw mut unused } else { about };
    let call = |options: c_int| {
        let at = [kind as usize, id as usize, about.addr(), options as usize, 0];
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_waitid, at) }
    };
    if options & libc::WEXITED == 0
        || !is_green(options & !libc::WSTOPPED)
        || options & libc::WSTOPPED != 0
    {
        return call(options).answer() as c_int;
    }
    let children = match kind {
        libc::P_PID => Children::One(id as pid_t),
        libc::P_PIDFD => Children::Watched(id as RawFd),
        _ => Children::Several,
    };
    let look = || {
        // SAFETY: I1.
        unsafe { (*about).si_signo = 0 };
        let result = call(options | libc::WNOHANG).make();
        // SAFETY: I1.
        (result, unsafe { (*about).si_signo } != 0)
    };
    answer(wait_green(&children, look, call(options))) as c_int
}

aliases! {
    __wait = wait(status: *mut c_int) -> pid_t;
    __waitpid = waitpid(child: pid_t, status: *mut c_int, options: c_int) -> pid_t;
}
