//! Whether this OS thread is ending, and its thread-locals are being destroyed one by one.
//!
//! A green stack may have borrowed from any of them, as in `TEXT.with(|text| ..wait..)`, and there
//! is no way to tell which are left. So from then on a stack that is in use is not unwound: it is
//! left as it is, and so is everything that it borrows from other stacks.
//!
//! Thread-locals are destroyed in the reverse of the order in which they were first used, so none
//! of ours is guaranteed to be the first. But glibc destroys them all in one function: if that is
//! among the callers, they are being destroyed. On other systems we check whether a thread-local of
//! ours, made with the first stack, is gone. It is older than any that a stack has borrowed from,
//! so this misses a stack that is kept by a newer one.
//!
//! # Invariants
//!
//! - **I1**: the unwinder calls [`look_at_caller`] with what [`called_by`] gave it, while that
//!   waits.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

struct Sentinel;

impl Drop for Sentinel {
    fn drop(&mut self) {}
}

thread_local! {
    static SENTINEL: Sentinel = const { Sentinel };
}

/// Records that this OS thread has stacks.
#[inline]
pub(super) fn begin() {
    let _there = SENTINEL.try_with(|_| ());
}

/// Returns whether the thread-locals of this OS thread are being destroyed.
#[cold]
pub(super) fn thread_is_ending() -> bool {
    SENTINEL.try_with(|_| ()).is_err() || called_by(c"__call_tls_dtors")
}

#[allow(non_camel_case_types)]
type _Unwind_Reason_Code = c_int;
const GO_ON: _Unwind_Reason_Code = 0;
const STOP: _Unwind_Reason_Code = 4;

// The unwinder that panics use: `std` links it wherever there is one.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        look: extern "C" fn(*mut c_void, *mut c_void) -> _Unwind_Reason_Code,
        argument: *mut c_void,
    ) -> _Unwind_Reason_Code;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    fn _Unwind_FindEnclosingFunction(address: *mut c_void) -> *mut c_void;
}

struct Sought {
    function: *mut c_void,
    found: bool,
}

/// Returns whether a function is among the callers of this one. False where the process has no such
/// function.
fn called_by(function: &CStr) -> bool {
    // SAFETY: it looks a name up.
    let function = unsafe { libc::dlsym(libc::RTLD_DEFAULT, function.as_ptr()) };
    if function.is_null() {
        return false;
    }
    let mut sought = Sought { function, found: false };
    // SAFETY: it reads the stack, and calls `look_at_caller` as that wants.
    unsafe { _Unwind_Backtrace(look_at_caller, ptr::from_mut(&mut sought).cast()) };
    sought.found
}

extern "C" fn look_at_caller(context: *mut c_void, sought: *mut c_void) -> _Unwind_Reason_Code {
    // SAFETY: by I1.
    let sought = unsafe { &mut *sought.cast::<Sought>() };
    // SAFETY: by I1, it is a context of the unwinder's.
    let returns_to = unsafe { _Unwind_GetIP(context) };
    // A call may be the last instruction of a function, so its return address belongs to the next.
    let call = returns_to.wrapping_sub(1) as *mut c_void;
    // SAFETY: it may be asked about any address.
    let function = unsafe { _Unwind_FindEnclosingFunction(call) };
    sought.found = function == sought.function;
    if sought.found { STOP } else { GO_ON }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_found() {
        extern "C" fn compare(_: *const c_void, _: *const c_void) -> c_int {
            assert!(called_by(c"qsort") || called_by(c"qsort_r") || cfg!(not(target_env = "gnu")));
            0
        }
        let mut items = [1, 2];
        // SAFETY: it sorts two numbers.
        unsafe { libc::qsort(items.as_mut_ptr().cast(), 2, size_of::<i32>(), Some(compare)) };
        assert!(!called_by(c"qsort") && !called_by(c"no_such_function"));
        assert!(!thread_is_ending());
    }
}
