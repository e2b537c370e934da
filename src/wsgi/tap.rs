//! The socket of a connection, with its pulse.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pulse::{Phase, Pulse};

/// How much is read away from a peer that is told to go, for its answer to reach it: a socket that
/// is closed with bytes unread resets the connection, and the answer may be lost.
const LINGER: usize = 256 * 1024;

/// A socket that notes what moves through it.
pub(super) struct Tap<T> {
    io: T,
    pulse: Arc<Pulse>,
    /// How much of [`LINGER`] was read away. `None` until the sending side is shut.
    lingered: Option<usize>,
}

impl<T> Tap<T> {
    pub(super) fn new(io: T, pulse: Arc<Pulse>) -> Tap<T> {
        Tap { io, pulse, lingered: None }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Tap<T> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        match &polled {
            Poll::Pending => self.pulse.waits_to_read(),
            Poll::Ready(Ok(())) if buf.filled().len() > before => self.pulse.has_read(),
            Poll::Ready(_) => self.pulse.waits_no_more_to_read(),
        }
        polled
    }
}

impl<T: AsyncWrite + AsyncRead + Unpin> Tap<T> {
    #[inline]
    fn note<R>(&self, polled: Poll<R>) -> Poll<R> {
        match polled {
            Poll::Pending => self.pulse.waits_to_write(),
            Poll::Ready(_) => self.pulse.has_written(),
        }
        polled
    }

    /// Reads away what the peer still sends, until it ends, or is too much, or the sweeper ends it.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut lingered = self.lingered.unwrap_or_default();
        while lingered < LINGER {
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut buf = ReadBuf::uninit(&mut space);
            let polled = Pin::new(&mut self.io).poll_read(cx, &mut buf);
            if ready!(polled).is_err() || buf.filled().is_empty() {
                break;
            }
            lingered += buf.filled().len();
            self.lingered = Some(lingered);
        }
        Poll::Ready(())
    }
}

impl<T: AsyncWrite + AsyncRead + Unpin> AsyncWrite for Tap<T> {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note(polled)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note(polled)
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        if polled.is_pending() {
            self.pulse.waits_to_write();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingered.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.lingered = Some(0);
            self.pulse.begin_closing();
        }
        if self.pulse.phase() == Phase::Closing {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
