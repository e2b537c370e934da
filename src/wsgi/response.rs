//! What a site may return as a response.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use hyper::ext::ReasonPhrase;

use super::body::Body;
use crate::exit::BoxError;

/// What a function of the environ may return.
///
/// | value | response |
/// |---|---|
/// | `()` | 200, empty |
/// | `&'static str`, `String` | 200, `text/plain; charset=utf-8` |
/// | `&'static [u8]`, `Vec<u8>`, `Bytes`, [`Body`] | 200, `application/octet-stream` |
/// | [`StatusCode`], `u16` | that status, empty |
/// | `(status, value)` | `value` with that status |
/// | `(status, headers, value)` | and with those headers; a status is a number, a [`StatusCode`], or `"404 Not Here"` |
/// | [`http::Response`] of any [`http_body::Body`] of `Bytes` | itself |
/// | `Result` of it with any error | `Err` is logged, and the status is 500 |
///
/// A header or a status that HTTP does not allow is an error as well, so no line break gets into a
/// head.
///
/// It is not axum's trait of that name, whose bodies must be `Send`.
///
/// # Examples
///
/// ```
/// use eventlet::wsgi::IntoResponse;
///
/// let response = (404, [("x-why", "gone")], "not here").into_response().unwrap();
/// assert_eq!(response.status(), 404);
/// assert_eq!(response.headers()["x-why"], "gone");
/// assert!((200, [("x-why", "a\r\nb")], "").into_response().is_err());
/// ```
pub trait IntoResponse {
    /// Makes the response.
    ///
    /// # Errors
    ///
    /// The server logs it, and answers with a 500.
    fn into_response(self) -> Result<Response<Body>, BoxError>;
}

impl<B> IntoResponse for Response<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + 'static,
{
    fn into_response(self) -> Result<Response<Body>, BoxError> {
        Ok(self.map(Body::new))
    }
}

impl IntoResponse for () {
    fn into_response(self) -> Result<Response<Body>, BoxError> {
        Ok(Response::new(Body::empty()))
    }
}

macro_rules! typed {
    ($content_type:literal: $($value:ty)*) => {$(
        impl IntoResponse for $value {
            fn into_response(self) -> Result<Response<Body>, BoxError> {
                let mut response = Response::new(Body::from(self));
                let content_type = HeaderValue::from_static($content_type);
                response.headers_mut().insert(header::CONTENT_TYPE, content_type);
                Ok(response)
            }
        }
    )*};
}

