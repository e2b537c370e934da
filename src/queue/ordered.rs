//! Queues with another order of items.

use std::fmt;
use std::ops::Deref;

use super::light::LightQueue;
use super::queue::Queue;
use super::storage::Storage;

/// A [`Queue`] that gives its lowest item out first.
///
/// It derefs to [`Queue`], and through it to [`LightQueue`]: a function that takes a `&Queue` takes
/// it, too. To put priorities on items, use tuples of a priority and an item;
/// [`Reverse`](std::cmp::Reverse) makes it give the highest out first.
///
/// Corresponds to eventlet's `queue.PriorityQueue`.
///
/// # Panics
///
/// Its methods panic if the items' `Ord` uses the same queue.
///
/// # Differences
///
/// Waiters are served in order, and no caller overtakes them: see [`LightQueue`].
///
/// # Non-guarantees
///
/// Equal items come out in any order. An item that went straight to a waiting getter stays with it
/// when a lower one follows before that getter's turn.
///
/// # Examples
///
/// ```
/// use eventlet::queue::PriorityQueue;
///
/// eventlet::run(async {
///     let queue = PriorityQueue::new(None);
///     for item in [(3, "walk"), (1, "wake"), (2, "wash")] {
///         queue.put(item).await;
///     }
///     assert_eq!(queue.get().await, (1, "wake"));
///     assert_eq!(queue.get().await, (2, "wash"));
///     assert_eq!(queue.get().await, (3, "walk"));
/// });
/// ```
pub struct PriorityQueue<T> {
    queue: Queue<T>,
}

impl<T: Ord> PriorityQueue<T> {
    /// Makes a queue that holds up to `maxsize` items: see [`Queue::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = eventlet::queue::PriorityQueue::new(2);
    /// queue.put_nowait('b').unwrap();
    /// queue.put_nowait('a').unwrap();
    /// assert_eq!(queue.get_nowait(), Ok('a'));
    /// ```
    pub fn new(maxsize: impl Into<Option<usize>>) -> Self {
        let light = LightQueue::with_storage(maxsize.into(), Storage::lowest());
        PriorityQueue { queue: Queue { light } }
    }
}

impl<T> Deref for PriorityQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Self::Target {
        &self.queue
    }
}

impl<T> Clone for PriorityQueue<T> {
    fn clone(&self) -> Self {
        PriorityQueue { queue: self.queue.clone() }
    }
}

/// Makes an unbounded queue.
impl<T: Ord> Default for PriorityQueue<T> {
    fn default() -> Self {
        PriorityQueue::new(None)
    }
}

impl<T> fmt::Debug for PriorityQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriorityQueue").field("queue", &self.queue).finish()
    }
}

/// A [`Queue`] that gives its latest item out first: a stack.
///
/// It derefs to [`Queue`], and through it to [`LightQueue`]. Waiting getters and putters are still
/// served in the order in which they came.
///
/// Corresponds to eventlet's `queue.LifoQueue`.
///
/// # Differences
///
/// Waiters are served in order, and no caller overtakes them: see [`LightQueue`].
///
/// # Examples
///
/// ```
/// use eventlet::queue::LifoQueue;
///
/// eventlet::run(async {
///     let queue = LifoQueue::new(None);
///     queue.put("below").await;
///     queue.put("above").await;
///     assert_eq!(queue.get().await, "above");
///     assert_eq!(queue.get().await, "below");
/// });
/// ```
pub struct LifoQueue<T> {
    queue: Queue<T>,
}

impl<T> LifoQueue<T> {
    /// Makes a queue that holds up to `maxsize` items: see [`Queue::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = eventlet::queue::LifoQueue::new(2);
    /// queue.put_nowait('a').unwrap();
    /// queue.put_nowait('b').unwrap();
    /// assert_eq!(queue.get_nowait(), Ok('b'));
    /// ```
    pub fn new(maxsize: impl Into<Option<usize>>) -> Self {
        let light = LightQueue::with_storage(maxsize.into(), Storage::lifo());
        LifoQueue { queue: Queue { light } }
    }
}

impl<T> Deref for LifoQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Self::Target {
        &self.queue
    }
}

impl<T> Clone for LifoQueue<T> {
    fn clone(&self) -> Self {
        LifoQueue { queue: self.queue.clone() }
    }
}

/// Makes an unbounded queue.
impl<T> Default for LifoQueue<T> {
    fn default() -> Self {
        LifoQueue::new(None)
    }
}

impl<T> fmt::Debug for LifoQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LifoQueue").field("queue", &self.queue).finish()
    }
}
