//! Answers of the server's own.

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use super::body::Body;

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
