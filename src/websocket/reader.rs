//! Parses frames into messages, by the rules of RFC 6455. It does no I/O.

use std::borrow::Cow;
use std::io::Cursor;

use bytes::Bytes;
use tungstenite::Utf8Bytes;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::close::Close;
use super::deflate::{BadDeflate, Inflater};
use super::mask::Mask;
use super::message::Message;

/// The longest header of a frame.
const MAX_HEADER: usize = 14;

/// The longest payload of a control frame.
pub(super) const MAX_CONTROL: usize = 125;

/// What a reader finds in its input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Message(Message),
    Ping(Bytes),
    Pong,
    Close(Close),
}

/// A violation of the protocol by the peer, as the close frame that reports it.
///
/// What comes after it cannot be parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: CloseCode,
    pub(super) reason: Cow<'static, str>,
}

impl Fault {
    fn new(code: CloseCode, reason: impl Into<Cow<'static, str>>) -> Fault {
        Fault { code, reason: reason.into() }
    }

    fn protocol(reason: &'static str) -> Fault {
        Fault::new(CloseCode::Protocol, reason)
    }
}

/// Reads the frames of one peer.
pub(super) struct Reader {
    /// Whether the peer masks its frames: clients do, servers do not.
    masked: bool,
    /// How many bytes a message may have: in the frames, and inflated.
    limit: usize,
    inflater: Option<Inflater>,
    /// The beginning of a header whose rest has not come.
    header: Vec<u8>,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// The payload of the control frame that is being read.
    control: Vec<u8>,
    /// The message whose end has not come.
    message: Option<Partial>,
}

/// A frame whose header was read.
struct Frame {
    opcode: OpCode,
    is_final: bool,
    /// How much of the payload has not come.
    left: usize,
    mask: Option<Mask>,
}

/// A message whose end has not come.
struct Partial {
    text: bool,
    compressed: bool,
    /// The sum of its frames' lengths so far.
    claimed: usize,
    data: Vec<u8>,
    /// How much of a text is known to be UTF-8.
    checked: usize,
}

impl Reader {
    pub(super) fn new(masked: bool, limit: usize, inflater: Option<Inflater>) -> Reader {
        let (header, control) = (Vec::new(), Vec::new());
        Reader { masked, limit, inflater, header, frame: None, control, message: None }
    }

