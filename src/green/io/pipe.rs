//! Pipes.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::rc::Rc;

use tokio::net::unix::pipe::{Receiver, Sender};

use crate::green::bytes;
use crate::green::net::socket::{self, Socket, dup};
use crate::hub;

/// Makes a pipe: bytes written to one end are read from the other.
///
/// Corresponds to [`std::io::pipe`], stable since Rust 1.87.
///
/// Either end may be given to an OS thread, which blocks where a green thread would wait: as an
/// [`OwnedFd`], which becomes a [`File`](std::fs::File). A
/// [`SharedQueue`](crate::queue::SharedQueue) does that for values.
///
/// # Panics
///
/// Outside a Tokio runtime.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// use eventlet::green::{io, thread};
///
/// eventlet::run(eventlet::stackful(|| {
///     let (mut reader, mut writer) = io::pipe().unwrap();
///     thread::spawn(move || writer.write_all(b"hello"));
///     let mut text = String::new();
///     reader.read_to_string(&mut text).unwrap();
///     assert_eq!(text, "hello");
/// }));
/// ```
///
/// From an OS thread:
///
/// ```
/// use std::fs::File;
/// use std::io::{Read, Write};
/// use std::os::fd::OwnedFd;
///
/// use eventlet::green::io;
///
/// eventlet::run(eventlet::stackful(|| {
///     let (mut reader, writer) = io::pipe().unwrap();
///     let mut writer = File::from(OwnedFd::try_from(writer).unwrap());
///     std::thread::spawn(move || writer.write_all(b"hello"));
///     let mut text = String::new();
///     reader.read_to_string(&mut text).unwrap();
///     assert_eq!(text, "hello");
/// }));
/// ```
///
/// [`std::io::pipe`]: https://doc.rust-lang.org/std/io/fn.pipe.html
#[track_caller]
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    hub::check_runtime("opening a pipe");
    let (sender, receiver) = tokio::net::unix::pipe::pipe()?;
    Ok((PipeReader { socket: Socket::new(receiver) }, PipeWriter { socket: Socket::new(sender) }))
}

/// The end of a [`pipe`] to read from.
///
/// Waiting suspends only the green thread. It panics, yields, is killed and fails as
/// [`TcpStream`](crate::green::net::TcpStream) does.
///
/// It converts into a [`Stdio`], for a child process. If a clone is kept, the process's end stays
/// non-blocking: it reads `WouldBlock` when the pipe is empty.
///
/// Corresponds to `std::io::PipeReader`.
///
/// # Differences
///
/// A clone is not a second descriptor: it costs nothing, and has the same number.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// use eventlet::green::io::pipe;
///
/// eventlet::run(eventlet::stackful(|| {
///     let (mut reader, writer) = pipe().unwrap();
///     drop(writer);
///     assert_eq!(reader.read(&mut [0; 9]).unwrap(), 0);
/// }));
/// ```
pub struct PipeReader {
    pub(in crate::green) socket: Rc<Socket<Receiver>>,
}

/// The end of a [`pipe`] to write to. The reader reads to its end once the last clone is dropped.
///
/// Waiting suspends only the green thread. It panics, yields, is killed and fails as
/// [`TcpStream`](crate::green::net::TcpStream) does.
///
/// It converts into a [`Stdio`], for a child process. If a clone is kept, the process's end stays
/// non-blocking: it gets `WouldBlock` when the pipe is full.
///
/// Corresponds to `std::io::PipeWriter`.
///
/// # Differences
///
/// A clone is not a second descriptor: it costs nothing, and has the same number.
///
/// # Examples
///
/// ```
/// use std::io::{ErrorKind, Write};
///
/// use eventlet::green::io::pipe;
///
/// eventlet::run(eventlet::stackful(|| {
///     let (reader, mut writer) = pipe().unwrap();
///     drop(reader);
///     assert_eq!(writer.write(b"hello").unwrap_err().kind(), ErrorKind::BrokenPipe);
/// }));
/// ```
pub struct PipeWriter {
    pub(in crate::green) socket: Rc<Socket<Sender>>,
}

impl PipeReader {
    /// Makes a second handle of this end.
    ///
    /// Corresponds to `std::io::PipeReader::try_clone`.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// use eventlet::green::io::pipe;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (reader, mut writer) = pipe().unwrap();
    ///     let mut clone = reader.try_clone().unwrap();
    ///     drop(reader);
    ///     writer.write_all(b"hello").unwrap();
    ///     assert_eq!(clone.read(&mut [0; 9]).unwrap(), 5);
    /// }));
    /// ```
    pub fn try_clone(&self) -> io::Result<PipeReader> {
        Ok(PipeReader { socket: Rc::clone(&self.socket) })
    }

    pub(in crate::green) fn into_fd(self) -> io::Result<OwnedFd> {
        match Rc::try_unwrap(self.socket) {
            Ok(socket) => socket.io.into_blocking_fd(),
            Err(shared) => dup(&shared.io),
        }
    }
}

impl PipeWriter {
    /// Makes a second handle of this end.
    ///
    /// Corresponds to `std::io::PipeWriter::try_clone`.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// use eventlet::green::io::pipe;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (mut reader, writer) = pipe().unwrap();
    ///     let mut clone = writer.try_clone().unwrap();
    ///     drop(writer);
    ///     clone.write_all(b"hello").unwrap();
    ///     assert_eq!(reader.read(&mut [0; 9]).unwrap(), 5);
    /// }));
    /// ```
    pub fn try_clone(&self) -> io::Result<PipeWriter> {
        Ok(PipeWriter { socket: Rc::clone(&self.socket) })
    }

    pub(in crate::green) fn into_fd(self) -> io::Result<OwnedFd> {
        match Rc::try_unwrap(self.socket) {
            Ok(socket) => socket.io.into_blocking_fd(),
            Err(shared) => dup(&shared.io),
        }
    }
}

bytes::reads!(PipeReader);
bytes::writes!(PipeWriter);

/// The parts of the two ends that do not read or write.
macro_rules! end {
    ($end:ident, $tokio:ident) => {
        /// Takes over an end, and makes it non-blocking, also for other holders of it.
        ///
        /// # Errors
        ///
        /// If it is not such an end of a pipe.
        ///
        /// # Panics
        ///
        /// Outside a Tokio runtime.
        impl TryFrom<OwnedFd> for $end {
            type Error = io::Error;

            #[track_caller]
            fn try_from(fd: OwnedFd) -> io::Result<$end> {
                hub::check_runtime("taking over a pipe");
                Ok($end { socket: Socket::new($tokio::from_owned_fd(fd)?) })
            }
        }

        /// Converts into a blocking descriptor, for an OS thread for example.
        ///
        /// If it has clones, this is a second descriptor, which stays non-blocking: it fails with
        /// `WouldBlock` when it would have to wait.
        ///
        /// # Errors
        ///
        /// Those of the operating system.
        impl TryFrom<$end> for OwnedFd {
            type Error = io::Error;

            fn try_from(end: $end) -> io::Result<OwnedFd> {
                end.into_fd()
            }
        }

        /// Gives the end to a process.
        ///
        /// # Panics
        ///
        /// If it has clones and the operating system refuses another descriptor.
        impl From<$end> for Stdio {
            fn from(end: $end) -> Stdio {
                match end.into_fd() {
                    Ok(fd) => fd.into(),
                    Err(error) => panic!("cannot give an end of a pipe to a process: {error}"),
                }
            }
        }

        impl fmt::Debug for $end {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.socket.io.fmt(f)
            }
        }

        socket::descriptor!($end);
    };
}

end!(PipeReader, Receiver);
end!(PipeWriter, Sender);
