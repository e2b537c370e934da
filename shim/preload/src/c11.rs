//! The threads of C11. libc's are those of `pthread` by other names, and so are these. The shim has
//! those that wait.
//!
//! # Invariants
//!
//! - **I1**: a caller keeps libc's contract of the function that it calls.

use std::ffi::{c_int, c_void};
use std::ptr;

use libc::{pthread_key_t, pthread_t};

use crate::handles::pthread_detach;
use crate::keys::{
    Destructor, pthread_getspecific, pthread_key_create, pthread_key_delete, pthread_setspecific,
};
use crate::own::next;
use crate::threads::{self, pthread_exit, pthread_self};

const SUCCESS: c_int = 0;
const ERROR: c_int = 2;

fn status(error: c_int) -> c_int {
    if error == 0 { SUCCESS } else { ERROR }
}

type Start = unsafe extern "C" fn(*mut c_void) -> c_int;

/// What a thread is to run.
struct Call {
    start: Start,
    argument: *mut c_void,
}

unsafe extern "C" fn make(call: *mut c_void) -> *mut c_void {
    // SAFETY: `thrd_create` has made it for this thread.
    let Call { start, argument } = *unsafe { Box::from_raw(call.cast::<Call>()) };
    // SAFETY: by I1.
    value_of(unsafe { start(argument) })
}

/// What `thrd_join` of the shim makes a number of.
fn value_of(result: c_int) -> *mut c_void {
    ptr::without_provenance_mut(result as usize)
}

/// As `thrd_create` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn thrd_create(
    handle: *mut pthread_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let call = Box::into_raw(Box::new(Call { start, argument })).cast();
    // SAFETY: by I1, and `make` takes the call.
    let created = unsafe { threads::create(handle, ptr::null(), make, call) };
    if created != Some(0) {
        // SAFETY: no thread has it.
        drop(unsafe { Box::from_raw(call.cast::<Call>()) });
    }
    created.map(status).unwrap_or_else(|| {
        next!(c"thrd_create", ERROR, (
            handle => *mut pthread_t,
            start => Start,
            argument => *mut c_void
        ) -> c_int)
    })
}

/// As `thrd_current` of libc.
#[unsafe(no_mangle)]
extern "C" fn thrd_current() -> pthread_t {
    pthread_self()
}

/// As `thrd_detach` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn thrd_detach(handle: pthread_t) -> c_int {
    // SAFETY: by I1.
    status(unsafe { pthread_detach(handle) })
}

/// As `thrd_exit` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn thrd_exit(result: c_int) -> ! {
    // SAFETY: by I1. Nothing has to be dropped here.
    unsafe { pthread_exit(value_of(result)) }
}

/// As `tss_create` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn tss_create(key: *mut pthread_key_t, destructor: Option<Destructor>) -> c_int {
    // SAFETY: by I1.
    status(unsafe { pthread_key_create(key, destructor) })
}

/// As `tss_delete` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn tss_delete(key: pthread_key_t) {
    // SAFETY: by I1.
    unsafe { pthread_key_delete(key) };
}

/// As `tss_get` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn tss_get(key: pthread_key_t) -> *mut c_void {
    // SAFETY: by I1.
    unsafe { pthread_getspecific(key) }
}

/// As `tss_set` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn tss_set(key: pthread_key_t, value: *mut c_void) -> c_int {
    // SAFETY: by I1.
    status(unsafe { pthread_setspecific(key, value) })
}
