//! Calls that are left from within: how `pthread_exit` ends a thread.
//!
//! No unwind passes a function of C. Instead the stack pointer goes back to where the call was
//! made, with the registers that a function has to preserve, as `longjmp` does.
//!
//! # Invariants
//!
//! - **I1**: a [`Place`] has the stack pointer of its call while that is not over, and zero else.

use std::arch::global_asm;
use std::cell::Cell;
use std::ffi::c_void;
use std::num::NonZeroUsize;

/// What a thread of C runs.
pub(crate) type Start = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// Where a call may be left to.
pub(crate) struct Place(Cell<usize>);

unsafe extern "C" {
    fn eventlet_preload_call(start: Start, argument: *mut c_void, place: *mut usize)
    -> *mut c_void;
    fn eventlet_preload_leave(place: usize, value: *mut c_void) -> !;
}

impl Place {
    pub(crate) const fn new() -> Place {
        Place(Cell::new(0))
    }

    /// Calls a function, and returns what it does, or what the call is left with.
    ///
    /// # Safety
    ///
    /// The function may be called with that argument. The place is not in use.
    pub(crate) unsafe fn call(&self, start: Start, argument: *mut c_void) -> *mut c_void {
        // SAFETY: the caller says so. By I1 the place is written before the call.
        let value = unsafe { eventlet_preload_call(start, argument, self.0.as_ptr()) };
        self.0.set(0);
        value
    }

    /// Returns where to [`leave`] to. `None` where there is no call.
    pub(crate) fn get(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.0.get())
    }
}

/// Leaves a call with a value.
///
/// # Safety
///
/// It is called on the stack of that call, which is not over. No frame of Rust in between has
/// anything to drop.
pub(crate) unsafe fn leave(place: NonZeroUsize, value: *mut c_void) -> ! {
    // SAFETY: by I1.
    unsafe { eventlet_preload_leave(place.get(), value) }
}

// Neither has a description for unwinders: an exception that nobody catches ends here, and so the
// process, as it does at the start of a thread of C.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".hidden eventlet_preload_call",
    ".hidden eventlet_preload_leave",
    ".globl eventlet_preload_call",
    ".globl eventlet_preload_leave",
    "eventlet_preload_call:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "sub rsp, 8",
    "mov [rdx], rsp",
    "mov rax, rdi",
    "mov rdi, rsi",
    "call rax",
    "2:",
    "add rsp, 8",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    "eventlet_preload_leave:",
    "mov rsp, rdi",
    "mov rax, rsi",
    "jmp 2b",
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".hidden eventlet_preload_call",
    ".hidden eventlet_preload_leave",
    ".globl eventlet_preload_call",
    ".globl eventlet_preload_leave",
    "eventlet_preload_call:",
    "stp x29, x30, [sp, #-160]!",
    "stp x19, x20, [sp, #16]",
    "stp x21, x22, [sp, #32]",
    "stp x23, x24, [sp, #48]",
    "stp x25, x26, [sp, #64]",
    "stp x27, x28, [sp, #80]",
    "stp d8, d9, [sp, #96]",
    "stp d10, d11, [sp, #112]",
    "stp d12, d13, [sp, #128]",
    "stp d14, d15, [sp, #144]",
    "mov x9, sp",
    "str x9, [x2]",
    "mov x9, x0",
    "mov x0, x1",
    "blr x9",
    "2:",
    "ldp x19, x20, [sp, #16]",
    "ldp x21, x22, [sp, #32]",
    "ldp x23, x24, [sp, #48]",
    "ldp x25, x26, [sp, #64]",
    "ldp x27, x28, [sp, #80]",
    "ldp d8, d9, [sp, #96]",
    "ldp d10, d11, [sp, #112]",
    "ldp d12, d13, [sp, #128]",
    "ldp d14, d15, [sp, #144]",
    "ldp x29, x30, [sp], #160",
    "ret",
    "eventlet_preload_leave:",
    "mov sp, x0",
    "mov x0, x1",
    "b 2b",
);
