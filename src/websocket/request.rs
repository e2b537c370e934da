//! What a handshake has found, and reading its headers.

use tungstenite::http::header::{HeaderMap, HeaderName};

use crate::wsgi::Environ;

/// What both sides know from the handshake of a connection.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) protocol: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) version: u8,
    pub(super) compressed: bool,
    /// Only a server has it.
    pub(super) environ: Option<Environ>,
}

/// Returns the values of all headers of a name, as one list. A value that is not text is left out.
pub(super) fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let first = values.next()?.to_owned();
    Some(values.fold(first, |list, value| list + ", " + value))
}
