//! `read`, `write`, `readv`, `writev`, `preadv2`, `pwritev2`, and closing.
//!
//! Sockets are tried with `MSG_DONTWAIT`, pipes with `RWF_NOWAIT`, so their `O_NONBLOCK` is never
//! touched. A terminal or an inotify descriptor takes neither: it is asked by `poll` first. Regular
//! files and block devices are as they were, unless their area is named. So are descriptors 1 and
//! 2: the standard streams of Rust are locked by OS thread while they are written to.

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::os::fd::RawFd;

use libc::{iovec, off_t, size_t, ssize_t};

use super::descriptor::{AGAIN, Next, Waiting, Way, is_nonblocking};
use super::files;
use super::pool::in_thread;
use crate::areas::{self, Area};
use crate::gate;
use crate::reactor;
use crate::real::{Call, answer};

/// What a descriptor is, as far as trying without waiting is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It never waits for anybody else, but for its disk.
    File,
    /// It may take `RWF_NOWAIT`.
    Stream,
}

pub(super) fn kind(descriptor: RawFd) -> Kind {
    // SAFETY: all zeroes is a value of it.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    let arguments = [descriptor as usize, (&raw mut status).addr()];
    // SAFETY: there is room for the answer.
    unsafe { Call::new(libc::SYS_fstat, arguments) }.make();
    match status.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFBLK | libc::S_IFDIR => Kind::File,
        _ => Kind::Stream,
    }
}

const NOT_A_SOCKET: isize = -(libc::ENOTSOCK as isize);
const NO_SUCH_FLAG: isize = -(libc::EOPNOTSUPP as isize);

/// At most so many pieces are handed to a call of sockets.
const MOST_PIECES: usize = 1024;

/// Where data is to be read to or written from, in pieces. What is done is taken off.
pub(super) struct Pieces {
    left: Vec<iovec>,
    done: usize,
}

impl Pieces {
    /// # Safety
    ///
    /// There are so many elements, and what they name is there until this is dropped.
    pub(super) unsafe fn new(pieces: *const iovec, count: usize) -> Pieces {
        let left = match count {
            0 => Vec::new(),
            // SAFETY: the caller says so.
            _ => unsafe { std::slice::from_raw_parts(pieces, count) }.to_vec(),
        };
        Pieces { left, done: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.left.iter().map(|piece| piece.iov_len).sum()
    }

    /// Takes so many bytes off the front.
    pub(super) fn advance(&mut self, mut bytes: usize) {
        self.done += bytes;
        self.left.retain_mut(|piece| {
            let taken = bytes.min(piece.iov_len);
            bytes -= taken;
            piece.iov_len -= taken;
            piece.iov_base = piece.iov_base.wrapping_byte_add(taken);
            piece.iov_len > 0
        });
    }

    /// What a call returns that was to move all: what it has moved, or else why it stopped.
    pub(super) fn progress_or(&self, result: isize) -> isize {
        if self.done > 0 { self.done as isize } else { result }
    }

    pub(super) fn done(&self) -> usize {
        self.done
    }

    pub(super) fn as_ptr(&self) -> *const iovec {
        self.left.as_ptr()
    }

    pub(super) fn count(&self) -> usize {
        self.left.len()
    }

    /// Makes a call of sockets with what is left, without waiting.
    fn on_socket(&self, number: c_long, descriptor: RawFd) -> isize {
        // SAFETY: all zeroes is a value of it.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = self.as_ptr().cast_mut();
        message.msg_iovlen = self.count() as _;
        let arguments =
            [descriptor as usize, (&raw const message).addr(), libc::MSG_DONTWAIT as usize];
        // SAFETY: the pieces are there by the promise of `new`.
        unsafe { Call::new(number, arguments) }.make()
    }

    /// Makes a call of other streams with what is left and flags, without waiting.
    fn on_stream(&self, number: c_long, descriptor: RawFd, flags: c_int) -> isize {
        let arguments = on_stream(descriptor, self.as_ptr(), self.count(), flags);
        // SAFETY: the pieces are there by the promise of `new`.
        unsafe { Call::new(number, arguments) }.make()
    }
}

/// Where a read is to put what it reads.
#[derive(Clone, Copy)]
struct Room {
    pieces: *const iovec,
    count: usize,
}

impl Room {
    /// Reads as `plain` would, from whatever the descriptor is. `socket` is the call that reads
    /// from a socket without waiting.
    #[inline]
    fn read(self, descriptor: RawFd, socket: Call, plain: Call) -> isize {
        match socket.make() {
            AGAIN => {
                Waiting::new(descriptor, Way::In).wait_and_repeat(|| socket.make(), || plain.make())
            }
            NOT_A_SOCKET => self.read_stream(descriptor, 0, plain),
            result => result,
        }
    }

