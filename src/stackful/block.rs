//! Waiting for futures and streams on a green stack.

use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use futures_core::Stream;

use super::frame::Frame;
use super::limit;

/// Waits for a future on a green stack: the `.await` of plain closures.
///
/// Every future has it, this crate's and everybody else's.
///
/// Corresponds to what every call does that waits in eventlet.
pub trait Block: IntoFuture {
    /// Waits for the future and returns its output. Other green threads run meanwhile.
    ///
    /// # Panics
    ///
    /// In the caller's line, when this code is not on a green stack, or is inside an async fn
    /// that is being polled there: there `.await` is the way to wait.
    ///
    /// While this green stack unwinds, because of a panic or because its green thread is
    /// ended, it cannot be put aside: a future that is ready gives its output, any other panics.
    ///
    /// # Yields
    ///
    /// Until the future is ready; not at all if it is.
    ///
    /// # Killed
    ///
    /// The stack is unwound from here: the future is dropped, then everything else on the stack.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Block, spawn, stackful};
    ///
    /// let sum = stackful(|| {
    ///     let one = spawn(async { 1 });
    ///     let two = async { 2 };
    ///     one.block().unwrap() + two.block()
    /// });
    /// assert_eq!(eventlet::run(sum), 3);
    /// ```
    #[inline]
    #[track_caller]
    fn block(self) -> Self::Output
    where
        Self: Sized,
    {
        match try_block(self) {
            Ok(output) => output,
            Err(Refused::NoStack) => panic!(
                "`.block()` needs a green stack, and this code is on none or inside an async fn: \
                 wait with `.await`, or run the closure with `spawn(stackful(closure))`"
            ),
            Err(Refused::Unwinding) => panic!(
                "`.block()` cannot wait while its green stack unwinds: a destructor that waits \
                 must do without when `std::thread::panicking()`"
            ),
        }
    }
}

impl<F: IntoFuture> Block for F {}

/// Why a future cannot be waited for here.
#[derive(Debug)]
pub(crate) enum Refused {
    /// This code is not on a green stack, or is inside a poll.
    NoStack,
    /// The green stack is being unwound, and the future was not ready.
    Unwinding,
}

/// Waits for a future, where that is possible.
#[inline]
pub(crate) fn try_block<F: IntoFuture>(future: F) -> Result<F::Output, Refused> {
    Frame::with_current(|frame| {
        let frame = frame.ok_or(Refused::NoStack)?;
        let mut future = pin!(future.into_future());
        loop {
            match frame.poll(future.as_mut()) {
                Poll::Ready(output) => return Ok(output),
                // The hub would run others with this OS thread counted as panicking, and a panic of
                // one of them would abort the process.
                Poll::Pending if std::thread::panicking() => return Err(Refused::Unwinding),
                Poll::Pending => {
                    limit::check(frame);
                    frame.suspend();
                }
            }
        }
    })
}

/// Goes through a stream on a green stack.
///
/// Every stream has it, this crate's and everybody else's.
pub trait Blocking: Stream {
    /// Makes an iterator that waits for each item with [`Block::block`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Blocking, stackful};
    /// use futures::stream;
    ///
    /// let sum = stackful(|| stream::iter([1, 2, 3]).blocking().sum::<i32>());
    /// assert_eq!(eventlet::run(sum), 6);
    /// ```
    fn blocking(self) -> BlockingIter<Self>
    where
        Self: Sized,
    {
        BlockingIter { stream: Box::pin(self) }
    }
}

impl<S: Stream> Blocking for S {}

/// The iterator of [`Blocking::blocking`].
///
/// `next` panics, yields and is killed as [`Block::block`] is. An item that was not handed out stays in
/// the stream.
#[must_use = "iterators do nothing unless they are asked"]
pub struct BlockingIter<S> {
    stream: Pin<Box<S>>,
}

impl<S: Stream> Iterator for BlockingIter<S> {
    type Item = S::Item;

    #[track_caller]
    fn next(&mut self) -> Option<S::Item> {
        poll_fn(|cx| self.stream.as_mut().poll_next(cx)).block()
    }
}

impl<S> fmt::Debug for BlockingIter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingIter").finish_non_exhaustive()
    }
}
