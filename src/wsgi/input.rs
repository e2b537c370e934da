//! The body of a request, as a site reads it: `wsgi.input`.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::exchange::Exchange;
use super::request_body::RequestBody;

/// The body of a request.
///
/// It is a handle: clones read the same body, one at a time. Nothing is read in advance, and a
/// client that sent `Expect: 100-continue` is told to go on at the first read.
///
/// It is a [`Stream`] of [`Bytes`], and an [`AsyncBufRead`]. With the feature `stackful` it is
/// `std::io::Read` and `std::io::BufRead` as well, for green stacks.
///
/// Corresponds to `environ['wsgi.input']`.
///
/// # Errors
///
/// Everything that reads gives `UnexpectedEof` when the client left in the middle of the body,
/// `InvalidData` when a chunk was malformed, and `TimedOut` when nothing came for as long as the
/// server's `socket_timeout`. If the site returns that error, the client gets 400, or 408.
///
/// # Not here
///
/// `set_hundred_continue_response_headers` and `send_hundred_continue_response`: hyper sends the
/// one 100 itself. `get_socket`: see [`Environ::hijack`](super::Environ::hijack).
#[derive(Clone)]
pub struct Input {
    exchange: Rc<Exchange>,
    /// What `AsyncBufRead` lends: shares what the body holds, which keeps it until it is consumed.
    lent: Bytes,
}

impl Input {
    pub(super) fn of(exchange: Rc<Exchange>) -> Input {
        Input { exchange, lent: Bytes::new() }
    }

    fn body(&self) -> &RequestBody {
        &self.exchange.request_body
    }

    /// Reads what has come, at most `most` bytes. Empty at the end.
    ///
    /// # Yields
    ///
    /// When nothing has come yet.
    ///
    /// # Killed
    ///
    /// Nothing is lost.
    ///
    /// # Errors
    ///
    /// See [`Input`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move {
    ///     let input = env.input();
    ///     input.read(1024).await
    /// };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "POST /\n\nhello").await, "hello");
    /// # });
    /// ```
    pub async fn read(&self, most: usize) -> io::Result<Bytes> {
        poll_fn(|cx| self.body().poll_fill(cx)).await?;
        Ok(self.body().take(most))
    }

    /// Reads the whole body, or what is left of it.
    ///
    /// # Yields
    ///
    /// Until the body has come.
    ///
    /// # Killed
    ///
    /// What was read is lost.
    ///
    /// # Errors
    ///
    /// `FileTooLarge` when there are more bytes than `limit`; and see [`Input`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move {
    ///     let input = env.input();
    ///     input.read_all(1 << 20).await
    /// };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "POST /\n\nhello").await, "hello");
    /// # });
    /// ```
    pub async fn read_all(&self, limit: usize) -> io::Result<Bytes> {
        let first = self.read(usize::MAX).await?;
        let mut all = match self.body().is_complete() {
            true => return within(first, limit),
            false => BytesMut::from(first),
        };
        loop {
            if all.len() > limit {
                return Err(too_large(limit));
            }
            let piece = self.read(usize::MAX).await?;
            if piece.is_empty() {
                return Ok(all.freeze());
            }
            all.extend_from_slice(&piece);
        }
    }

    /// Reads a line with its line feed. Empty at the end; the last line may lack the line feed.
    ///
    /// # Yields
    ///
    /// Until the line has come.
    ///
    /// # Killed
    ///
    /// What was read is lost.
    ///
    /// # Errors
    ///
    /// `FileTooLarge` when the line is longer than `limit`; and see [`Input`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move {
    ///     let input = env.input();
    ///     input.readline(1024).await
    /// };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "POST /\n\none\ntwo").await, "one\n");
    /// # });
    /// ```
    pub async fn readline(&self, limit: usize) -> io::Result<Bytes> {
        let mut line = BytesMut::new();
        loop {
            poll_fn(|cx| self.body().poll_fill(cx)).await?;
            let piece = self.body().take_line();
            line.extend_from_slice(&piece);
            if line.len() > limit {
                return Err(too_large(limit));
            }
            if piece.is_empty() || line.ends_with(b"\n") {
                return Ok(line.freeze());
            }
        }
    }

    /// Reads all lines that are left, of at most `limit` bytes together.
    ///
    /// # Yields
    ///
    /// Until the body has come.
    ///
    /// # Killed
    ///
    /// What was read is lost.
    ///
    /// # Errors
    ///
    /// As [`readline`](Input::readline).
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move {
    ///     let input = env.input();
    ///     input.readlines(1 << 20).await.map(|lines| format!("{} lines", lines.len()))
    /// };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "POST /\n\none\ntwo").await, "2 lines");
    /// # });
    /// ```
    pub async fn readlines(&self, mut limit: usize) -> io::Result<Vec<Bytes>> {
        let mut lines = Vec::new();
        loop {
            let line = self.readline(limit).await?;
            if line.is_empty() {
                return Ok(lines);
            }
            limit -= line.len();
            lines.push(line);
        }
    }
}

fn within(all: Bytes, limit: usize) -> io::Result<Bytes> {
    if all.len() > limit { Err(too_large(limit)) } else { Ok(all) }
}

fn too_large(limit: usize) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("there are more bytes than {limit}"))
}

impl Stream for Input {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let filled = ready!(self.body().poll_fill(cx));
        Poll::Ready(match filled {
            Ok(0) => None,
            Ok(_) => Some(Ok(self.body().take(usize::MAX))),
            Err(error) => Some(Err(error)),
        })
    }
}

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.body().poll_fill(cx))?;
        buf.put_slice(&self.body().take(buf.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Input {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        ready!(self.body().poll_fill(cx))?;
        let this = self.get_mut();
        this.lent = this.body().held();
        Poll::Ready(Ok(&this.lent))
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        self.body().consume(bytes);
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").finish_non_exhaustive()
    }
}
