//! `recv*`, `send*`, `connect`, `accept`.
//!
//! Each is tried with `MSG_DONTWAIT`. Two calls have no such flag: `connect` sets `O_NONBLOCK` for
//! itself, and restores it before anybody else runs on this OS thread; `accept` is made by a ring,
//! or asked by `poll` first.

use std::ffi::{c_int, c_uint, c_void};
use std::os::fd::RawFd;
use std::time::Duration;

use libc::{mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec};

use super::descriptor::{
    AGAIN, Next, Waiting, Way, deadline, flags as flags_of, option, set_flags,
};
use super::ring::{self, Accept};
use super::unistd::Pieces;
use crate::areas::Area;
use crate::gate;
use crate::reactor::{Woken, wait_for};
use crate::real::{Call, answer, failed};

const DONTWAIT: usize = libc::MSG_DONTWAIT as usize;

/// Returns whether a call with those flags is to be looked at. Who asks not to wait does not.
fn waits(flags: c_int) -> bool {
    flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB) == 0
        && gate::is_green(Area::Socket)
}

fn is_stream(descriptor: RawFd) -> bool {
    option::<c_int>(descriptor, libc::SO_TYPE) == Some(libc::SOCK_STREAM)
}

/// A message that is moved in pieces, as a stream takes them.
struct Transfer {
    descriptor: RawFd,
    number: libc::c_long,
    way: Way,
    flags: usize,
    header: msghdr,
    pieces: Pieces,
}

impl Transfer {
    /// # Safety
    ///
    /// As the system call of that number wants the header, until this is dropped.
    unsafe fn new(
        descriptor: RawFd,
        number: libc::c_long,
        way: Way,
        flags: c_int,
        header: msghdr,
    ) -> Transfer {
        // SAFETY: the caller says so.
        let pieces = unsafe { Pieces::new(header.msg_iov, header.msg_iovlen) };
        Transfer { descriptor, number, way, flags: flags as usize, header, pieces }
    }

    /// Moves some, without waiting.
    fn attempt(&mut self) -> isize {
        let (names, controls) = (self.header.msg_namelen, self.header.msg_controllen);
        self.header.msg_iov = self.pieces.as_ptr().cast_mut();
        self.header.msg_iovlen = self.pieces.count() as _;
        let header = (&raw mut self.header).addr();
        let arguments = [self.descriptor as usize, header, self.flags | DONTWAIT];
        // SAFETY: by the promise of `new`.
        let moved = unsafe { Call::new(self.number, arguments) }.make();
        if moved < 0 {
            (self.header.msg_namelen, self.header.msg_controllen) = (names, controls);
        }
        moved
    }

    /// Moves all, or as much as there is until the wait ends.
    fn all(&mut self, plain: Call) -> isize {
        let mut waiting = Waiting::new(self.descriptor, self.way);
        loop {
            match self.attempt() {
                AGAIN => match waiting.wait() {
                    Next::Retry => {}
                    Next::Return(result) => return self.pieces.progress_or(result),
                    Next::Plain if self.pieces.done() > 0 => return self.pieces.done() as isize,
                    Next::Plain => return plain.make(),
                },
                moved @ 0.. => {
                    self.pieces.advance(moved as usize);
                    if moved == 0 || self.pieces.len() == 0 || self.ends_here() {
                        return self.pieces.done() as isize;
                    }
                    // What goes with a message goes with its first piece.
                    self.header.msg_control = std::ptr::null_mut();
                    self.header.msg_controllen = 0;
                }
                failure => return self.pieces.progress_or(failure),
            }
        }
    }

    fn ends_here(&self) -> bool {
        flags_of(self.descriptor) & libc::O_NONBLOCK as isize != 0 || !is_stream(self.descriptor)
    }
}

fn header(buffer: *mut c_void, size: usize, piece: &mut libc::iovec) -> msghdr {
    *piece = libc::iovec { iov_base: buffer, iov_len: size };
    // SAFETY: all zeroes is a value of it.
    let mut header: msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = piece;
    header.msg_iovlen = 1;
    header
}

const EMPTY: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };

/// As `recvfrom` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvfrom(
    descriptor: c_int,
    buffer: *mut c_void,
    size: size_t,
    flags: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> ssize_t {
    let call = |flags: usize| {
        let at = [descriptor as usize, buffer.addr(), size, flags, address.addr(), length.addr()];
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_recvfrom, at) }
    };
    let plain = call(flags as usize);
    if !waits(flags) {
        return plain.answer();
    }
    if flags & (libc::MSG_WAITALL | libc::MSG_PEEK) == libc::MSG_WAITALL && is_stream(descriptor) {
        let mut piece = EMPTY;
        let header = header(buffer, size, &mut piece);
        // SAFETY: I1.
        let mut transfer =
            unsafe { Transfer::new(descriptor, libc::SYS_recvmsg, Way::In, flags, header) };
        return answer(transfer.all(plain));
    }
    let attempt = call(flags as usize | DONTWAIT);
    let mut waiting = Waiting::new(descriptor, Way::In);
    answer(waiting.repeat(|| attempt.make(), || plain.make()))
}

