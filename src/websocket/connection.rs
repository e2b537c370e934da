//! One connection: reading, writing and closing.
//!
//! Reading and writing have a lock each, so one green thread may wait for a message while another
//! sends. All I/O happens in polls that leave the connection in a consistent state, so a kill
//! between two polls loses nothing. No borrow outlives a poll.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::frame::coding::CloseCode;

use super::close::Close;
use super::message::Message;
use super::negotiate::Agreed;
use super::reader::{Event, Fault, MAX_CONTROL, Reader};
use super::writer::{Writer, broken};
use crate::greenthread::spawn_n;
use crate::hub::{self, Timer};
use crate::lock::Lock;

/// What a connection runs over.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// How many bytes are read at a time.
const READ_SIZE: usize = 64 * 1024;

thread_local! {
    /// The buffer that connections read into. All share it, so that an idle connection needs none.
    /// It is empty while it is in use.
    static READ_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The parameters of a connection, after its handshake.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) is_client: bool,
    pub(super) max_frame_length: usize,
    pub(super) agreed: Option<Agreed>,
    pub(super) ping_interval: Option<Duration>,
    pub(super) close_timeout: Duration,
}

pub(super) struct Connection {
    /// `None` once it is closed.
    io: RefCell<Option<Box<dyn Io>>>,
    incoming: RefCell<Incoming>,
    writer: RefCell<Writer>,
    /// Held by the green thread that waits for a message.
    reading: Lock,
    /// Held by the green thread that sends: only it may put a message into the writer.
    writing: Lock,
    /// Wakes the green thread in [`poll_wait`](Connection::poll_wait), after the other's actions.
    reader: Cell<Option<Waker>>,
    /// Wakes the green thread in [`poll_send`](Connection::poll_send), after the other's actions.
    sender: Cell<Option<Waker>>,
    /// Whether this side has begun to close.
    closing: Cell<bool>,
    ping_interval: Option<Duration>,
    close_timeout: Duration,
}

struct Incoming {
    reader: Reader,
    /// What was read and not parsed yet.
    rest: Box<[u8]>,
    /// How many bytes of `rest` were parsed.
    parsed: usize,
    /// Set while a wait for bytes lasts.
    silence: Option<Timer>,
    /// Whether a ping was sent since the last bytes came.
    pinged: bool,
    end: End,
}

/// Whether the peer's side has ended, and how.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Open,
    /// It sent its close frame.
    Closed(Close),
    /// It has violated the protocol: what it still sends cannot be parsed.
    AtFault,
    /// The stream has ended, or failed.
    Eof,
}

/// Why there is no event.
enum Ended {
    Eof,
    Fault(Fault),
    Io(io::Error),
}

impl Connection {
    /// Makes a connection; `early` was read from `io` before.
    pub(super) fn new(io: Box<dyn Io>, early: &[u8], terms: Terms) -> Rc<Connection> {
        let Terms { is_client, max_frame_length, agreed, ping_interval, close_timeout } = terms;
        let (deflater, inflater) = agreed.map(|agreed| agreed.parts(is_client)).unzip();
        let incoming = Incoming {
            reader: Reader::new(!is_client, max_frame_length, inflater),
            rest: early.into(),
            parsed: 0,
            silence: None,
            pinged: false,
            end: End::Open,
        };
        Rc::new(Connection {
            io: RefCell::new(Some(io)),
            incoming: RefCell::new(incoming),
            writer: RefCell::new(Writer::new(is_client, deflater)),
            reading: Lock::new(),
            writing: Lock::new(),
            reader: Cell::new(None),
            sender: Cell::new(None),
            closing: Cell::new(false),
            ping_interval,
            close_timeout,
        })
    }

    /// Waits for the next message; `None` when none will come.
    pub(super) async fn wait(&self) -> io::Result<Option<Message>> {
        let _lock = self.reading.lock().await;
        poll_fn(|cx| self.poll_wait(cx)).await
    }

    /// Sends a message.
    pub(super) async fn send(&self, message: &Message) -> io::Result<()> {
        let _lock = self.writing.lock().await;
        let _sending = Sending(self);
        self.writer.borrow_mut().message(message)?;
        poll_fn(|cx| self.poll_send(cx)).await
    }

