//! The body of a request, read with `std::io::Read` on a green stack.

use std::io::{self, BufRead, Read};

use tokio::io::{AsyncBufReadExt, AsyncReadExt};

use super::input::Input;
use crate::stackful::Block;

/// Reads on a green stack.
///
/// # Panics
///
/// Outside a green stack, in the caller's line.
impl Read for Input {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        AsyncReadExt::read(self, buf).block()
    }
}

/// Reads on a green stack.
///
/// # Panics
///
/// Outside a green stack, in the caller's line.
impl BufRead for Input {
    #[track_caller]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        AsyncBufReadExt::fill_buf(self).block()
    }

    fn consume(&mut self, bytes: usize) {
        AsyncBufReadExt::consume(self, bytes);
    }
}
