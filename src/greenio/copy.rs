//! Copying both ways between two streams.

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::hub::within;
use crate::timeout::Timeout;

/// Copies the data of each stream to the other, until both have ended, and returns how many bytes
/// went from `a` to `b`, and from `b` to `a`.
///
/// When one stream ends, the other is shut down for writing, and may go on. With `idle`, the copy
/// gives up when no data has come from either for so long.
///
/// It is for proxies. On a green stack, wait for it with `.block()`; a stream of `green::net`
/// becomes one of Tokio with its `into_tokio`.
///
/// Corresponds to the two green threads of eventlet's `examples/forwarder.py`, and to
/// [`tokio::io::copy_bidirectional`].
///
/// # Panics
///
/// If there is a limit and no hub.
///
/// # Yields
///
/// Until both have ended.
///
/// # Killed
///
/// Data that has been read and not yet written is lost.
///
/// # Errors
///
/// Those of the streams, each of which ends both ways. [`TimedOut`](io::ErrorKind::TimedOut), with
/// a [`Timeout`] inside, after `idle`.
///
/// # Examples
///
/// ```
/// use eventlet::greenio::copy_bidirectional;
/// use eventlet::{is_timeout, spawn};
/// use std::time::Duration;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
///
/// # eventlet::run(async {
/// let ((mut client, mut near), (mut far, mut server)) = (duplex(64), duplex(64));
/// let proxy = spawn(async move {
///     copy_bidirectional(&mut near, &mut far, Duration::from_millis(20)).await
/// });
/// client.write_all(b"hello").await.unwrap();
/// let mut hello = [0; 5];
/// server.read_exact(&mut hello).await.unwrap();
/// assert_eq!(&hello, b"hello");
///
/// let silent = proxy.await.unwrap().unwrap_err();
/// assert!(is_timeout(&silent));
/// # });
/// ```
pub async fn copy_bidirectional<A, B>(
    a: &mut A,
    b: &mut B,
    idle: impl Into<Option<Duration>>,
) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    let Some(idle) = idle.into() else {
        return tokio::io::copy_bidirectional(a, b).await;
    };
    let heard = Cell::new(Instant::now());
    let (mut a, mut b) = (Heard { stream: a, at: &heard }, Heard { stream: b, at: &heard });
    let mut copying = pin!(tokio::io::copy_bidirectional(&mut a, &mut b));
    loop {
        let left = idle.saturating_sub(heard.get().elapsed());
        if let Some(done) = within(Some(left), copying.as_mut()).await {
            return done;
        }
        if heard.get().elapsed() >= idle {
            return Err(Timeout::new(idle).into());
        }
    }
}

/// A stream that records when data was last read from it.
struct Heard<'a, S: ?Sized> {
    stream: &'a mut S,
    at: &'a Cell<Instant>,
}

impl<S: AsyncRead + Unpin + ?Sized> AsyncRead for Heard<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut *self.stream).poll_read(cx, buf);
        if polled.is_ready() {
            self.at.set(Instant::now());
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin + ?Sized> AsyncWrite for Heard<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_shutdown(cx)
    }
}
