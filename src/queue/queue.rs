//! Queues that track which of their items are done with.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::light::LightQueue;
use crate::waiters::Place;

/// A first-in-first-out queue that can be joined: it tracks which of its items are done with.
///
/// It is a handle: clones name the same queue. Everything but [`task_done`](Queue::task_done),
/// [`unfinished_tasks`](Queue::unfinished_tasks) and [`join`](Queue::join) it has from
/// [`LightQueue`], to which it derefs as eventlet's inherits from it.
///
/// Corresponds to eventlet's `queue.Queue`.
///
/// # Examples
///
/// ```
/// use eventlet::Queue;
/// use std::{cell::Cell, rc::Rc};
///
/// eventlet::run(async {
///     let (queue, sum) = (Queue::new(None), Rc::new(Cell::new(0)));
///     for _ in 0..3 {
///         let (queue, sum) = (queue.clone(), sum.clone());
///         eventlet::spawn(async move {
///             loop {
///                 sum.set(sum.get() + queue.get().await);
///                 queue.task_done();
///             }
///         });
///     }
///
///     for i in 1..=10 {
///         queue.put(i).await;
///     }
///     queue.join().await;
///     assert_eq!(sum.get(), 55);
/// });
/// ```
pub struct Queue<T> {
    pub(super) light: LightQueue<T>,
}

impl<T> Queue<T> {
    /// Makes a queue that holds up to `maxsize` items.
    ///
    /// `None` sets no bound. Zero makes a channel: it stores nothing, and every
    /// [`put`](LightQueue::put) waits until a getter takes its item.
    ///
    /// # Differences
    ///
    /// eventlet also takes a negative size for "no bound".
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    ///
    /// let queue = Queue::new(2);
    /// queue.put_nowait('a').unwrap();
    /// queue.put_nowait('b').unwrap();
    /// assert!(queue.put_nowait('c').is_err());
    /// ```
    pub fn new(maxsize: impl Into<Option<usize>>) -> Self {
        Queue { light: LightQueue::new(maxsize) }
    }

    /// Records that an item taken out of the queue is done with.
    ///
    /// Corresponds to eventlet's `Queue.task_done`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Panics
    ///
    /// If it was called for all items already.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = eventlet::Queue::new(None);
    /// queue.put_nowait('a').unwrap();
    /// queue.get_nowait().unwrap();
    /// assert_eq!(queue.unfinished_tasks(), 1);
    /// queue.task_done();
    /// assert_eq!(queue.unfinished_tasks(), 0);
    /// ```
    #[track_caller]
    pub fn task_done(&self) {
        let counted = self.exchange.finish_one();
        assert!(counted, "task_done() was called more often than there were items put in");
    }

    /// Returns how many items were put in that are not done with.
    ///
    /// Items of waiting putters do not count, those that were handed to a getter do.
    ///
    /// Corresponds to eventlet's `Queue.unfinished_tasks`.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = eventlet::Queue::new(None);
    /// queue.put_nowait('a').unwrap();
    /// assert_eq!(queue.unfinished_tasks(), 1);
    /// ```
    pub fn unfinished_tasks(&self) -> usize {
        self.exchange.unfinished.get()
    }

    /// Waits until all items that were put in are done with.
    ///
    /// An item put in between the last `task_done` and the joiner's turn does not hold it up.
    ///
    /// Corresponds to eventlet's `Queue.join`.
    ///
    /// # Yields
    ///
    /// Only when something is unfinished.
    ///
    /// # Killed
    ///
    /// No other waiter is affected.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Queue;
    ///
    /// eventlet::run(async {
    ///     let queue = Queue::new(None);
    ///     queue.put("a job").await;
    ///     eventlet::spawn({
    ///         let queue = queue.clone();
    ///         async move {
    ///             assert_eq!(queue.get().await, "a job");
    ///             queue.task_done();
    ///         }
    ///     });
    ///     queue.join().await;
    ///     assert!(queue.empty());
    /// });
    /// ```
    pub fn join(&self) -> Join<'_, T> {
        Join { queue: self, place: Place::default() }
    }
}

impl<T> Deref for Queue<T> {
    type Target = LightQueue<T>;

    fn deref(&self) -> &LightQueue<T> {
        &self.light
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue { light: self.light.clone() }
    }
}

/// Makes an unbounded queue.
impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue::new(None)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("unfinished_tasks", &self.unfinished_tasks())
            .field("light", &self.light)
            .finish()
    }
}

/// The future that [`Queue::join`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Join<'a, T> {
    queue: &'a Queue<T>,
    place: Place,
}

impl<T> Future for Join<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Join { queue, place } = self.get_mut();
        queue.exchange.poll_join(place, cx)
    }
}

impl<T> Drop for Join<'_, T> {
    fn drop(&mut self) {
        // Nothing to pass on: all joiners are woken together.
        self.queue.exchange.joiners.leave(&mut self.place);
    }
}
