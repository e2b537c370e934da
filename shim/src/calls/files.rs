//! Regular files, where their area is named: an OS thread reads, writes, copies and syncs them.
//!
//! What the kernel has in memory is read right here. A call that has begun is not cancelled: it
//! ends soon, and a caller of `write` or `fsync` has to know what is on the disk.

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::os::fd::RawFd;

use libc::{iovec, off_t, off64_t, size_t, ssize_t};

use super::pool::in_thread;
use super::unistd::{Kind, Pieces, kind};
use crate::areas::Area;
use crate::gate;
use crate::real::{Call, answer};

/// Returns whether a call for a file that waits for the disk suspends its green thread.
pub(super) fn is_green() -> bool {
    gate::is_green(Area::File) && !gate::is_unwinding() && gate::may_suspend()
}

/// Where a file is read.
#[derive(Clone, Copy)]
pub(super) enum Position {
    /// Where its descriptor is, which goes on from there.
    Here(RawFd),
    /// At this offset.
    At(RawFd, off_t),
}

impl Position {
    /// Returns the call that reads what is left.
    fn call(self, pieces: &Pieces, flags: c_int) -> Call {
        let (descriptor, low, high) = match self {
            Position::Here(descriptor) => (descriptor, usize::MAX, usize::MAX),
            Position::At(descriptor, offset) => (descriptor, offset as usize + pieces.done(), 0),
        };
        let place = pieces.as_ptr().addr();
        let at = [descriptor as usize, place, pieces.count(), low, high, flags as usize];
        // SAFETY: by the promise of `Pieces::new`.
        unsafe { Call::new(libc::SYS_preadv2, at) }
    }

    /// Reads all that there is, as a call for a file does. An OS thread reads what is not in
    /// memory, in one call: of a file that the kernel makes as it is read, a second call may never
    /// return.
    pub(super) fn read(self, mut pieces: Pieces, flags: c_int) -> isize {
        while pieces.len() > 0 {
            match self.call(&pieces, flags | libc::RWF_NOWAIT).make() {
                0 => break,
                moved @ 1.. => pieces.advance(moved as usize),
                _ => {
                    let moved = in_thread(self.call(&pieces, flags));
                    pieces.advance(moved.max(0) as usize);
                    return pieces.progress_or(moved);
                }
            }
        }
        pieces.done() as isize
    }
}

/// Reads from a file at an offset, with flags of `preadv2`, or makes the call as it is.
///
/// # Safety
///
/// There are so many pieces, and what they name is there.
pub(super) unsafe fn read_at(
    descriptor: RawFd,
    pieces: *const iovec,
    count: usize,
    offset: off_t,
    flags: c_int,
    plain: Call,
) -> isize {
    if !is_green() || kind(descriptor) != Kind::File || offset < 0 {
        return plain.make();
    }
    // SAFETY: the caller says so.
    Position::At(descriptor, offset).read(unsafe { Pieces::new(pieces, count) }, flags)
}

/// Makes a call for a file, in an OS thread if it is one.
pub(super) fn make(descriptor: RawFd, plain: Call) -> isize {
    if is_green() && kind(descriptor) == Kind::File { in_thread(plain) } else { plain.make() }
}

/// As `pread` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pread(
    descriptor: c_int,
    buffer: *mut c_void,
    size: size_t,
    offset: off_t,
) -> ssize_t {
    let at = [descriptor as usize, buffer.addr(), size, offset as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_pread64, at) };
    let piece = iovec { iov_base: buffer, iov_len: size };
    // SAFETY: I1.
    answer(unsafe { read_at(descriptor, &piece, 1, offset, 0, plain) })
}

/// As `pwrite` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pwrite(
    descriptor: c_int,
    buffer: *const c_void,
    size: size_t,
    offset: off_t,
) -> ssize_t {
    let at = [descriptor as usize, buffer.addr(), size, offset as usize];
    // SAFETY: I1.
    answer(make(descriptor, unsafe { Call::new(libc::SYS_pwrite64, at) }))
}

/// Returns the call with pieces at an offset.
///
/// # Safety
///
/// As that call's.
unsafe fn with_pieces(
    number: c_long,
    descriptor: RawFd,
    pieces: *const iovec,
    count: c_int,
    offset: off_t,
) -> Call {
    let at = [descriptor as usize, pieces.addr(), count as usize, offset as usize, 0];
    // SAFETY: the caller says so.
    unsafe { Call::new(number, at) }
}

/// The kernel takes no more pieces in a call.
const MOST_PIECES: usize = 1024;

/// As `preadv` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn preadv(
    descriptor: c_int,
    pieces: *const iovec,
    count: c_int,
    offset: off_t,
) -> ssize_t {
    // SAFETY: I1.
    let plain = unsafe { with_pieces(libc::SYS_preadv, descriptor, pieces, count, offset) };
    match usize::try_from(count) {
        // SAFETY: I1.
        Ok(count @ 1..=MOST_PIECES) => {
            // SAFETY: I1.
            answer(unsafe { read_at(descriptor, pieces, count, offset, 0, plain) })
        }
        _ => plain.answer(),
    }
}

/// As `pwritev` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pwritev(
    descriptor: c_int,
    pieces: *const iovec,
    count: c_int,
    offset: off_t,
) -> ssize_t {
    // SAFETY: I1.
    let plain = unsafe { with_pieces(libc::SYS_pwritev, descriptor, pieces, count, offset) };
    answer(make(descriptor, plain))
}

/// As `fsync` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fsync(descriptor: c_int) -> c_int {
    // SAFETY: I1.
    answer(make(descriptor, unsafe { Call::new(libc::SYS_fsync, [descriptor as usize]) })) as c_int
}

/// As `copy_file_range` of libc. The kernel copies from file to file only.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_offset: *mut off64_t,
    to: c_int,
    to_offset: *mut off64_t,
    count: size_t,
    flags: c_uint,
) -> ssize_t {
    let at =
        [from as usize, from_offset.addr(), to as usize, to_offset.addr(), count, flags as usize];
    // SAFETY: I1.
    answer(make(from, unsafe { Call::new(libc::SYS_copy_file_range, at) }))
}

/// As `fdatasync` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_fdatasync, [descriptor as usize]) };
    answer(make(descriptor, plain)) as c_int
}

/// As `pread`, by the name that checked builds of C call.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __pread_chk(
    descriptor: c_int,
    buffer: *mut c_void,
    size: size_t,
    offset: off_t,
    room: size_t,
) -> ssize_t {
    if size > room {
        super::overflow();
    }
    // SAFETY: I1.
    unsafe { pread(descriptor, buffer, size, offset) }
}

aliases! {
    pread64, __pread64 = pread(
        descriptor: c_int,
        buffer: *mut c_void,
        size: size_t,
        offset: off_t
    ) -> ssize_t;
    pwrite64, __pwrite64 = pwrite(
        descriptor: c_int,
        buffer: *const c_void,
        size: size_t,
        offset: off_t
    ) -> ssize_t;
    preadv64 = preadv(
        descriptor: c_int,
        pieces: *const iovec,
        count: c_int,
        offset: off_t
    ) -> ssize_t;
    pwritev64 = pwritev(
        descriptor: c_int,
        pieces: *const iovec,
        count: c_int,
        offset: off_t
    ) -> ssize_t;
    __pread64_chk = __pread_chk(
        descriptor: c_int,
        buffer: *mut c_void,
        size: size_t,
        offset: off_t,
        room: size_t
    ) -> ssize_t;
}
