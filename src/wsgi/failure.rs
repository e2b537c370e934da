//! Answers of the server's own.

use std::error::Error;

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use super::body::Body;
use super::options::Options;
use super::traceback;
use crate::exit::Exit;

/// Makes the answer to something that failed. Nothing can follow it.
#[cold]
pub(super) fn response(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if !text.is_empty() {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, plain);
    }
    response
}

/// Makes the answer to a failure of the site. What it says of it is for clients of a server that is
/// being debugged alone.
#[cold]
pub(super) fn explained(
    status: StatusCode,
    error: &(dyn Error + 'static),
    options: &Options,
) -> Response<Body> {
    if !options.debug {
        return response(status, "");
    }
    let text = error.to_string();
    let is_panic = error.downcast_ref::<Exit>().is_some_and(Exit::is_panic);
    response(status, &if is_panic { traceback::after(&text) } else { text })
}
