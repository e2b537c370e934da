//! Connections.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::wait::{Direction, Unwinding};
use crate::convenience::{Address, Tcp, connect};
use crate::ssl::{self, CertificateDer, Version, wrap_ssl};

/// A TLS connection, for code on a green stack.
///
/// It reads and writes through [`Read`] and [`Write`], also by shared reference: one green thread
/// can read while another writes. A clone is the same connection, which is closed when the last is
/// dropped.
///
/// It is made from an [`ssl::TlsStream`]; the handshake of a server's connection happens at its
/// first use.
///
/// Corresponds to eventlet's `green.ssl.GreenSSLSocket`.
///
/// # Panics
///
/// A call that has to wait panics, at the caller's line, if there is no green stack to wait on.
///
/// # Yields
///
/// When it has to wait for the peer.
///
/// # Killed
///
/// A call that waits is cancelled: it has read nothing.
///
/// # Errors
///
/// Those of [`ssl::TlsStream`]. A call that would have to wait while its green stack unwinds, in a
/// destructor, fails instead.
///
/// # Examples
///
/// ```no_run
/// use std::io::{Read, Write};
///
/// use eventlet::green::net::Shutdown;
/// use eventlet::green::ssl::TlsStream;
/// use eventlet::{run, ssl, stackful};
///
/// run(stackful(|| {
///     let context = ssl::Context::client()?;
///     let mut conn = TlsStream::connect("example.org:443", &context)?;
///     conn.write_all(b"HEAD / HTTP/1.0\r\nHost: example.org\r\n\r\n")?;
///     conn.shutdown(Shutdown::Write)?;
///     let mut answer = String::new();
///     conn.read_to_string(&mut answer)?;
///     std::io::Result::Ok(())
/// }))
/// .unwrap();
/// ```
pub struct TlsStream<T = tokio::net::TcpStream> {
    shared: Rc<Shared<T>>,
}

struct Shared<T> {
    /// Borrowed during a poll, never across a wait.
    stream: RefCell<ssl::TlsStream<T>>,
    reading: Direction,
    writing: Direction,
}

