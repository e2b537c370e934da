//! Waiting for futures and streams on a green stack.
#![allow(unsafe_code)]

use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use futures_core::Stream;

use super::checked;
use super::frame::Frame;
use super::limit;
use crate::hub;

/// Waits for a future on a green stack: the `.await` of plain closures.
///
/// Every future has it, from this crate or any other.
///
/// Corresponds to what every call does that waits in eventlet.
pub trait Block: IntoFuture {
    /// Waits for the future and returns its output. Other green threads run meanwhile.
    ///
    /// # Panics
    ///
    /// At the caller's line, if this code is not on a green stack, or is inside an async fn that is
    /// being polled there: use `.await` there.
    ///
    /// What the hub runs after a green thread has ended is not on a green stack: its links, the
    /// destructors of its locals, and those of a stackless future. If such code has to wait, spawn
    /// a green thread for it.
    ///
    /// While this green stack unwinds, because of a panic or because its green thread is ended, it
    /// cannot be suspended: a ready future returns its output, any other makes this panic. That
    /// panic aborts the process unless the destructor catches it. So a destructor that has to wait
    /// spawns a green thread to do it:
    ///
    /// ```
    /// use eventlet::{Block, Queue, spawn, stackful};
    ///
    /// struct GivesBack(Queue<&'static str>);
    ///
    /// impl Drop for GivesBack {
    ///     fn drop(&mut self) {
    ///         let queue = self.0.clone();
    ///         let give_back = async move { queue.put("connection").await };
    ///         if std::thread::panicking() { drop(spawn(give_back)) } else { give_back.block() }
    ///     }
    /// }
    ///
    /// eventlet::run(stackful(|| {
    ///     let queue = Queue::new(1);
    ///     queue.put("the only place").block();
    ///     let given = queue.clone();
    ///     let user = spawn(stackful(move || {
    ///         let _connection = GivesBack(given);
    ///         std::future::pending::<()>().block();
    ///     }));
    ///     eventlet::sleep(std::time::Duration::ZERO).block();
    ///     user.kill();
    ///     assert_eq!(queue.get().block(), "the only place");
    ///     assert_eq!(queue.get().block(), "connection");
    /// }));
    /// ```
    ///
    /// # Soundness
    ///
    /// Other code of this OS thread runs while this waits. The initializer of a
    /// [`std::thread_local!`] must not wait, nor may code that a library calls between setting a
    /// thread-local and restoring it (`scoped-tls`): both are sound only if nothing else runs
    /// meanwhile. Use `green::thread_local!` instead. See `docs/soundness.md`.
    ///
    /// # Yields
    ///
    /// Until the future is ready; not at all if it is ready at once.
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
    // Inlined up to the switch itself. A return that crosses the switch is mispredicted, because
    // the return-address predictor follows one stack only, and that costs more than the switch.
    #[inline(always)]
    #[track_caller]
    fn block(self) -> Self::Output
    where
        Self: Sized,
    {
        match try_block(self) {
            Ok(output) => output,
            Err(refused) => refused.panic(),
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

impl Refused {
    #[cold]
    #[track_caller]
    fn panic(self) -> ! {
        match self {
            Refused::NoStack if of_one_that_has_ended() => panic!(
                "`.block()` needs a green stack, and a destructor or a link of a green thread that has \
                 ended cannot wait: `spawn` what has to"
            ),
            Refused::NoStack => panic!(
                "`.block()` needs a green stack, and this code is on none or inside an async fn, a link or the \
                 input of a map: wait with `.await`, or run the closure with `spawn(stackful(closure))`; an input \
                 that waits is for `imap_stream(function, stackful::stream(input))`"
            ),
            Refused::Unwinding => panic!(
                "`.block()` cannot wait while its green stack unwinds: a destructor that has to wait \
                 `spawn`s that when `std::thread::panicking()`, or does without"
            ),
        }
    }
}

/// Returns whether this code belongs to a green thread that has ended, and whose remains the hub is
/// dropping.
fn of_one_that_has_ended() -> bool {
    hub::current().is_some_and(|hub| hub.current().is_some_and(|key| hub.dead(key)))
}

/// Waits for a future, if that is possible here.
#[inline(always)]
pub(crate) fn try_block<F: IntoFuture>(future: F) -> Result<F::Output, Refused> {
    // SAFETY: the frame is used in this function only.
    let frame = unsafe { Frame::current() }.ok_or(Refused::NoStack)?;
    wait(frame, future.into_future())
}

#[inline(always)]
fn wait<F: Future>(frame: &Frame, future: F) -> Result<F::Output, Refused> {
    let mut future = pin!(future);
    loop {
        match frame.poll(future.as_mut()) {
            Poll::Ready(output) => return Ok(output),
            // The hub would run other green threads while this OS thread counts as panicking, and a
            // panic in one of them would abort the process.
            Poll::Pending if std::thread::panicking() => return Err(Refused::Unwinding),
            Poll::Pending => {
                checked::check::<F>(frame);
                limit::check(frame);
                frame.suspend();
            }
        }
    }
}

/// Iterates over a stream on a green stack.
///
/// Every stream has it, from this crate or any other.
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
/// `next` panics, yields and is killed as [`Block::block`] is. An item that was not returned stays
/// in the stream.
#[must_use = "iterators do nothing unless consumed"]
pub struct BlockingIter<S> {
    stream: Pin<Box<S>>,
}

impl<S: Stream> Iterator for BlockingIter<S> {
    type Item = S::Item;

    #[track_caller]
    fn next(&mut self) -> Option<S::Item> {
        poll_fn(|cx| self.stream.as_mut().poll_next(cx)).block()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S> fmt::Debug for BlockingIter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingIter").finish_non_exhaustive()
    }
}