typed! { "text/plain; charset=utf-8": &'static str String }
typed! { "application/octet-stream": &'static [u8] Vec<u8> Bytes Body }

impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> Result<Response<Body>, BoxError> {
        match self {
            Cow::Borrowed(text) => text.into_response(),
            Cow::Owned(text) => text.into_response(),
        }
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Result<Response<Body>, BoxError> {
        (self, ()).into_response()
    }
}

impl IntoResponse for u16 {
    fn into_response(self) -> Result<Response<Body>, BoxError> {
        (self, ()).into_response()
    }
}

impl<T: IntoResponse, E: Into<BoxError>> IntoResponse for Result<T, E> {
    fn into_response(self) -> Result<Response<Body>, BoxError> {
        self.map_err(Into::into)?.into_response()
    }
}

impl<S: IntoStatus, T: IntoResponse> IntoResponse for (S, T) {
    fn into_response(self) -> Result<Response<Body>, BoxError> {
        let mut response = self.1.into_response()?;
        self.0.into_status()?.set_on(&mut response);
        Ok(response)
    }
}

impl<S: IntoStatus, H: IntoHeaders, T: IntoResponse> IntoResponse for (S, H, T) {
    fn into_response(self) -> Result<Response<Body>, BoxError> {
        let (status, headers, value) = self;
        let mut response = (status, value).into_response()?;
        replace(response.headers_mut(), headers.into_headers()?);
        Ok(response)
    }
}

/// Inserts headers, in place of those of the same names.
fn replace(old: &mut HeaderMap, new: HeaderMap) {
    let mut last = None;
    for (name, value) in new {
        match name {
            Some(name) => {
                old.insert(name.clone(), value);
                last = Some(name);
            }
            None => {
                old.append(
                    last.clone().expect("the first of several values comes with its name"),
                    value,
                );
            }
        }
    }
}

/// A status code, with or without a reason phrase of its own.
#[derive(Debug)]
pub struct Status {
    code: StatusCode,
    reason: Option<ReasonPhrase>,
}

impl Status {
    pub(super) fn set_on<B>(self, response: &mut Response<B>) {
        *response.status_mut() = self.code;
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(reason);
        }
    }
}

/// A status: `404`, `"404 Not Found"`, or [`StatusCode::NOT_FOUND`].
pub trait IntoStatus: sealed::Sealed {
    #[doc(hidden)]
    fn into_status(self) -> Result<Status, BoxError>;
}

mod sealed {
    /// Keeps [`IntoStatus`](super::IntoStatus) to what a status can be.
    pub trait Sealed {}
}

impl sealed::Sealed for StatusCode {}

impl IntoStatus for StatusCode {
    fn into_status(self) -> Result<Status, BoxError> {
        if self.is_informational() && self != StatusCode::SWITCHING_PROTOCOLS {
            return Err(format!("a response cannot have the status {self}").into());
        }
        Ok(Status { code: self, reason: None })
    }
}

impl sealed::Sealed for u16 {}

impl IntoStatus for u16 {
    fn into_status(self) -> Result<Status, BoxError> {
        match StatusCode::from_u16(self) {
            Ok(code) => code.into_status(),
            Err(_) => Err(format!("{self} is not a status: it must be from 200 to 999").into()),
        }
    }
}

impl sealed::Sealed for &str {}

impl IntoStatus for &str {
    fn into_status(self) -> Result<Status, BoxError> {
        let (number, reason) = self.split_once(' ').unwrap_or((self, ""));
        let Ok(number) = number.parse::<u16>() else {
            return Err(format!("{self:?} is not a status: it must begin with a number").into());
        };
        let mut status = number.into_status()?;
        if !reason.is_empty() && status.code.canonical_reason() != Some(reason) {
            status.reason = Some(ReasonPhrase::try_from(reason.as_bytes())?);
        }
        Ok(status)
    }
}

impl sealed::Sealed for String {}

impl IntoStatus for String {
    fn into_status(self) -> Result<Status, BoxError> {
        self.as_str().into_status()
    }
}

/// Headers: a [`HeaderMap`], or pairs of names and values.
pub trait IntoHeaders: headers::Sealed {
    #[doc(hidden)]
    fn into_headers(self) -> Result<HeaderMap, BoxError>;
}

mod headers {
    /// Keeps [`IntoHeaders`](super::IntoHeaders) to pairs.
    pub trait Sealed {}
}

impl<I: IntoIterator<Item: IntoHeader>> headers::Sealed for I {}

impl<I: IntoIterator<Item: IntoHeader>> IntoHeaders for I {
    fn into_headers(self) -> Result<HeaderMap, BoxError> {
        let pairs = self.into_iter();
        let mut headers = HeaderMap::with_capacity(pairs.size_hint().0.min(64));
        let mut last = None;
        for pair in pairs {
            let (name, value) = pair.into_header()?;
            // A map names only the first of several headers of the same name.
            last = name.or(last);
            headers.append(last.clone().ok_or("a header has no name")?, value);
        }
        Ok(headers)
    }
}

/// A header: a pair of a name and a value.
pub trait IntoHeader {
    #[doc(hidden)]
    fn into_header(self) -> Result<(Option<HeaderName>, HeaderValue), BoxError>;
}

macro_rules! headers_named_by {
    ($($name:ty)*) => {$(
        impl<V: TryInto<HeaderValue, Error: Into<BoxError>>> IntoHeader for ($name, V) {
            fn into_header(self) -> Result<(Option<HeaderName>, HeaderValue), BoxError> {
                Ok((Some(self.0.try_into()?), self.1.try_into().map_err(Into::into)?))
            }
        }
    )*};
}

headers_named_by! { &str String HeaderName }

/// The items of a [`HeaderMap`].
impl IntoHeader for (Option<HeaderName>, HeaderValue) {
    fn into_header(self) -> Result<(Option<HeaderName>, HeaderValue), BoxError> {
        Ok(self)
    }
}
