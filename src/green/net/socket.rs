//! A Tokio socket that is used like one of `std`.
//!
//! Waiting goes through Tokio's `poll_*_ready`, not its `readable()`, and so takes from Tokio's
//! cooperative budget: a socket that is always ready lets others run, too.

use std::cell::Cell;
use std::io;
#[cfg(unix)]
pub(in crate::green) use std::os::fd::OwnedFd as Descriptor;
#[cfg(windows)]
pub(in crate::green) use std::os::windows::io::OwnedSocket as Descriptor;
use std::rc::Rc;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::ReadBuf;

use super::super::wait::Direction;

/// A socket and what all its clones share, as those of `std` share what the operating system keeps for
/// one socket: its time limits and whether it is non-blocking.
///
/// Nothing in it has to be borrowed for a call, so a green thread that waits is in nobody's way.
pub(in crate::green) struct Socket<Io> {
    pub(in crate::green) io: Io,
    pub(in crate::green) reading: Direction,
    pub(in crate::green) writing: Direction,
    nonblocking: Cell<bool>,
}

impl<Io> Socket<Io> {
    pub(in crate::green) fn new(io: Io) -> Rc<Socket<Io>> {
        let (reading, writing) = (Direction::new(), Direction::new());
        Rc::new(Socket { io, reading, writing, nonblocking: Cell::new(false) })
    }

    pub(in crate::green) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.set(nonblocking);
    }

    /// Does something that may have to wait: with `poll`, or, where waiting is not wanted or not possible,
    /// with `at_once`. Both work on `with`.
    #[inline(always)]
    #[track_caller]
    pub(in crate::green) fn act<With: ?Sized, T>(
        &self,
        direction: &Direction,
        with: &mut With,
        mut poll: impl FnMut(&Io, &mut With, &mut Context<'_>) -> Poll<io::Result<T>>,
        at_once: impl FnOnce(&Io, &mut With) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.nonblocking.get() {
            return at_once(&self.io, with);
        }
        match direction.wait(|cx| poll(&self.io, with, cx)) {
            Ok(result) => result,
            Err(unwinding) => at_once(&self.io, with).map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => unwinding.into(),
                _ => error,
            }),
        }
    }
}

/// Makes a second descriptor of a socket, as `std` has it.
///
/// That, and not Tokio's `try_*`, where waiting is not wanted: they trust what Tokio last heard of the
/// socket, which is nothing for a new one, where `std` asks the operating system.
pub(in crate::green) fn dup<Io, Std: From<Descriptor>>(io: &Io) -> io::Result<Std>
where
    for<'a> SockRef<'a>: From<&'a Io>,
{
    let socket = SockRef::from(io).try_clone()?;
    Ok(Std::from(Descriptor::from(socket)))
}

/// Polls something that fills a buffer, and says how far it did.
pub(in crate::green) fn poll_into<T>(
    buf: &mut [u8],
    poll: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<T>>,
) -> Poll<io::Result<(usize, T)>> {
    let mut buf = ReadBuf::new(buf);
    poll(&mut buf).map_ok(|value| (buf.filled().len(), value))
}

/// Shows the descriptor of a socket to other libraries, as `std` does.
#[cfg(unix)]
macro_rules! descriptor {
    ($socket:ty) => {
        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.socket.io.as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.socket.io.as_raw_fd()
            }
        }
    };
}

#[cfg(unix)]
pub(in crate::green) use descriptor;