/// As `recv` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recv(
    descriptor: c_int,
    buffer: *mut c_void,
    size: size_t,
    flags: c_int,
) -> ssize_t {
    let (nowhere, no_length) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: I1.
    unsafe { recvfrom(descriptor, buffer, size, flags, nowhere, no_length) }
}

/// As `recvmsg` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvmsg(
    descriptor: c_int,
    message: *mut msghdr,
    flags: c_int,
) -> ssize_t {
    let call = |flags: usize| {
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_recvmsg, [descriptor as usize, message.addr(), flags]) }
    };
    let plain = call(flags as usize);
    if !waits(flags) {
        return plain.answer();
    }
    if flags & (libc::MSG_WAITALL | libc::MSG_PEEK) == libc::MSG_WAITALL && is_stream(descriptor) {
        // SAFETY: I1.
        return answer(unsafe { receive_all(descriptor, message, flags, plain) });
    }
    let attempt = call(flags as usize | DONTWAIT);
    let mut waiting = Waiting::new(descriptor, Way::In);
    answer(waiting.repeat(|| attempt.make(), || plain.make()))
}

/// # Safety
///
/// As `recvmsg`.
unsafe fn receive_all(descriptor: RawFd, message: *mut msghdr, flags: c_int, plain: Call) -> isize {
    // SAFETY: I1.
    let message = unsafe { &mut *message };
    // SAFETY: I1.
    let mut transfer =
        unsafe { Transfer::new(descriptor, libc::SYS_recvmsg, Way::In, flags, *message) };
    let mut first = None;
    let received = loop {
        // The kernel's notes on the first piece are those of the whole.
        match transfer.attempt() {
            AGAIN => {}
            moved => {
                first = Some((moved, transfer.header));
                break moved;
            }
        }
        match Waiting::new(descriptor, Way::In).wait() {
            Next::Retry => {}
            Next::Return(result) => break result,
            Next::Plain => return plain.make(),
        }
    };
    let Some((moved @ 1.., header)) = first else {
        return received;
    };
    let (pieces, count) = (message.msg_iov, message.msg_iovlen);
    *message = header;
    (message.msg_iov, message.msg_iovlen) = (pieces, count);
    transfer.pieces.advance(moved as usize);
    if transfer.pieces.len() == 0 {
        return moved;
    }
    transfer.header.msg_control = std::ptr::null_mut();
    transfer.header.msg_controllen = 0;
    transfer.all(plain)
}

/// As `sendto` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendto(
    descriptor: c_int,
    buffer: *const c_void,
    size: size_t,
    flags: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> ssize_t {
    let at =
        [descriptor as usize, buffer.addr(), size, flags as usize, address.addr(), length as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_sendto, at) };
    if !waits(flags) {
        return plain.answer();
    }
    let mut piece = EMPTY;
    let mut header = header(buffer.cast_mut(), size, &mut piece);
    (header.msg_name, header.msg_namelen) = (address.cast_mut().cast(), length);
    // SAFETY: I1.
    let mut transfer =
        unsafe { Transfer::new(descriptor, libc::SYS_sendmsg, Way::Out, flags, header) };
    answer(transfer.all(plain))
}

/// As `send` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn send(
    descriptor: c_int,
    buffer: *const c_void,
    size: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: I1.
    unsafe { sendto(descriptor, buffer, size, flags, std::ptr::null(), 0) }
}

/// As `sendmsg` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendmsg(
    descriptor: c_int,
    message: *const msghdr,
    flags: c_int,
) -> ssize_t {
    let arguments = [descriptor as usize, message.addr(), flags as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_sendmsg, arguments) };
    if !waits(flags) {
        return plain.answer();
    }
    // SAFETY: I1.
    let header = unsafe { *message };
    // SAFETY: I1.
    let mut transfer =
        unsafe { Transfer::new(descriptor, libc::SYS_sendmsg, Way::Out, flags, header) };
    answer(transfer.all(plain))
}

/// As `recvmmsg` of libc. The limit is looked at after each message, as the kernel does.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvmmsg(
    descriptor: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    limit: *mut timespec,
) -> c_int {
    let at = [descriptor as usize, messages.addr(), count as usize, flags as usize, limit.addr()];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_recvmmsg, at) };
    // With a limit the kernel measures, so the messages after the first are its business.
    if !waits(flags) || count == 0 || !limit.is_null() {
        if waits(flags) && count > 0 {
            let ready = Waiting::new(descriptor, Way::In).when_ready(|| plain.make());
            return answer(ready) as c_int;
        }
        return plain.answer() as c_int;
    }
    // SAFETY: I1.
    let messages = unsafe { std::slice::from_raw_parts_mut(messages, count as usize) };
    each(messages, |message, is_first| {
        let more =
            if is_first || flags & libc::MSG_WAITFORONE == 0 { 0 } else { libc::MSG_DONTWAIT };
        // SAFETY: I1.
        unsafe { recvmsg(descriptor, message, flags & !libc::MSG_WAITFORONE | more) }
    })
}