    /// Parses the input up to the end of the next event, or all of it if there is none.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Fault> {
        loop {
            if self.frame.is_none() {
                let Some((header, length)) = self.read_header(input)? else { return Ok(None) };
                let length = self.check(&header, length)?;
                self.begin(&header, length);
            }
            self.read_payload(input)?;
            if self.frame.as_ref().is_some_and(|frame| frame.left > 0) {
                return Ok(None);
            }
            if let Some(event) = self.end_frame()? {
                return Ok(Some(event));
            }
        }
    }

    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<(FrameHeader, u64)>, Fault> {
        let before = self.header.len();
        let more = input.len().min(MAX_HEADER - before);
        self.header.extend_from_slice(&input[..more]);
        let mut cursor = Cursor::new(&self.header);
        let parsed = FrameHeader::parse(&mut cursor);
        let length = cursor.position() as usize;
        let Some((header, payload)) = parsed.map_err(|_| Fault::protocol("reserved opcode"))?
        else {
            // Fourteen bytes are always enough, so this was all of the input.
            *input = &input[more..];
            return Ok(None);
        };
        *input = &input[length - before..];
        self.header.clear();
        match header.len(payload) == length {
            true => Ok(Some((header, payload))),
            false => Err(Fault::protocol("a length in more bytes than it needs")),
        }
    }

    /// Checks the header of a frame, and returns the length of its payload.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<usize, Fault> {
        let (in_message, is_data) = (self.message.is_some(), is_first(header.opcode));
        let wrong = if header.rsv2 || header.rsv3 {
            "reserved bit"
        } else if header.rsv1 && !(is_data && self.inflater.is_some()) {
            "reserved bit: not compressed"
        } else if header.mask.is_some() != self.masked {
            if self.masked {
                "frame of a client without a mask"
            } else {
                "masked frame of a server"
            }
        } else if let OpCode::Control(_) = header.opcode {
            match (header.is_final, length > MAX_CONTROL as u64) {
                (true, false) => "",
                (false, _) => "control frame in pieces",
                (_, true) => "control frame of more than 125 bytes",
            }
        } else if is_data && in_message {
            "message inside a message"
        } else if !is_data && !in_message {
            "continuation of nothing"
        } else {
            return self.check_length(length);
        };
        if wrong.is_empty() { Ok(length as usize) } else { Err(Fault::protocol(wrong)) }
    }

    /// Checks the length of a data frame, before any of it is stored.
    fn check_length(&self, length: u64) -> Result<usize, Fault> {
        let claimed = self.message.as_ref().map_or(0, |message| message.claimed);
        match usize::try_from(length) {
            Ok(length) if length <= self.limit.saturating_sub(claimed) => Ok(length),
            _ => Err(self.too_big(match claimed {
                0 => format!("Incoming frame of {length} bytes is above length limit of"),
                _ => format!(
                    "Incoming message of {claimed} and {length} bytes is above length limit of"
                ),
            })),
        }
    }

    fn too_big(&self, what: String) -> Fault {
        Fault::new(CloseCode::Size, format!("{what} {} bytes.", self.limit))
    }

    fn begin(&mut self, header: &FrameHeader, length: usize) {
        let FrameHeader { opcode, is_final, .. } = *header;
        self.frame =
            Some(Frame { opcode, is_final, left: length, mask: header.mask.map(Mask::new) });
        if is_first(opcode) {
            self.message = Some(Partial {
                text: opcode == OpCode::Data(Data::Text),
                compressed: header.rsv1,
                claimed: 0,
                data: Vec::new(),
                checked: 0,
            });
        }
        if let (OpCode::Data(_), Some(message)) = (opcode, &mut self.message) {
            message.claimed += length;
        }
    }

    /// Reads what has come of the frame's payload.
    fn read_payload(&mut self, input: &mut &[u8]) -> Result<(), Fault> {
        let Some(frame) = &mut self.frame else { return Ok(()) };
        let (piece, rest) = input.split_at(input.len().min(frame.left));
        *input = rest;
        frame.left -= piece.len();
        let into = match (frame.opcode, &mut self.message) {
            (OpCode::Data(_), Some(message)) if message.compressed => {
                let mut piece = piece.to_vec();
                frame.unmask(&mut piece);
                return self.inflate(&piece);
            }
            (OpCode::Data(_), Some(message)) => &mut message.data,
            _ => &mut self.control,
        };
        let before = into.len();
        into.extend_from_slice(piece);
        frame.unmask(&mut into[before..]);
        // A complete message is checked when it becomes a text.
        let whole = frame.left == 0 && frame.is_final;
        match &mut self.message {
            Some(message) if !whole && message.text => message.check_text(),
            _ => Ok(()),
        }
    }

    fn inflate(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let (Some(inflater), Some(message)) = (&mut self.inflater, &mut self.message) else {
            return Ok(());
        };
        match inflater.inflate(piece, &mut message.data, self.limit) {
            Ok(()) if message.text => message.check_text(),
            Ok(()) => Ok(()),
            Err(BadDeflate::TooBig) => {
                Err(self.too_big("Incoming compressed frame exceeds length limit of".to_owned()))
            }
            Err(BadDeflate::Broken) => Err(Fault::new(CloseCode::Invalid, "broken deflate")),
        }
    }

    /// Ends a frame whose payload is complete.
    fn end_frame(&mut self) -> Result<Option<Event>, Fault> {
        let Some(frame) = self.frame.take() else { return Ok(None) };
        match frame.opcode {
            OpCode::Control(control) => {
                let payload = std::mem::take(&mut self.control);
                match control {
                    Control::Ping => Ok(Some(Event::Ping(payload.into()))),
                    Control::Close => {
                        Close::parse(&payload).map(Event::Close).map(Some).map_err(Fault::protocol)
                    }
                    _ => Ok(Some(Event::Pong)),
                }
            }
            OpCode::Data(_) if frame.is_final => self.end_message().map(Some),
            OpCode::Data(_) => Ok(None),
        }
    }

    fn end_message(&mut self) -> Result<Event, Fault> {
        if self.message.as_ref().is_some_and(|message| message.compressed) {
            self.inflate(Inflater::TAIL)?;
            self.inflater.as_mut().map(Inflater::end_message);
        }
        let message = self.message.take().expect("a final frame ends a message");
        let data = Bytes::from(message.data);
        Ok(Event::Message(match message.text {
            true => Message::Text(Utf8Bytes::try_from(data).map_err(|_| not_utf8())?),
            false => Message::Binary(data),
        }))
    }
}

impl Frame {
    fn unmask(&mut self, piece: &mut [u8]) {
        if let Some(mask) = &mut self.mask {
            mask.apply(piece);
        }
    }
}

impl Partial {
    /// Fails at the first bytes that are not UTF-8, though more of the message may come.
    fn check_text(&mut self) -> Result<(), Fault> {
        match std::str::from_utf8(&self.data[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(not_utf8()),
        }
        Ok(())
    }
}

fn not_utf8() -> Fault {
    Fault::new(CloseCode::Invalid, "text that is not UTF-8")
}

/// Returns whether a frame begins a message.
fn is_first(opcode: OpCode) -> bool {
    matches!(opcode, OpCode::Data(Data::Text | Data::Binary))
}
