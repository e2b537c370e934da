//! The body of a request.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use http::StatusCode;
use http_body::Body;
use hyper::body::Incoming;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::exchange::Exchange;
use crate::hub::Timer;

/// Where the body of a request comes in.
pub(super) struct Inlet {
    state: RefCell<State>,
    /// How long one wait may take.
    limit: Option<Duration>,
}

struct State {
    body: Incoming,
    /// What has come, and was not read yet.
    held: Bytes,
    /// Whether the body was asked for: the client may have been told to send it.
    asked: bool,
    /// Set while a wait lasts.
    timer: Option<Timer>,
    /// What went wrong, for good.
    failed: Option<(io::ErrorKind, String)>,
}

impl Inlet {
    pub(super) fn new(body: Incoming, limit: Option<Duration>) -> Inlet {
        let state = State { body, held: Bytes::new(), asked: false, timer: None, failed: None };
        Inlet { state: RefCell::new(state), limit }
    }

    /// Returns the answer that says what was wrong with the body, if something was.
    pub(super) fn failure(&self) -> Option<StatusCode> {
        let (kind, _) = self.state.borrow().failed.clone()?;
        Some(match kind {
            io::ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        })
    }

    /// Returns whether all of the body has come, and nothing was wrong with it.
    pub(super) fn is_complete(&self) -> bool {
        let state = self.state.borrow();
        state.failed.is_none() && state.body.is_end_stream()
    }

    pub(super) fn was_asked(&self) -> bool {
        self.state.borrow().asked
    }

    /// Reads the rest away, if it is no more than so much. Returns whether it was.
    pub(super) async fn drain(&self, most: usize) -> bool {
        let mut drained = 0;
        loop {
            match poll_fn(|cx| self.poll_fill(cx)).await {
                Ok(0) => return true,
                Ok(bytes) => {
                    drained += bytes;
                    self.consume(bytes);
                }
                Err(_) => return false,
            }
            if drained > most {
                return false;
            }
        }
    }

    /// Waits until something is held, and returns how much: nothing at the end of the body.
    fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        while state.held.is_empty() {
            if let Some((kind, text)) = &state.failed {
                return Poll::Ready(Err(io::Error::new(*kind, text.clone())));
            }
            state.asked = true;
            match Pin::new(&mut state.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    state.timer = None;
                    // Trailers are dropped.
                    state.held = frame.into_data().unwrap_or_default();
                }
                Poll::Ready(None) => return Poll::Ready(Ok(0)),
                Poll::Ready(Some(Err(error))) => state.failed = Some(what_failed(&error)),
                Poll::Pending => {
                    ready!(state.poll_late(self.limit, cx));
                    let late = "the client was too slow to send the body";
                    state.failed = Some((io::ErrorKind::TimedOut, late.into()));
                }
            }
        }
        Poll::Ready(Ok(state.held.len()))
    }

    fn consume(&self, bytes: usize) {
        self.state.borrow_mut().held.advance(bytes);
    }

    /// Takes all that is held, or so much of it.
    fn take(&self, most: usize) -> Bytes {
        let mut state = self.state.borrow_mut();
        let bytes = most.min(state.held.len());
        state.held.split_to(bytes)
    }
}

impl State {
    /// Waits until this wait has lasted for too long.
    fn poll_late(&mut self, limit: Option<Duration>, cx: &Context<'_>) -> Poll<()> {
        let Some(limit) = limit else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Timer::after(limit));
        if timer.has_passed() {
            return Poll::Ready(());
        }
        timer.set_for(cx);
        Poll::Pending
    }
}

/// Tells a body that was cut from one that was malformed.
fn what_failed(error: &hyper::Error) -> (io::ErrorKind, String) {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
            (io::ErrorKind::InvalidData, format!("the client sent a malformed body: {error}"))
        }
        _ => (io::ErrorKind::UnexpectedEof, "the client left in the middle of the body".into()),
    }
}

/// The body of a request.
///
/// It is a handle: clones read the same body, one at a time. Nothing is read before somebody asks,
/// and a client that sent `Expect: 100-continue` is told to go on at the first read.
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
/// server's `socket_timeout`. A site that lets that error out answers 400, or 408.
///
/// # Not here
///
/// `set_hundred_continue_response_headers` and `send_hundred_continue_response`: hyper sends the
/// one 100 itself. `get_socket`: see [`Environ::hijack`](super::Environ::hijack).
#[derive(Clone)]
pub struct Input {
    exchange: Rc<Exchange>,
    /// What `AsyncBufRead` shows: a copy of what is held, which is held on until it is consumed.
    shown: Bytes,
}

impl Input {
    pub(super) fn of(exchange: Rc<Exchange>) -> Input {
        Input { exchange, shown: Bytes::new() }
    }

    fn inlet(&self) -> &Inlet {
        &self.exchange.input
    }

    /// Reads what is there, at most so many bytes. Empty at the end.
    ///
    /// # Yields
    ///
    /// When nothing is there yet.
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
        poll_fn(|cx| self.inlet().poll_fill(cx)).await?;
        Ok(self.inlet().take(most))
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
        let mut all = match self.inlet().is_complete() {
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
            poll_fn(|cx| self.inlet().poll_fill(cx)).await?;
            let piece = self.take_line();
            line.extend_from_slice(&piece);
            if line.len() > limit {
                return Err(too_large(limit));
            }
            if piece.is_empty() || line.ends_with(b"\n") {
                return Ok(line.freeze());
            }
        }
    }

    /// Reads all lines that are left, of together at most so many bytes.
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

    /// Takes what is held up to the end of the line.
    fn take_line(&self) -> Bytes {
        let end = {
            let state = self.inlet().state.borrow();
            state.held.iter().position(|byte| *byte == b'\n')
        };
        self.inlet().take(end.map_or(usize::MAX, |end| end + 1))
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
        let filled = ready!(self.inlet().poll_fill(cx));
        Poll::Ready(match filled {
            Ok(0) => None,
            Ok(_) => Some(Ok(self.inlet().take(usize::MAX))),
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
        ready!(self.inlet().poll_fill(cx))?;
        buf.put_slice(&self.inlet().take(buf.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Input {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        ready!(self.inlet().poll_fill(cx))?;
        let this = self.get_mut();
        let held = this.inlet().state.borrow().held.clone();
        this.shown = held;
        Poll::Ready(Ok(&this.shown))
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        self.inlet().consume(bytes);
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").finish_non_exhaustive()
    }
}
