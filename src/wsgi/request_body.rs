//! Receives the body of a request.

use std::cell::RefCell;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::StatusCode;
use http_body::Body;
use hyper::body::Incoming;

use crate::hub::Timer;

/// The body of a request, as it comes.
pub(super) struct RequestBody {
    state: RefCell<State>,
    /// How long one read may wait.
    limit: Option<Duration>,
}

struct State {
    body: Incoming,
    /// What has come and was not taken yet.
    held: Bytes,
    /// Whether hyper's body was polled: the client may have been told to send it.
    was_polled: bool,
    /// Set while a read waits.
    timer: Option<Timer>,
    /// The error that all further reads give.
    failed: Option<(io::ErrorKind, String)>,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, limit: Option<Duration>) -> RequestBody {
        let state =
            State { body, held: Bytes::new(), was_polled: false, timer: None, failed: None };
        RequestBody { state: RefCell::new(state), limit }
    }

    /// Returns the status that answers a failure of the body, if it failed.
    pub(super) fn failure(&self) -> Option<StatusCode> {
        let (kind, _) = self.state.borrow().failed.clone()?;
        Some(match kind {
            io::ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        })
    }

    /// Returns whether the body has come without an error, to its end.
    pub(super) fn is_complete(&self) -> bool {
        let state = self.state.borrow();
        state.failed.is_none() && state.body.is_end_stream()
    }

    pub(super) fn was_polled(&self) -> bool {
        self.state.borrow().was_polled
    }

    /// Discards the rest, unless there is more than `most`. Returns whether the end was reached.
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

    /// Waits until bytes are held, and returns how many: 0 at the end of the body.
    pub(super) fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        while state.held.is_empty() {
            if let Some((kind, text)) = &state.failed {
                return Poll::Ready(Err(io::Error::new(*kind, text.clone())));
            }
            state.was_polled = true;
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

    pub(super) fn consume(&self, bytes: usize) {
        self.state.borrow_mut().held.advance(bytes);
    }

    /// Returns what is held.
    pub(super) fn held(&self) -> Bytes {
        self.state.borrow().held.clone()
    }

    /// Takes what is held, at most `most` bytes.
    pub(super) fn take(&self, most: usize) -> Bytes {
        let mut state = self.state.borrow_mut();
        let bytes = most.min(state.held.len());
        state.held.split_to(bytes)
    }

    /// Takes what is held, at most up to the end of the line.
    pub(super) fn take_line(&self) -> Bytes {
        let end = self.state.borrow().held.iter().position(|byte| *byte == b'\n');
        self.take(end.map_or(usize::MAX, |end| end + 1))
    }
}

impl State {
    /// Waits until the read has waited for too long.
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

/// Tells a body that was cut off from one that is malformed.
fn what_failed(error: &hyper::Error) -> (io::ErrorKind, String) {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
            (io::ErrorKind::InvalidData, format!("the client sent a malformed body: {error}"))
        }
        _ => (io::ErrorKind::UnexpectedEof, "the client left in the middle of the body".into()),
    }
}
