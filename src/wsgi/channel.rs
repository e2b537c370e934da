//! The pieces of a body on their way from their writer to the connection.
//!
//! Pieces are joined while the writer has more ready. This needs no timer: green threads take
//! turns, so when the connection runs, the writer waits or has ended, and all there is can be sent.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use bytes::{Bytes, BytesMut};

use super::condition::Condition;
use crate::exit::BoxError;

/// How many bytes are held before a writer has to wait, and joined into one piece: eventlet's
/// minimum chunk size.
const CAPACITY: usize = 4096;

/// Something that has a channel in it.
pub(super) trait HasChannel {
    fn channel(&self) -> &Channel;
}

impl HasChannel for Channel {
    fn channel(&self) -> &Channel {
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The writer has ended: what is held is the rest.
    Finished,
    /// The body cannot be completed.
    Failed,
    /// The reader has gone.
    Abandoned,
}

/// A queue of pieces, with one reader.
pub(super) struct Channel {
    held: RefCell<VecDeque<Bytes>>,
    bytes: Cell<usize>,
    /// How many bytes are held back, until the end: eventlet's `minimum_chunk_size`.
    minimum: Cell<Option<usize>>,
    state: Cell<State>,
    reader: RefCell<Option<Waker>>,
    /// Holds the writers that wait until what is held was taken.
    room: Condition,
}

impl Default for Channel {
    fn default() -> Channel {
        Channel {
            held: RefCell::default(),
            bytes: Cell::new(0),
            minimum: Cell::new(None),
            state: Cell::new(State::Open),
            reader: RefCell::default(),
            room: Condition::default(),
        }
    }
}

impl Channel {
    pub(super) fn set_minimum(&self, minimum: Option<usize>) {
        self.minimum.set(minimum);
    }

    /// Adds a piece. The writer then waits for [room](Channel::wait_for_room).
    pub(super) fn push(&self, piece: Bytes) -> io::Result<()> {
        match self.state.get() {
            State::Open => {}
            State::Abandoned => return Err(client_gone()),
            State::Finished | State::Failed => return Err(response_ended()),
        }
        if !piece.is_empty() {
            self.bytes.set(self.bytes.get() + piece.len());
            self.held.borrow_mut().push_back(piece);
            self.wake_reader();
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        match self.minimum.get() {
            Some(minimum) => self.bytes.get() < minimum.max(1),
            None => self.bytes.get() < CAPACITY,
        }
    }

    /// Waits until what is held was taken, if it fills the channel.
    pub(super) async fn wait_for_room(&self) -> io::Result<()> {
        self.room.wait_until(|| self.has_room()).await;
        if self.state.get() == State::Abandoned { Err(client_gone()) } else { Ok(()) }
    }

    /// Ends the body with what is held.
    pub(super) fn finish(&self) {
        self.end(State::Finished);
    }

    /// Ends a body that cannot be completed.
    pub(super) fn fail(&self) {
        self.end(State::Failed);
    }

    fn end(&self, state: State) {
        if self.state.get() == State::Open {
            self.state.set(state);
            self.wake_reader();
        }
    }

    /// Notes that the reader has gone: drops what is held, and fails all writes from now on.
    pub(super) fn abandon(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Abandoned);
        }
        drop(self.held.take());
        self.bytes.set(0);
        self.room.notify_all();
    }

    /// Returns whether the reader has something to take: a piece, or the end.
    pub(super) fn is_ready(&self) -> bool {
        let minimum = self.minimum.get().unwrap_or_default().max(1);
        self.state.get() != State::Open || self.bytes.get() >= minimum
    }

    pub(super) fn is_finished(&self) -> bool {
        self.state.get() == State::Finished
    }

