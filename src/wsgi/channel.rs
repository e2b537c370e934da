//! Pieces of a body on their way from who writes them to the connection.
//!
//! Pieces are joined while the writer has more ready. That needs no rule: green threads take turns,
//! so when the connection gets one, the writer is waiting or has ended, and all there is may go.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use bytes::{Bytes, BytesMut};

use super::body::BoxError;
use super::ticket::Incomplete;
use crate::waiters::{Place, Waiters};

/// As much is held before a writer has to wait, and joined into one piece: eventlet's minimum chunk
/// size.
pub(super) const ROOM: usize = 4096;

/// Something that has a channel in it.
pub(super) trait HasChannel {
    fn channel(&self) -> &Channel;
}

impl HasChannel for Channel {
    fn channel(&self) -> &Channel {
        self
    }
}

/// How a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// What is held is the rest.
    Done,
    /// The body cannot be completed.
    Failed,
    /// Nobody reads any more.
    Left,
}

/// Pieces on their way. It has one reader.
pub(super) struct Channel {
    held: RefCell<VecDeque<Bytes>>,
    bytes: Cell<usize>,
    /// As much is held back until there is so much or the end: eventlet's `minimum_chunk_size`.
    minimum: Cell<Option<usize>>,
    end: Cell<End>,
    reader: RefCell<Option<Waker>>,
    /// Writers that wait until what is held was taken.
    writers: Waiters<(), ()>,
}

impl Default for Channel {
    fn default() -> Channel {
        Channel {
            held: RefCell::default(),
            bytes: Cell::new(0),
            minimum: Cell::new(None),
            end: Cell::new(End::Open),
            reader: RefCell::default(),
            writers: Waiters::new(),
        }
    }
}

impl Channel {
    pub(super) fn set_minimum(&self, minimum: Option<usize>) {
        self.minimum.set(minimum);
    }

    /// Holds one more piece. It is the writer's to wait if there is no [room](Channel::has_room)
    /// afterwards.
    pub(super) fn push(&self, piece: Bytes) -> io::Result<()> {
        match self.end.get() {
            End::Open => {}
            End::Left => return Err(gone()),
            End::Done | End::Failed => return Err(ended()),
        }
        if !piece.is_empty() {
            self.bytes.set(self.bytes.get() + piece.len());
            self.held.borrow_mut().push_back(piece);
            self.wake_reader();
        }
        Ok(())
    }

    pub(super) fn has_room(&self) -> bool {
        match self.minimum.get() {
            Some(minimum) => self.bytes.get() < minimum.max(1),
            None => self.bytes.get() < ROOM,
        }
    }

    /// Waits until what is held was taken, where there is no room for more.
    pub(super) async fn room(&self) -> io::Result<()> {
        let mut waiting = Waiting { channel: self, place: Place::default() };
        poll_fn(|cx| waiting.poll(cx)).await;
        if self.end.get() == End::Left { Err(gone()) } else { Ok(()) }
    }

    /// Ends the body: with what is held, or as one that cannot be completed.
    pub(super) fn finish(&self, whole: bool) {
        if self.end.get() == End::Open {
            self.end.set(if whole { End::Done } else { End::Failed });
            self.wake_reader();
        }
    }

    /// Is called by the reader when it takes nothing any more.
    pub(super) fn leave(&self) {
        if self.end.get() == End::Open {
            self.end.set(End::Left);
        }
        drop(self.held.take());
        self.bytes.set(0);
        self.writers.choose_all(&());
    }

    /// Returns whether there is something to send, or an end to tell.
    pub(super) fn has_something(&self) -> bool {
        let minimum = self.minimum.get().unwrap_or_default().max(1);
        self.end.get() != End::Open || self.bytes.get() >= minimum
    }

    pub(super) fn is_done(&self) -> bool {
        self.end.get() == End::Done
    }

    /// Returns whether the end was reached, and everything taken.
    pub(super) fn is_at_end(&self) -> bool {
        self.end.get() == End::Done && self.bytes.get() == 0
    }

    /// Takes what is held, joined.
    pub(super) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        if self.end.get() == End::Failed {
            return Poll::Ready(Some(Err(Incomplete.into())));
        }
        if !self.has_something() {
            self.set_reader(cx);
            return Poll::Pending;
        }
        let piece = self.take();
        self.writers.choose_all(&());
        Poll::Ready(piece.map(Ok))
    }

    /// Takes as many of the pieces as are to be sent as one.
    pub(super) fn take(&self) -> Option<Bytes> {
        let mut held = self.held.borrow_mut();
        let first = held.pop_front()?;
        let each = self.minimum.get().is_some_and(|minimum| minimum <= 1);
        let taken = if each || held.is_empty() || first.len() >= ROOM {
            first
        } else {
            join(first, &mut held)
        };
        self.bytes.set(self.bytes.get() - taken.len());
        Some(taken)
    }

    /// Takes everything: the body is complete before any of it went out.
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

/// Takes the next piece if it is to be joined to so many bytes.
fn next_small(held: &mut VecDeque<Bytes>, joined: usize) -> Option<Bytes> {
    let fits = held.front().is_some_and(|piece| joined < ROOM && piece.len() < ROOM);
    if fits { held.pop_front() } else { None }
}

fn appended(mut joined: BytesMut, piece: Bytes) -> BytesMut {
    joined.extend_from_slice(&piece);
    joined
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone")
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the response has ended")
}

/// A writer that waits for room, and leaves the line when it stops.
struct Waiting<'a> {
    channel: &'a Channel,
    place: Place,
}

impl Waiting<'_> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        let channel = self.channel;
        let has_room = || if channel.has_room() { Ok(()) } else { Err(()) };
        channel.writers.wait(&mut self.place, cx, has_room)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.channel.writers.leave(&mut self.place);
    }
}

/// Writes the body of a response.
///
/// It is a handle: clones write the same body.
///
/// Corresponds to the callable that eventlet's `start_response` returns.
#[derive(Clone)]
pub struct Write {
    channel: Rc<dyn HasChannel>,
    /// Ends the body with the last of the clones. `None` where the handler does.
    _ender: Option<Rc<Ender>>,
}

/// Ends a body when nobody can write any more.
struct Ender(Rc<dyn HasChannel>);

impl Drop for Ender {
    fn drop(&mut self) {
        self.0.channel().finish(!thread::panicking());
    }
}

impl Write {
    /// Makes a writer of a body that the handler ends.
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
    /// When more than 4096 bytes are on their way, or as many as `minimum_chunk_size` says: then
    /// until the connection has taken them. So a slow client slows who writes.
    ///
    /// # Killed
    ///
    /// The piece is sent all the same, once the write was begun.
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
        channel.room().await
    }

    /// Gives the body up: the connection is cut, so that the client cannot take what it got for the
    /// whole.
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
        self.channel.channel().finish(false);
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").finish_non_exhaustive()
    }
}