    /// Sends a ping.
    pub(super) async fn ping(&self, payload: &[u8]) -> io::Result<()> {
        if payload.len() > MAX_CONTROL {
            let why =
                format!("a ping has room for {MAX_CONTROL} bytes, and these are {}", payload.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let _lock = self.writing.lock().await;
        let _sending = Sending(self);
        self.writer.borrow_mut().ping(payload)?;
        poll_fn(|cx| self.poll_send(cx)).await
    }

    /// Sends a close frame, waits for the peer's, and closes the connection, within the limit for
    /// closing.
    pub(super) async fn close(&self, close: Close) {
        self.begin_close(close);
        hub::within(Some(self.close_timeout), self.finish()).await;
        self.cut();
    }

    /// Sends a close frame as far as that is possible without waiting. [`wait`](Connection::wait)
    /// gives no more messages.
    pub(super) fn send_close(&self, close: Close, cx: &mut Context<'_>) {
        self.begin_close(close);
        self.send_control_frames(cx);
    }

    /// Sends a close frame, and spawns a green thread that closes the connection.
    pub(super) fn abandon(self: &Rc<Self>, close: Close) {
        self.send_close(close.clone(), &mut Context::from_waker(Waker::noop()));
        match hub::current() {
            Some(_) if self.io.borrow().is_some() => {
                let connection = Rc::clone(self);
                spawn_n(async move { connection.close(close).await });
            }
            _ => self.cut(),
        }
    }

    /// Returns whether no message can come or go any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closing.get() || self.incoming.borrow().end != End::Open
    }

    /// Returns what the peer's close frame said, if it came.
    pub(super) fn peers_close(&self) -> Option<Close> {
        match &self.incoming.borrow().end {
            End::Closed(close) => Some(close.clone()),
            _ => None,
        }
    }

    /// Queues a close frame, refuses all further sends, and wakes the green thread that waits for a
    /// message, as there will be none.
    fn begin_close(&self, close: Close) {
        self.closing.set(true);
        self.writer.borrow_mut().close(close);
        wake(&self.reader);
    }

    /// Completes the closing handshake.
    async fn finish(&self) {
        let lock = self.writing.lock().await;
        let sent = poll_fn(|cx| self.poll_send(cx)).await;
        drop(lock);
        if sent.is_ok() && !self.writer.borrow().is_broken() {
            let _lock = self.reading.lock().await;
            poll_fn(|cx| self.poll_rest(cx)).await;
            let _ = poll_fn(|cx| self.poll_shutdown(cx)).await;
        }
    }

    /// Closes the connection at once.
    fn cut(&self) {
        let io = self.io.take();
        self.writer.borrow_mut().break_off();
        self.incoming.borrow_mut().end_unless_closed();
        wake(&self.reader);
        wake(&self.sender);
        drop(io);
    }

    fn poll_wait(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Message>>> {
        loop {
            // Among these is the answer to the peer's close frame.
            self.send_control_frames(cx);
            if self.is_closed() {
                return Poll::Ready(Ok(None));
            }
            match self.poll_event(cx) {
                Poll::Ready(Ok(Event::Message(message))) => return Poll::Ready(Ok(Some(message))),
                Poll::Ready(Ok(Event::Ping(payload))) => {
                    self.writer.borrow_mut().queue_pong(payload)
                }
                Poll::Ready(Ok(Event::Pong)) => {}
                Poll::Ready(Ok(Event::Close(close))) => self.closed_by_peer(close),
                Poll::Ready(Err(Ended::Fault(fault))) => self.fail(fault),
                Poll::Ready(Err(Ended::Eof)) => self.lost(),
                Poll::Ready(Err(Ended::Io(error))) => {
                    self.lost();
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => return self.poll_silence(cx),
            }
        }
    }

    /// Sends the pending control frames, unless a sender will.
    fn send_control_frames(&self, cx: &mut Context<'_>) {
        if !self.writer.borrow().is_sending() {
            // If this fails, the next read tells.
            let _ = self.poll_flush(cx);
        }
    }

    /// Limits how long the peer may be silent: pings it after one interval, and closes after two.
    fn poll_silence(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Message>>> {
        self.reader.set(Some(cx.waker().clone()));
        let Some(interval) = self.ping_interval else { return Poll::Pending };
        let mut incoming = self.incoming.borrow_mut();
        loop {
            let silence = incoming.silence.get_or_insert_with(|| Timer::after(interval));
            if !silence.has_passed() {
                silence.set_for(cx);
                return Poll::Pending;
            }
            if incoming.pinged {
                break;
            }
            (incoming.silence, incoming.pinged) = (None, true);
            // This fails if nothing can be sent any more: then there is no answer to wait for
            // either.
            let _ = self.writer.borrow_mut().ping(b"");
            self.send_control_frames(cx);
        }
        drop(incoming);
        self.begin_close(Close::new(CloseCode::Away, "no answer to a ping"));
        let _ = self.poll_flush(cx);
        self.cut();
        let why = format!("the peer of a websocket was silent for {:?}", 2 * interval);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }

    /// Answers the peer's close frame.
    fn closed_by_peer(&self, close: Close) {
        self.begin_close(close.answer());
        self.incoming.borrow_mut().end = End::Closed(close);
    }

    /// Closes because the peer has violated the protocol.
    fn fail(&self, fault: Fault) {
        self.begin_close(Close::new(fault.code, fault.reason.into_owned()));
        self.incoming.borrow_mut().end = End::AtFault;
    }

    /// Notes that the stream has ended or failed.
    fn lost(&self) {
        self.writer.borrow_mut().break_off();
        self.incoming.borrow_mut().end_unless_closed();
        wake(&self.sender);
    }

    /// Discards what the peer still sends, up to its close frame or the end of the stream.
    fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let at_fault = match self.incoming.borrow().end {
                End::Open => false,
                End::AtFault => true,
                End::Closed(_) | End::Eof => return Poll::Ready(()),
            };
            if at_fault {
                // The peer may not understand close frames, but it does see the end of the stream.
                if let Poll::Ready(Err(_)) = self.poll_shutdown(cx) {
                    return Poll::Ready(());
                }
            }
            let read =
                if at_fault { self.poll_discard(cx) } else { self.poll_event(cx).map_ok(Some) };
            match ready!(read) {
                Ok(Some(Event::Close(close))) => {
                    self.incoming.borrow_mut().end = End::Closed(close)
                }
                Ok(_) => {}
                Err(Ended::Fault(_)) => self.incoming.borrow_mut().end = End::AtFault,
                Err(_) => self.incoming.borrow_mut().end_unless_closed(),
            }
        }
    }

    /// Reads the next event.
    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Result<Event, Ended>> {
        if let Some(event) = self.incoming.borrow_mut().next_of_rest().transpose() {
            return Poll::Ready(event.map_err(Ended::Fault));
        }
        self.poll_read(cx, |incoming, input| incoming.next(input))
    }

    fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Ended>> {
        self.poll_read(cx, |_, _| Ok(Some(None)))
    }

    /// Reads from the connection until `parse` returns something.
    fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        parse: impl Fn(&mut Incoming, &[u8]) -> Result<Option<T>, Fault>,
    ) -> Poll<Result<T, Ended>> {
        let mut io = self.io.borrow_mut();
        let Some(io) = io.as_mut() else { return Poll::Ready(Err(Ended::Eof)) };
        let mut shared = ReadBuffer::take();
        loop {
            let mut buffer = ReadBuf::new(&mut shared.0);
            match ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => return Poll::Ready(Err(Ended::Eof)),
                Ok(()) => {}
                Err(error) => return Poll::Ready(Err(Ended::Io(error))),
            }
            let mut incoming = self.incoming.borrow_mut();
            (incoming.silence, incoming.pinged) = (None, false);
            if let Some(found) = parse(&mut incoming, buffer.filled()).transpose() {
                return Poll::Ready(found.map_err(Ended::Fault));
            }
        }
    }

