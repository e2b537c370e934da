//! The socket of a connection: it notes its activity, and closes so that the peer gets the answer.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::{Activity, Phase};

/// How many bytes of the peer's are discarded while a connection closes: a socket that is closed
/// with bytes unread resets the connection, and the peer may lose the answer.
const MAX_DISCARDED: usize = 256 * 1024;

/// A socket that notes its activity.
pub(super) struct Socket<T> {
    io: T,
    activity: Arc<Activity>,
    /// How many bytes were discarded. `None` until the sending side is shut down.
    discarded: Option<usize>,
}

impl<T> Socket<T> {
    pub(super) fn new(io: T, activity: Arc<Activity>) -> Socket<T> {
        Socket { io, activity, discarded: None }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        match &polled {
            Poll::Pending => self.activity.begin_read_wait(),
            Poll::Ready(Ok(())) if buf.filled().len() > before => self.activity.note_read(),
            Poll::Ready(_) => self.activity.end_read_wait(),
        }
        polled
    }
}

impl<T: AsyncWrite + AsyncRead + Unpin> Socket<T> {
    #[inline]
    fn note_write<R>(&self, polled: Poll<R>) -> Poll<R> {
        match polled {
            Poll::Pending => self.activity.begin_write_wait(),
            Poll::Ready(_) => self.activity.note_write(),
        }
        polled
    }

    /// Discards what the peer still sends, until its end or [`MAX_DISCARDED`]. The sweeper limits
    /// the time.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut discarded = self.discarded.unwrap_or_default();
        while discarded < MAX_DISCARDED {
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut buf = ReadBuf::uninit(&mut space);
            let polled = Pin::new(&mut self.io).poll_read(cx, &mut buf);
            if ready!(polled).is_err() || buf.filled().is_empty() {
                break;
            }
            discarded += buf.filled().len();
            self.discarded = Some(discarded);
        }
        Poll::Ready(())
    }
}

impl<T: AsyncWrite + AsyncRead + Unpin> AsyncWrite for Socket<T> {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note_write(polled)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note_write(polled)
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        if polled.is_pending() {
            self.activity.begin_write_wait();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.discarded.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.discarded = Some(0);
            self.activity.note_shutdown();
        }
        if self.activity.phase() == Phase::Closing {
            ready!(self.poll_discard(cx));
        }
        Poll::Ready(Ok(()))
    }
}
