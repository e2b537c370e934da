//! Why a connection is closed.

use std::fmt;
use std::io;

use tungstenite::Utf8Bytes;
use tungstenite::protocol::frame::coding::CloseCode;

use super::sealed::Sealed;

/// How many bytes a reason may have: a control frame has 125, and the code takes two.
const MAX_REASON: usize = 123;

/// The contents of a close frame: a code, or none, and a reason.
///
/// # Examples
///
/// ```
/// use eventlet::websocket::{Close, IntoClose};
///
/// let close = (4000, "bye").into_close().unwrap();
/// assert_eq!((close.code(), close.reason()), (Some(4000), "bye"));
/// assert_eq!(close.to_string(), "4000 bye");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    code: Option<u16>,
    reason: Utf8Bytes,
}

impl Close {
    pub(super) const EMPTY: Close = Close { code: None, reason: Utf8Bytes::from_static("") };

    pub(super) fn new(code: CloseCode, reason: impl Into<Utf8Bytes>) -> Close {
        Close { code: Some(code.into()), reason: reason.into() }
    }

    /// Returns the code, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::IntoClose;
    /// assert_eq!(1001.into_close().unwrap().code(), Some(1001));
    /// assert_eq!(().into_close().unwrap().code(), None);
    /// ```
    pub fn code(&self) -> Option<u16> {
        self.code
    }

    /// Returns the reason; without one, the empty text.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::IntoClose;
    /// assert_eq!((1001, "see you later").into_close().unwrap().reason(), "see you later");
    /// ```
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the payload of the frame.
    pub(super) fn payload(&self) -> Vec<u8> {
        let code = self.code.map(u16::to_be_bytes);
        [code.as_ref().map_or(&[][..], |code| code), self.reason.as_bytes()].concat()
    }

    /// Reads the payload of a frame; the error says what is wrong with it.
    pub(super) fn parse(payload: &[u8]) -> Result<Close, &'static str> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() { Ok(Close::EMPTY) } else { Err("half a close code") };
        };
        let code = u16::from_be_bytes(*code);
        if !is_allowed(code) {
            return Err("Unexpected close status code.");
        }
        let reason = std::str::from_utf8(reason);
        let reason = reason.map_err(|_| "Close message data should be valid UTF-8.")?;
        Ok(Close { code: Some(code), reason: reason.into() })
    }

    /// Returns the answer to this frame: the same code, or 1000 if it has none.
    pub(super) fn answer(&self) -> Close {
        Close { code: self.code.or(Some(CloseCode::Normal.into())), ..Close::EMPTY }
    }
}

/// Returns whether a frame may have the code. 1014 is newer than tungstenite's table.
fn is_allowed(code: u16) -> bool {
    code == 1014 || CloseCode::from(code).is_allowed()
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) if self.reason.is_empty() => write!(f, "{code}"),
            Some(code) => write!(f, "{code} {}", self.reason),
            None => f.write_str("no code"),
        }
    }
}

/// What [`WebSocket::close`](super::WebSocket::close) takes: `()`, a code, or a code and a reason.
///
/// | | sent |
/// |---|---|
/// | `()` | a close frame without a code, as by eventlet's `close()` |
/// | `1001` | that code |
/// | `(4000, "bye")` | a code and a reason |
///
/// # Examples
///
/// ```
/// use eventlet::websocket::IntoClose;
///
/// assert!((4000, "bye").into_close().is_ok());
/// let error = 1006.into_close().unwrap_err();
/// assert!(error.to_string().starts_with("1006 is no code that a close frame may have"));
/// ```
pub trait IntoClose: Sealed {
    /// Makes the contents of a close frame.
    ///
    /// # Errors
    ///
    /// Of kind `InvalidInput`: the code is not one that a frame may have, or the reason has more
    /// than 123 bytes.
    fn into_close(self) -> io::Result<Close>;
}

impl IntoClose for () {
    fn into_close(self) -> io::Result<Close> {
        Ok(Close::EMPTY)
    }
}

impl IntoClose for u16 {
    fn into_close(self) -> io::Result<Close> {
        (self, "").into_close()
    }
}

impl<R: Into<Utf8Bytes>> IntoClose for (u16, R) {
    fn into_close(self) -> io::Result<Close> {
        let (code, reason) = (self.0, self.1.into());
        let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if !is_allowed(code) {
            return refuse(format!(
                "{code} is no code that a close frame may have: 1000 to 1003, 1007 to 1014, and 3000 to \
                 4999 are"
            ));
        }
        if reason.len() > MAX_REASON {
            return refuse(format!(
                "the reason for closing has {} bytes, and a close frame has room for {MAX_REASON}",
                reason.len()
            ));
        }
        Ok(Close { code: Some(code), reason })
    }
}

impl Sealed for () {}
impl Sealed for u16 {}
impl<R: Into<Utf8Bytes>> Sealed for (u16, R) {}
