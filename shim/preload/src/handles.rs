//! Functions that take a thread's handle.
//!
//! What is an OS thread's can be asked for, of the one that all green threads share. To set it for
//! one of them is refused with `ENOSYS`.
//!
//! # Invariants
//!
//! - **I1**: a caller keeps libc's contract of the function that it calls.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use libc::{clockid_t, cpu_set_t, pthread_attr_t, pthread_t, sched_param, sigval, size_t};

use crate::own::next;
use crate::threads::{self, NAME, find, is_green};

/// Functions of libc by name, the handle being their first argument, and what becomes of a green
/// thread's: the error that they return, or the handle that is used instead.
macro_rules! of_handles {
    ($(
        $function:ident = $name:literal ($($argument:ident: $type:ty),*): $instead:expr;
    )*) => {
        $(
            /// As libc's.
            ///
            /// # Safety
            ///
            /// As libc's.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $function(handle: pthread_t $(, $argument: $type)*) -> c_int {
                let instead: Result<pthread_t, c_int> = match is_green(handle) {
                    true => $instead(handle),
                    false => Ok(handle),
                };
                match instead {
                    Ok(handle) => next!($name, libc::ENOSYS, (
                        handle => pthread_t
                        $(, $argument => $type)*
                    ) -> c_int),
                    Err(error) => error,
                }
            }
        )*
    };
}

fn refused(_: pthread_t) -> Result<pthread_t, c_int> {
    Err(libc::ENOSYS)
}

fn shared(handle: pthread_t) -> Result<pthread_t, c_int> {
    match find(handle) {
        Some(thread) if !thread.has_ended() => Ok(threads::hub()),
        _ => Err(libc::ESRCH),
    }
}

of_handles! {
    pthread_cancel = c"pthread_cancel" (): refused;
    pthread_getaffinity_np = c"pthread_getaffinity_np" (size: size_t, set: *mut cpu_set_t): shared;
    pthread_getattr_np = c"pthread_getattr_np" (attributes: *mut pthread_attr_t): refused;
    pthread_getcpuclockid = c"pthread_getcpuclockid" (clock: *mut clockid_t): shared;
    pthread_getschedparam = c"pthread_getschedparam" (policy: *mut c_int, of: *mut sched_param): shared;
    pthread_kill = c"pthread_kill" (signal: c_int): shared;
    pthread_setaffinity_np = c"pthread_setaffinity_np" (size: size_t, set: *const cpu_set_t): refused;
    pthread_setschedparam = c"pthread_setschedparam" (policy: c_int, to: *const sched_param): refused;
    pthread_setschedprio = c"pthread_setschedprio" (priority: c_int): refused;
    pthread_sigqueue = c"pthread_sigqueue" (signal: c_int, value: sigval): shared;
}

/// As `pthread_detach` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_detach(handle: pthread_t) -> c_int {
    if is_green(handle) {
        return threads::detach(handle);
    }
    next!(c"pthread_detach", libc::ENOSYS, (handle => pthread_t) -> c_int)
}

/// As `pthread_tryjoin_np` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_tryjoin_np(handle: pthread_t, value: *mut *mut c_void) -> c_int {
    if is_green(handle) {
        // SAFETY: by I1.
        return unsafe { threads::take_value(handle, value, false) };
    }
    next!(c"pthread_tryjoin_np", libc::ENOSYS, (
        handle => pthread_t,
        value => *mut *mut c_void
    ) -> c_int)
}

/// As `pthread_setname_np` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_setname_np(handle: pthread_t, name: *const c_char) -> c_int {
    if !is_green(handle) {
        return next!(c"pthread_setname_np", libc::ENOSYS, (
            handle => pthread_t,
            name => *const c_char
        ) -> c_int);
    }
    let Some(thread) = find(handle) else { return libc::ESRCH };
    // SAFETY: by I1.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    let mut bytes = [0; NAME];
    let Some(place) = bytes.get_mut(..name.len()) else { return libc::ERANGE };
    place.copy_from_slice(name);
    thread.set_name(bytes);
    0
}

/// As `pthread_getname_np` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_getname_np(
    handle: pthread_t,
    name: *mut c_char,
    size: size_t,
) -> c_int {
    if !is_green(handle) {
        return next!(c"pthread_getname_np", libc::ENOSYS, (
            handle => pthread_t,
            name => *mut c_char,
            size => size_t
        ) -> c_int);
    }
    let Some(thread) = find(handle) else { return libc::ESRCH };
    if size < NAME {
        return libc::ERANGE;
    }
    let bytes = thread.name();
    // SAFETY: by I1, and it is as large.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast(), name, NAME) };
    0
}
