//! libc's functions behind those of this crate, and this library's own use of them.
//!
//! # Invariants
//!
//! - **I1**: a caller keeps libc's contract of the function that it calls.
//! - **I2**: nothing here unwinds: the functions are `extern "C"`, and none panics.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use eventlet_shim::preload::is_own;

/// Calls the next function of that name behind this library's. Where there is none, it is
/// `$missing`.
macro_rules! next {
    ($name:literal, $missing:expr, ($($argument:expr => $type:ty),*) -> $result:ty) => {{
        static NEXT: eventlet_shim::preload::Next = eventlet_shim::preload::Next::new($name);
        // SAFETY: it is the function of that name, which has this type.
        let function = unsafe { NEXT.get::<unsafe extern "C" fn($($type),*) -> $result>() };
        match function {
            // SAFETY: by I1.
            Some(function) => unsafe { function($($argument),*) },
            None => $missing,
        }
    }};
}

pub(crate) use next;

thread_local! {
    /// Whether this OS thread has the hub, whose thread-locals last as long as the process.
    static HAS_HUB: Cell<bool> = const { Cell::new(false) };
}

/// Has this library's thread-locals of this OS thread last until the process ends.
///
/// `exit` destroys those of its OS thread before it calls the program's functions of `atexit`.
/// These may wait for green threads, as they wait for others without this library.
pub(crate) fn keep_thread_locals() {
    HAS_HUB.set(true);
}

/// As `__cxa_thread_atexit_impl` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn __cxa_thread_atexit_impl(
    destructor: unsafe extern "C" fn(*mut c_void),
    object: *mut c_void,
    library: *mut c_void,
) -> c_int {
    if HAS_HUB.get() && is_own(destructor as *const c_void) {
        return 0;
    }
    next!(c"__cxa_thread_atexit_impl", -1, (
        destructor => unsafe extern "C" fn(*mut c_void),
        object => *mut c_void,
        library => *mut c_void
    ) -> c_int)
}
