//! Time limits.
//!
//! A limit is a scope: it bounds one future, or the time that a guard lives, or, on a green stack,
//! one call of a plain function. It cannot fire outside its scope, before or after, and dropping
//! the future loses nothing: an item or permit that was granted to it goes to the next waiter.
//!
//! Limits nest. Of several that have passed the earliest takes effect, and of equal ones the
//! outermost.
//!
//! Corresponds to `eventlet.timeout`.
//!
//! # Not here
//!
//! `wrap_is_timeout`: implement `From<Timeout>` for an error type of your own, or give it a
//! [`Timeout`] as its [`source`](std::error::Error::source), which [`is_timeout`] finds.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::awaitable::Awaitable;
use crate::exit::{BoxError, Exit};
use crate::greenthread::getcurrent;
use crate::hub::{self, Key, Timer, Within};

/// A time limit, and the error that says that it has passed.
///
/// The error of a limit is equal only to that limit, so nested limits can be told apart.
///
/// | eventlet | here |
/// |---|---|
/// | `with Timeout(d): body` | `Timeout::new(d).run(body).await`, or on a green stack `run_blocking` |
/// | `Timeout(d, exception)` | `.run(body).await.map_err(\|_\| exception)`, or [`arm_with`](Timeout::arm_with) |
/// | `with Timeout(d, False): body` | `Timeout::new(d).run(body).await.ok()` |
/// | `Timeout(None)` | `Timeout::new(None)` |
/// | `t = Timeout(d); ...; t.cancel()` | `let t = Timeout::start(d); ...; drop(t)` |
///
/// Corresponds to `eventlet.Timeout`.
///
/// # Differences
///
/// In eventlet a timeout that is not cancelled fires later, in unrelated code of its green thread.
/// Its exception can be caught and ignored; a limit here drops the future that it bounds.
///
/// # Examples
///
/// ```
/// use eventlet::Timeout;
/// use std::future::pending;
/// use std::time::Duration;
///
/// eventlet::run(async {
///     let limit = Timeout::new(Duration::from_millis(1));
///     assert_eq!(limit.run(pending::<()>()).await, Err(limit));
///     assert_eq!(limit.run(async { "in time" }).await, Ok("in time"));
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a limit bounds nothing until a future is run with it"]
pub struct Timeout {
    /// Distinguishes it from all others.
    id: u64,
    limit: Option<Duration>,
}

impl Timeout {
    /// Makes a limit. `None` is one that never passes.
    ///
    /// The clock starts when a future is run with it, and again for the next one.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Timeout;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Timeout::new(Duration::from_secs(5)).limit(), Some(Duration::from_secs(5)));
    /// assert_eq!(Timeout::new(None).limit(), None);
    /// ```
    #[inline]
    pub fn new(limit: impl Into<Option<Duration>>) -> Timeout {
        Timeout { id: next_id(), limit: limit.into() }
    }

    /// Returns how long it allows; `None` forever.
    ///
    /// Corresponds to eventlet's `Timeout.seconds`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::Timeout::new(None).limit(), None);
    /// ```
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Waits for a future, no longer than the limit.
    ///
    /// The clock starts in the first poll, when the future first starts a timer or a limit, and at
    /// the latest when that poll returns pending: for a future that is ready at once the clock is
    /// not read. With a limit of zero the future gets one poll.
    ///
    /// Corresponds to eventlet's `with Timeout(seconds):`.
    ///
    /// # Panics
    ///
    /// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
    ///
    /// # Yields
    ///
    /// Where the future does.
    ///
    /// # Killed
    ///
    /// The future is dropped, and the limit with it.
    ///
    /// # Errors
    ///
    /// This limit, if it passed first. The future has been dropped then.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Queue, Timeout};
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let queue = Queue::new(None);
    /// let limit = Timeout::new(Duration::from_millis(1));
    /// assert_eq!(limit.run(queue.get()).await, Err(limit));
    /// queue.put("late").await;
    /// assert_eq!(limit.run(queue.get()).await, Ok("late"));
    /// # });
    /// ```
    #[inline]
    #[track_caller]
    #[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
    pub fn run<F: Awaitable<T>, T>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<T, Timeout>> + use<F, T> {
        Run { within: hub::within(self.limit, future.into_future()), timeout: *self }
    }

