//! Ctrl-C and SIGTERM, as Python programs know them.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::greenthread::Greenlet;
use crate::hub;

/// A request to end the program: Ctrl-C or SIGTERM.
///
/// It is what [`interrupted`] returns, and the error that ends the main green thread after
/// [`Builder::keyboard_interrupt`](super::Builder::keyboard_interrupt).
///
/// Corresponds to Python's `KeyboardInterrupt`.
///
/// # Differences
///
/// Python raises it for Ctrl-C only, and ends at once for SIGTERM, which is what service managers
/// send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyboardInterrupt {
    name: &'static str,
    number: u8,
}

impl KeyboardInterrupt {
    /// Ctrl-C.
    pub const SIGINT: KeyboardInterrupt = KeyboardInterrupt { name: "SIGINT", number: 2 };

    /// The request of a service manager.
    pub const SIGTERM: KeyboardInterrupt = KeyboardInterrupt { name: "SIGTERM", number: 15 };

    /// Returns the exit code of a program that ends by it, as shells count: 128 plus the number of
    /// the signal.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::runtime::KeyboardInterrupt::SIGINT.exit_code(), 130);
    /// ```
    pub fn exit_code(self) -> u8 {
        128 + self.number
    }

    /// Returns the interrupt inside an error of [`Builder::run`](super::Builder::run), if that is
    /// what it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    ///
    /// use eventlet::runtime::KeyboardInterrupt;
    ///
    /// let error = io::Error::from(KeyboardInterrupt::SIGTERM);
    /// assert_eq!(KeyboardInterrupt::from_error(&error), Some(KeyboardInterrupt::SIGTERM));
    /// ```
    pub fn from_error(error: &io::Error) -> Option<KeyboardInterrupt> {
        error.get_ref()?.downcast_ref().copied()
    }

    /// Returns the interrupt that ended a green thread, if one did.
    pub(super) fn of(exit: &Exit) -> Option<KeyboardInterrupt> {
        exit.downcast_ref().copied()
    }
}

impl fmt::Display for KeyboardInterrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Error for KeyboardInterrupt {}

/// The kind is [`Interrupted`](io::ErrorKind::Interrupted).
impl From<KeyboardInterrupt> for io::Error {
    fn from(interrupt: KeyboardInterrupt) -> io::Error {
        io::Error::new(io::ErrorKind::Interrupted, interrupt)
    }
}

/// Waits until the program is asked to end, by Ctrl-C or SIGTERM.
///
/// From this call on, neither signal ends the process by itself any more. Every waiter gets each
/// signal.
///
/// # Yields
///
/// Until a signal arrives.
///
/// # Killed
///
/// Nothing is lost. A signal that arrives between two calls is not kept for the second.
///
/// # Panics
///
/// Outside a Tokio runtime.
///
/// # Errors
///
/// If the system refuses to install the signal handlers.
///
/// # Examples
///
/// A server that closes its listener, and gives its handlers half a minute:
///
/// ```no_run
/// use std::time::Duration;
///
/// use eventlet::{interrupted, listen, run, serve, spawn};
/// use tokio::net::TcpStream;
///
/// async fn handle(_client: TcpStream) {}
///
/// run(async {
///     let listener = listen("127.0.0.1:6000").await.unwrap();
///     let server = spawn(serve(listener, |client, _| handle(client), 1000));
///     println!("{}: closing", interrupted().await.unwrap());
///     server.kill();
/// });
/// ```
#[track_caller]
pub fn interrupted() -> impl Future<Output = io::Result<KeyboardInterrupt>> {
    hub::check_runtime("waiting for a signal");
    let signals = Signals::listen();
    async move { Ok(signals?.next().await) }
}

/// The signals that ask a program to end.
pub(super) struct Signals {
    int: Signal,
    term: Signal,
}

impl Signals {
    #[track_caller]
    pub(super) fn listen() -> io::Result<Signals> {
        let (int, term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Signals { int, term })
    }

    async fn next(&mut self) -> KeyboardInterrupt {
        poll_fn(|cx| match (self.int.poll_recv(cx), self.term.poll_recv(cx)) {
            (Poll::Ready(_), _) => Poll::Ready(KeyboardInterrupt::SIGINT),
            (_, Poll::Ready(_)) => Poll::Ready(KeyboardInterrupt::SIGTERM),
            _ => Poll::Pending,
        })
        .await
    }

    /// Throws each interrupt into the main green thread, in a Tokio task: so the hub has only the
    /// program's green threads.
    pub(super) fn throw_into(mut self, main: Greenlet) {
        tokio::task::spawn_local(async move {
            loop {
                main.throw(self.next().await);
            }
        });
    }
}
