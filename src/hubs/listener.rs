//! Functions that the hub calls when a descriptor is ready.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::time::Duration;

use super::hub::Hub;
use super::trampoline::{Interest, trampoline};
use crate::greenthread::{Greenlet, sleep, spawn_n};
use crate::report;

/// A function that is called when a descriptor is ready: what [`Hub::add`] returns.
///
/// Dropping it changes nothing.
///
/// Corresponds to `eventlet.hubs.hub.FdListener`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Listener(Greenlet);

impl Hub {
    /// Calls a function each time that a descriptor is ready, until the listener is
    /// [removed](Hub::remove).
    ///
    /// The function has to consume what is ready, otherwise it is called again each turn. It brings
    /// its own access to the descriptor; the argument may be an `Rc` of it, or a duplicate. It is
    /// called in a green thread of the listener's own, and cannot wait.
    ///
    /// A panic of the function ends the listener and is reported. So does an error of a descriptor
    /// that cannot be waited for, or that has a waiter already.
    ///
    /// Corresponds to `BaseHub.add`.
    ///
    /// # Panics
    ///
    /// When this hub has ended.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// There is no `mark_as_closed`: the listener owns what it was given, so its number cannot be
    /// reused. [`notify_close`](super::notify_close) is eventlet's `remove_descriptor`, and ends it
    /// quietly.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    ///
    /// use eventlet::hubs::{Interest, get_hub};
    ///
    /// # eventlet::run(async {
    /// let (here, mut there) = UnixStream::pair().unwrap();
    /// let here = Rc::new(here);
    /// let bytes = Rc::new(Cell::new(0));
    /// let (socket, count) = (Rc::clone(&here), Rc::clone(&bytes));
    /// let listener = get_hub().add(Interest::Read, here, move || {
    ///     count.set(count.get() + (&*socket).read(&mut [0; 16]).unwrap());
    /// });
    ///
    /// there.write_all(b"hello").unwrap();
    /// eventlet::sleep(Duration::from_millis(5)).await;
    /// assert_eq!(bytes.get(), 5);
    ///
    /// get_hub().remove(listener);
    /// assert!(there.write_all(b"hello").is_err(), "nobody has the other end any more");
    /// # });
    /// ```
    #[track_caller]
    pub fn add(
        &self,
        interest: Interest,
        fd: impl AsFd + 'static,
        function: impl FnMut() + 'static,
    ) -> Listener {
        self.assert_runs();
        let listener = spawn_n(async move {
            let Err(error) = call_when_ready(interest, fd, function).await;
            if error.kind() != ErrorKind::NotConnected {
                report::failure("a listener of a descriptor, which ends", &error);
            }
        });
        listener.set_name("listener");
        Listener(listener)
    }

    /// Removes a listener: its function is not called again, and is dropped with the descriptor.
    ///
    /// A function that removes its own listener is not called again.
    ///
    /// Corresponds to `BaseHub.remove`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// See [`add`](Hub::add).
    pub fn remove(&self, listener: Listener) {
        listener.0.kill();
    }
}

async fn call_when_ready(
    interest: Interest,
    fd: impl AsFd,
    mut function: impl FnMut(),
) -> io::Result<Infallible> {
    loop {
        trampoline(&fd, interest, None).await?;
        function();
        // It may be ready forever.
        sleep(Duration::ZERO).await;
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("ended", &self.0.dead()).finish()
    }
}
