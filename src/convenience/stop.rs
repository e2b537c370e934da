//! How a handler ends its server.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::exit::BoxError;

/// The error with which a handler ends the server that called it.
///
/// The server stops accepting, waits for its other handlers, and returns `Ok` or the error in this.
/// If several handlers ask, the first counts.
///
/// A handler that returns `io::Result` converts it, with `?` or `.into()`.
///
/// Corresponds to `eventlet.StopServe`.
///
/// # Differences
///
/// In eventlet the exception carries no error, the server does not wait for its other handlers, and
/// the listening socket stays open.
///
/// # Examples
///
/// ```
/// use eventlet::{StopServe, connect, listen, serve, spawn};
///
/// # eventlet::run(async {
/// let listener = listen("127.0.0.1:0").await.unwrap();
/// let addr = listener.local_addr().unwrap();
/// let handler = |_conn, _addr| async { Err::<(), _>(StopServe::with("out of paper")) };
/// let server = spawn(serve(listener, handler, 10));
///
/// connect(addr).await.unwrap();
/// assert_eq!(server.await.unwrap().unwrap_err().to_string(), "out of paper");
/// # });
/// ```
#[derive(Debug, Default)]
pub struct StopServe {
    error: Option<BoxError>,
}

impl StopServe {
    /// Ends the server without an error.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::StopServe::new().to_string(), "the server was told to stop");
    /// ```
    pub fn new() -> StopServe {
        StopServe::default()
    }

    /// Ends the server with an error, which `serve` returns.
    ///
    /// # Examples
    ///
    /// ```
    /// let stop = eventlet::StopServe::with("out of paper");
    /// assert_eq!(stop.to_string(), "the server was told to stop: out of paper");
    /// ```
    pub fn with(error: impl Into<BoxError>) -> StopServe {
        StopServe { error: Some(error.into()) }
    }

    /// Finds a `StopServe` in a handler's error, or returns the error.
    pub(super) fn find(error: BoxError) -> Result<StopServe, BoxError> {
        let error = match error.downcast::<StopServe>() {
            Ok(stop) => return Ok(*stop),
            Err(error) => error,
        };
        let wrapped = error.downcast::<io::Error>()?;
        Ok(wrapped.downcast::<StopServe>()?)
    }

    fn into_result(self) -> io::Result<()> {
        self.error.map_or(Ok(()), |error| Err(into_io_error(error)))
    }
}

impl fmt::Display for StopServe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server was told to stop")?;
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl Error for StopServe {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.error {
            Some(error) => Some(&**error),
            None => None,
        }
    }
}

impl From<StopServe> for io::Error {
    fn from(stop: StopServe) -> io::Error {
        io::Error::other(stop)
    }
}

/// Converts to an `io::Error`, which `?` takes in any `main`.
pub(super) fn into_io_error(error: BoxError) -> io::Error {
    error.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error)
}

/// Where handlers ask their server to stop.
#[derive(Default)]
pub(super) struct Notice {
    stop: Cell<Option<StopServe>>,
    stopping: CancellationToken,
    /// The handlers that have not ended.
    handlers: TaskTracker,
}

/// One of the handlers, until it is dropped.
pub(super) struct Serving {
    notice: Rc<Notice>,
    _counted: TaskTrackerToken,
}

impl Serving {
    pub(super) fn begin(notice: &Rc<Notice>) -> Serving {
        Serving { notice: Rc::clone(notice), _counted: notice.handlers.token() }
    }

    pub(super) fn notice(&self) -> &Notice {
        &self.notice
    }
}

impl Notice {
    /// Asks the server to stop. The first request counts.
    pub(super) fn stop(&self, stop: StopServe) {
        if !self.stopping.is_cancelled() {
            self.stop.set(Some(stop));
            self.stopping.cancel();
        }
    }

    /// Waits for a future unless the server is to stop, which takes precedence.
    pub(super) async fn unless_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
        match select(pin!(self.stopping.cancelled()), pin!(future)).await {
            Either::Left(_) => None,
            Either::Right((output, _)) => Some(output),
        }
    }

    /// Waits until no handler is left, and returns the result of the server.
    pub(super) async fn result(&self) -> io::Result<()> {
        self.handlers.close();
        self.handlers.wait().await;
        self.stop.take().unwrap_or_default().into_result()
    }
}
