//! Reading and writing byte streams, for connections and pipes alike.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::task::coop;

use super::net::socket::Socket;

/// What bytes can be read from, as Tokio implements it.
pub(super) trait Input {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;

    fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;

    /// Asks the operating system, ignoring the readiness that Tokio has cached.
    fn receive(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Asks the operating system, ignoring the readiness that Tokio has cached.
    fn receive_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
}

/// What bytes can be written to, as Tokio implements it.
pub(super) trait Output {
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    fn try_write(&self, buf: &[u8]) -> io::Result<usize>;

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Asks the operating system, ignoring the readiness that Tokio has cached.
    fn send(&self, buf: &[u8]) -> io::Result<usize>;

    /// Asks the operating system, ignoring the readiness that Tokio has cached.
    fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
}

impl<Io: Input> Socket<Io> {
    // Inlined up to the switch itself, as `.block()` is.
    #[inline(always)]
    #[track_caller]
    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut attempts = Attempts::<ONCE_READY>::new();
        let poll = |io: &Io, buf: &mut [u8], cx: &mut Context<'_>| {
            attempts.poll(cx, |cx| io.poll_read_ready(cx), || io.try_read(buf))
        };
        self.act(&self.reading, buf, poll, |io, buf| io.receive(buf))
    }

    #[track_caller]
    pub(super) fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut attempts = Attempts::<ONCE_READY>::new();
        let poll = |io: &Io, bufs: &mut [IoSliceMut<'_>], cx: &mut Context<'_>| {
            attempts.poll(cx, |cx| io.poll_read_ready(cx), || io.try_read_vectored(bufs))
        };
        self.act(&self.reading, bufs, poll, |io, bufs| io.receive_vectored(bufs))
    }
}

impl<Io: Output> Socket<Io> {
    #[inline]
    #[track_caller]
    pub(super) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        let mut attempts = Attempts::<AT_ONCE>::new();
        let poll = |io: &Io, _: &mut (), cx: &mut Context<'_>| {
            attempts.poll(cx, |cx| io.poll_write_ready(cx), || io.try_write(buf))
        };
        self.act(&self.writing, &mut (), poll, |io, _| io.send(buf))
    }

    #[track_caller]
    pub(super) fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut attempts = Attempts::<AT_ONCE>::new();
        let poll = |io: &Io, _: &mut (), cx: &mut Context<'_>| {
            attempts.poll(cx, |cx| io.poll_write_ready(cx), || io.try_write_vectored(bufs))
        };
        self.act(&self.writing, &mut (), poll, |io, _| io.send_vectored(bufs))
    }
}

/// Retries an operation until it does not fail with `WouldBlock`: at once if `FIRST`, then each
/// time that Tokio reports readiness, which is when the waiter is woken.
struct Attempts<const FIRST: bool> {
    begun: bool,
}

/// Tries to write at once: there is mostly room.
const AT_ONCE: bool = true;

/// Waits for readiness before a read: data has seldom arrived yet.
const ONCE_READY: bool = false;

impl<const FIRST: bool> Attempts<FIRST> {
    fn new() -> Self {
        Attempts { begun: false }
    }

    #[inline(always)]
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        poll_ready: impl Fn(&mut Context<'_>) -> Poll<io::Result<()>>,
        mut attempt: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if !mem::replace(&mut self.begun, true) {
            match FIRST {
                AT_ONCE => ready!(poll_budget(cx)),
                ONCE_READY => ready!(poll_ready(cx))?,
            }
        }
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(poll_ready(cx))?,
                result => return Poll::Ready(result),
            }
        }
    }
}

/// Takes from Tokio's cooperative budget.
#[inline(never)]
fn poll_budget(cx: &mut Context<'_>) -> Poll<()> {
    coop::poll_proceed(cx).map(|taken| taken.made_progress())
}

