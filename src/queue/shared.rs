//! A queue between hubs and other OS threads.
//!
//! The classic bounded buffer: one semaphore counts the items, another the room, and a lock guards
//! the items. Tokio's semaphores do the waiting. They serve first come, first served, pass on the
//! permit of a waiter that was dropped, and wake from any OS thread. No code waits between getting
//! a permit and moving its item, so nothing is lost.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use futures_sink::Sink;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::{Empty, Full};
use crate::hub::{self, Held, Outer, hold};
use crate::os_thread::block_on;

/// A first-in-first-out queue that hubs, other runtimes and OS threads share.
///
/// It is a handle, which is `Send` and `Sync`: clones name the same queue. Green threads of any
/// hub, of either colour, and tasks of any runtime put and get as with a [`Queue`](super::Queue);
/// an OS thread that has neither uses [`blocking_put`](SharedQueue::blocking_put) and
/// [`blocking_get`](SharedQueue::blocking_get). Putters wait while it is full, so memory is bounded
/// however fast one side is.
///
/// Within one hub, a [`Queue`](super::Queue) costs less than half of it, and knows its waiters.
///
/// # The end
///
/// The queue belongs to no hub. When one ends, its green threads leave the wait queue, and items
/// granted to them go to others; the items that they have put stay. Other users are not told: a
/// waiting getter waits until an item is put. A program that shuts down in order sends each getter
/// a last item, such as `None`. One whose hubs may end at any time waits for the queue or the hub,
/// with [`wait_any`](crate::wait_any), or sets a time limit. To be told that all senders have gone,
/// use [`tokio::sync::mpsc`], which any green thread can wait for, too; it has a single receiver.
///
/// Corresponds to Python's own `queue.Queue` between OS threads. That blocks the hub, so eventlet's
/// users reach it through `tpool`.
///
/// # Examples
///
/// ```
/// use eventlet::HubThread;
/// use eventlet::queue::SharedQueue;
///
/// let (jobs, results) = (SharedQueue::new(10), SharedQueue::new(10));
/// let workers = [(); 2].map(|()| {
///     let (hub, jobs, results) = (HubThread::start(), jobs.clone(), results.clone());
///     hub.spawn(async move || {
///         while let Some(n) = jobs.get().await {
///             results.put(n * n).await;
///         }
///     })
/// });
/// let sum = eventlet::run(async move {
///     for job in [Some(1), Some(2), Some(3), None, None] {
///         jobs.put(job).await;
///     }
///     results.get().await + results.get().await + results.get().await
/// });
/// assert_eq!(sum, 14);
/// # workers.map(|worker| worker.join().unwrap());
/// ```
pub struct SharedQueue<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    items: Mutex<VecDeque<T>>,
    /// A permit is an item to take.
    stored: Semaphore,
    /// A permit is room for an item.
    room: Semaphore,
    maxsize: Option<usize>,
}

impl<T> SharedQueue<T> {
    /// Makes a queue that holds up to `maxsize` items. `None` sets no bound.
    ///
    /// # Panics
    ///
    /// If `maxsize` is 0: this queue cannot be a channel.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::SharedQueue;
    ///
    /// let queue = SharedQueue::new(1);
    /// queue.put_nowait('a').unwrap();
    /// assert!(queue.full());
    /// ```
    #[track_caller]
    pub fn new(maxsize: impl Into<Option<usize>>) -> SharedQueue<T> {
        let maxsize = maxsize.into();
        assert!(maxsize != Some(0), "a `SharedQueue` has room for one item at the least");
        let room = maxsize.unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let shared = Shared {
            items: Mutex::default(),
            stored: Semaphore::new(0),
            room: Semaphore::new(room),
            maxsize,
        };
        SharedQueue { shared: Arc::new(shared) }
    }