    /// Returns whether the end was reached, and everything taken.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_finished() && self.bytes.get() == 0
    }

    /// Takes the next piece that is to be sent; `None` at the end.
    pub(super) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        if self.state.get() == State::Failed {
            return Poll::Ready(Some(Err(Incomplete.into())));
        }
        if !self.is_ready() {
            self.set_reader(cx);
            return Poll::Pending;
        }
        let piece = self.take();
        self.room.notify_all();
        Poll::Ready(piece.map(Ok))
    }

    /// Takes as many of the pieces as are to be sent as one.
    fn take(&self) -> Option<Bytes> {
        let mut held = self.held.borrow_mut();
        let first = held.pop_front()?;
        let each = self.minimum.get().is_some_and(|minimum| minimum <= 1);
        let taken = if each || held.is_empty() || first.len() >= CAPACITY {
            first
        } else {
            join(first, &mut held)
        };
        self.bytes.set(self.bytes.get() - taken.len());
        Some(taken)
    }

    /// Takes everything, joined: the body was finished before any of it was sent.
    pub(super) fn take_all(&self) -> Bytes {
        let mut held = self.held.borrow_mut();
        self.bytes.set(0);
        match held.len() {
            0 => Bytes::new(),
            1 => held.pop_front().unwrap_or_default(),
            _ => held.drain(..).fold(BytesMut::new(), appended).freeze(),
        }
    }

    pub(super) fn set_reader(&self, cx: &Context<'_>) {
        let mut reader = self.reader.borrow_mut();
        match &mut *reader {
            Some(reader) => reader.clone_from(cx.waker()),
            None => *reader = Some(cx.waker().clone()),
        }
    }

    pub(super) fn wake_reader(&self) {
        let reader = self.reader.borrow_mut().take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// Joins pieces until there is enough for one.
fn join(first: Bytes, held: &mut VecDeque<Bytes>) -> Bytes {
    let mut joined = BytesMut::from(first);
    while let Some(piece) = next_small(held, joined.len()) {
        joined.extend_from_slice(&piece);
    }
    joined.freeze()
}

/// Takes the next piece if it is to be joined to `joined` bytes.
fn next_small(held: &mut VecDeque<Bytes>, joined: usize) -> Option<Bytes> {
    let fits = held.front().is_some_and(|piece| joined < CAPACITY && piece.len() < CAPACITY);
    if fits { held.pop_front() } else { None }
}

fn appended(mut joined: BytesMut, piece: Bytes) -> BytesMut {
    joined.extend_from_slice(&piece);
    joined
}

fn client_gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone")
}

fn response_ended() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the response has ended")
}

/// The error of a body whose writer failed. The writer's own error is reported where it ends.
#[derive(Debug)]
pub(super) struct Incomplete;

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body could not be completed")
    }
}

impl Error for Incomplete {}

/// Writes the body of a response.
///
/// It is a handle: clones write the same body.
///
/// Corresponds to the callable that eventlet's `start_response` returns.
#[derive(Clone)]
pub struct Write {
    channel: Rc<dyn HasChannel>,
    /// Ends the body when the last clone is dropped. `None` where the end of the handler does.
    _ender: Option<Rc<Ender>>,
}

/// Ends a body when its last writer is dropped.
struct Ender(Rc<dyn HasChannel>);

impl Drop for Ender {
    fn drop(&mut self) {
        let channel = self.0.channel();
        if thread::panicking() { channel.fail() } else { channel.finish() }
    }
}

impl Write {
    /// Makes a writer of a body that ends with the handler.
    pub(super) fn new(channel: Rc<dyn HasChannel>) -> Write {
        Write { channel, _ender: None }
    }

    /// Makes a writer that ends the body when it is dropped.
    pub(super) fn ending(channel: Rc<dyn HasChannel>) -> Write {
        Write { _ender: Some(Rc::new(Ender(Rc::clone(&channel)))), channel }
    }

    /// Writes a piece.
    ///
    /// # Yields
    ///
    /// When 4096 bytes are held, or as many as `minimum_chunk_size` sets: until the connection has
    /// taken them. So a slow client slows its writer down.
    ///
    /// # Killed
    ///
    /// The piece is sent all the same, if the write has begun.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` when the client has gone, or the response has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Body;
    ///
    /// # eventlet::run(async {
    /// let (write, body) = Body::channel();
    /// write.write("hello").await.unwrap();
    /// drop(body);
    /// assert_eq!(write.write("hello?").await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    /// # });
    /// ```
    pub async fn write(&self, piece: impl Into<Bytes>) -> io::Result<()> {
        let channel = self.channel.channel();
        channel.push(piece.into())?;
        channel.wait_for_room().await
    }

    /// Abandons the body: the connection is cut, so that the client cannot mistake what it got for
    /// the whole.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Body;
    ///
    /// let (write, _body) = Body::channel();
    /// write.abort();
    /// ```
    pub fn abort(&self) {
        self.channel.channel().fail();
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").finish_non_exhaustive()
    }
}
