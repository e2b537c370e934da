//! Makes the head of a response fit its connection and its body.

use std::fmt;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode, Version};
use http_body::Body as _;

use super::activity::Phase;
use super::connection::Connection;
use super::error_response;
use super::site::ResponseBody;
use super::validate::header_has_token;
use crate::exit::BoxError;

/// What a request says about the framing of its response.
#[derive(Clone, Copy)]
pub(super) struct Framing {
    pub(super) is_head: bool,
    pub(super) wants_keep_alive: bool,
}

/// Makes the head of a response fit its connection and its body. `is_last` closes the connection
/// after it. Returns whether hyper is to know the length of the body.
pub(super) fn frame<B>(
    response: &mut Response<ResponseBody<B>>,
    connection: &Connection,
    framing: &Framing,
    is_last: bool,
) -> bool
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let options = &connection.options;
    let mut is_sized = true;
    match take_declared_length(response) {
        Declared::Nothing => {}
        Declared::Length(length) => {
            let exact = response.body().size_hint().exact();
            if exact.is_none() || framing.is_head || has_no_body(response.status()) {
                // hyper sends as many bytes as the header says, or breaks off.
                is_sized = exact == Some(length);
            } else if exact != Some(length) {
                *response = wrong_length(connection, length);
            }
        }
        Declared::Malformed => *response = wrong_length(connection, "what is no number"),
    }
    if options.http10 || is_last {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if options.http10 {
        *response.version_mut() = Version::HTTP_10;
    } else if framing.wants_keep_alive {
        add_keep_alive(response, connection);
    }
    is_sized
}

/// What the site declares as the length of the body.
enum Declared {
    Nothing,
    Length(u64),
    Malformed,
}

/// Returns what the site declares as the length of the body. A `Transfer-Encoding` is removed: the
/// site does not choose it.
fn take_declared_length<B>(response: &mut Response<B>) -> Declared {
    let mut declared = Declared::Nothing;
    let mut has_coding = false;
    for (name, value) in response.headers() {
        if *name == header::CONTENT_LENGTH {
            let length = value.to_str().ok().and_then(|text| text.parse().ok());
            declared = match (length, declared) {
                (Some(length), Declared::Nothing) => Declared::Length(length),
                _ => Declared::Malformed,
            };
        }
        has_coding |= *name == header::TRANSFER_ENCODING;
    }
    if has_coding {
        response.headers_mut().remove(header::TRANSFER_ENCODING);
    }
    declared
}

fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

#[cold]
fn wrong_length<B>(
    connection: &Connection,
    length: impl fmt::Display,
) -> Response<ResponseBody<B>> {
    let error =
        format!("the site gave a body that is not as long as its `Content-Length`, {length}");
    connection.options.log.failure(&"in a response", &error);
    let shown = if connection.options.debug { &*error } else { "" };
    error_response::new(StatusCode::INTERNAL_SERVER_ERROR, shown).map(ResponseBody::server)
}

/// Tells a client that asked for `keep-alive` how long the connection may be idle.
fn add_keep_alive<B>(response: &mut Response<B>, connection: &Connection) {
    let seconds = connection.options.keepalive.map_or(0, |limit| limit.as_secs());
    let headers = response.headers_mut();
    let closes = header_has_token(headers, &header::CONNECTION, b"close");
    if seconds >= 1 && !closes && connection.activity.phase() == Phase::Busy {
        let timeout = HeaderValue::try_from(format!("timeout={seconds}"));
        headers.insert("keep-alive", timeout.expect("a number is a valid value"));
    }
}
