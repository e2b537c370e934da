//! From messages to bytes: frames, and in which order they go out. It does no I/O.

use std::io;

use bytes::Bytes;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::close::Close;
use super::deflate::Deflater;
use super::mask::{Mask, Masks};
use super::message::Message;

/// Shorter messages are not compressed: the result would hardly be shorter.
const COMPRESS_FROM: usize = 32;

/// A buffer that is larger is not kept.
const KEEP: usize = 512;

/// The frames of one side that are on their way.
///
/// At most one message is in here: who sends has the pen until all is out. What control frames are
/// owed goes out between messages.
pub(super) struct Writer {
    masks: Option<Masks>,
    deflater: Option<Deflater>,
    frames: Vec<u8>,
    /// How much of `frames` is out.
    sent: usize,
    /// Where in `frames` the message begins, if there is one.
    message: Option<Begun>,
    /// The answer to the last ping.
    pong: Option<Bytes>,
    closing: Closing,
}

#[derive(Clone, Copy)]
struct Begun {
    at: usize,
    /// Later messages refer to it, so the peer has to get it.
    is_context: bool,
}

/// How far the close frame is.
#[derive(Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// It goes out when what is before it is out.
    Owed(Close),
    /// Nothing comes after it.
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

    /// Puts a message behind what is not out.
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

    /// Puts a ping behind what is not out.
    ///
    /// # Errors
    ///
    /// As [`message`](Writer::message).
    pub(super) fn ping(&mut self, payload: &[u8]) -> io::Result<()> {
        self.check_open()?;
        self.frame(header(OpCode::Control(Control::Ping)), payload);
        Ok(())
    }

    /// Answers a ping as soon as that can be; earlier ones that were not answered need no answer
    /// then.
    pub(super) fn owe_pong(&mut self, payload: Bytes) {
        self.pong = Some(payload);
    }

    /// Ends what is sent with a close frame. The first one counts.
    pub(super) fn close(&mut self, close: Close) {
        if self.closing == Closing::No {
            self.closing = Closing::Owed(close);
        }
    }

    /// Returns whether nothing can be sent any more, not even a close frame.
    pub(super) fn is_broken(&self) -> bool {
        self.closing == Closing::Broken
    }

    /// Returns whether a message is on its way, so that its sender will see to whatever is owed.
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

    /// Returns what is to go out next.
    pub(super) fn unsent(&mut self) -> &[u8] {
        if self.sent == self.frames.len() {
            self.sent = 0;
            self.message = None;
            self.frames.clear();
            self.frames.shrink_to(KEEP);
            self.control_frames();
        }
        &self.frames[self.sent..]
    }

    /// Writes down the control frames that are owed.
    fn control_frames(&mut self) {
        if matches!(self.closing, Closing::Written | Closing::Broken) {
            return;
        }
        if let Some(payload) = self.pong.take() {
            self.frame(header(OpCode::Control(Control::Pong)), &payload);
        }
        if let Closing::Owed(close) = &self.closing {
            let payload = close.payload();
            self.closing = Closing::Written;
            self.frame(header(OpCode::Control(Control::Close)), &payload);
        }
    }

    /// Notes how much went out.
    pub(super) fn advance(&mut self, count: usize) {
        self.sent += count;
    }

    /// Takes the message back, whose sender has given up. Half of one breaks the connection.
    pub(super) fn withdraw(&mut self) {
        match self.message.take() {
            Some(begun) if self.sent > begun.at || begun.is_context => self.break_off(),
            Some(begun) => self.frames.truncate(begun.at),
            None => {}
        }
    }

    /// Lets nothing out any more.
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
