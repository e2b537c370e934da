//! What is served, and what goes over the wire.

use std::io;

use clap::ValueEnum;

/// What a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Site {
    /// A tower service.
    Service,
    /// A function of the request.
    Function,
    /// An application of WSGI.
    StartResponse,
    /// The service over TLS.
    Tls,
    /// An echo of messages.
    Websocket,
}

/// What every site of HTTP answers.
pub(crate) const BODY: &str = "A green thread waits for its next request as a plain function would, and thousands \
    of others have their turn until then, on one thread of the system.\n";

const REQUEST: &[u8] = b"GET /green/threads HTTP/1.1\r\n\
    Host: 127.0.0.1\r\n\
    User-Agent: compare\r\n\
    Accept: text/plain\r\n\r\n";

pub(crate) const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\n\
    Host: 127.0.0.1\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// A frame of a client: a binary message of 64 bytes under the mask `abcd`.
const MESSAGE: [u8; 70] = {
    let mut frame = [b'z'; 70];
    let head = [0x82, 0x80 | 64, b'a', b'b', b'c', b'd'];
    let mut at = 0;
    while at < head.len() {
        frame[at] = head[at];
        at += 1;
    }
    frame
};

/// The same message without a mask.
pub(crate) const ECHO_LENGTH: usize = MESSAGE.len() - 4;

impl Site {
    pub(crate) fn word(self) -> String {
        self.to_possible_value().expect("no site is skipped").get_name().to_owned()
    }

    /// What a client sends.
    pub(crate) fn request(self) -> &'static [u8] {
        if self == Site::Websocket { &MESSAGE } else { REQUEST }
    }
}

/// Returns how long the body is that a head announces.
pub(crate) fn body_length(head: &[u8]) -> io::Result<usize> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.split("\r\ncontent-length:").nth(1).and_then(|rest| rest.lines().next());
    let length = length.and_then(|length| length.trim().parse().ok());
    length.ok_or_else(|| io::Error::other(format!("an answer without a length: {head}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_found_in_any_case() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 150\r\nX: y\r\n\r\n";
        assert_eq!(body_length(head).unwrap(), 150);
        assert_eq!(body_length(b"HTTP/1.1 200 OK\r\ncontent-length:7\r\n\r\n").unwrap(), 7);
        assert!(body_length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