    /// Puts an item into the queue, and waits for room where there is none.
    ///
    /// Corresponds to `Queue.put`.
    ///
    /// # Yields
    ///
    /// Only when the queue is full, or Tokio's cooperative budget is used up.
    ///
    /// # Killed
    ///
    /// An item that still waits for room is dropped with the future.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::SharedQueue;
    ///
    /// eventlet::run(async {
    ///     let queue = SharedQueue::new(10);
    ///     queue.put("hello").await;
    ///     assert_eq!(queue.get().await, "hello");
    /// });
    /// ```
    pub async fn put(&self, item: T) {
        let room = self.shared.room.acquire().await;
        self.shared.store(item, room.expect(NOBODY_CLOSES));
    }

    /// Takes the oldest item out of the queue, and waits for one if there is none.
    ///
    /// Corresponds to `Queue.get`.
    ///
    /// # Yields
    ///
    /// Only when the queue is empty, or Tokio's cooperative budget is used up.
    ///
    /// # Killed
    ///
    /// Nothing is lost: the item goes to the next getter.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::SharedQueue;
    ///
    /// eventlet::run(async {
    ///     let queue = SharedQueue::new(None);
    ///     let putter = queue.clone();
    ///     std::thread::spawn(move || putter.blocking_put("from elsewhere"));
    ///     assert_eq!(queue.get().await, "from elsewhere");
    /// });
    /// ```
    pub async fn get(&self) -> T {
        let stored = self.shared.stored.acquire().await;
        self.shared.take(stored.expect(NOBODY_CLOSES))
    }

    /// Puts an item into the queue if it can do so without waiting.
    ///
    /// Corresponds to `Queue.put_nowait`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// [`Full`], with the item, when there is no room, or others wait for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::{Full, SharedQueue};
    ///
    /// let queue = SharedQueue::new(1);
    /// assert_eq!(queue.put_nowait(1), Ok(()));
    /// assert_eq!(queue.put_nowait(2), Err(Full(2)));
    /// ```
    pub fn put_nowait(&self, item: T) -> Result<(), Full<T>> {
        let Ok(room) = self.shared.room.try_acquire() else { return Err(Full(item)) };
        self.shared.store(item, room);
        Ok(())
    }

    /// Takes the oldest item out of the queue if it can do so without waiting.
    ///
    /// Corresponds to `Queue.get_nowait`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// [`Empty`] when there is no item, or others wait for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::{Empty, SharedQueue};
    ///
    /// let queue = SharedQueue::new(1);
    /// assert_eq!(queue.get_nowait(), Err(Empty));
    /// queue.put_nowait(1).unwrap();
    /// assert_eq!(queue.get_nowait(), Ok(1));
    /// ```
    pub fn get_nowait(&self) -> Result<T, Empty> {
        match self.shared.stored.try_acquire() {
            Ok(stored) => Ok(self.shared.take(stored)),
            Err(_) => Err(Empty),
        }
    }

    /// Puts an item into the queue, but waits for room no longer than `limit`.
    ///
    /// Corresponds to `Queue.put` with a timeout.
    ///
    /// # Yields
    ///
    /// As [`put`](SharedQueue::put) does.
    ///
    /// # Killed
    ///
    /// As with [`put`](SharedQueue::put).
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
    /// use eventlet::queue::{Full, SharedQueue};
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let queue = SharedQueue::new(1);
    ///     queue.put(1).await;
    ///     assert_eq!(queue.put_timeout(2, Duration::from_millis(1)).await, Err(Full(2)));
    /// });
    /// ```
    #[track_caller]
    pub fn put_timeout(
        &self,
        item: T,
        limit: Duration,
    ) -> impl Future<Output = Result<(), Full<T>>> {
        let room = hub::within(Some(limit), self.shared.room.acquire());
        async {
            let Some(room) = room.await else { return Err(Full(item)) };
            self.shared.store(item, room.expect(NOBODY_CLOSES));
            Ok(())
        }
    }