impl TlsStream {
    /// Connects to a server, verifies that it is the host of the address, and does the handshake.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until the handshake is done.
    ///
    /// # Killed
    ///
    /// The connection is closed.
    ///
    /// # Errors
    ///
    /// If the connection cannot be made, or the handshake fails.
    #[track_caller]
    pub fn connect<A: Address<Family = Tcp>>(
        addr: A,
        context: &ssl::Context<ssl::Client>,
    ) -> io::Result<TlsStream> {
        let connecting = wrap_ssl(connect(addr), context).into_future();
        super::super::wait::wait_io(connecting).map(TlsStream::from)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> TlsStream<T> {
    /// Does the handshake, unless it was done.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until it is done, or has failed.
    ///
    /// # Killed
    ///
    /// The next use of the stream continues it.
    ///
    /// # Errors
    ///
    /// An [`ssl::HandshakeError`], inside.
    #[track_caller]
    pub fn handshake(&self) -> io::Result<()> {
        // It has nothing to flush before the handshake is done.
        self.write_with(|stream, cx| stream.poll_flush(cx))
    }

    /// Closes a direction, or both. Writing ends with `close_notify`, so that the peer knows that
    /// nothing was cut off.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Until the written data has been sent.
    ///
    /// # Killed
    ///
    /// The next call continues.
    ///
    /// # Errors
    ///
    /// Those of the socket. `Read` alone cannot be shut in TLS, and is `Unsupported`.
    #[track_caller]
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match how {
            Shutdown::Write | Shutdown::Both => {
                self.write_with(|stream, cx| stream.poll_shutdown(cx))
            }
            Shutdown::Read => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "TLS has no end of reading alone: stop reading, or drop the connection",
            )),
        }
    }

    #[track_caller]
    fn read_some(&self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.shared.reading.wait(|cx| {
            let mut buf = ReadBuf::new(buf);
            let mut stream = self.shared.stream.borrow_mut();
            Pin::new(&mut *stream).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len())
        });
        flatten(read)
    }

    /// Writes, and waits until the data has been sent: otherwise the next read could wait for the
    /// answer to a request that is still buffered.
    #[track_caller]
    fn write_some(
        &self,
        mut poll: impl FnMut(Pin<&mut ssl::TlsStream<T>>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> io::Result<usize> {
        let mut accepted = None;
        self.write_with(|mut stream, cx| {
            if accepted.is_none() {
                accepted = Some(ready!(poll(stream.as_mut(), cx))?);
            }
            stream.poll_flush(cx).map_ok(|()| accepted.unwrap_or_default())
        })
    }

    /// Performs an operation in the write direction.
    #[track_caller]
    fn write_with<R>(
        &self,
        mut poll: impl FnMut(Pin<&mut ssl::TlsStream<T>>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> io::Result<R> {
        flatten(self.shared.writing.wait(|cx| {
            let mut stream = self.shared.stream.borrow_mut();
            poll(Pin::new(&mut *stream), cx)
        }))
    }
}

fn flatten<R>(waited: Result<io::Result<R>, Unwinding>) -> io::Result<R> {
    waited.unwrap_or_else(|unwinding| Err(unwinding.into()))
}

impl<T> TlsStream<T> {
    /// Calls a function with the stream below, to look at it or its socket. The function must not
    /// wait.
    pub fn with<R>(&self, function: impl FnOnce(&ssl::TlsStream<T>) -> R) -> R {
        function(&self.shared.stream.borrow())
    }

    /// Returns the peer's chain of certificates: see [`ssl::TlsStream::peer_certificates`].
    pub fn peer_certificates(&self) -> Option<Vec<CertificateDer<'static>>> {
        self.with(|stream| stream.peer_certificates().map(<[_]>::to_vec))
    }

    /// Returns the protocol that both sides agreed on: see [`ssl::TlsStream::alpn`].
    pub fn alpn(&self) -> Option<Vec<u8>> {
        self.with(|stream| stream.alpn().map(<[_]>::to_vec))
    }

    /// Returns the version that is spoken: see [`ssl::TlsStream::version`].
    pub fn version(&self) -> Option<Version> {
        self.with(ssl::TlsStream::version)
    }

    /// Limits how long a read may wait: an error of kind `WouldBlock` ends it, as in std.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a limit of zero.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.shared.reading.set_limit(limit)
    }

    /// Limits how long a write may wait: an error of kind `WouldBlock` ends it, as in std.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a limit of zero.
    pub fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.shared.writing.set_limit(limit)
    }

    /// Returns how long a read may wait.
    pub fn read_timeout(&self) -> Option<Duration> {
        self.shared.reading.limit()
    }

    /// Returns how long a write may wait.
    pub fn write_timeout(&self) -> Option<Duration> {
        self.shared.writing.limit()
    }

    /// Converts into the type for async code.
    ///
    /// # Errors
    ///
    /// The stream itself, when it has clones.
    pub fn into_tokio(self) -> Result<ssl::TlsStream<T>, TlsStream<T>> {
        match Rc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.stream.into_inner()),
            Err(shared) => Err(TlsStream { shared }),
        }
    }
}

impl<T> From<ssl::TlsStream<T>> for TlsStream<T> {
    fn from(stream: ssl::TlsStream<T>) -> TlsStream<T> {
        let (reading, writing) = (Direction::new(), Direction::new());
        TlsStream { shared: Rc::new(Shared { stream: RefCell::new(stream), reading, writing }) }
    }
}

impl<T> Clone for TlsStream<T> {
    fn clone(&self) -> TlsStream<T> {
        TlsStream { shared: Rc::clone(&self.shared) }
    }
}

impl<T> fmt::Debug for TlsStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.stream.borrow().fmt(f)
    }
}

macro_rules! reads_and_writes {
    ($stream:ty) => {
        impl<T: AsyncRead + AsyncWrite + Unpin> Read for $stream {
            #[track_caller]
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.read_some(buf)
            }
        }

        impl<T: AsyncRead + AsyncWrite + Unpin> Write for $stream {
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.write_some(|stream, cx| stream.poll_write(cx, buf))
            }

            #[track_caller]
            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.write_some(|stream, cx| stream.poll_write_vectored(cx, bufs))
            }

            #[track_caller]
            fn flush(&mut self) -> io::Result<()> {
                self.write_with(|stream, cx| stream.poll_flush(cx))
            }
        }
    };
}

reads_and_writes!(TlsStream<T>);
reads_and_writes!(&TlsStream<T>);
