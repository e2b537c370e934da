//! The methods and futures over an exchange that all queues have.

use std::fmt;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::error::{Empty, Full};
use super::exchange::Exchange;
use super::storage::Storage;
use crate::hub;
use crate::waiters::{Left, Place};

/// A first-in-first-out queue without `task_done` and `join`: what all other queues deref to.
///
/// It is a handle: clones name the same queue. Getters and putters are served in the order in which
/// they came, and a later caller cannot overtake them.
///
/// Corresponds to eventlet's `queue.LightQueue`.
///
/// # Differences
///
/// eventlet serves waiters in arbitrary order, and lets later callers overtake a waiter that was
/// woken.
///
/// # Examples
///
/// ```
/// use eventlet::queue::LightQueue;
///
/// eventlet::run(async {
///     let queue = LightQueue::new(2);
///     let producer = eventlet::spawn({
///         let queue = queue.clone();
///         async move {
///             for i in 0..5 {
///                 queue.put(i).await; // waits while there are two
///             }
///         }
///     });
///
///     for i in 0..5 {
///         assert_eq!(queue.get().await, i);
///     }
///     producer.await.unwrap();
/// });
/// ```
pub struct LightQueue<T> {
    pub(super) exchange: Rc<Exchange<T>>,
}

impl<T> LightQueue<T> {
    /// Makes a queue that holds up to `maxsize` items.
    ///
    /// `None` sets no bound. Zero makes a channel: it stores nothing, and every
    /// [`put`](LightQueue::put) waits until a getter takes its item.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::LightQueue;
    ///
    /// let bounded = LightQueue::new(1);
    /// bounded.put_nowait('a').unwrap();
    /// assert!(bounded.full());
    ///
    /// let unbounded = LightQueue::new(None);
    /// unbounded.put_nowait('a').unwrap();
    /// assert!(!unbounded.full());
    ///
    /// let channel = LightQueue::<char>::new(0);
    /// assert!(channel.full() && channel.empty());
    /// ```
    pub fn new(maxsize: impl Into<Option<usize>>) -> Self {
        LightQueue::with_storage(maxsize.into(), Storage::fifo([]))
    }

    pub(crate) fn with_storage(maxsize: Option<usize>, items: Storage<T>) -> Self {
        LightQueue { exchange: Rc::new(Exchange::new(maxsize, items)) }
    }

