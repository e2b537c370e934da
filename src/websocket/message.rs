//! What is sent and received.

use bytes::Bytes;
use tungstenite::Utf8Bytes;

/// A message: a text or bytes.
///
/// What [`send`](super::WebSocket::send) takes is made from `&str`, `String`, `&[u8]`, `Vec<u8>`
/// and [`Bytes`], too. Cloning is cheap: the clones share their contents.
///
/// Corresponds to the `str` and the `bytes` that eventlet's `wait` returns.
///
/// # Examples
///
/// ```
/// use eventlet::websocket::Message;
///
/// assert_eq!(Message::from("hello").as_text(), Some("hello"));
/// assert_eq!(Message::from(vec![1, 2]).as_bytes(), [1, 2]);
/// assert_ne!(Message::from("hello"), Message::from(b"hello".to_vec()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A text. It derefs to `str`.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Returns the text, if it is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::Message;
    /// assert_eq!(Message::from("hello").as_text(), Some("hello"));
    /// assert_eq!(Message::from(b"hello".to_vec()).as_text(), None);
    /// ```
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
        }
    }

    /// Returns the bytes, those of a text too.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::Message;
    /// assert_eq!(Message::from("hello").as_bytes(), b"hello");
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// Returns the bytes, those of a text too, without copying them.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::Message;
    /// assert_eq!(Message::from("hello").into_bytes(), "hello");
    /// ```
    pub fn into_bytes(self) -> Bytes {
        match self {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => bytes,
        }
    }
}

impl From<Utf8Bytes> for Message {
    fn from(text: Utf8Bytes) -> Message {
        Message::Text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message::Text(text.into())
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Message {
        Message::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Message {
        Message::Binary(Bytes::copy_from_slice(bytes))
    }
}
