//! The threads of C11. libc's are those of `pthread` by other names, and so are these: the
//! structures are the same, and errors are told by fewer numbers.

use std::ffi::c_int;
use std::ptr;

use libc::{pthread_cond_t, pthread_mutex_t, pthread_once_t, pthread_t, timespec};

use super::condition::{
    pthread_cond_broadcast, pthread_cond_signal, pthread_cond_timedwait, pthread_cond_wait,
};
use super::mutex::{
    pthread_mutex_lock, pthread_mutex_timedlock, pthread_mutex_trylock, pthread_mutex_unlock,
};
use super::once::pthread_once;
use crate::calls::syscall::pthread_join;
use crate::calls::time::{clock_nanosleep, sched_yield};

const SUCCESS: c_int = 0;
const BUSY: c_int = 1;
const ERROR: c_int = 2;
const NO_MEMORY: c_int = 3;
const TIMED_OUT: c_int = 4;

/// Returns what C11 has for an error of `pthread`.
fn status(error: c_int) -> c_int {
    match error {
        0 => SUCCESS,
        libc::EBUSY => BUSY,
        libc::ENOMEM => NO_MEMORY,
        libc::ETIMEDOUT => TIMED_OUT,
        _ => ERROR,
    }
}

/// Defines functions of C11 that are one of `pthread` but for the errors.
macro_rules! functions {
    ($($name:ident = $function:ident($($argument:ident: $type:ty),*);)*) => { $(
        #[doc = concat!("As `", stringify!($name), "` of libc.")]
        ///
        /// # Safety
        ///
        /// As libc's.
        #[unsafe(no_mangle)]
        pub(in crate::calls) unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            // SAFETY: I1.
            status(unsafe { $function($($argument),*) })
        }
    )* };
}

functions! {
    mtx_lock = pthread_mutex_lock(mutex: *mut pthread_mutex_t);
    mtx_timedlock = pthread_mutex_timedlock(mutex: *mut pthread_mutex_t, time: *const timespec);
    mtx_trylock = pthread_mutex_trylock(mutex: *mut pthread_mutex_t);
    mtx_unlock = pthread_mutex_unlock(mutex: *mut pthread_mutex_t);
    cnd_wait = pthread_cond_wait(condition: *mut pthread_cond_t, mutex: *mut pthread_mutex_t);
    cnd_timedwait = pthread_cond_timedwait(
        condition: *mut pthread_cond_t,
        mutex: *mut pthread_mutex_t,
        time: *const timespec
    );
    cnd_signal = pthread_cond_signal(condition: *mut pthread_cond_t);
    cnd_broadcast = pthread_cond_broadcast(condition: *mut pthread_cond_t);
}

/// As `call_once` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn call_once(
    flag: *mut pthread_once_t,
    routine: extern "C" fn(),
) {
    // SAFETY: I1.
    unsafe { pthread_once(flag, routine) };
}

/// As `thrd_join` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn thrd_join(
    thread: pthread_t,
    result: *mut c_int,
) -> c_int {
    let mut returned = ptr::null_mut();
    // SAFETY: I1, and there is room for the value.
    let error = unsafe { pthread_join(thread, &mut returned) };
    if error == 0 && !result.is_null() {
        // SAFETY: I1.
        unsafe { *result = returned.addr() as c_int };
    }
    status(error)
}

/// As `thrd_sleep` of libc: -1 where a signal has ended it, and -2 for other errors.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn thrd_sleep(
    time: *const timespec,
    left: *mut timespec,
) -> c_int {
    // SAFETY: I1.
    match unsafe { clock_nanosleep(libc::CLOCK_REALTIME, 0, time, left) } {
        0 => 0,
        libc::EINTR => -1,
        _ => -2,
    }
}

/// As `thrd_yield` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn thrd_yield() {
    // SAFETY: it has no arguments.
    unsafe { sched_yield() };
}