/// As `sendmmsg` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendmmsg(
    descriptor: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    if !waits(flags) || count == 0 {
        let at = [descriptor as usize, messages.addr(), count as usize, flags as usize];
        // SAFETY: I1.
        return unsafe { Call::new(libc::SYS_sendmmsg, at) }.answer() as c_int;
    }
    // SAFETY: I1.
    let messages = unsafe { std::slice::from_raw_parts_mut(messages, count as usize) };
    each(messages, |message, _| {
        // SAFETY: I1.
        unsafe { sendmsg(descriptor, message, flags) }
    })
}

/// Moves messages one by one, and returns how many; an error where it is none.
fn each(messages: &mut [mmsghdr], mut one: impl FnMut(&mut msghdr, bool) -> isize) -> c_int {
    for (at, message) in messages.iter_mut().enumerate() {
        let moved = one(&mut message.msg_hdr, at == 0);
        if moved < 0 {
            return if at == 0 { -1 } else { at as c_int };
        }
        message.msg_len = moved as c_uint;
    }
    messages.len() as c_int
}

/// As `accept4` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn accept4(
    descriptor: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
    flags: c_int,
) -> c_int {
    let at = [descriptor as usize, address.addr(), length.addr(), flags as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_accept4, at) };
    if !gate::is_green(Area::Socket) {
        return plain.answer() as c_int;
    }
    let accept = Accept { descriptor, address: address.addr(), length: length.addr(), flags };
    // SAFETY: I1.
    let attempt = || unsafe { ring::accept(accept) };
    let mut waiting = Waiting::new(descriptor, Way::In);
    let accepted = match attempt() {
        None => waiting.when_ready(|| plain.make()),
        Some(AGAIN) => {
            let again = || attempt().unwrap_or_else(|| plain.make());
            waiting.wait_and_repeat(again, || plain.make())
        }
        Some(result) => result,
    };
    answer(accepted) as c_int
}

/// As `accept` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn accept(
    descriptor: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: I1.
    unsafe { accept4(descriptor, address, length, 0) }
}

/// As `connect` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn connect(
    descriptor: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> c_int {
    let arguments = [descriptor as usize, address.addr(), length as usize];
    // SAFETY: I1.
    let plain = unsafe { Call::new(libc::SYS_connect, arguments) };
    if !gate::is_green(Area::Socket) {
        return plain.answer() as c_int;
    }
    answer(connect_green(descriptor, plain)) as c_int
}

/// How long it takes to try again where a Unix socket's backlog is full: nobody tells when it has
/// room.
const PAUSES: [u64; 5] = [1, 2, 4, 8, 16];

fn connect_green(descriptor: RawFd, plain: Call) -> isize {
    let flags = flags_of(descriptor);
    if flags & libc::O_NONBLOCK as isize != 0 || !gate::may_suspend() {
        return plain.make();
    }
    let mut pauses = PAUSES.into_iter();
    loop {
        set_flags(descriptor, flags | libc::O_NONBLOCK as isize);
        let result = plain.make();
        set_flags(descriptor, flags);
        if result == failed(libc::EINPROGRESS) {
            return finish_connecting(descriptor);
        }
        if result != AGAIN {
            return result;
        }
        let pause = Duration::from_millis(pauses.next().unwrap_or(20));
        if let Err(error) = gate::wait(eventlet::sleep(pause)) {
            return failed(error);
        }
    }
}

fn finish_connecting(descriptor: RawFd) -> isize {
    let mut deadline = deadline(descriptor, Way::Out);
    let wanted = [(descriptor, libc::POLLOUT as u32)];
    while !super::descriptor::is_ready(descriptor, Way::Out) {
        match wait_for(wanted.into_iter(), &mut deadline) {
            Ok(Woken::Ready) => {}
            Ok(Woken::Late) => return failed(libc::EINPROGRESS),
            Ok(Woken::Closed) => return failed(libc::EBADF),
            Err(error) => return failed(error),
        }
    }
    failed(option(descriptor, libc::SO_ERROR).unwrap_or(libc::EBADF))
}

/// As `recv`, by the name that checked builds of C call.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __recv_chk(
    descriptor: c_int,
    buffer: *mut c_void,
    size: size_t,
    room: size_t,
    flags: c_int,
) -> ssize_t {
    if size > room {
        super::overflow();
    }
    // SAFETY: I1.
    unsafe { recv(descriptor, buffer, size, flags) }
}

/// As `recvfrom`, by the name that checked builds of C call.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __recvfrom_chk(
    descriptor: c_int,
    buffer: *mut c_void,
    size: size_t,
    room: size_t,
    flags: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> ssize_t {
    if size > room {
        super::overflow();
    }
    // SAFETY: I1.
    unsafe { recvfrom(descriptor, buffer, size, flags, address, length) }
}

aliases! {
    __connect = connect(descriptor: c_int, address: *const sockaddr, length: socklen_t) -> c_int;
    __send = send(descriptor: c_int, buffer: *const c_void, size: size_t, flags: c_int) -> ssize_t;
}
