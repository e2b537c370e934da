//! An iterator that waits, as a stream.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::block::Block;
use super::coroutine::stackful;

/// Makes a stream of an iterator that waits with [`.block()`](Block::block).
///
/// The iterator gets a stack of its own, as the closure of [`stackful`] does, and is asked for an
/// item when the stream is. It is the inverse of [`Blocking::blocking`](super::Blocking::blocking):
/// with it [`GreenPool::imap_stream`](crate::GreenPool::imap_stream), which takes a stream, takes
/// the lines of a `green::fs::File`.
///
/// # Panics
///
/// A panic of the iterator reaches the caller that polls the stream.
///
/// # Killed
///
/// Dropping the stream unwinds the iterator's stack.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use eventlet::{Block, GreenPool, sleep, stackful};
///
/// eventlet::run(stackful(|| {
///     let slowly = (1..=3).inspect(|_| sleep(Duration::from_millis(1)).block());
///     let doubled = GreenPool::new(2).imap_stream(|n| async move { n * 2 }, stackful::stream(slowly));
///     let doubled: Result<Vec<i32>, _> = doubled.collect().block();
///     assert_eq!(doubled.unwrap(), [2, 4, 6]);
/// }));
/// ```
#[track_caller]
pub fn stream<I>(items: I) -> impl Stream<Item = I::Item> + Unpin + use<I>
where
    I: IntoIterator<Item: 'static> + 'static,
{
    let given = Rc::new(Cell::new(None));
    let giver = stackful({
        let given = Rc::clone(&given);
        move || {
            for item in items {
                given.set(Some(item));
                poll_fn(|_| taken(&given)).block();
            }
        }
    });
    Given { giver: Some(Box::pin(giver)), given }
}

/// Returns whether an item was taken. That needs no wakeup: the taker polls its giver next.
fn taken<T>(given: &Cell<Option<T>>) -> Poll<()> {
    let item = given.take();
    let polled = if item.is_none() { Poll::Ready(()) } else { Poll::Pending };
    given.set(item);
    polled
}

struct Given<T> {
    /// Runs the iterator. `None` when that has ended.
    giver: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// The item that it gives, during a poll.
    given: Rc<Cell<Option<T>>>,
}

impl<T> Stream for Given<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // Taken out for the poll, so an iterator that panics has ended.
        let Some(mut giver) = self.giver.take() else { return Poll::Ready(None) };
        if giver.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.giver = Some(giver);
        self.given.take().map_or(Poll::Pending, |item| Poll::Ready(Some(item)))
    }
}