    /// Puts an item into the queue, and waits for room if there is none.
    ///
    /// Corresponds to eventlet's `Queue.put`.
    ///
    /// # Yields
    ///
    /// Only when the queue is full. On a channel: only when no getter waits.
    ///
    /// # Killed
    ///
    /// An item that still waits for room is dropped with the future. One that was admitted stays in
    /// the queue, even if its putter has not resumed yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(None);
    ///     queue.put("hello").await;
    ///     assert_eq!(queue.get().await, "hello");
    /// });
    /// ```
    pub fn put(&self, item: T) -> Put<'_, T> {
        Put { queue: self, item: Some(item), place: Place::default() }
    }

    /// Takes the next item out of the queue, and waits for one if there is none.
    ///
    /// Corresponds to eventlet's `Queue.get`.
    ///
    /// # Yields
    ///
    /// Only when the queue is empty and, on a channel, no putter waits.
    ///
    /// # Killed
    ///
    /// Nothing is lost: an item that was granted to a getter that has not resumed yet goes to the
    /// next getter, or back to its place in the queue. The queue may then hold more than `maxsize`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(0);
    ///     let getter = eventlet::spawn({
    ///         let queue = queue.clone();
    ///         async move { queue.get().await }
    ///     });
    ///     queue.put("from hand to hand").await;
    ///     assert_eq!(getter.await.unwrap(), "from hand to hand");
    /// });
    /// ```
    pub fn get(&self) -> Get<'_, T> {
        Get { queue: self, place: Place::default() }
    }

    /// Puts an item into the queue if it can do so without waiting.
    ///
    /// Corresponds to eventlet's `Queue.put_nowait`, and to `put` with `block=False`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// [`Full`], with the item, when there is no room. On a channel: when no getter waits.
    ///
    /// # Differences
    ///
    /// eventlet's yields to hand an item to a getter that waits at a channel.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    ///
    /// let queue = Queue::new(1);
    /// assert!(queue.put_nowait(1).is_ok());
    /// assert_eq!(queue.put_nowait(2).unwrap_err().into_inner(), 2);
    /// ```
    pub fn put_nowait(&self, item: T) -> Result<(), Full<T>> {
        self.exchange.put(item).map_err(Full)
    }

    /// Returns the items as a stream, each taken out as [`get`](LightQueue::get) does. It never
    /// ends.
    ///
    /// On a green stack, `queue.stream().blocking()` is an iterator.
    ///
    /// Corresponds to a loop over eventlet's `Queue.get`.
    ///
    /// # Yields
    ///
    /// Only when there is no item.
    ///
    /// # Killed
    ///
    /// As with [`get`](LightQueue::get): nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    /// use futures::StreamExt;
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(None);
    ///     for n in [1, 2, 3] {
    ///         queue.put(n).await;
    ///     }
    ///     assert_eq!(queue.stream().take(3).collect::<Vec<_>>().await, [1, 2, 3]);
    /// });
    /// ```
    pub fn stream(&self) -> Items<T> {
        Items { queue: self.clone(), place: Place::default() }
    }

    /// Takes the next item out of the queue if it can do so without waiting.
    ///
    /// Corresponds to eventlet's `Queue.get_nowait`, and to `get` with `block=False`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// [`Empty`] when there is no item. On a channel: when no putter waits.
    ///
    /// # Differences
    ///
    /// eventlet's does not see the putters that wait at a channel, unless its hub calls it.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::{Empty, Queue};
    ///
    /// let queue = Queue::new(None);
    /// queue.put_nowait(1).unwrap();
    /// assert_eq!(queue.get_nowait(), Ok(1));
    /// assert_eq!(queue.get_nowait(), Err(Empty));
    /// ```
    pub fn get_nowait(&self) -> Result<T, Empty> {
        self.exchange.get().ok_or(Empty)
    }

    /// Puts an item into the queue, but waits for room no longer than `limit`.
    ///
    /// Corresponds to eventlet's `Queue.put` with a timeout.
    ///
    /// # Yields
    ///
    /// Only when the queue is full. On a channel: only when no getter waits.
    ///
    /// # Killed
    ///
    /// As with [`put`](LightQueue::put): an item that was not admitted is dropped with the future.
    ///
    /// # Errors
    ///
    /// [`Full`], with the item, when there was no room in time.
    ///
    /// # Panics
    ///
    /// If there is no hub.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::{Full, Queue};
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let channel = Queue::new(0);
    ///     let put = channel.put_timeout("nobody wants me", Duration::from_millis(1));
    ///     assert_eq!(put.await, Err(Full("nobody wants me")));
    ///     assert!(channel.get_nowait().is_err()); // it was withdrawn
    /// });
    /// ```
    #[track_caller]
    pub fn put_timeout(
        &self,
        item: T,
        limit: Duration,
    ) -> impl Future<Output = Result<(), Full<T>>> {
        hub::check("a time limit");
        async move {
            let mut put = pin!(self.put(item));
            match hub::within(Some(limit), put.as_mut()).await {
                Some(()) => Ok(()),
                None => put.withdraw().map_or(Ok(()), |item| Err(Full(item))),
            }
        }
    }

    /// Takes the next item out of the queue, but waits for one no longer than `limit`.
    ///
    /// Corresponds to eventlet's `Queue.get` with a timeout.
    ///
    /// # Yields
    ///
    /// Only when the queue is empty and, on a channel, no putter waits.
    ///
    /// # Killed
    ///
    /// As with [`get`](LightQueue::get): nothing is lost. An item that arrives in the same turn in
    /// which the limit passes is returned.
    ///
    /// # Errors
    ///
    /// [`Empty`] when there was no item in time.
    ///
    /// # Panics
    ///
    /// If there is no hub.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::{Empty, Queue};
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(None);
    ///     assert_eq!(queue.get_timeout(Duration::from_millis(1)).await, Err(Empty));
    ///     queue.put(7).await;
    ///     assert_eq!(queue.get_timeout(Duration::ZERO).await, Ok(7));
    /// });
    /// ```
    #[track_caller]
    pub fn get_timeout(&self, limit: Duration) -> impl Future<Output = Result<T, Empty>> {
        let got = hub::within(Some(limit), self.get());
        async { got.await.ok_or(Empty) }
    }

    /// Returns how many items are stored. Those of waiting putters do not count.
    ///
    /// Corresponds to eventlet's `Queue.qsize`.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = eventlet::Queue::new(None);
    /// queue.put_nowait('a').unwrap();
    /// assert_eq!(queue.qsize(), 1);
    /// ```
    #[doc(alias = "len")]
    pub fn qsize(&self) -> usize {
        self.exchange.stored()
    }

    /// Returns whether no item is stored. A channel is always empty.
    ///
    /// Corresponds to eventlet's `Queue.empty`.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = eventlet::Queue::new(None);
    /// assert!(queue.empty());
    /// queue.put_nowait('a').unwrap();
    /// assert!(!queue.empty());
    /// ```
    #[doc(alias = "is_empty")]
    pub fn empty(&self) -> bool {
        self.qsize() == 0
    }

    /// Returns whether there is no room. A channel is always full, an unbounded queue never.
    ///
    /// Corresponds to eventlet's `Queue.full`.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = eventlet::Queue::new(1);
    /// assert!(!queue.full());
    /// queue.put_nowait('a').unwrap();
    /// assert!(queue.full());
    /// ```
    pub fn full(&self) -> bool {
        !self.exchange.has_room()
    }

    /// Returns how many putters wait for room.
    ///
    /// Corresponds to eventlet's `Queue.putting`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let channel = Queue::new(0);
    ///     let putter = eventlet::spawn({
    ///         let channel = channel.clone();
    ///         async move { channel.put('a').await }
    ///     });
    ///     eventlet::sleep(Duration::ZERO).await;
    ///     assert_eq!(channel.putting(), 1);
    ///     putter.kill();
    ///     assert_eq!(channel.putting(), 0);
    /// });
    /// ```
    pub fn putting(&self) -> usize {
        self.exchange.putters.len()
    }

    /// Returns how many getters wait for an item.
    ///
    /// Corresponds to eventlet's `Queue.getting`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(None);
    ///     let getter = eventlet::spawn({
    ///         let queue = queue.clone();
    ///         async move { queue.get().await }
    ///     });
    ///     eventlet::sleep(Duration::ZERO).await;
    ///     assert_eq!(queue.getting(), 1);
    ///     queue.put('a').await;
    ///     assert_eq!(queue.getting(), 0); // it has its item, though no turn yet
    ///     assert_eq!(getter.await.unwrap(), 'a');
    /// });
    /// ```
    pub fn getting(&self) -> usize {
        self.exchange.getters.len()
    }

    /// Returns how many items the queue may store, `None` when any number.
    ///
    /// Corresponds to eventlet's `Queue.maxsize`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    ///
    /// assert_eq!(Queue::<u8>::new(2).maxsize(), Some(2));
    /// assert_eq!(Queue::<u8>::new(None).maxsize(), None);
    /// ```
    pub fn maxsize(&self) -> Option<usize> {
        self.exchange.maxsize()
    }

    /// Changes how many items the queue may store; `None` sets no bound.
    ///
    /// Putters for which there is room now are admitted at once, in order. When there are more
    /// items than the new bound, they stay.
    ///
    /// Corresponds to eventlet's `Queue.resize`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(0);
    ///     let putter = eventlet::spawn({
    ///         let queue = queue.clone();
    ///         async move { queue.put('a').await }
    ///     });
    ///     eventlet::sleep(Duration::ZERO).await;
    ///     assert_eq!(queue.qsize(), 0);
    ///
    ///     queue.resize(1);
    ///     assert_eq!(queue.qsize(), 1);
    ///     putter.await.unwrap();
    /// });
    /// ```
    pub fn resize(&self, maxsize: impl Into<Option<usize>>) {
        self.exchange.resize(maxsize.into());
    }
}

