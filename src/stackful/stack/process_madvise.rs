//! One `madvise` for many pieces of memory, in one system call.
//!
//! The overhead of the call itself is a third of the cost of a guard, and a page fault costs more
//! than populating the page by advice.
#![allow(unsafe_code)]

/// `PIDFD_SELF` of Linux's `pidfd.h`, since 6.15: this process, without a descriptor.
const THIS_PROCESS: libc::c_int = -10_000;

/// The most pieces in one call.
const MOST: usize = 64;

/// Advises the kernel on pieces of memory of so many bytes, at these addresses. Returns how many,
/// from the first on, it handled: none if the kernel does not support this, or if there is only
/// one, for which this gains nothing.
///
/// # Safety
///
/// The caller owns the pieces, and the advice does no harm to what is in them.
pub(super) unsafe fn advise(starts: &[usize], bytes: usize, advice: libc::c_int) -> usize {
    if starts.len() < 2 {
        return 0;
    }
    let mut pieces = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: bytes }; MOST];
    let count = starts.len().min(MOST);
    for (piece, &start) in pieces.iter_mut().zip(starts) {
        piece.iov_base = start as *mut _;
    }
    // SAFETY: `pieces` has so many elements, and the caller vouches for the memory that they name.
    let advised = unsafe {
        libc::syscall(libc::SYS_process_madvise, THIS_PROCESS, pieces.as_ptr(), count, advice, 0)
    };
    usize::try_from(advised).unwrap_or(0) / bytes
}