    /// As [`Room::read`], with flags of `preadv2`.
    fn read_stream(self, descriptor: RawFd, flags: c_int, plain: Call) -> isize {
        match what_to_do(descriptor) {
            Todo::Plain => return plain.make(),
            Todo::File => {
                // SAFETY: I1 of the function that has made this, and returns later.
                let pieces = unsafe { Pieces::new(self.pieces, self.count) };
                return files::Position::Here(descriptor).read(pieces, flags);
            }
            Todo::Stream => {}
        }
        let at = on_stream(descriptor, self.pieces, self.count, flags);
        // SAFETY: likewise.
        let stream = unsafe { Call::new(libc::SYS_preadv2, at) };
        let mut waiting = Waiting::new(descriptor, Way::In);
        match waiting.repeat(|| stream.make(), || plain.make()) {
            NO_SUCH_FLAG => waiting.when_ready(|| plain.make()),
            result => result,
        }
    }
}

/// What to do with a descriptor that is no socket.
enum Todo {
    /// Call the system as it is.
    Plain,
    /// Have an OS thread wait for the disk.
    File,
    /// Try without waiting, and wait until it is ready.
    Stream,
}

fn what_to_do(descriptor: RawFd) -> Todo {
    let (files, streams) = (areas::is_patched(Area::File), areas::is_patched(Area::Os));
    match (files || streams).then(|| kind(descriptor)) {
        Some(Kind::File) if files && files::is_green() => Todo::File,
        Some(Kind::Stream) if streams => Todo::Stream,
        _ => Todo::Plain,
    }
}

/// Returns the arguments of `preadv2` and `pwritev2` for a stream that is not to wait.
fn on_stream(descriptor: RawFd, pieces: *const iovec, count: usize, flags: c_int) -> [usize; 6] {
    let flags = (flags | libc::RWF_NOWAIT) as usize;
    [descriptor as usize, pieces.addr(), count, usize::MAX, usize::MAX, flags]
}

/// Writes all, as a descriptor does that waits.
fn write_green(descriptor: RawFd, pieces: &mut Pieces, first: isize, plain: Call) -> isize {
    if first == NOT_A_SOCKET {
        return write_stream(descriptor, pieces, 0, plain);
    }
    write_rest(descriptor, pieces, first, plain, |pieces| {
        pieces.on_socket(libc::SYS_sendmsg, descriptor)
    })
}

/// As [`write_green`], with flags of `pwritev2`.
fn write_stream(descriptor: RawFd, pieces: &mut Pieces, flags: c_int, plain: Call) -> isize {
    match what_to_do(descriptor) {
        Todo::Plain => return plain.make(),
        Todo::File => return in_thread(plain),
        Todo::Stream => {}
    }
    let attempt = |pieces: &Pieces| pieces.on_stream(libc::SYS_pwritev2, descriptor, flags);
    match attempt(pieces) {
        NO_SUCH_FLAG => Waiting::new(descriptor, Way::Out).when_ready(|| plain.make()),
        first => write_rest(descriptor, pieces, first, plain, attempt),
    }
}

/// Goes on with what a first attempt has left.
fn write_rest(
    descriptor: RawFd,
    pieces: &mut Pieces,
    first: isize,
    plain: Call,
    attempt: impl Fn(&Pieces) -> isize,
) -> isize {
    let mut waiting = Waiting::new(descriptor, Way::Out);
    let mut result = first;
    loop {
        match result {
            AGAIN => match waiting.wait() {
                Next::Retry => {}
                Next::Return(result) => return pieces.progress_or(result),
                Next::Plain if pieces.done() > 0 => return pieces.progress_or(AGAIN),
                Next::Plain => return plain.make(),
            },
            written @ 0.. => {
                pieces.advance(written as usize);
                if pieces.len() == 0 || written == 0 || is_nonblocking(descriptor) {
                    return pieces.done() as isize;
                }
            }
            failure => return pieces.progress_or(failure),
        }
        result = attempt(pieces);
    }
}

/// As `read` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn read(
    descriptor: c_int,
    buffer: *mut c_void,
    size: size_t,
) -> ssize_t {
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_read, [descriptor as usize, buffer.addr(), size]) };
    if size == 0 || !gate::is_green(Area::Socket) {
        return plain.answer();
    }
    let piece = iovec { iov_base: buffer, iov_len: size };
    let at = [descriptor as usize, buffer.addr(), size, libc::MSG_DONTWAIT as usize, 0, 0];
    // SAFETY: I1.
    let socket = unsafe { Call::new(libc::SYS_recvfrom, at) };
    answer(Room { pieces: &piece, count: 1 }.read(descriptor, socket, plain))
}