impl<T> Clone for LightQueue<T> {
    fn clone(&self) -> Self {
        LightQueue { exchange: Rc::clone(&self.exchange) }
    }
}

/// Makes an unbounded queue.
impl<T> Default for LightQueue<T> {
    fn default() -> Self {
        LightQueue::new(None)
    }
}

impl<T> fmt::Debug for LightQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LightQueue")
            .field("maxsize", &self.maxsize())
            .field("qsize", &self.qsize())
            .field("getting", &self.getting())
            .field("putting", &self.putting())
            .finish()
    }
}

/// The future that [`LightQueue::put`] returns.
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Put<'a, T> {
    queue: &'a LightQueue<T>,
    /// The item until it was put into the queue, or into the wait queue for room.
    item: Option<T>,
    place: Place,
}

impl<T> Put<'_, T> {
    /// Gives up, and returns the item unless it was admitted.
    fn withdraw(mut self: Pin<&mut Self>) -> Option<T> {
        let this = &mut *self;
        match this.queue.exchange.putters.leave(&mut this.place) {
            Left::Offer(item) => Some(item),
            Left::Grant(()) | Left::Nothing => this.item.take(),
        }
    }
}

// The item is moved out by the first poll: nothing here is ever pinned.
impl<T> Unpin for Put<'_, T> {}

