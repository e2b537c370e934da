//! What is asked of a descriptor when a call for it would wait.
//!
//! What is asked is remembered only where the descriptor waits and has no limit, as the reactor
//! says: it heals what it remembers wrongly. A limit, or `O_NONBLOCK`, is asked for each time.

use std::ffi::c_int;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::clock::Deadline;
use crate::gate;
use crate::reactor::{Moment, Woken, is_patient, remember_patient, wait_for};
use crate::real::{Call, failed, limit};
pub(super) use crate::real::{duration_of, flags, option};

pub(super) const AGAIN: isize = -(libc::EAGAIN as isize);
const IN: i16 = libc::POLLIN;
const OUT: i16 = libc::POLLOUT;

/// Which way a call moves data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

impl Way {
    fn events(self) -> i16 {
        match self {
            Way::In => IN,
            Way::Out => OUT,
        }
    }

    fn timeout(self) -> c_int {
        match self {
            Way::In => libc::SO_RCVTIMEO,
            Way::Out => libc::SO_SNDTIMEO,
        }
    }
}

/// Returns whether the descriptor is one that does not wait (`O_NONBLOCK`).
pub(super) fn is_nonblocking(descriptor: RawFd) -> bool {
    flags(descriptor) & libc::O_NONBLOCK as isize != 0
}

/// Sets the flags of a descriptor.
pub(super) fn set_flags(descriptor: RawFd, flags: isize) {
    let arguments = [descriptor as usize, libc::F_SETFL as usize, flags as usize];
    // SAFETY: it has no arguments but numbers.
    unsafe { Call::new(libc::SYS_fcntl, arguments) }.make();
}

/// Returns when a call is to give up, as `SO_RCVTIMEO` or `SO_SNDTIMEO` says.
pub(super) fn deadline(descriptor: RawFd, way: Way) -> Deadline {
    match limit(descriptor, way.timeout()) {
        Duration::ZERO => Deadline::default(),
        limit => Deadline::after(limit),
    }
}

/// Returns whether a descriptor is ready, or will never be.
pub(super) fn is_ready(descriptor: RawFd, way: Way) -> bool {
    look(&mut [libc::pollfd { fd: descriptor, events: way.events(), revents: 0 }]) != 0
}

/// Calls `ppoll` so that it does not wait.
pub(super) fn look(descriptors: &mut [libc::pollfd]) -> isize {
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let at = descriptors.as_mut_ptr().addr();
    let arguments = [at, descriptors.len(), (&raw const now).addr(), 0, 8];
    // SAFETY: it reads and writes so many elements, and reads the time.
    unsafe { Call::new(libc::SYS_ppoll, arguments) }.make()
}

/// A wait for one descriptor, which is prepared when it is needed.
pub(super) struct Waiting {
    descriptor: RawFd,
    way: Way,
    deadline: Option<Deadline>,
}

/// What to do where something is not ready.
pub(super) enum Next {
    /// Try again.
    Retry,
    /// Return this.
    Return(isize),
    /// Call the system as it is: it may wait, or must not.
    Plain,
}

impl Waiting {
    pub(super) fn new(descriptor: RawFd, way: Way) -> Waiting {
        Waiting { descriptor, way, deadline: None }
    }

    /// Finds out until when to wait, unless that is known, and returns whether to wait at all.
    fn may_wait(&mut self) -> bool {
        let interest = self.way.events() as u32;
        if self.deadline.is_some() || is_patient(self.descriptor, interest) {
            return gate::may_suspend();
        }
        let now = Moment::of(self.descriptor);
        if is_nonblocking(self.descriptor) || !gate::may_suspend() {
            return false;
        }
        let deadline = self.deadline.insert(deadline(self.descriptor, self.way));
        if deadline.is_never() {
            remember_patient(self.descriptor, interest, now);
        }
        true
    }

    /// Suspends the green thread until the descriptor may be ready.
    pub(super) fn wait(&mut self) -> Next {
        if !self.may_wait() {
            return Next::Plain;
        }
        let mut never = Deadline::default();
        let deadline = self.deadline.as_mut().unwrap_or(&mut never);
        let wanted = [(self.descriptor, self.way.events() as u32)];
        match wait_for(wanted.into_iter(), deadline) {
            Ok(Woken::Ready) => Next::Retry,
            Ok(Woken::Late) => Next::Return(AGAIN),
            Ok(Woken::Closed) => Next::Return(failed(libc::EBADF)),
            // Such as a file: the kernel does not watch it, and has it ready always.
            Err(libc::EPERM) => Next::Plain,
            Err(error) => Next::Return(failed(error)),
        }
    }

    /// Makes a call that says `EAGAIN` in place of waiting, until it says something else. `plain`
    /// is the call as it was asked for.
    pub(super) fn repeat(
        &mut self,
        mut attempt: impl FnMut() -> isize,
        plain: impl FnOnce() -> isize,
    ) -> isize {
        match attempt() {
            AGAIN => self.wait_and_repeat(attempt, plain),
            result => result,
        }
    }

    /// As [`repeat`](Waiting::repeat), where the first attempt has been made.
    pub(super) fn wait_and_repeat(
        &mut self,
        mut attempt: impl FnMut() -> isize,
        plain: impl FnOnce() -> isize,
    ) -> isize {
        loop {
            match self.wait() {
                Next::Retry => {}
                Next::Return(result) => return result,
                Next::Plain => return plain(),
            }
            match attempt() {
                AGAIN => {}
                result => return result,
            }
        }
    }

    /// Makes a call when the descriptor is ready for it.
    pub(super) fn when_ready(&mut self, call: impl FnOnce() -> isize) -> isize {
        while !is_ready(self.descriptor, self.way) {
            match self.wait() {
                Next::Retry => {}
                Next::Return(result) => return result,
                Next::Plain => break,
            }
        }
        call()
    }
}

/// Asks `look` until it has an answer other than none, or the time is over.
pub(super) fn wait_until(
    limit: Option<Duration>,
    wanted: &[(RawFd, u32)],
    mut look: impl FnMut() -> isize,
) -> isize {
    let mut deadline = limit.map(Deadline::after).unwrap_or_default();
    loop {
        match wait_for(wanted.iter().copied(), &mut deadline) {
            Ok(Woken::Late) => return look(),
            // Of one that was closed the kernel tells more than we know.
            Ok(Woken::Ready | Woken::Closed) => {}
            Err(error) => return failed(error),
        }
        match look() {
            0 => {}
            seen => return seen,
        }
    }
}
