//! Refuses requests that hyper lets through, and no site may see.

use http::header;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};

use super::protocol::Limits;

/// What the check of a valid request has found in its headers.
#[derive(Default)]
pub(super) struct Valid {
    /// The client sent `Connection: keep-alive`.
    pub(super) wants_keep_alive: bool,
}

/// Returns the status that refuses a request which no site may see.
pub(super) fn validate<B>(request: &Request<B>, limits: &Limits) -> Result<Valid, StatusCode> {
    if request_line_length(request) > limits.request_line {
        return Err(StatusCode::URI_TOO_LONG);
    }
    let valid = check_headers(request, limits)?;
    if request.version() <= Version::HTTP_11 && !is_target_of(request.method(), request.uri()) {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(valid)
}

/// Returns how many bytes the request line had, without its line end.
fn request_line_length<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let scheme = uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let version = " HTTP/1.1".len();
    request.method().as_str().len() + " ".len() + scheme + authority + path + version
}

fn check_headers<B>(request: &Request<B>, limits: &Limits) -> Result<Valid, StatusCode> {
    let mut valid = Valid::default();
    let mut hosts = 0;
    let mut codings = 0;
    for (name, value) in request.headers() {
        if name.as_str().len() + value.len() + ": ".len() > limits.header_line {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        if *name == header::HOST {
            hosts += 1;
            if limits.reject_bad_requests && !is_authority(value.as_bytes()) {
                return Err(StatusCode::BAD_REQUEST);
            }
        } else if *name == header::TRANSFER_ENCODING {
            // hyper has checked that the last is `chunked`.
            codings += 1;
            let chunked = value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
            if limits.reject_bad_requests && !(chunked && codings == 1) {
                return Err(StatusCode::NOT_IMPLEMENTED);
            }
        } else if *name == header::CONNECTION {
            valid.wants_keep_alive |= has_token(value.as_bytes(), b"keep-alive");
        }
    }
    let needs_host = request.version() == Version::HTTP_11;
    let right = hosts == 1 || hosts == 0 && !needs_host;
    if limits.reject_bad_requests && !right { Err(StatusCode::BAD_REQUEST) } else { Ok(valid) }
}

/// Returns whether a list of tokens has this one.
fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

/// Returns whether a header, which is a list of tokens, has this one. Case is ignored.
pub(crate) fn header_has_token(
    headers: &HeaderMap,
    name: &header::HeaderName,
    token: &[u8],
) -> bool {
    headers.get_all(name).iter().any(|value| has_token(value.as_bytes(), token))
}

/// Returns whether the target of a request is one that its method can have: a path, `*`, something
/// absolute, or, for CONNECT alone, an authority.
fn is_target_of(method: &Method, target: &Uri) -> bool {
    if *method == Method::CONNECT {
        return target.scheme().is_none() && target.path_and_query().is_none();
    }
    match target.path_and_query() {
        None => false,
        Some(path) if target.scheme().is_none() => {
            path.as_str().starts_with('/') || *method == Method::OPTIONS && path == "*"
        }
        Some(_) => target.authority().is_some_and(|at| !at.host().is_empty()),
    }
}

/// Returns whether the value of `Host` is valid: a host of allowed bytes, and perhaps a port.
///
/// It is empty if the client's target has no authority.
fn is_authority(value: &[u8]) -> bool {
    match value {
        [b'[', literal @ ..] => {
            let end = literal.iter().position(|byte| *byte == b']').unwrap_or(0);
            end > 0
                && literal[..end].iter().all(|byte| is_of_literal(*byte))
                && is_port(&literal[end + 1..])
        }
        name => {
            let end = name.iter().position(|byte| !is_of_name(*byte)).unwrap_or(name.len());
            is_port(&name[end..])
        }
    }
}

/// Returns whether what follows a host is nothing, or a port.
fn is_port(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The bytes of a name or an IPv4 address: unreserved, sub-delims, and the sign of an escape.
fn is_of_name(byte: u8) -> bool {
    NAME[usize::from(byte)]
}

/// Which bytes are of a name, to be looked up.
const NAME: [bool; 256] = {
    let mut of_name = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        of_name[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-._~!$&'()*+,;=%";
    let mut at = 0;
    while at < others.len() {
        of_name[others[at] as usize] = true;
        at += 1;
    }
    of_name
};

fn is_of_literal(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in ["", "a", "a.b:80", "a:", "127.0.0.1:8080", "[::1]", "[::1]:80", "a_b%41"] {
            assert!(is_authority(host.as_bytes()), "{host}");
        }
        for host in
            ["a b", "a/b", "a@b", "a:b", "a:80:80", "[]", "[::1", "::1]", "[g]", "é", "a?", "a#"]
        {
            assert!(!is_authority(host.as_bytes()), "{host}");
        }
    }
}
