//! A queue as a sink.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use super::light::LightQueue;
use crate::waiters::Place;

/// The panic message of a sink that is given an item too early.
pub(super) const NOT_READY: &str = "a sink is given an item when `poll_ready` says so";

/// The sink that [`LightQueue::sink`] returns.
///
/// It is in the wait queue while it has an item for which there is no room. Dropping it then drops
/// that item.
#[must_use = "sinks do nothing unless they are given something"]
pub struct Putter<T> {
    queue: LightQueue<T>,
    /// The item that found no room, until the sink joins the wait queue.
    item: Option<T>,
    place: Place,
}

impl<T> LightQueue<T> {
    /// Returns a sink that puts what it is given into the queue, and waits for room as
    /// [`put`](LightQueue::put) does.
    ///
    /// It accepts the next item when the queue has room for the one before. So a stream that is
    /// forwarded to a bounded queue is read as fast as the queue is emptied.
    ///
    /// Corresponds to a loop over eventlet's `Queue.put`.
    ///
    /// # Yields
    ///
    /// Only when the queue is full. On a channel: only when no getter waits.
    ///
    /// # Killed
    ///
    /// As with [`put`](LightQueue::put): an item that still waits for room is dropped with the
    /// sink, and one that was admitted stays. A `forward` of a stream may hold one more.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Queue, spawn};
    /// use futures::{SinkExt, StreamExt, stream};
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(2);
    ///     let numbers = stream::iter(0..10).map(Ok).forward(queue.sink());
    ///     let forwarder = spawn(numbers);
    ///     for n in 0..10 {
    ///         assert_eq!(queue.get().await, n);
    ///     }
    ///     forwarder.await.unwrap().unwrap();
    ///
    ///     queue.sink().send(10).await.unwrap();
    ///     assert_eq!(queue.qsize(), 1);
    /// });
    /// ```
    pub fn sink(&self) -> Putter<T> {
        Putter { queue: self.clone(), item: None, place: Place::default() }
    }
}

impl<T> Putter<T> {
    /// Returns whether an item still waits for room.
    fn is_behind(&self) -> bool {
        self.item.is_some() || self.place.is_in_line()
    }
}

impl<T> Sink<T> for Putter<T> {
    type Error = Infallible;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_flush(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), Infallible> {
        assert!(!self.is_behind(), "{NOT_READY}");
        self.item = self.queue.exchange.put(item).err();
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        let this = self.get_mut();
        if this.is_behind() {
            let Putter { queue, item, place } = this;
            let item = item.take();
            ready!(queue.exchange.poll_put(place, cx, || {
                item.expect("a putter that has not joined the queue has its item")
            }));
            *place = Place::default();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_flush(cx)
    }
}

/// Nothing in it is pinned.
impl<T> Unpin for Putter<T> {}

impl<T> Drop for Putter<T> {
    fn drop(&mut self) {
        self.queue.exchange.putters.leave(&mut self.place);
    }
}

impl<T> fmt::Debug for Putter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Putter").field("queue", &self.queue).finish_non_exhaustive()
    }
}
