//! What goes over the wire, the same for every peer.

use std::io;
use std::os::fd::AsFd;

use clap::ValueEnum;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpCongestion;

/// What a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    /// Sends back what it gets: 64 bytes.
    Echo,
    /// Answers each request head, up to its empty line, with a fixed response.
    Http,
    /// For each byte it gets, sends 1 MiB, a chunk at a time.
    Stream,
}

/// What every server reads into.
pub(crate) const BUFFER: usize = 1024;

/// What the stream is made of.
pub(crate) static CHUNK: [u8; 64 << 10] = [b'x'; 64 << 10];

/// So many for each byte.
pub(crate) const CHUNKS: usize = 16;

const MESSAGE: [u8; 64] = [b'z'; 64];

const REQUEST: &[u8] = b"GET /green/threads HTTP/1.1\r\n\
    Host: 127.0.0.1\r\n\
    User-Agent: compare\r\n\
    Accept: text/plain\r\n\r\n";

pub(crate) const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 150\r\n\r\n\
    A green thread waits for its next request as a plain function would, and thousands \
    of others have their turn until then, on one thread of the system.\n";

/// Has a connection, or all that are accepted from a listener, send as fast as it goes.
///
/// The system may prefer to pace what is sent (BBR). Over loopback that is about timers: whether a
/// stream is one of those that pay three times the CPU for them is chance, and has nothing to do
/// with who serves it.
pub(crate) fn send_as_fast_as_it_goes(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, TcpCongestion, &"reno".into())?)
}

impl Program {
    pub(crate) fn word(self) -> String {
        self.to_possible_value().expect("no program is skipped").get_name().to_owned()
    }

    /// What a client sends.
    pub(crate) fn request(self) -> &'static [u8] {
        match self {
            Program::Echo => &MESSAGE,
            Program::Http => REQUEST,
            Program::Stream => b"1",
        }
    }

    /// How much it gets back.
    pub(crate) fn answer_length(self) -> usize {
        match self {
            Program::Echo => MESSAGE.len(),
            Program::Http => RESPONSE.len(),
            Program::Stream => CHUNK.len() * CHUNKS,
        }
    }
}

/// Returns how long the first request head is, once its empty line has come.
pub(crate) fn head_length(received: &[u8]) -> Option<usize> {
    received.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_its_empty_line() {
        assert_eq!(head_length(REQUEST), Some(REQUEST.len()));
        assert_eq!(head_length(&REQUEST[..REQUEST.len() - 1]), None);
        assert_eq!(head_length(&[REQUEST, REQUEST].concat()), Some(REQUEST.len()));
    }

    #[test]
    fn the_response_is_as_long_as_it_says() {
        let head = head_length(RESPONSE).unwrap();
        let length = String::from_utf8_lossy(&RESPONSE[..head]);
        let length: usize = length.split("Length: ").nth(1).unwrap().trim().parse().unwrap();
        assert_eq!(RESPONSE.len() - head, length);
    }

    #[test]
    fn servers_read_a_whole_request_at_once() {
        assert!(REQUEST.len() <= BUFFER && MESSAGE.len() <= BUFFER);
    }
}
