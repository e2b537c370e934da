//! How the green counterparts of `std` wait.

use std::cell::{Cell, OnceCell};
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::hub::{self, Timer};
use crate::probe::Point;
use crate::stackful::{Refused, try_block};
use crate::timeout::Timeout;
use crate::waiters::{Left, Place, Waiters};

/// The error of waiting while the green stack unwinds, for a panic or because its green thread is
/// ended. An error and not a panic, as a panic in a destructor would abort the process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unwinding;

/// Waits for a future on this green stack.
///
/// # Panics
///
/// At the caller's line, if there is no green stack to wait on.
#[inline(always)]
#[track_caller]
pub(super) fn wait<F: Future>(future: F) -> Result<F::Output, Unwinding> {
    match try_block(future) {
        Ok(output) => Ok(output),
        Err(Refused::Unwinding) => Err(Unwinding),
        Err(Refused::NoStack) => panic!(
            "`eventlet::green` waits on a green stack, and this code is on none or inside an async fn: \
             use Tokio's types and `.await` there, or run the closure with `spawn(stackful(closure))`"
        ),
    }
}

/// Waits for a future whose output is indispensable.
///
/// # Panics
///
/// At the caller's line, if there is no green stack to wait on, and while one unwinds.
#[inline(always)]
#[track_caller]
pub(super) fn must_wait<F: Future>(future: F) -> F::Output {
    match wait(future) {
        Ok(output) => output,
        Err(unwinding) => panic!("{unwinding}: a destructor must do without it then"),
    }
}

/// Waits for I/O that has no non-blocking form.
#[inline(always)]
#[track_caller]
pub(super) fn wait_io<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    wait(future).unwrap_or_else(|unwinding| Err(unwinding.into()))
}

impl fmt::Display for Unwinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this would have to wait, while its green stack unwinds")
    }
}

impl Error for Unwinding {}

impl From<Unwinding> for io::Error {
    fn from(unwinding: Unwinding) -> io::Error {
        io::Error::other(unwinding)
    }
}

/// One direction of a socket: its waiters and their time limit.
///
/// Tokio remembers one waker for each direction of a socket. It is that of the green thread that
/// holds the direction; others wait for it, as any number of threads may read a socket of `std`.
pub(super) struct Direction {
    /// Whether a green thread holds the direction. If none does, none waits for it.
    taken: Cell<bool>,
    /// Made for its first waiter. Few sockets have two readers.
    line: OnceCell<Box<Waiters<(), ()>>>,
    /// How long one operation may wait.
    limit: Cell<Option<Duration>>,
}

impl Direction {
    pub(super) fn new() -> Direction {
        Direction { taken: Cell::new(false), line: OnceCell::new(), limit: Cell::new(None) }
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit.get()
    }

    /// Limits how long each operation may wait. Zero is refused, as by `std`.
    pub(super) fn set_limit(&self, limit: Option<Duration>) -> io::Result<()> {
        if limit == Some(Duration::ZERO) {
            return Err(zero_limit());
        }
        self.limit.set(limit);
        Ok(())
    }

    /// Waits until `poll` is done, with exclusive use of this direction.
    #[inline(always)]
    #[track_caller]
    pub(super) fn wait<T>(
        &self,
        poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Result<io::Result<T>, Unwinding> {
        let mut limit = None;
        if let Some(duration) = self.limit.get() {
            limit = Some(timer(duration));
        }
        if self.taken.replace(true) {
            if let Err(too_late) = self.wait_in_line(&mut limit)? {
                return Ok(Err(too_late));
            }
        }
        wait(InTurn { _waiting: Waiting(self), limit, poll })
    }

    /// Waits for the turn.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn wait_in_line(&self, limit: &mut Limit) -> Result<io::Result<()>, Unwinding> {
        let line = self.line.get_or_init(|| Box::new(Waiters::new()));
        let turn = || Point::new("a turn to use a descriptor", "");
        let mut waiter = InLine { direction: self, line, place: Place::default() };
        wait(poll_fn(|cx| match line.wait(&mut waiter.place, cx, || Err(()), turn) {
            Poll::Pending => poll_limit(limit, cx),
            Poll::Ready(()) => Poll::Ready(Ok(())),
        }))
    }

    /// Passes the direction to the next waiter.
    #[inline]
    fn pass_on(&self) {
        match self.line.get().map(|line| line.choose(())) {
            Some(Ok(((), wakeup))) => wakeup.wake(),
            _ => self.taken.set(false),
        }
    }
}

/// The deadline of a wait. In a box, as few have one, and this keeps green stacks small.
type Limit = Option<Box<(Timer, Duration)>>;

#[cold]
#[track_caller]
fn timer(duration: Duration) -> Box<(Timer, Duration)> {
    hub::check("a time limit");
    Box::new((Timer::after(duration), duration))
}

/// Polls the limit of a pending wait.
#[inline]
fn poll_limit<T>(limit: &mut Limit, cx: &Context<'_>) -> Poll<io::Result<T>> {
    if let Some((timer, duration)) = limit.as_deref_mut() {
        if timer.ends_wait(cx) {
            return Poll::Ready(Err(too_late(*duration)));
        }
    }
    Poll::Pending
}

/// Makes the error of an expired limit: of the kind that `std` has for it, and recognised by
/// [`is_timeout`](crate::is_timeout).
#[cold]
fn too_late(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, Timeout::new(limit))
}

/// The operation that runs with the direction held. Hand-written, as the compiler's future for it
/// costs three times as much.
struct InTurn<'a, F> {
    _waiting: Waiting<'a>,
    limit: Limit,
    poll: F,
}

/// Nothing in it is pinned.
impl<F> Unpin for InTurn<'_, F> {}

impl<T, F: FnMut(&mut Context<'_>) -> Poll<io::Result<T>>> Future for InTurn<'_, F> {
    type Output = io::Result<T>;

    // Inlined into the waiter's frame: this keeps the green stack shallow, and each cache line of
    // it is a miss when the green thread resumes.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match (self.poll)(cx) {
            Poll::Pending => poll_limit(&mut self.limit, cx),
            done => done,
        }
    }
}

/// Holds a direction of a socket.
struct Waiting<'a>(&'a Direction);

impl Drop for Waiting<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.pass_on();
    }
}

/// A waiter for a direction. If it is dropped after it was granted the direction, it passes it on.
struct InLine<'a> {
    direction: &'a Direction,
    line: &'a Waiters<(), ()>,
    place: Place,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        if self.line.leave(&mut self.place) == Left::Grant(()) {
            self.direction.pass_on();
        }
    }
}

pub(super) fn zero_limit() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a time limit of zero would leave no time at all")
}