    /// Starts a limit for the running green thread: shorthand for [`new`](Timeout::new) and
    /// [`arm`](Timeout::arm).
    ///
    /// Corresponds to eventlet's `t = Timeout(seconds)` without `with`.
    ///
    /// # Panics
    ///
    /// Outside green threads.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Killed
    ///
    /// The limit is dropped with the green thread, as the guard is.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Timeout, spawn};
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let slow = spawn(async {
    ///     let _limit = Timeout::start(Duration::from_millis(1));
    ///     pending::<()>().await;
    /// });
    /// assert!(slow.await.unwrap_err().is_timeout());
    /// # });
    /// ```
    #[track_caller]
    pub fn start(limit: impl Into<Option<Duration>>) -> Armed {
        Timeout::new(limit).arm()
    }

    /// Ends the running green thread when the limit passes, unless the guard is dropped first.
    ///
    /// Waiters of the green thread get an [`Exit`] whose error is this `Timeout`. The guard bounds
    /// everything that the green thread does while it lives.
    ///
    /// # Panics
    ///
    /// Outside green threads.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Timeout, spawn};
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let quick = spawn(async {
    ///     let limit = Timeout::new(Duration::from_secs(60)).arm();
    ///     eventlet::sleep(Duration::ZERO).await;
    ///     drop(limit);
    ///     "done"
    /// });
    /// assert_eq!(quick.await.unwrap(), "done");
    /// # });
    /// ```
    #[track_caller]
    pub fn arm(&self) -> Armed {
        let timeout = *self;
        self.armed(|timer, victim| timer.end_then(victim, move || Exit::thrown(timeout.into())))
    }

    /// Ends the running green thread with an error of its own when the limit passes, unless the
    /// guard is dropped first.
    ///
    /// Corresponds to eventlet's `Timeout(seconds, exception)`.
    ///
    /// # Panics
    ///
    /// Outside green threads.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Timeout, spawn};
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let slow = spawn(async {
    ///     let _limit = Timeout::new(Duration::from_millis(1)).arm_with("the kettle is cold");
    ///     pending::<()>().await;
    /// });
    /// assert_eq!(slow.await.unwrap_err().error().unwrap().to_string(), "the kettle is cold");
    /// # });
    /// ```
    #[track_caller]
    pub fn arm_with(&self, error: impl Into<BoxError>) -> Armed {
        self.armed(|timer, victim| {
            // At once, as it may borrow.
            let error = error.into();
            timer.end_then(victim, move || Exit::thrown(error))
        })
    }

    #[track_caller]
    fn armed(&self, set: impl FnOnce(Timer, Key) -> Timer) -> Armed {
        let victim = getcurrent().key();
        let timer = self.limit.map(Timer::after);
        Armed { _timer: timer.map(|timer| set(timer, victim)) }
    }
}

/// Returns a number that no other limit of this process has.
#[inline]
fn next_id() -> u64 {
    /// Numbers are assigned to OS threads in blocks: an atomic operation for each limit would be a
    /// good part of its cost.
    const BLOCK: u64 = 1 << 16;
    static NEXT_BLOCK: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NEXT: Cell<u64> = const { Cell::new(0) };
    }
    let mut id = NEXT.get();
    if id % BLOCK == 0 {
        id = NEXT_BLOCK.fetch_add(BLOCK, Ordering::Relaxed);
    }
    NEXT.set(id + 1);
    id
}

pin_project! {
    /// The future of [`Timeout::run`] and [`with_timeout`].
    struct Run<F> {
        #[pin]
        within: Within<F>,
        timeout: Timeout,
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Timeout>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<F::Output, Timeout>> {
        let this = self.project();
        this.within.poll(cx).map(|output| output.ok_or(*this.timeout))
    }
}

/// A limit of a green thread. Dropping it removes the limit.
///
/// Corresponds to a `Timeout` of eventlet that is pending.
#[must_use = "dropping it removes the limit"]
pub struct Armed {
    /// `None` for a limit that never passes.
    _timer: Option<Timer>,
}

impl fmt::Debug for Armed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Armed").finish_non_exhaustive()
    }
}

/// Displays `1 second`, or another duration, as eventlet does.
impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            None => f.write_str("timed out"),
            Some(limit) => write!(f, "timed out after {limit:?}"),
        }
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timeout").field(&self.limit).finish()
    }
}

impl Error for Timeout {}

/// Makes an error of kind [`TimedOut`](io::ErrorKind::TimedOut), for functions that return
/// [`io::Result`].
///
/// # Examples
///
/// ```
/// use eventlet::{Timeout, is_timeout};
/// use std::io;
///
/// let error = io::Error::from(Timeout::new(None));
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// assert!(is_timeout(&error));
/// ```
impl From<Timeout> for io::Error {
    fn from(timeout: Timeout) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, timeout)
    }
}

