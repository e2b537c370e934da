//! Opening a FIFO, which waits until its other end is opened. All else is opened as it is.
//!
//! Nobody else waits for us: a FIFO is opened with `O_NONBLOCK`, which is taken off in the end. One
//! end for writing is refused while nobody reads, and tried again. One for reading is there at
//! once, and its writers can be told from none by `tee`, which copies nothing where there is
//! nothing. So a wait that is cancelled closes what it has opened, and leaves nothing behind.

use std::ffi::{c_char, c_int};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use libc::mode_t;

use super::descriptor::{AGAIN, Way, flags, is_ready, set_flags};
use super::time::Pauses;
use crate::areas::Area;
use crate::clock::Deadline;
use crate::gate;
use crate::reactor::{Woken, wait_for};
use crate::real::{Call, answer, failed};

/// A call that opens something.
#[derive(Clone, Copy)]
struct Opening {
    directory: RawFd,
    /// The address of its path.
    path: usize,
    flags: c_int,
    mode: mode_t,
}

const NO_READER: isize = -(libc::ENXIO as isize);

impl Opening {
    fn call(self, more: c_int) -> Call {
        let flags = (self.flags | more) as usize;
        let at = [self.directory as usize, self.path, flags, self.mode as usize];
        // SAFETY: by I1 of the function that C called.
        unsafe { Call::new(libc::SYS_openat, at) }
    }

    fn make(self) -> isize {
        let waits =
            self.may_wait() && gate::is_green(Area::Os) && self.is_fifo() && gate::may_suspend();
        match self.flags & libc::O_ACCMODE {
            libc::O_RDONLY if waits => self.open_to_read(),
            libc::O_WRONLY if waits => self.open_to_write(),
            _ => self.call(0).make(),
        }
    }

    fn may_wait(self) -> bool {
        let not = libc::O_NONBLOCK | libc::O_PATH | libc::O_DIRECTORY | libc::O_EXCL;
        self.flags & not == 0
    }

    fn is_fifo(self) -> bool {
        let is_link_itself = self.flags & libc::O_NOFOLLOW != 0;
        let how = if is_link_itself { libc::AT_SYMLINK_NOFOLLOW } else { 0 };
        // SAFETY: all zeroes is a value of it.
        let mut status: libc::stat = unsafe { std::mem::zeroed() };
        let at = [self.directory as usize, self.path, (&raw mut status).addr(), how as usize];
        // SAFETY: by I1 of the function that C called, and there is room for the answer.
        let error = unsafe { Call::new(libc::SYS_newfstatat, at) }.make();
        error == 0 && status.st_mode & libc::S_IFMT == libc::S_IFIFO
    }

    fn open_to_write(self) -> isize {
        let mut pauses = Pauses::up_to(20);
        loop {
            match self.call(libc::O_NONBLOCK).make() {
                NO_READER if self.is_fifo() => {}
                opened @ 0.. => return finish(opened as RawFd),
                failure => return failure,
            }
            if let Err(error) = gate::wait(eventlet::sleep(pauses.longer())) {
                return failed(error);
            }
        }
    }

    fn open_to_read(self) -> isize {
        let opened = match self.call(libc::O_NONBLOCK).make() {
            // SAFETY: it is new, and nobody else's.
            opened @ 0.. => unsafe { OwnedFd::from_raw_fd(opened as RawFd) },
            failure => return failure,
        };
        match wait_for_writer(opened.as_raw_fd()) {
            Ok(Woken::Closed) => {
                // It was closed meanwhile, and its number may be another's.
                let _gone = opened.into_raw_fd();
                failed(libc::EBADF)
            }
            Ok(_) => finish(opened.into_raw_fd()),
            Err(error) => failed(error),
        }
    }
}

/// Has a descriptor wait from now on, as its opener wants it.
fn finish(descriptor: RawFd) -> isize {
    set_flags(descriptor, flags(descriptor) & !(libc::O_NONBLOCK as isize));
    descriptor as isize
}

fn wait_for_writer(descriptor: RawFd) -> Result<Woken, c_int> {
    let probe = Probe::new()?;
    let mut pauses = Pauses::up_to(20);
    // What was written can be read, also when its writer is gone.
    while !is_ready(descriptor, Way::In) && !probe.sees_writer(descriptor) {
        let wanted = [(descriptor, libc::POLLIN as u32)];
        let mut deadline = Deadline::after(pauses.longer());
        if wait_for(wanted.into_iter(), &mut deadline)? == Woken::Closed {
            return Ok(Woken::Closed);
        }
    }
    Ok(Woken::Ready)
}

/// A pipe for what `tee` would copy.
struct Probe {
    _reads: OwnedFd,
    writes: OwnedFd,
}

impl Probe {
    fn new() -> Result<Probe, c_int> {
        let mut ends: [RawFd; 2] = [0; 2];
        let arguments = [ends.as_mut_ptr().addr(), libc::O_CLOEXEC as usize];
        // SAFETY: there is room for two.
        let error = unsafe { Call::new(libc::SYS_pipe2, arguments) }.make();
        if error < 0 {
            return Err(-error as c_int);
        }
        // SAFETY: they are new, and nobody else's.
        let [reads, writes] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        Ok(Probe { _reads: reads, writes })
    }

    /// Returns whether a FIFO has a writer, or had one that has left something.
    fn sees_writer(&self, fifo: RawFd) -> bool {
        let to = self.writes.as_raw_fd() as usize;
        let arguments = [fifo as usize, to, 1, libc::SPLICE_F_NONBLOCK as usize];
        // SAFETY: it has no arguments but numbers.
        let copied = unsafe { Call::new(libc::SYS_tee, arguments) }.make();
        copied == AGAIN || copied > 0
    }
}

/// As `openat` of libc. It takes a mode: where it is given none the kernel does not look at it.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn openat(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    answer(Opening { directory, path: path.addr(), flags, mode }.make()) as c_int
}

/// As `open` of libc. It takes a mode, as [`openat`] does.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: I1.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// As `creat` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn creat(path: *const c_char, mode: mode_t) -> c_int {
    let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
    // SAFETY: I1.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// Opens for a checked build of C, which has no mode to give.
///
/// # Safety
///
/// As `openat`.
unsafe fn open_checked(directory: RawFd, path: *const c_char, flags: c_int) -> c_int {
    if flags & libc::O_CREAT != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE {
        super::overflow();
    }
    // SAFETY: I1.
    unsafe { openat(directory, path, flags, 0) }
}

/// As `open`, by the name that checked builds of C call.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: I1.
    unsafe { open_checked(libc::AT_FDCWD, path, flags) }
}

/// As `openat`, by the name that checked builds of C call.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __openat_2(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: I1.
    unsafe { open_checked(directory, path, flags) }
}

aliases! {
    open64, __open, __open64 = open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    openat64 = openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    creat64 = creat(path: *const c_char, mode: mode_t) -> c_int;
    __open64_2 = __open_2(path: *const c_char, flags: c_int) -> c_int;
    __openat64_2 = __openat_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int;
}