impl<T> Future for Put<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Put { queue, item, place } = self.get_mut();
        let item = item.take();
        queue.exchange.poll_put(place, cx, || {
            item.expect("a putter that has not joined the queue has its item")
        })
    }
}

impl<T> Drop for Put<'_, T> {
    fn drop(&mut self) {
        self.queue.exchange.putters.leave(&mut self.place);
    }
}

impl<T> fmt::Debug for Put<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").field("queue", self.queue).finish_non_exhaustive()
    }
}

/// The stream that [`LightQueue::stream`] returns.
///
/// It never ends. It is in the wait queue from a pending poll until it has yielded the item;
/// dropping it in between leaves the item to the next getter.
#[must_use = "streams do nothing unless polled"]
pub struct Items<T> {
    queue: LightQueue<T>,
    place: Place,
}

impl<T> Stream for Items<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Items { queue, place } = self.get_mut();
        let item = ready!(queue.exchange.poll_get(place, cx));
        *place = Place::default();
        Poll::Ready(Some(item))
    }
}

/// Nothing in it is pinned.
impl<T> Unpin for Items<T> {}

impl<T> Drop for Items<T> {
    fn drop(&mut self) {
        self.queue.exchange.withdraw_getter(&mut self.place);
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// The future that [`LightQueue::get`] returns.
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Get<'a, T> {
    queue: &'a LightQueue<T>,
    place: Place,
}

impl<T> Future for Get<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Get { queue, place } = self.get_mut();
        queue.exchange.poll_get(place, cx)
    }
}

impl<T> Drop for Get<'_, T> {
    fn drop(&mut self) {
        self.queue.exchange.withdraw_getter(&mut self.place);
    }
}

impl<T> fmt::Debug for Get<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").field("queue", self.queue).finish_non_exhaustive()
    }
}