    /// Takes the oldest item out of the queue, but waits for one no longer than `limit`.
    ///
    /// Corresponds to `Queue.get` with a timeout.
    ///
    /// # Yields
    ///
    /// As [`get`](SharedQueue::get) does.
    ///
    /// # Killed
    ///
    /// As with [`get`](SharedQueue::get).
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
    /// use eventlet::queue::{Empty, SharedQueue};
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let queue = SharedQueue::<u8>::new(1);
    ///     assert_eq!(queue.get_timeout(Duration::from_millis(1)).await, Err(Empty));
    /// });
    /// ```
    #[track_caller]
    pub fn get_timeout(&self, limit: Duration) -> impl Future<Output = Result<T, Empty>> {
        let stored = hub::within(Some(limit), self.shared.stored.acquire());
        async {
            let stored = stored.await.ok_or(Empty)?;
            Ok(self.shared.take(stored.expect(NOBODY_CLOSES)))
        }
    }

    /// Puts an item into the queue, and blocks this OS thread while there is no room.
    ///
    /// # Panics
    ///
    /// Inside a Tokio runtime, such as a hub, which it would block: use [`put`](SharedQueue::put)
    /// there.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = eventlet::queue::SharedQueue::new(1);
    /// queue.blocking_put('a');
    /// assert_eq!(queue.blocking_get(), 'a');
    /// ```
    #[track_caller]
    pub fn blocking_put(&self, item: T) {
        let room = block_on(self.shared.room.acquire());
        self.shared.store(item, room.expect(NOBODY_CLOSES));
    }

    /// Takes the oldest item out of the queue, and blocks this OS thread while there is none.
    ///
    /// # Panics
    ///
    /// Inside a Tokio runtime, such as a hub, which it would block: use [`get`](SharedQueue::get)
    /// there.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::HubThread;
    /// use eventlet::queue::SharedQueue;
    ///
    /// let (hub, queue) = (HubThread::start(), SharedQueue::new(1));
    /// let putter = queue.clone();
    /// let _gt = hub.spawn(async move || putter.put('a').await);
    /// assert_eq!(queue.blocking_get(), 'a');
    /// ```
    #[track_caller]
    pub fn blocking_get(&self) -> T {
        let stored = block_on(self.shared.stored.acquire());
        self.shared.take(stored.expect(NOBODY_CLOSES))
    }

    /// Returns how many items are stored.
    ///
    /// Corresponds to `Queue.qsize`.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = eventlet::queue::SharedQueue::new(None);
    /// queue.put_nowait('a').unwrap();
    /// assert_eq!(queue.qsize(), 1);
    /// ```
    #[doc(alias = "len")]
    pub fn qsize(&self) -> usize {
        self.shared.items().len()
    }

    /// Returns whether no item is stored.
    ///
    /// Corresponds to `Queue.empty`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(eventlet::queue::SharedQueue::<u8>::new(1).empty());
    /// ```
    #[doc(alias = "is_empty")]
    pub fn empty(&self) -> bool {
        self.qsize() == 0
    }

    /// Returns whether there is no room.
    ///
    /// Corresponds to `Queue.full`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!eventlet::queue::SharedQueue::<u8>::new(1).full());
    /// ```
    pub fn full(&self) -> bool {
        self.shared.room.available_permits() == 0
    }

    /// Returns how many items the queue may store, `None` when any number.
    ///
    /// Corresponds to `Queue.maxsize`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::queue::SharedQueue::<u8>::new(2).maxsize(), Some(2));
    /// ```
    pub fn maxsize(&self) -> Option<usize> {
        self.shared.maxsize
    }
}

