//! Channels under the names of [`std::sync::mpsc`].
//!
//! ```
//! use eventlet::green::sync::mpsc;
//! use eventlet::green::thread;
//!
//! eventlet::run(eventlet::stackful(|| {
//!     let (tx, rx) = mpsc::sync_channel(1);
//!     let producer = thread::spawn(move || {
//!         for item in 0..3 {
//!             tx.send(item).unwrap();
//!         }
//!     });
//!     assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1, 2]);
//!     producer.join().unwrap();
//! }));
//! ```
//!
//! Corresponds to [`std::sync::mpsc`], and to `eventlet.green.Queue`.
//!
//! # Killed
//!
//! A green thread that is killed or times out while it receives loses no item: one that was on its
//! way goes to the next receiver. One that is killed while it sends has not sent, and its item is
//! dropped with its stack.
//!
//! # While a green stack unwinds
//!
//! It cannot be suspended, so a destructor that would have to wait gets the error that the other
//! end is gone, or that the time is up.

mod receiver;
mod rendezvous;
mod sender;

pub use receiver::{IntoIter, Iter, Receiver, TryIter};
pub use sender::{Sender, SyncSender};
#[doc(no_inline)]
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use receiver::Items;

/// Makes a channel that holds any number of items: sending never waits.
///
/// Corresponds to [`std::sync::mpsc::channel`].
///
/// # Examples
///
/// ```
/// use eventlet::green::sync::mpsc;
///
/// let (tx, rx) = mpsc::channel();
/// tx.send("hello").unwrap();
/// drop(tx);
/// assert_eq!(rx.recv(), Ok("hello"));
/// assert_eq!(rx.recv(), Err(mpsc::RecvError));
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, items) = tokio::sync::mpsc::unbounded_channel();
    (Sender::new(sender), Receiver::new(Items::Unbounded(items)))
}

/// Makes a channel that holds so many items: sending waits while it is full.
///
/// One that holds none is a rendezvous: sending waits until the item is received.
///
/// Corresponds to [`std::sync::mpsc::sync_channel`].
///
/// # Examples
///
/// ```
/// use eventlet::green::sync::mpsc;
///
/// let (tx, rx) = mpsc::sync_channel(1);
/// tx.send(1).unwrap();
/// assert_eq!(tx.try_send(2), Err(mpsc::TrySendError::Full(2)));
/// assert_eq!(rx.recv(), Ok(1));
/// ```
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    if bound == 0 {
        let (sender, receiver) = rendezvous::channel();
        return (SyncSender::meeting(sender), Receiver::new(Items::Met(receiver)));
    }
    // More than Tokio counts is more than the memory holds.
    let bound = bound.min(tokio::sync::Semaphore::MAX_PERMITS);
    let (sender, items) = tokio::sync::mpsc::channel(bound);
    (SyncSender::bounded(sender), Receiver::new(Items::Bounded(items)))
}