/// A connection as Tokio implements it.
trait Connection {
    /// Tells Tokio of a `WouldBlock` that `attempt` returns.
    fn try_io<T>(
        &self,
        interest: Interest,
        attempt: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T>;
}

/// Reads or writes up to `length` bytes.
///
/// After a short read or write the socket is drained or full. We tell Tokio by returning
/// `WouldBlock` from `try_io`, which saves the next system call. Tokio's `poll_read` and
/// `poll_write` do so too, but need `&mut`, and clones share the socket.
#[inline]
fn try_some(
    io: &impl Connection,
    interest: Interest,
    length: usize,
    attempt: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    let mut short = None;
    let tried = io.try_io(interest, || match attempt()? {
        count if 0 < count && count < length => {
            short = Some(count);
            Err(io::ErrorKind::WouldBlock.into())
        }
        count => Ok(count),
    });
    short.map_or(tried, Ok)
}

/// Writing to a closed connection returns an error and raises no signal, as in `std`. Apple's
/// systems have a socket option for that instead, which Tokio sets.
#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const NO_SIGNAL: i32 = 0;

/// Implements reading and writing for Tokio's connections.
macro_rules! connection {
    ($tokio:ty) => {
        impl Connection for $tokio {
            #[inline]
            fn try_io<T>(
                &self,
                interest: Interest,
                attempt: impl FnOnce() -> io::Result<T>,
            ) -> io::Result<T> {
                <$tokio>::try_io(self, interest, attempt)
            }
        }

        impl Input for $tokio {
            #[inline]
            fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                <$tokio>::poll_read_ready(self, cx)
            }

            #[inline]
            fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                try_some(self, Interest::READABLE, buf.len(), || self.receive(buf))
            }

            fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let length = bufs.iter().map(|buf| buf.len()).sum();
                try_some(self, Interest::READABLE, length, || self.receive_vectored(bufs))
            }

            #[inline]
            fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
                (&*SockRef::from(self)).read(buf)
            }

            fn receive_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*SockRef::from(self)).read_vectored(bufs)
            }
        }

        impl Output for $tokio {
            #[inline]
            fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                <$tokio>::poll_write_ready(self, cx)
            }

            #[inline]
            fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                try_some(self, Interest::WRITABLE, buf.len(), || self.send(buf))
            }

            fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                let length = bufs.iter().map(|buf| buf.len()).sum();
                try_some(self, Interest::WRITABLE, length, || self.send_vectored(bufs))
            }

            #[inline]
            fn send(&self, buf: &[u8]) -> io::Result<usize> {
                SockRef::from(self).send_with_flags(buf, NO_SIGNAL)
            }

            fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                SockRef::from(self).send_vectored_with_flags(bufs, NO_SIGNAL)
            }
        }
    };
}

connection!(tokio::net::TcpStream);
#[cfg(unix)]
connection!(tokio::net::UnixStream);

#[cfg(unix)]
mod pipe {
    //! Pipes are not sockets: `recv` does not read them.

    use std::io::{self, IoSlice, IoSliceMut};
    use std::task::{Context, Poll};

    use tokio::net::unix::pipe::{Receiver, Sender};

    use super::{Input, Output};

    impl Input for Receiver {
        fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Receiver::poll_read_ready(self, cx)
        }

        fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
            Receiver::try_read(self, buf)
        }

        fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            Receiver::try_read_vectored(self, bufs)
        }

        fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
            Ok(rustix::io::read(self, buf)?)
        }

        fn receive_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            Ok(rustix::io::readv(self, bufs)?)
        }
    }

    impl Output for Sender {
        fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Sender::poll_write_ready(self, cx)
        }

        fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
            Sender::try_write(self, buf)
        }

        fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            Sender::try_write_vectored(self, bufs)
        }

        fn send(&self, buf: &[u8]) -> io::Result<usize> {
            Ok(rustix::io::write(self, buf)?)
        }

        fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            Ok(rustix::io::writev(self, bufs)?)
        }
    }
}

/// Implements [`Read`] for a green type with a `socket`, and for references to it.
macro_rules! reads {
    ($green:ty) => {
        crate::green::bytes::reads!(@ &$green);
        crate::green::bytes::reads!(@ $green);
    };
    (@ $reader:ty) => {
        impl std::io::Read for $reader {
            #[inline(always)]
            #[track_caller]
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.socket.read(buf)
            }

            #[track_caller]
            fn read_vectored(
                &mut self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                self.socket.read_vectored(bufs)
            }
        }
    };
}

/// Implements `Write` for a green type with a `socket`, and for references to it.
macro_rules! writes {
    ($green:ty) => {
        crate::green::bytes::writes!(@ &$green);
        crate::green::bytes::writes!(@ $green);
    };
    (@ $writer:ty) => {
        impl std::io::Write for $writer {
            #[inline]
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                self.socket.write(buf)
            }

            #[track_caller]
            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                self.socket.write_vectored(bufs)
            }

            /// Does nothing: nothing is buffered.
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(super) use {reads, writes};