impl<T: Send + 'static> SharedQueue<T> {
    /// Returns the items as a stream, each taken out as [`get`](SharedQueue::get) does. It never
    /// ends.
    ///
    /// On a green stack, `queue.stream().blocking()` is an iterator.
    ///
    /// # Yields
    ///
    /// As [`get`](SharedQueue::get) does.
    ///
    /// # Killed
    ///
    /// As with [`get`](SharedQueue::get): nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::SharedQueue;
    /// use futures::StreamExt;
    ///
    /// eventlet::run(async {
    ///     let queue = SharedQueue::new(None);
    ///     queue.put(1).await;
    ///     queue.put(2).await;
    ///     assert_eq!(queue.stream().take(2).collect::<Vec<_>>().await, [1, 2]);
    /// });
    /// ```
    pub fn stream(&self) -> SharedItems<T> {
        SharedItems { queue: self.clone(), next: None }
    }

    /// Returns a sink that puts what it is given into the queue, and waits for room as
    /// [`put`](SharedQueue::put) does.
    ///
    /// It accepts the next item when the queue has room for the one before.
    ///
    /// # Yields
    ///
    /// As [`put`](SharedQueue::put) does.
    ///
    /// # Killed
    ///
    /// As with [`put`](SharedQueue::put): an item that still waits for room is dropped with the
    /// sink.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::queue::SharedQueue;
    /// use futures::{SinkExt, StreamExt, stream};
    ///
    /// eventlet::run(async {
    ///     let queue = SharedQueue::new(10);
    ///     stream::iter([1, 2, 3]).map(Ok).forward(queue.sink()).await.unwrap();
    ///     assert_eq!(queue.qsize(), 3);
    /// });
    /// ```
    pub fn sink(&self) -> SharedPutter<T> {
        SharedPutter { queue: self.clone(), put: None }
    }
}

/// The reason that an acquire cannot fail.
const NOBODY_CLOSES: &str = "the semaphores of a queue are never closed";

impl<T> Shared<T> {
    /// Stores an item in the room that the permit stands for.
    fn store(&self, item: T, room: SemaphorePermit<'_>) {
        let _on_no_stack = Outer::leave();
        room.forget();
        self.items().push_back(item);
        self.stored.add_permits(1);
    }

    /// Takes the item that the permit stands for.
    fn take(&self, stored: SemaphorePermit<'_>) -> T {
        let _on_no_stack = Outer::leave();
        stored.forget();
        let item = self.items().pop_front();
        self.room.add_permits(1);
        item.expect("there is an item for each permit")
    }

    fn items(&self) -> Held<'_, VecDeque<T>> {
        hold(&self.items)
    }
}

/// Names the same queue.
impl<T> Clone for SharedQueue<T> {
    fn clone(&self) -> SharedQueue<T> {
        SharedQueue { shared: Arc::clone(&self.shared) }
    }
}

/// Makes an unbounded queue.
impl<T> Default for SharedQueue<T> {
    fn default() -> SharedQueue<T> {
        SharedQueue::new(None)
    }
}

impl<T> fmt::Debug for SharedQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedQueue")
            .field("maxsize", &self.maxsize())
            .field("qsize", &self.qsize())
            .finish()
    }
}

/// A put or a get that had to wait.
type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The stream that [`SharedQueue::stream`] returns. It never ends.
#[must_use = "streams do nothing unless polled"]
pub struct SharedItems<T> {
    queue: SharedQueue<T>,
    next: Option<Waiting<T>>,
}

impl<T: Send + 'static> Stream for SharedItems<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.next.is_none() {
            if let Ok(item) = self.queue.get_nowait() {
                return Poll::Ready(Some(item));
            }
        }
        let queue = self.queue.clone();
        let next = self.next.get_or_insert_with(|| Box::pin(async move { queue.get().await }));
        let item = ready!(next.as_mut().poll(cx));
        self.next = None;
        Poll::Ready(Some(item))
    }
}

impl<T> fmt::Debug for SharedItems<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedItems").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// The sink that [`SharedQueue::sink`] returns.
#[must_use = "sinks do nothing unless they are given something"]
pub struct SharedPutter<T> {
    queue: SharedQueue<T>,
    put: Option<Waiting<()>>,
}

impl<T: Send + 'static> Sink<T> for SharedPutter<T> {
    type Error = Infallible;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_flush(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), Infallible> {
        assert!(self.put.is_none(), "{}", super::sink::NOT_READY);
        if let Err(Full(item)) = self.queue.put_nowait(item) {
            let queue = self.queue.clone();
            self.put = Some(Box::pin(async move { queue.put(item).await }));
        }
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if let Some(put) = &mut self.put {
            ready!(put.as_mut().poll(cx));
            self.put = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_flush(cx)
    }
}

impl<T> fmt::Debug for SharedPutter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedPutter").field("queue", &self.queue).finish_non_exhaustive()
    }
}
