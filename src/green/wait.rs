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
use crate::stackful::{Refused, try_block};
use crate::timeout::Timeout;
use crate::waiters::{Left, Place, Waiters};

/// What waiting gives while the green stack unwinds, for a panic or because its green thread
/// is ended. It is never a panic: it happens in destructors, where a panic would end the process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unwinding;

/// Waits for a future on this green stack.
///
/// # Panics
///
/// In the caller's line, where there is no green stack to wait on.
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

/// Waits for what cannot be done without.
///
/// # Panics
///
/// In the caller's line, where there is no green stack to wait on, and while it unwinds.
#[inline(always)]
#[track_caller]
pub(super) fn must_wait<F: Future>(future: F) -> F::Output {
    match wait(future) {
        Ok(output) => output,
        Err(unwinding) => panic!("{unwinding}: a destructor must do without it then"),
    }
}

/// Waits for I/O that cannot be asked for again without waiting.
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

/// One direction of a socket: who waits there, and how long.
///
/// Tokio remembers one waker for each direction of a socket. It is that of the green thread whose
/// turn it is; others stand in line, as any number of threads may read a socket of `std`.
pub(super) struct Direction {
    /// Whether somebody has the turn. Nobody stands in line while nobody has.
    taken: Cell<bool>,
    /// Made when somebody has to stand in it. Few sockets have two readers.
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

    /// Waits until `poll` is done, with nobody else being polled in this direction meanwhile.
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
        let mut waiter = InLine { direction: self, line, place: Place::default() };
        wait(poll_fn(|cx| match line.wait(&mut waiter.place, cx, || Err(())) {
            Poll::Pending => poll_limit(limit, cx),
            Poll::Ready(()) => Poll::Ready(Ok(())),
        }))
    }

    /// Lets the next in line have its turn.
    #[inline]
    fn pass_on(&self) {
        match self.line.get().map(|line| line.choose(())) {
            Some(Ok(((), wakeup))) => wakeup.wake(),
            _ => self.taken.set(false),
        }
    }
}

/// Until when somebody waits. In a box, as few have one, and a green stack is the shallower for it.
type Limit = Option<Box<(Timer, Duration)>>;

#[cold]
#[track_caller]
fn timer(duration: Duration) -> Box<(Timer, Duration)> {
    hub::check("a time limit");
    Box::new((Timer::after(duration), duration))
}

/// Asks the limit of a wait that is not over.
#[inline]
fn poll_limit<T>(limit: &mut Limit, cx: &Context<'_>) -> Poll<io::Result<T>> {
    if let Some((timer, duration)) = limit.as_deref_mut() {
        if timer.ends_wait(cx) {
            return Poll::Ready(Err(too_late(*duration)));
        }
    }
    Poll::Pending
}

/// Says that a limit has passed: with the kind that `std` has for it, and as an error that
/// [`is_timeout`](crate::is_timeout) knows.
#[cold]
fn too_late(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, Timeout::new(limit))
}

/// What is done once it is its turn. By hand, as the compiler's future for it costs three times as
/// much.
struct InTurn<'a, F> {
    _waiting: Waiting<'a>,
    limit: Limit,
    poll: F,
}

/// Nothing in it is pinned.
impl<F> Unpin for InTurn<'_, F> {}

impl<T, F: FnMut(&mut Context<'_>) -> Poll<io::Result<T>>> Future for InTurn<'_, F> {
    type Output = io::Result<T>;

    // In one frame with whoever waits: a green stack is the shallower for it, and each line of it
    // has to be fetched anew when its turn comes.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match (self.poll)(cx) {
            Poll::Pending => poll_limit(&mut self.limit, cx),
            done => done,
        }
    }
}

/// The turn of one who uses a direction of a socket.
struct Waiting<'a>(&'a Direction);

impl Drop for Waiting<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.pass_on();
    }
}

/// One who waits for its turn. Who goes away when it has got it passes it on.
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
