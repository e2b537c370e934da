//! `Read` and `Write` over any stream with Tokio's traits.

use std::future::poll_fn;
use std::io::{self, Read, Write};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wait::wait_io;
use crate::greenio::GreenSocket;

/// For code on a green stack: only its green thread waits.
impl<S: AsyncRead + Unpin> Read for &GreenSocket<S> {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        wait_io(poll_fn(|cx| self.poll_with(cx, |stream, cx| stream.poll_read(cx, &mut buf))))?;
        Ok(buf.filled().len())
    }
}

/// For code on a green stack: only its green thread waits.
impl<S: AsyncRead + Unpin> Read for GreenSocket<S> {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

/// For code on a green stack: only its green thread waits.
impl<S: AsyncWrite + Unpin> Write for &GreenSocket<S> {
    #[track_caller]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        wait_io(poll_fn(|cx| self.poll_with(cx, |stream, cx| stream.poll_write(cx, buf))))
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        wait_io(poll_fn(|cx| self.poll_with(cx, |stream, cx| stream.poll_flush(cx))))
    }
}

/// For code on a green stack: only its green thread waits.
impl<S: AsyncWrite + Unpin> Write for GreenSocket<S> {
    #[track_caller]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}
