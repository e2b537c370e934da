//! Standard output and standard error.

use std::fmt;
use std::io::{self, Write};

use super::super::blocking::blocking;
use super::turnstile::{Inside, Turnstile};

/// Returns a handle of the standard output of this process.
///
/// Corresponds to [`std::io::stdout`].
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use eventlet::green::io;
///
/// eventlet::run(eventlet::stackful(|| {
///     writeln!(io::stdout(), "hello").unwrap();
/// }));
/// ```
pub fn stdout() -> Stdout {
    Stdout { _private: () }
}

/// Returns a handle of the standard error of this process.
///
/// Corresponds to [`std::io::stderr`].
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use eventlet::green::io;
///
/// eventlet::run(eventlet::stackful(|| {
///     writeln!(io::stderr(), "oops").unwrap();
/// }));
/// ```
pub fn stderr() -> Stderr {
    Stderr { _private: () }
}

/// A handle of the standard output of this process.
///
/// Output goes through `std`'s own buffer, and so stays in order with `println!`, which itself
/// blocks the hub while the terminal or the pipe has no room.
///
/// Corresponds to [`std::io::Stdout`].
///
/// # Panics
///
/// If there is no green stack to wait on.
///
/// # Yields
///
/// Always, until it is written. While the green stack unwinds, in destructors, it cannot be
/// suspended, and the write blocks the OS thread.
///
/// # Killed
///
/// A write that has not begun is not made. One that has begun is completed.
pub struct Stdout {
    _private: (),
}

/// Exclusive use of the standard output: what [`Stdout::lock`] returns.
///
/// Corresponds to [`std::io::StdoutLock`].
pub struct StdoutLock<'a> {
    _inside: Inside<'a>,
}

/// A handle of the standard error of this process.
///
/// It panics, yields and is killed as [`Stdout`] does, and buffers nothing.
///
/// Corresponds to [`std::io::Stderr`].
pub struct Stderr {
    _private: (),
}

/// Exclusive use of the standard error: what [`Stderr::lock`] returns.
///
/// Corresponds to [`std::io::StderrLock`].
pub struct StderrLock<'a> {
    _inside: Inside<'a>,
}

macro_rules! output {
    ($handle:ident, $lock:ident, $turnstile:ident, $std:path) => {
        static $turnstile: Turnstile = Turnstile::new();

        impl $handle {
            /// Waits until no other green thread writes, and excludes them until the guard is
            /// dropped. It is re-entrant.
            ///
            /// While the green stack unwinds it does not wait, and excludes no one.
            #[track_caller]
            pub fn lock(&self) -> $lock<'static> {
                $lock { _inside: $turnstile.enter() }
            }

            /// Returns whether it is a terminal. In `std` this is [`IsTerminal`](io::IsTerminal),
            /// which is sealed.
            pub fn is_terminal(&self) -> bool {
                io::IsTerminal::is_terminal(&$std())
            }
        }

        impl Write for $lock<'_> {
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.write_all(buf)?;
                Ok(buf.len())
            }

            #[track_caller]
            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                let bytes = buf.to_owned();
                blocking(move || $std().write_all(&bytes))
            }

            /// Formats into one buffer first: each piece would be a round trip to another OS
            /// thread.
            #[track_caller]
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                let mut piece = String::new();
                fmt::Write::write_fmt(&mut piece, text).map_err(io::Error::other)?;
                self.write_all(piece.as_bytes())
            }

            #[track_caller]
            fn flush(&mut self) -> io::Result<()> {
                blocking(|| $std().flush())
            }
        }

        output!(@ $handle);
        output!(@ &$handle);

        impl fmt::Debug for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle)).finish_non_exhaustive()
            }
        }

        impl fmt::Debug for $lock<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($lock)).finish_non_exhaustive()
            }
        }
    };
    (@ $handle:ty) => {
        impl Write for $handle {
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.lock().write(buf)
            }

            #[track_caller]
            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                self.lock().write_all(buf)
            }

            #[track_caller]
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                self.lock().write_fmt(text)
            }

            #[track_caller]
            fn flush(&mut self) -> io::Result<()> {
                self.lock().flush()
            }
        }
    };
}

output!(Stdout, StdoutLock, STDOUT, io::stdout);
output!(Stderr, StderrLock, STDERR, io::stderr);
