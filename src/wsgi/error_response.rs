//! The answers that the server itself gives to what failed.

use std::error::Error;

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use super::body::Body;
use super::options::Options;
use super::traceback;
use crate::exit::Exit;

/// Makes the answer to a failure. The connection closes after it.
#[cold]
pub(super) fn new(status: StatusCode, text: &str) -> Response<Body> {
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

/// Makes the answer to a failure of the site. Only with the option `debug` does the client get its
/// text.
#[cold]
pub(super) fn of_failure(
    status: StatusCode,
    error: &(dyn Error + 'static),
    options: &Options,
) -> Response<Body> {
    if !options.debug {
        return new(status, "");
    }
    let text = error.to_string();
    let is_panic = error.downcast_ref::<Exit>().is_some_and(Exit::is_panic);
    new(status, &if is_panic { traceback::after(&text) } else { text })
}
