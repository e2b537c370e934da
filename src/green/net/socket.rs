//! A Tokio socket that is used like one of `std`.
//!
//! Waiting goes through Tokio's `poll_*_ready`, not its `readable()`, and so takes from Tokio's
//! cooperative budget: a socket that is always ready lets others run, too.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use socket2::{SockRef, Socket as AnySocket};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::super::wait::Direction;

/// A socket and what all its clones share, as those of `std` share what the operating system keeps for
/// one socket: its time limits and whether it is non-blocking.
///
/// Nothing in it has to be borrowed for a call, so a green thread that waits is in nobody's way.
pub(super) struct Socket<Io> {
    pub(super) io: Io,
    pub(super) reading: Direction,
    pub(super) writing: Direction,
    nonblocking: Cell<bool>,
}

impl<Io> Socket<Io> {
    pub(super) fn new(io: Io) -> Rc<Socket<Io>> {
        let (reading, writing) = (Direction::new(), Direction::new());
        Rc::new(Socket { io, reading, writing, nonblocking: Cell::new(false) })
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.set(nonblocking);
    }
}

impl<Io> Socket<Io>
where
    for<'a> SockRef<'a>: From<&'a Io>,
{
    /// Does something that may have to wait: with `poll`, or, where waiting is not wanted or not possible,
    /// with `at_once`. Both work on `with`.
    #[track_caller]
    pub(super) fn act<Std: From<AnySocket>, With: ?Sized, T>(
        &self,
        direction: &Direction,
        with: &mut With,
        mut poll: impl FnMut(&Io, &mut With, &mut Context<'_>) -> Poll<io::Result<T>>,
        at_once: impl FnOnce(&Std, &mut With) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.nonblocking.get() {
            return at_once(&self.dup()?, with);
        }
        match direction.wait(|cx| poll(&self.io, with, cx)) {
            Ok(result) => result,
            Err(unwinding) => at_once(&self.dup()?, with).map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => unwinding.into(),
                _ => error,
            }),
        }
    }

    /// Makes a second descriptor of the socket.
    ///
    /// Not Tokio's `try_*` where waiting is not wanted: they trust what Tokio last heard of the socket,
    /// which is nothing for a new one, where `std` asks the operating system.
    pub(super) fn dup<Std: From<AnySocket>>(&self) -> io::Result<Std> {
        SockRef::from(&self.io).try_clone().map(Std::from)
    }
}

/// Reads up to `length` bytes once the socket has some.
///
/// One who got less than was asked for knows that the socket is exhausted, and does not ask the operating
/// system once more to hear it. Tokio's `poll_read` knows that too, but needs the socket mutably, and clones
/// of one of `std` share it. So the news are brought through `try_io`, in the words that it understands.
#[inline]
pub(super) fn poll_receive(
    io: &TcpStream,
    length: usize,
    cx: &mut Context<'_>,
    mut receive: impl FnMut(&AnySocket) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(io.poll_read_ready(cx))?;
        let mut short = None;
        let tried = io.try_io(Interest::READABLE, || match receive(&SockRef::from(io))? {
            count if 0 < count && count < length => {
                short = Some(count);
                Err(io::ErrorKind::WouldBlock.into())
            }
            count => Ok(count),
        });
        match (short, tried) {
            (Some(count), _) => return Poll::Ready(Ok(count)),
            (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            (None, result) => return Poll::Ready(result),
        }
    }
}

/// Writes once the socket has room. What has room mostly has enough, so nothing is made of writing less.
#[inline]
pub(super) fn poll_send(
    io: &TcpStream,
    cx: &mut Context<'_>,
    mut try_send: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(io.poll_write_ready(cx))?;
        match try_send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
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
pub(super) use descriptor;