/// As `readv` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn readv(
    descriptor: c_int,
    pieces: *const iovec,
    count: c_int,
) -> ssize_t {
    let arguments = [descriptor as usize, pieces.addr(), count as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_readv, arguments) };
    let Some(count) = pieces_of(count).filter(|_| gate::is_green(Area::Socket)) else {
        return plain.answer();
    };
    // SAFETY: I1.
    let is_empty = unsafe { Pieces::new(pieces, count) }.len() == 0;
    if is_empty {
        return plain.answer();
    }
    // SAFETY: all zeroes is a value of it.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (pieces.cast_mut(), count);
    let at = [descriptor as usize, (&raw mut message).addr(), libc::MSG_DONTWAIT as usize];
    // SAFETY: I1, and the message is there as long as this.
    let socket = unsafe { Call::new(libc::SYS_recvmsg, at) };
    answer(Room { pieces, count }.read(descriptor, socket, plain))
}

/// As `write` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn write(
    descriptor: c_int,
    buffer: *const c_void,
    size: size_t,
) -> ssize_t {
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_write, [descriptor as usize, buffer.addr(), size]) };
    if size == 0 || is_standard(descriptor) || !gate::is_green(Area::Socket) {
        return plain.answer();
    }
    let at = [descriptor as usize, buffer.addr(), size, libc::MSG_DONTWAIT as usize, 0, 0];
    // SAFETY: I1.
    let first = unsafe { Call::new(libc::SYS_sendto, at) }.make();
    if first == size as isize {
        return first;
    }
    let piece = iovec { iov_base: buffer.cast_mut(), iov_len: size };
    // SAFETY: I1.
    let mut pieces = unsafe { Pieces::new(&piece, 1) };
    answer(write_green(descriptor, &mut pieces, first, plain))
}

/// As `writev` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn writev(
    descriptor: c_int,
    pieces: *const iovec,
    count: c_int,
) -> ssize_t {
    let arguments = [descriptor as usize, pieces.addr(), count as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_writev, arguments) };
    let may = |_: &usize| !is_standard(descriptor) && gate::is_green(Area::Socket);
    let Some(count) = pieces_of(count).filter(may) else {
        return plain.answer();
    };
    // SAFETY: I1.
    let mut pieces = unsafe { Pieces::new(pieces, count) };
    if pieces.len() == 0 {
        return plain.answer();
    }
    let first = pieces.on_socket(libc::SYS_sendmsg, descriptor);
    answer(write_green(descriptor, &mut pieces, first, plain))
}

/// The offset with which `preadv2` and `pwritev2` are `readv` and `writev` with flags.
const HERE: off_t = -1;

/// As `preadv2` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn preadv2(
    descriptor: c_int,
    pieces: *const iovec,
    count: c_int,
    offset: off_t,
    flags: c_int,
) -> ssize_t {
    if (offset, flags) == (HERE, 0) {
        // SAFETY: I1.
        return unsafe { readv(descriptor, pieces, count) };
    }
    let at =
        [descriptor as usize, pieces.addr(), count as usize, offset as usize, 0, flags as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_preadv2, at) };
    let waits = |_: &usize| flags & libc::RWF_NOWAIT == 0;
    let result = match pieces_of(count).filter(waits) {
        Some(count) if offset != HERE => {
            // SAFETY: I1.
            unsafe { files::read_at(descriptor, pieces, count, offset, flags, plain) }
        }
        Some(count) if gate::is_green(Area::Socket) => {
            Room { pieces, count }.read_stream(descriptor, flags, plain)
        }
        _ => plain.make(),
    };
    answer(result)
}

