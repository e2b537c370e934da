//! The errors of the queues.

use std::error::Error;
use std::fmt;

/// The queue had no room; gives the item back.
///
/// Corresponds to eventlet's `queue.Full`.
///
/// # Examples
///
/// ```
/// use eventlet::queue::{Full, Queue};
///
/// let queue = Queue::new(1);
/// queue.put_nowait("first").unwrap();
/// let full = queue.put_nowait("second").unwrap_err();
/// assert_eq!(full, Full("second"));
/// assert_eq!(full.to_string(), "the queue is full");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> Full<T> {
    /// Returns the item that found no room.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::queue::Full("item").into_inner(), "item");
    /// ```
    pub fn into_inner(self) -> T {
        self.0
    }
}

// By hand, for an error must be `Debug`, and the item need not be.
impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full")
    }
}

impl<T> Error for Full<T> {}

/// The queue had no item.
///
/// Corresponds to eventlet's `queue.Empty`.
///
/// # Examples
///
/// ```
/// use eventlet::queue::{Empty, Queue};
///
/// let queue = Queue::<u8>::new(None);
/// assert_eq!(queue.get_nowait(), Err(Empty));
/// assert_eq!(Empty.to_string(), "the queue is empty");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Empty;

impl fmt::Display for Empty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is empty")
    }
}

impl Error for Empty {}
