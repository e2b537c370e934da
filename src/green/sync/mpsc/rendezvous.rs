//! A channel that holds nothing: `sync_channel(0)`.
//!
//! A sender that finds the receiver waiting hands its item over and goes on. Otherwise it offers
//! its item, as an [`Offer`], and waits until the receiver has taken it. So the Tokio channel below
//! holds offers: those of waiting senders, and at most one whose sender has gone on, for a receiver
//! that was woken and has not resumed.

use std::pin::pin;
use std::sync::mpsc::{SendError, TryRecvError, TrySendError};
use std::sync::{Arc, Mutex};

use futures_util::future::select;
use tokio::sync::mpsc::error::TryRecvError as TokioTryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore};

use crate::green::wait::wait;
use crate::hub::hold;

/// An item, until it is taken by the receiver, or back by a sender that gives up.
struct Offer<T> {
    item: Mutex<Option<T>>,
    taken: Notify,
}

impl<T> Offer<T> {
    fn new(item: T) -> Arc<Offer<T>> {
        Arc::new(Offer { item: Mutex::new(Some(item)), taken: Notify::new() })
    }

    fn take(&self) -> Option<T> {
        let item = hold(&self.item).take();
        self.taken.notify_one();
        item
    }
}

/// Takes an offer back when its sender stops waiting.
struct Laid<T>(Arc<Offer<T>>);

impl<T> Drop for Laid<T> {
    fn drop(&mut self) {
        let _item = self.0.take();
    }
}

pub(super) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = unbounded_channel();
    let seats = Arc::new(Semaphore::new(0));
    let offers = Sender { offers: sender, seats: Arc::clone(&seats) };
    (offers, Receiver { offers: receiver, seats })
}

pub(super) struct Sender<T> {
    offers: UnboundedSender<Arc<Offer<T>>>,
    /// One permit while the receiver waits and no sender has found it.
    seats: Arc<Semaphore>,
}

impl<T> Sender<T> {
    pub(super) fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        if self.offers.is_closed() {
            return Err(TrySendError::Disconnected(item));
        }
        let Ok(seat) = self.seats.try_acquire() else {
            return Err(TrySendError::Full(item));
        };
        seat.forget();
        let offer = Offer::new(item);
        match self.offers.send(Arc::clone(&offer)) {
            Ok(()) => Ok(()),
            Err(_gone) => offer.take().map_or(Ok(()), |item| Err(TrySendError::Disconnected(item))),
        }
    }

    /// Offers the item, and waits until the receiver takes it or is gone.
    #[track_caller]
    pub(super) fn meet(&self, item: T) -> Result<(), SendError<T>> {
        let laid = Laid(Offer::new(item));
        let offer = &*laid.0;
        if self.offers.send(Arc::clone(&laid.0)).is_ok() {
            let (taken, gone) = (pin!(offer.taken.notified()), pin!(self.offers.closed()));
            let _unwinding = wait(select(taken, gone));
        }
        // The first to take it has it: an item that the receiver took was received, even if the
        // receiver is gone now.
        offer.take().map_or(Ok(()), |item| Err(SendError(item)))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { offers: self.offers.clone(), seats: Arc::clone(&self.seats) }
    }
}

pub(super) struct Receiver<T> {
    offers: UnboundedReceiver<Arc<Offer<T>>>,
    seats: Arc<Semaphore>,
}

impl<T> Receiver<T> {
    pub(super) fn try_recv(&mut self) -> Result<T, TryRecvError> {
        loop {
            match self.offers.try_recv() {
                Ok(offer) => match offer.take() {
                    Some(item) => return Ok(item),
                    // Its sender has gone.
                    None => continue,
                },
                Err(TokioTryRecvError::Empty) => return Err(TryRecvError::Empty),
                Err(TokioTryRecvError::Disconnected) => return Err(TryRecvError::Disconnected),
            }
        }
    }

    pub(super) async fn recv(&mut self) -> Option<T> {
        loop {
            match self.try_recv() {
                Ok(item) => return Some(item),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            let _seat = Seat::take(&self.seats);
            if let Some(item) = self.offers.recv().await?.take() {
                return Some(item);
            }
        }
    }
}

/// Tells senders that the receiver waits, until one has found it or it stops waiting.
struct Seat<'a>(&'a Semaphore);

impl Seat<'_> {
    fn take(seats: &Semaphore) -> Seat<'_> {
        seats.add_permits(1);
        Seat(seats)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.forget_permits(1);
    }
}
