//! A Tokio socket with the behaviour of `std`'s.
//!
//! Waiting goes through Tokio's `poll_*_ready`, not its `readable()`, and so takes from Tokio's
//! cooperative budget: so a socket that is always ready still yields to other green threads.

use std::cell::Cell;
use std::io;
#[cfg(unix)]
pub(in crate::green) use std::os::fd::OwnedFd as Descriptor;
#[cfg(windows)]
pub(in crate::green) use std::os::windows::io::OwnedSocket as Descriptor;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{Interest, ReadBuf, Ready};

use super::super::wait::Direction;

/// A socket with the settings that its clones share, time limits and non-blocking mode. In `std`
/// the operating system keeps these.
///
/// A call borrows none of it across a wait, so a waiting green thread does not block others.
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

    /// Performs an operation that may have to wait: with `poll` or, if waiting is not wanted or not
    /// possible, with `at_once`. Both work on `with`.
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

impl<Io: Datagrams> Socket<Io> {
    /// Receives, with `poll` or `at_once` as in [`act`](Socket::act).
    ///
    /// An error that is pending on the socket ends the wait: for example, that the last datagram
    /// was refused. Tokio would wait on until there is something to read.
    #[track_caller]
    pub(in crate::green) fn receive<With: ?Sized, T>(
        &self,
        with: &mut With,
        mut poll: impl FnMut(&Io, &mut With, &mut Context<'_>) -> Poll<io::Result<T>>,
        at_once: impl FnOnce(&Io, &mut With) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut pending_error = pin!(pending_error(&self.io));
        let poll = |io: &Io, with: &mut With, cx: &mut Context<'_>| match poll(io, with, cx) {
            Poll::Pending => pending_error.as_mut().poll(cx).map(Err),
            done => done,
        };
        self.act(&self.reading, with, poll, at_once)
    }
}

/// A datagram socket of Tokio.
pub(in crate::green) trait Datagrams {
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>>;

    /// Lets Tokio know of a `WouldBlock` that `attempt` comes back with.
    fn try_io(
        &self,
        interest: Interest,
        attempt: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()>;

    fn take_error(&self) -> io::Result<Option<io::Error>>;
}

/// Waits until an error is pending on a socket, and takes it.
async fn pending_error(io: &impl Datagrams) -> io::Error {
    loop {
        let taken = match io.ready(Interest::ERROR).await {
            Ok(_) => io.take_error(),
            Err(error) => Err(error),
        };
        match taken {
            Ok(Some(error)) | Err(error) => return error,
            // Another green thread took it. Tokio is told, and wakes this at the next error.
            Ok(None) => {
                let _told = io.try_io(Interest::ERROR, || Err(io::ErrorKind::WouldBlock.into()));
            }
        }
    }
}

/// Implements waiting for Tokio's datagram sockets.
macro_rules! datagrams {
    ($tokio:ty) => {
        impl Datagrams for $tokio {
            fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> {
                <$tokio>::ready(self, interest)
            }

            fn try_io(
                &self,
                interest: Interest,
                attempt: impl FnOnce() -> io::Result<()>,
            ) -> io::Result<()> {
                <$tokio>::try_io(self, interest, attempt)
            }

            fn take_error(&self) -> io::Result<Option<io::Error>> {
                <$tokio>::take_error(self)
            }
        }
    };
}

datagrams!(tokio::net::UdpSocket);
#[cfg(unix)]
datagrams!(tokio::net::UnixDatagram);

/// Makes a second descriptor of a socket, of `std`'s type.
///
/// Used instead of Tokio's `try_*` when waiting is not wanted: those trust Tokio's cached
/// readiness, which a new socket lacks, while `std` asks the operating system.
pub(in crate::green) fn dup<Io, Std: From<Descriptor>>(io: &Io) -> io::Result<Std>
where
    for<'a> SockRef<'a>: From<&'a Io>,
{
    let socket = SockRef::from(io).try_clone()?;
    Ok(Std::from(Descriptor::from(socket)))
}

/// Polls an operation that fills a buffer, and returns how many bytes it filled.
pub(in crate::green) fn poll_into<T>(
    buf: &mut [u8],
    poll: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<T>>,
) -> Poll<io::Result<(usize, T)>> {
    let mut buf = ReadBuf::new(buf);
    poll(&mut buf).map_ok(|value| (buf.filled().len(), value))
}

/// Gives other libraries the descriptor of a socket, as `std` does.
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