/// Makes an error around it, for functions that return [`io::Result`].
///
/// Its kind is [`TimedOut`](io::ErrorKind::TimedOut) if a time limit ended the green thread, that
/// of the error if an `io::Error` did, and otherwise [`Other`](io::ErrorKind::Other).
///
/// # Examples
///
/// ```
/// use std::io;
///
/// async fn length(page: &'static str) -> io::Result<usize> {
///     let gt = eventlet::spawn(async move { page.len() });
///     Ok(gt.await?)
/// }
///
/// assert_eq!(eventlet::run(length("hello")).unwrap(), 5);
/// ```
impl From<Exit> for io::Error {
    fn from(exit: Exit) -> io::Error {
        let kind = match exit.downcast_ref::<io::Error>() {
            _ if exit.is_timeout() => io::ErrorKind::TimedOut,
            Some(error) => error.kind(),
            None => io::ErrorKind::Other,
        };
        io::Error::new(kind, exit)
    }
}

impl Exit {
    /// Returns whether the green thread was ended by a time limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Timeout;
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let slow = eventlet::spawn(async {
    ///     let _limit = Timeout::start(Duration::from_millis(1));
    ///     pending::<()>().await;
    /// });
    /// assert!(slow.await.unwrap_err().is_timeout());
    /// # });
    /// ```
    pub fn is_timeout(&self) -> bool {
        self.error().is_some_and(|error| is_timeout(error))
    }
}

/// Waits for a future, no longer than `limit`: shorthand for [`Timeout::new`] and [`Timeout::run`].
///
/// `unwrap_or` corresponds to eventlet's `timeout_value`. A limit around this one is not mistaken
/// for it.
///
/// Corresponds to `eventlet.with_timeout`.
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Where the future does.
///
/// # Killed
///
/// The future is dropped, and the limit with it.
///
/// # Errors
///
/// The limit, if it passed first. The future has been dropped then.
///
/// # Examples
///
/// ```
/// use eventlet::{sleep, with_timeout};
/// use std::time::Duration;
///
/// # eventlet::run(async {
/// let slow = async {
///     sleep(Duration::from_secs(60)).await;
///     "done"
/// };
/// assert_eq!(with_timeout(Duration::from_millis(1), slow).await.unwrap_or("gave up"), "gave up");
/// # });
/// ```
#[inline]
#[track_caller]
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
#[doc(alias = "timeout")]
pub fn with_timeout<F: Awaitable<T>, T, L: Into<Option<Duration>>>(
    limit: L,
    future: F,
) -> impl Future<Output = Result<T, Timeout>> + use<F, T, L> {
    Timeout::new(limit).run(future)
}

/// Returns whether an error says that some time limit has passed.
///
/// That is a [`Timeout`], Tokio's [`Elapsed`](tokio::time::error::Elapsed), an [`io::Error`] of
/// kind [`TimedOut`](io::ErrorKind::TimedOut) or of a socket of `green` whose time was up, a
/// channel's [`RecvTimeoutError`], an [`Exit`] by one of them, or an error that has one of them
/// inside or as its source.
///
/// Corresponds to `eventlet.is_timeout`.
///
/// # Examples
///
/// ```
/// use eventlet::{Timeout, is_timeout};
/// use std::io;
///
/// assert!(is_timeout(&Timeout::new(None)));
/// assert!(is_timeout(&io::Error::from(io::ErrorKind::TimedOut)));
/// assert!(!is_timeout(&io::Error::from(io::ErrorKind::NotFound)));
/// ```
pub fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref().is_some_and(is_io_timeout)
            || error.downcast_ref() == Some(&RecvTimeoutError::Timeout)
            || error.is::<Timeout>()
            || error.is::<tokio::time::error::Elapsed>()
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The source of an `io::Error` skips the error inside it.
fn is_io_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
        || error.get_ref().is_some_and(|inner| is_timeout(inner))
}
