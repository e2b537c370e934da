//! The sending ends.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::mpsc::{SendError, TrySendError};

use tokio::sync::mpsc::error::TrySendError as TokioTrySendError;

use super::rendezvous;
use crate::green::wait::wait;

/// The sending end of a [`channel`](super::channel()). Clones send to the same receiver.
///
/// Corresponds to [`std::sync::mpsc::Sender`].
pub struct Sender<T> {
    inner: tokio::sync::mpsc::UnboundedSender<T>,
}

impl<T> Sender<T> {
    pub(super) fn new(inner: tokio::sync::mpsc::UnboundedSender<T>) -> Sender<T> {
        Sender { inner }
    }

    /// Sends an item.
    ///
    /// Corresponds to [`std::sync::mpsc::Sender::send`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// If the receiver is gone: returns the item.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::mpsc::{self, SendError};
    ///
    /// let (tx, rx) = mpsc::channel();
    /// tx.send(1).unwrap();
    /// drop(rx);
    /// assert_eq!(tx.send(2), Err(SendError(2)));
    /// ```
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        self.inner.send(t).map_err(|error| SendError(error.0))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { inner: self.inner.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

/// The sending end of a [`sync_channel`](super::sync_channel). Clones send to the same receiver.
///
/// Waiting senders send in the order in which they came.
///
/// Corresponds to [`std::sync::mpsc::SyncSender`].
pub struct SyncSender<T> {
    inner: Inner<T>,
}

enum Inner<T> {
    Bounded(tokio::sync::mpsc::Sender<T>),
    Meeting(rendezvous::Sender<T>),
}

impl<T> SyncSender<T> {
    pub(super) fn bounded(inner: tokio::sync::mpsc::Sender<T>) -> SyncSender<T> {
        SyncSender { inner: Inner::Bounded(inner) }
    }

    pub(super) fn meeting(inner: rendezvous::Sender<T>) -> SyncSender<T> {
        SyncSender { inner: Inner::Meeting(inner) }
    }

    /// Sends an item, and waits while the channel is full. In a rendezvous it waits for the
    /// receiver.
    ///
    /// Corresponds to [`std::sync::mpsc::SyncSender::send`].
    ///
    /// # Panics
    ///
    /// If it has to wait and there is no green stack.
    ///
    /// # Yields
    ///
    /// Only while the channel is full, or until the receiver comes.
    ///
    /// # Killed
    ///
    /// The item was not sent, and is dropped.
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or it would have to wait while its green stack unwinds: returns the
    /// item.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::mpsc;
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (tx, rx) = mpsc::sync_channel(0);
    ///     let receiver = thread::spawn(move || rx.recv());
    ///     tx.send("here you are").unwrap();
    ///     assert_eq!(receiver.join().unwrap(), Ok("here you are"));
    ///     tx.send("nobody is there").unwrap_err();
    /// }));
    /// ```
    #[track_caller]
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        let item = match self.try_send(t) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(item)) => return Err(SendError(item)),
            Err(TrySendError::Full(item)) => item,
        };
        match &self.inner {
            Inner::Meeting(sender) => sender.meet(item),
            Inner::Bounded(sender) => match wait(sender.reserve()) {
                Ok(Ok(room)) => {
                    room.send(item);
                    Ok(())
                }
                Ok(Err(_)) | Err(_) => Err(SendError(item)),
            },
        }
    }

    /// Sends an item if there is room. In a rendezvous: if the receiver waits.
    ///
    /// Corresponds to [`std::sync::mpsc::SyncSender::try_send`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// If there is no room, or the receiver is gone: returns the item.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::mpsc::{self, TrySendError};
    ///
    /// let (tx, rx) = mpsc::sync_channel(0);
    /// assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    /// drop(rx);
    /// assert_eq!(tx.try_send(2), Err(TrySendError::Disconnected(2)));
    /// ```
    pub fn try_send(&self, t: T) -> Result<(), TrySendError<T>> {
        match &self.inner {
            Inner::Meeting(sender) => sender.try_send(t),
            Inner::Bounded(sender) => sender.try_send(t).map_err(|error| match error {
                TokioTrySendError::Full(item) => TrySendError::Full(item),
                TokioTrySendError::Closed(item) => TrySendError::Disconnected(item),
            }),
        }
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> SyncSender<T> {
        match &self.inner {
            Inner::Bounded(sender) => SyncSender::bounded(sender.clone()),
            Inner::Meeting(sender) => SyncSender::meeting(sender.clone()),
        }
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}

impl<T> UnwindSafe for SyncSender<T> {}
impl<T> RefUnwindSafe for SyncSender<T> {}