/// As `pwritev2` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pwritev2(
    descriptor: c_int,
    pieces: *const iovec,
    count: c_int,
    offset: off_t,
    flags: c_int,
) -> ssize_t {
    if (offset, flags) == (HERE, 0) {
        // SAFETY: I1.
        return unsafe { writev(descriptor, pieces, count) };
    }
    let at =
        [descriptor as usize, pieces.addr(), count as usize, offset as usize, 0, flags as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_pwritev2, at) };
    let waits = |_: &usize| flags & libc::RWF_NOWAIT == 0 && !is_standard(descriptor);
    let result = match pieces_of(count).filter(waits) {
        Some(_) if offset != HERE => files::make(descriptor, plain),
        Some(count) if gate::is_green(Area::Socket) => {
            // SAFETY: I1.
            let mut pieces = unsafe { Pieces::new(pieces, count) };
            write_stream(descriptor, &mut pieces, flags, plain)
        }
        _ => plain.make(),
    };
    answer(result)
}

fn is_standard(descriptor: RawFd) -> bool {
    matches!(descriptor, libc::STDOUT_FILENO | libc::STDERR_FILENO)
}

/// The number of pieces, where a call of sockets takes so many.
fn pieces_of(count: c_int) -> Option<usize> {
    usize::try_from(count).ok().filter(|count| (1..=MOST_PIECES).contains(count))
}

/// As `close` of libc. Green threads that wait for the descriptor get `EBADF`.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn close(descriptor: c_int) -> c_int {
    // SAFETY: I1.
    close_by(descriptor, unsafe { Call::new(libc::SYS_close, [descriptor as usize]) })
}

/// As `dup2` of libc. Green threads that wait for the descriptor that is replaced get `EBADF`.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn dup2(old: c_int, new: c_int) -> c_int {
    if old == new {
        // It closes nothing, and fails where the descriptor is not open.
        let arguments = [old as usize, libc::F_GETFL as usize];
        // SAFETY: it has no arguments but numbers.
        let open = unsafe { Call::new(libc::SYS_fcntl, arguments) }.answer();
        return if open < 0 { -1 } else { new };
    }
    // SAFETY: I1.
    close_by(new, unsafe { Call::new(libc::SYS_dup3, [old as usize, new as usize, 0]) })
}

/// As `dup3` of libc. Green threads that wait for the descriptor that is replaced get `EBADF`.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int {
    let arguments = [old as usize, new as usize, flags as usize];
    // SAFETY: I1.
    let replace = unsafe { Call::new(libc::SYS_dup3, arguments) };
    // The same one twice is an error, and closes nothing.
    if old == new { replace.answer() as c_int } else { close_by(new, replace) }
}

/// As `close_range` of libc. Green threads that wait for one of the descriptors get `EBADF`.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    let arguments = [first as usize, last as usize, flags as usize];
    // SAFETY: I1.
    let close = unsafe { Call::new(libc::SYS_close_range, arguments) };
    let closes = areas::is_any_patched() && flags as c_uint & libc::CLOSE_RANGE_CLOEXEC == 0;
    let result = if closes { reactor::close_range(first, last, close) } else { close.answer() };
    result as c_int
}

/// Makes a call that closes a descriptor.
fn close_by(descriptor: RawFd, close: Call) -> c_int {
    let result = match areas::is_any_patched() {
        true => reactor::close(descriptor, close),
        false => close.answer(),
    };
    result as c_int
}

/// As `read`, by the name that checked builds of C call.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __read_chk(
    descriptor: c_int,
    buffer: *mut c_void,
    size: size_t,
    room: size_t,
) -> ssize_t {
    if size > room {
        super::overflow();
    }
    // SAFETY: I1.
    unsafe { read(descriptor, buffer, size) }
}

/// As `closefrom` of libc: all descriptors from that number on. It has no error to return.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn closefrom(first: c_int) {
    // SAFETY: I1.
    unsafe { close_range(first.max(0) as c_uint, c_uint::MAX, 0) };
}

aliases! {
    preadv64v2 = preadv2(
        descriptor: c_int,
        pieces: *const iovec,
        count: c_int,
        offset: off_t,
        flags: c_int
    ) -> ssize_t;
    pwritev64v2 = pwritev2(
        descriptor: c_int,
        pieces: *const iovec,
        count: c_int,
        offset: off_t,
        flags: c_int
    ) -> ssize_t;
    __read = read(descriptor: c_int, buffer: *mut c_void, size: size_t) -> ssize_t;
    __write = write(descriptor: c_int, buffer: *const c_void, size: size_t) -> ssize_t;
    __close, mq_close = close(descriptor: c_int) -> c_int;
    __dup2 = dup2(old: c_int, new: c_int) -> c_int;
}
