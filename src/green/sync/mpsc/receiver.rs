//! The receiving end.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::mpsc::{RecvError, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::sync::mpsc::error::TryRecvError as TokioTryRecvError;

use super::rendezvous;
use crate::green::wait::wait;
use crate::hub::within;

/// The receiving end of a [`channel`](super::channel()) or a [`sync_channel`](super::sync_channel).
///
/// Corresponds to [`std::sync::mpsc::Receiver`].
///
/// # Differences
///
/// Several green threads may receive from it at a time: they queue.
///
/// # Not here
///
/// `recv_deadline`, which is unstable in `std`.
pub struct Receiver<T> {
    /// Held by the first waiting receiver; the others wait for the lock.
    items: Mutex<Items<T>>,
}

/// Where items come from.
pub(super) enum Items<T> {
    Unbounded(tokio::sync::mpsc::UnboundedReceiver<T>),
    Bounded(tokio::sync::mpsc::Receiver<T>),
    Met(rendezvous::Receiver<T>),
}

impl<T> Items<T> {
    async fn recv(&mut self) -> Option<T> {
        match self {
            Items::Unbounded(items) => items.recv().await,
            Items::Bounded(items) => items.recv().await,
            Items::Met(items) => items.recv().await,
        }
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let received = match self {
            Items::Unbounded(items) => items.try_recv(),
            Items::Bounded(items) => items.try_recv(),
            Items::Met(items) => return items.try_recv(),
        };
        received.map_err(|error| match error {
            TokioTryRecvError::Empty => TryRecvError::Empty,
            TokioTryRecvError::Disconnected => TryRecvError::Disconnected,
        })
    }
}

impl<T> Receiver<T> {
    pub(super) fn new(items: Items<T>) -> Receiver<T> {
        Receiver { items: Mutex::new(items) }
    }

    /// Receives an item, and waits until there is one.
    ///
    /// Corresponds to [`std::sync::mpsc::Receiver::recv`].
    ///
    /// # Panics
    ///
    /// If it has to wait and there is no green stack.
    ///
    /// # Yields
    ///
    /// Only when there is no item.
    ///
    /// # Killed
    ///
    /// No item is lost.
    ///
    /// # Errors
    ///
    /// If there is no item and all senders are gone, or it would have to wait while its green stack
    /// unwinds.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::mpsc;
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (tx, rx) = mpsc::channel();
    ///     thread::spawn(move || tx.send(1));
    ///     assert_eq!(rx.recv(), Ok(1));
    ///     assert_eq!(rx.recv(), Err(mpsc::RecvError));
    /// }));
    /// ```
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        match self.try_recv() {
            Ok(item) => Ok(item),
            Err(TryRecvError::Disconnected) => Err(RecvError),
            Err(TryRecvError::Empty) => wait(self.next()).ok().flatten().ok_or(RecvError),
        }
    }

    /// Receives an item, if there is one that no other receiver waits for.
    ///
    /// Corresponds to [`std::sync::mpsc::Receiver::try_recv`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// If there is none: says whether there may be one later.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::mpsc::{self, TryRecvError};
    ///
    /// let (tx, rx) = mpsc::channel::<()>();
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// drop(tx);
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.items.try_lock() {
            Ok(mut items) => items.try_recv(),
            // Another receiver waits, and the next item is for it.
            Err(_) => Err(TryRecvError::Empty),
        }
    }

    /// Receives an item, and waits for one no longer than so.
    ///
    /// Corresponds to [`std::sync::mpsc::Receiver::recv_timeout`].
    ///
    /// # Panics
    ///
    /// If it has to wait and there is no green stack.
    ///
    /// # Yields
    ///
    /// Only when there is no item.
    ///
    /// # Killed
    ///
    /// No item is lost, also when the time is up.
    ///
    /// # Errors
    ///
    /// When all senders are gone, and when the time is up, which it is at once while its green
    /// stack unwinds.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use eventlet::green::sync::mpsc::{self, RecvTimeoutError};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (tx, rx) = mpsc::channel::<()>();
    ///     let limit = Duration::from_millis(1);
    ///     assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
    ///     drop(tx);
    ///     assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Disconnected));
    /// }));
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        match self.try_recv() {
            Ok(item) => Ok(item),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => match wait(within(Some(timeout), self.next())) {
                Ok(Some(received)) => received.ok_or(RecvTimeoutError::Disconnected),
                Ok(None) | Err(_) => Err(RecvTimeoutError::Timeout),
            },
        }
    }

    /// Returns an iterator that waits for each item, and ends when all senders are gone.
    ///
    /// Corresponds to [`std::sync::mpsc::Receiver::iter`].
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// Returns an iterator over the items that are there, which ends instead of waiting.
    ///
    /// Corresponds to [`std::sync::mpsc::Receiver::try_iter`].
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = eventlet::green::sync::mpsc::channel();
    /// (0..3).for_each(|item| tx.send(item).unwrap());
    /// assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }

    async fn next(&self) -> Option<T> {
        self.items.lock().await.recv().await
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

/// The iterator of [`Receiver::iter`].
///
/// Corresponds to [`std::sync::mpsc::Iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

/// The iterator of [`Receiver::try_iter`].
///
/// Corresponds to [`std::sync::mpsc::TryIter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

/// The iterator of a [`Receiver`] that it owns.
///
/// Corresponds to [`std::sync::mpsc::IntoIter`].
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}
