//! Turns messages into frames, and orders what is sent. It does no I/O.

use std::io;

use bytes::Bytes;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::close::Close;
use super::deflate::Deflater;
use super::mask::{Mask, Masks};
use super::message::Message;

/// Shorter messages are not compressed, as the result would hardly be shorter.
const COMPRESS_FROM: usize = 32;

/// A larger buffer is freed once all of it was sent.
const KEEP: usize = 512;

/// The frames of one side that are to be sent.
///
/// Among them is at most one message: a sender holds the connection's lock of writing until all of
/// its message was sent. Control frames are sent between messages.
pub(super) struct Writer {
    masks: Option<Masks>,
    deflater: Option<Deflater>,
    frames: Vec<u8>,
    /// How many bytes of `frames` were sent.
    sent: usize,
    /// Where in `frames` the message begins, if there is one.
    message: Option<Begun>,
    /// The pending answer to the last ping.
    pong: Option<Bytes>,
    closing: Closing,
}

#[derive(Clone, Copy)]
struct Begun {
    at: usize,
    /// Whether it was compressed: later messages may refer to it, so it cannot be withdrawn.
    is_context: bool,
}

/// The state of the close frame.
#[derive(Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// It is sent after what is in `frames`.
    Pending(Close),
    /// It is in `frames`, or was sent. Nothing follows it.
    Written,
    /// Part of a message was lost, or the connection was: nothing can be sent.
    Broken,
}

impl Writer {
    pub(super) fn new(is_client: bool, deflater: Option<Deflater>) -> Writer {
        Writer {
            masks: is_client.then(Masks::new),
            deflater,
            frames: Vec::new(),
            sent: 0,
            message: None,
            pong: None,
            closing: Closing::No,
        }
    }

    /// Appends a message to what is unsent.
    ///
    /// # Errors
    ///
    /// `BrokenPipe`, when nothing can be sent any more.
    pub(super) fn message(&mut self, message: &Message) -> io::Result<()> {
        self.check_open()?;
        let opcode = match message {
            Message::Text(_) => Data::Text,
            Message::Binary(_) => Data::Binary,
        };
        let (at, payload) = (self.frames.len(), message.as_bytes());
        let deflater = self.deflater.as_mut().filter(|_| payload.len() >= COMPRESS_FROM);
        let compressed = deflater.map(|deflater| deflater.deflate(payload));
        self.message = Some(Begun { at, is_context: compressed.is_some() });
        let header = FrameHeader { rsv1: compressed.is_some(), ..header(OpCode::Data(opcode)) };
        self.frame(header, compressed.as_deref().unwrap_or(payload));
        Ok(())
    }

    /// Appends a ping to what is unsent.
    ///
    /// # Errors
    ///
    /// As [`message`](Writer::message).
    pub(super) fn ping(&mut self, payload: &[u8]) -> io::Result<()> {
        self.check_open()?;
        self.frame(header(OpCode::Control(Control::Ping)), payload);
        Ok(())
    }

    /// Answers a ping as soon as possible. Earlier pings that were not answered yet need no answer
    /// then.
    pub(super) fn queue_pong(&mut self, payload: Bytes) {
        self.pong = Some(payload);
    }

    /// Sends a close frame after what is unsent. Only the first call counts.
    pub(super) fn close(&mut self, close: Close) {
        if self.closing == Closing::No {
            self.closing = Closing::Pending(close);
        }
    }

    /// Returns whether nothing can be sent any more, not even a close frame.
    pub(super) fn is_broken(&self) -> bool {
        self.closing == Closing::Broken
    }

    /// Returns whether a message is being sent: its sender will send pending control frames, too.
    pub(super) fn is_sending(&self) -> bool {
        self.message.is_some()
    }

    fn check_open(&self) -> io::Result<()> {
        match self.closing {
            Closing::No => Ok(()),
            Closing::Broken => Err(broken("the websocket is broken: part of a message was lost")),
            _ => Err(broken("the websocket is closed")),
        }
    }

    /// Returns the bytes that are to be sent next.
    pub(super) fn unsent(&mut self) -> &[u8] {
        if self.sent == self.frames.len() {
            self.sent = 0;
            self.message = None;
            self.frames.clear();
            self.frames.shrink_to(KEEP);
            self.append_control_frames();
        }
        &self.frames[self.sent..]
    }

    /// Appends the pending control frames.
    fn append_control_frames(&mut self) {
        if matches!(self.closing, Closing::Written | Closing::Broken) {
            return;
        }
        if let Some(payload) = self.pong.take() {
            self.frame(header(OpCode::Control(Control::Pong)), &payload);
        }
        if let Closing::Pending(close) = &self.closing {
            let payload = close.payload();
            self.closing = Closing::Written;
            self.frame(header(OpCode::Control(Control::Close)), &payload);
        }
    }

    /// Notes that `count` more bytes were sent.
    pub(super) fn advance(&mut self, count: usize) {
        self.sent += count;
    }

    /// Removes the message of a sender that was killed. If part of it was sent, the connection is
    /// broken.
    pub(super) fn withdraw(&mut self) {
        match self.message.take() {
            Some(begun) if self.sent > begun.at || begun.is_context => self.break_off(),
            Some(begun) => self.frames.truncate(begun.at),
            None => {}
        }
    }

    /// Sends nothing any more.
    pub(super) fn break_off(&mut self) {
        (self.closing, self.message, self.pong) = (Closing::Broken, None, None);
        (self.frames, self.sent) = (Vec::new(), 0);
    }

    fn frame(&mut self, mut header: FrameHeader, payload: &[u8]) {
        header.mask = self.masks.as_mut().map(Masks::next);
        let length = payload.len() as u64;
        self.frames.reserve(header.len(length) + payload.len());
        header.format(length, &mut self.frames).expect("writing into memory cannot fail");
        let at = self.frames.len();
        self.frames.extend_from_slice(payload);
        if let Some(mask) = header.mask {
            Mask::new(mask).apply(&mut self.frames[at..]);
        }
    }
}

fn header(opcode: OpCode) -> FrameHeader {
    FrameHeader { opcode, ..FrameHeader::default() }
}

pub(super) fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, why)
}
