//! The calls as the kernel has them, past whatever has libc's names.
//!
//! # Invariants
//!
//! - **I1**: the arguments of a [`Call`] are what its system call wants, from [`Call::new`] to its
//!   last use.
//! - **I2**: a system call changes no register but those that it is declared to, and only the
//!   memory that its arguments name.

use std::arch::asm;
use std::ffi::{CStr, c_int, c_long, c_void};
use std::mem;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

/// The error numbers that the kernel returns, negated.
const ERRORS: std::ops::Range<isize> = -4095..0;

/// A system call that may be made again and again.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    number: c_long,
    arguments: [usize; 6],
}

impl Call {
    /// Makes a call. Arguments that it has not are zero.
    ///
    /// # Safety
    ///
    /// As long as it is used the arguments are what that system call wants.
    #[inline]
    pub(crate) unsafe fn new<const N: usize>(number: c_long, given: [usize; N]) -> Call {
        let mut arguments = [0; 6];
        arguments[..N].copy_from_slice(&given);
        Call { number, arguments }
    }

    /// Makes the call, and returns what the kernel does: a negated error number, or a value.
    #[inline]
    pub(crate) fn make(&self) -> isize {
        // SAFETY: by I1.
        unsafe { system_call(self.number, self.arguments) }
    }

    /// Makes the call, and returns its value or -1, as a function of C does, with the error in
    /// `errno`.
    #[inline]
    pub(crate) fn answer(&self) -> isize {
        answer(self.make())
    }
}

/// Turns what the kernel returned into what a function of C returns.
#[inline]
pub(crate) fn answer(result: isize) -> isize {
    if ERRORS.contains(&result) {
        set_errno(-result as c_int);
        return -1;
    }
    result
}

/// Negates an error number, as the kernel does.
pub(crate) fn failed(error: c_int) -> isize {
    -(error as isize)
}

#[inline]
pub(crate) fn errno() -> c_int {
    // SAFETY: it returns the place of this OS thread's `errno`.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: that place is there as long as the OS thread.
    unsafe { *place }
}

#[inline]
pub(crate) fn set_errno(error: c_int) {
    // SAFETY: it returns the place of this OS thread's `errno`.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: that place is there as long as the OS thread.
    unsafe { *place = error };
}

/// Returns the flags of a descriptor; those of one that is not open have none.
pub(crate) fn flags(descriptor: RawFd) -> isize {
    // SAFETY: it has no arguments but numbers.
    let call = unsafe { Call::new(libc::SYS_fcntl, [descriptor as usize, libc::F_GETFL as usize]) };
    call.make().max(0)
}

/// Asks for an option of a socket that is a `T`. `None` where the descriptor is no socket.
pub(crate) fn option<T: Copy>(descriptor: RawFd, name: c_int) -> Option<T> {
    // SAFETY: those that are asked for are integers and structures of them.
    let mut value: T = unsafe { mem::zeroed() };
    let mut length = size_of::<T>() as libc::socklen_t;
    let (value_at, length_at) = ((&raw mut value).addr(), (&raw mut length).addr());
    let arguments =
        [descriptor as usize, libc::SOL_SOCKET as usize, name as usize, value_at, length_at];
    // SAFETY: there is room for the value, and for its length.
    let call = unsafe { Call::new(libc::SYS_getsockopt, arguments) };
    (call.make() == 0).then_some(value)
}

/// Asks for a limit of a socket, `SO_RCVTIMEO` or `SO_SNDTIMEO`. Where there is none it is zero.
pub(crate) fn limit(descriptor: RawFd, name: c_int) -> Duration {
    option(descriptor, name).map(duration_of).unwrap_or_default()
}

pub(crate) fn duration_of(time: libc::timeval) -> Duration {
    let micros = time.tv_usec.clamp(0, 999_999) as u32;
    Duration::new(time.tv_sec.max(0) as u64, micros * 1_000)
}

/// Returns the next function of that name behind this program's own, such as libc's.
pub(crate) fn next(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: it looks a name up.
    let function = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    (!function.is_null()).then_some(function)
}

/// The next function of a name behind this program's own, which is looked up once. No lock is in
/// the way, so a lock may be such a function.
#[derive(Debug)]
pub struct Next {
    name: &'static CStr,
    version: Option<&'static CStr>,
    /// Null before it is looked up.
    found: AtomicPtr<c_void>,
}

impl Next {
    /// The function of this name.
    pub const fn new(name: &'static CStr) -> Next {
        Next { name, version: None, found: AtomicPtr::new(ptr::null_mut()) }
    }

    /// One of those that libc has twice on x86-64: the older is for programs of before 2003.
    pub(crate) const fn newer(name: &'static CStr) -> Next {
        Next { version: Some(c"GLIBC_2.3.2"), ..Next::new(name) }
    }

    /// Returns the function. `None` where there is none.
    ///
    /// # Safety
    ///
    /// `F` is the type of a pointer to that function.
    #[inline]
    pub unsafe fn get<F: Copy>(&self) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let mut function = self.found.load(Ordering::Relaxed);
        if function.is_null() {
            function = self.look_up()?;
        }
        // SAFETY: the caller says so.
        Some(unsafe { std::mem::transmute_copy(&function) })
    }

    /// Looks the function up.
    #[cold]
    pub(crate) fn look_up(&self) -> Option<*mut c_void> {
        let of_version = self.version.map_or(ptr::null_mut(), |version| {
            // SAFETY: it looks a name up.
            unsafe { libc::dlvsym(libc::RTLD_NEXT, self.name.as_ptr(), version.as_ptr()) }
        });
        let function = if of_version.is_null() { next(self.name)? } else { of_version };
        self.found.store(function, Ordering::Relaxed);
        Some(function)
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn system_call(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: by I1 and I2.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

#[cfg(target_arch = "aarch64")]
#[inline]
unsafe fn system_call(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: by I1 and I2.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}
