//! What C++ knows of the exceptions of a thread: each green thread has it for itself.
//!
//! libstdc++ keeps in a thread-local which exceptions are caught, the last first. Two green threads
//! that wait amid a `catch` would take each other's off. It asks for the place by these functions.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;

use crate::own::next;
use crate::threads;

/// `__cxa_eh_globals`: a pointer and a number.
pub(crate) struct Exceptions(UnsafeCell<[usize; 2]>);

impl Exceptions {
    pub(crate) const fn none() -> Exceptions {
        Exceptions(UnsafeCell::new([0; 2]))
    }
}

fn of_green_thread() -> Option<*mut c_void> {
    threads::with_current(|thread| thread.exceptions.0.get().cast())
}

/// As `__cxa_get_globals` of libstdc++.
#[unsafe(no_mangle)]
extern "C" fn __cxa_get_globals() -> *mut c_void {
    of_green_thread()
        .unwrap_or_else(|| next!(c"__cxa_get_globals", ptr::null_mut(), () -> *mut c_void))
}

/// As `__cxa_get_globals_fast` of libstdc++.
#[unsafe(no_mangle)]
extern "C" fn __cxa_get_globals_fast() -> *mut c_void {
    of_green_thread()
        .unwrap_or_else(|| next!(c"__cxa_get_globals_fast", ptr::null_mut(), () -> *mut c_void))
}