    /// Writes all unsent frames, for the green thread that holds the lock of writing.
    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = self.poll_flush(cx);
        self.sender.set(written.is_pending().then(|| cx.waker().clone()));
        written
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut io = self.io.borrow_mut();
        let mut writer = self.writer.borrow_mut();
        let Some(io) = io.as_mut() else {
            return Poll::Ready(Err(broken("the websocket is closed")));
        };
        let io = Pin::new(io);
        let written = poll_write_all(io, &mut writer, cx);
        if let Poll::Ready(Err(_)) = written {
            writer.break_off();
        }
        written
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.io.borrow_mut().as_mut() {
            Some(io) => Pin::new(io).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

fn poll_write_all(
    mut io: Pin<&mut Box<dyn Io>>,
    writer: &mut Writer,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let frames = writer.unsent();
        if frames.is_empty() {
            return io.poll_flush(cx);
        }
        match ready!(io.as_mut().poll_write(cx, frames))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => writer.advance(count),
        }
    }
}

impl Incoming {
    /// Parses the next event in what was left over.
    fn next_of_rest(&mut self) -> Result<Option<Event>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut input = &self.rest[self.parsed..];
        let event = self.reader.next(&mut input);
        self.parsed = self.rest.len() - input.len();
        if input.is_empty() {
            (self.rest, self.parsed) = (Box::default(), 0);
        }
        event
    }

    /// Parses the next event in what came, and keeps what follows it.
    fn next(&mut self, mut input: &[u8]) -> Result<Option<Event>, Fault> {
        let event = self.reader.next(&mut input);
        self.rest = input.into();
        event
    }

    fn end_unless_closed(&mut self) {
        if !matches!(self.end, End::Closed(_)) {
            self.end = End::Eof;
        }
    }
}

/// The shared buffer, taken until this is dropped.
struct ReadBuffer(Vec<u8>);

impl ReadBuffer {
    fn take() -> ReadBuffer {
        match READ_BUFFER.take() {
            in_use if in_use.is_empty() => ReadBuffer(vec![0; READ_SIZE]),
            buffer => ReadBuffer(buffer),
        }
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        READ_BUFFER.set(std::mem::take(&mut self.0));
    }
}

/// A send that is under way. If it is killed, its message is withdrawn, and the green thread that
/// waits for a message sends the pending control frames.
struct Sending<'a>(&'a Connection);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.sender.set(None);
        let mut writer = self.0.writer.borrow_mut();
        writer.withdraw();
        let has_unsent = !writer.unsent().is_empty();
        drop(writer);
        if has_unsent {
            wake(&self.0.reader);
        }
    }
}

fn wake(waiter: &Cell<Option<Waker>>) {
    if let Some(waker) = waiter.take() {
        waker.wake();
    }
}
