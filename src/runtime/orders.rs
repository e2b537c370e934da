//! The state that the handles of a hub thread share, and the orders that they send.

use std::convert::Infallible;
use std::sync::Mutex;
use std::thread::JoinHandle;

use tokio::sync::mpsc::error::SendError;
use tokio::sync::{broadcast, mpsc};

use crate::hub::Outer;

/// The state that all handles of one hub share. Dropping it ends the hub, as it has the only sender
/// of orders.
pub(super) struct Handle {
    pub(super) orders: mpsc::UnboundedSender<Order>,
    /// Closed once the hub has ended.
    pub(super) ended: broadcast::Receiver<Infallible>,
    /// `None` once it was joined.
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
}

/// An order for a hub thread.
pub(super) enum Order {
    Do(Box<dyn FnOnce() + Send>),
    End,
}

impl Handle {
    /// Sends a closure to the hub's OS thread. It is dropped here if the hub has ended, and there
    /// if the hub ends before its turn comes.
    pub(super) fn order(&self, order: impl FnOnce() + Send + 'static) {
        let _refused = self.send(Order::Do(Box::new(order)));
    }

    /// Sends an order, unless the hub has ended. It wakes a task of Tokio, of another OS thread.
    pub(super) fn send(&self, order: Order) -> Result<(), SendError<Order>> {
        let _on_no_stack = Outer::leave();
        self.orders.send(order)
    }
}
