//! A green thread of another OS thread's hub.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::orders::Handle;
use crate::awaitable::Awaitable;
use crate::exit::Exit;
use crate::greenthread::{failure_in, spawn_delivered};
use crate::hub::{self, Key};
use crate::report::{self, Contained};

/// A green thread of a [`HubThread`](super::HubThread) and, once it has ended, its result.
///
/// It is a future of the result, and `Send`: it can be awaited in any runtime. A plain OS thread
/// waits with [`join`](RemoteGreenThread::join). Dropping it leaves the green thread running, as
/// long as there is another handle to the hub.
///
/// Corresponds to [`GreenThread`](crate::GreenThread), which stays on its OS thread.
///
/// # Panics
///
/// A panic that ends the green thread does not spread: it is the `Err` of the result. If no code
/// looks at it, the panic is [reported](crate::debug::hub_exceptions), and so is a value that is an
/// `Err`.
///
/// # Killed
///
/// The green thread goes on when a waiter stops waiting.
///
/// # Errors
///
/// The [`Exit`] of a green thread without a value. One that was killed, for example by a shutdown
/// of its hub, [`is_killed`](Exit::is_killed). One that was spawned when its hub had been shut down
/// has an [`error`](Exit::error) that says so.
///
/// # Examples
///
/// ```
/// use eventlet::HubThread;
///
/// # #[tokio::main]
/// # async fn main() {
/// let hub = HubThread::start();
/// assert_eq!(hub.spawn(|| async { 42 }).await.unwrap(), 42);
///
/// let oops = hub.spawn(|| async { panic!("oops") });
/// assert!(oops.await.unwrap_err().is_panic());
/// # }
/// ```
#[must_use = "it is a result; drop it to let the green thread run on by itself"]
pub struct RemoteGreenThread<T> {
    /// Sends orders for the green thread, and keeps its hub alive while it is waited for.
    hub: Arc<Handle>,
    /// Set when it starts. Meaningful on the hub's OS thread only.
    key: Arc<OnceLock<Key>>,
    outcome: oneshot::Receiver<Result<T, Exit>>,
    /// Handles an outcome that was never looked at.
    discard: fn(Result<T, Exit>),
}

impl<T: Send + 'static> RemoteGreenThread<T> {
    pub(super) fn spawn<M, F>(
        hub: &Arc<Handle>,
        make: M,
        spawned_at: &'static Location<'static>,
    ) -> RemoteGreenThread<T>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Awaitable<T> + 'static,
    {
        let (sender, outcome) = oneshot::channel();
        let key = Arc::new(OnceLock::new());
        // If the hub ends first it is dropped inside a Tokio channel, through which no panic may
        // unwind.
        let make = Contained::new(make, "in a destructor of a green thread that never started");
        hub.order({
            let key = Arc::clone(&key);
            move || {
                let deliver = move |outcome| {
                    if let Err(unwanted) = sender.send(outcome) {
                        discard(unwanted);
                    }
                };
                let work = async move { make.into_inner()().await };
                let started = spawn_delivered(work, deliver, spawned_at);
                let _first = key.set(started.key());
            }
        });
        RemoteGreenThread { hub: Arc::clone(hub), key, outcome, discard }
    }
}

impl<T> RemoteGreenThread<T> {
    /// Blocks this OS thread until the green thread ends, and returns its result.
    ///
    /// Corresponds to [`std::thread::JoinHandle::join`].
    ///
    /// # Panics
    ///
    /// Inside a Tokio runtime, whose other tasks it would block: await the handle there.
    ///
    /// # Errors
    ///
    /// As for awaiting it.
    ///
    /// # Examples
    ///
    /// ```
    /// let hub = eventlet::HubThread::start();
    /// assert_eq!(hub.spawn(|| async { 42 }).join().unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn join(mut self) -> Result<T, Exit> {
        let (_, nothing) = oneshot::channel();
        let outcome = std::mem::replace(&mut self.outcome, nothing);
        outcome.blocking_recv().unwrap_or_else(|_| Err(never_started()))
    }

    /// Ends the green thread, as [`Greenlet::kill`](crate::Greenlet::kill) does.
    ///
    /// The hub does it in a later turn, and this does not wait for that: wait for the result. One
    /// that has not started by then never does.
    ///
    /// Corresponds to eventlet's `GreenThread.kill()`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// let hub = eventlet::HubThread::start();
    /// let parked = hub.spawn(|| std::future::pending::<()>());
    /// parked.kill();
    /// assert!(parked.join().unwrap_err().is_killed());
    /// ```
    pub fn kill(&self) {
        let key = Arc::clone(&self.key);
        self.hub.order(move || {
            // Orders are executed in order: by now it was spawned.
            if let (Some(hub), Some(key)) = (hub::current(), key.get()) {
                hub.kill(*key, Exit::killed());
            }
        });
    }
}

/// The outcome of a green thread whose hub had ended.
fn never_started() -> Exit {
    Exit::thrown("its hub was shut down before it could start".into())
}

/// Drops an outcome that has no waiter, and reports it if it is a failure.
fn discard<T: 'static>(outcome: Result<T, Exit>) {
    if let Some(failure) = failure_in(&outcome) {
        report::failure("in a green thread that nobody waited for", &failure);
    }
    report::discard("in the destructor of the value of a green thread", outcome);
}

/// The result, once the green thread has ended.
impl<T> Future for RemoteGreenThread<T> {
    type Output = Result<T, Exit>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Exit>> {
        let outcome = ready!(Pin::new(&mut self.outcome).poll(cx));
        Poll::Ready(outcome.unwrap_or_else(|_| Err(never_started())))
    }
}

impl<T> Drop for RemoteGreenThread<T> {
    fn drop(&mut self) {
        // From here on the holder of the outcome is responsible for reporting it.
        self.outcome.close();
        if let Ok(unwanted) = self.outcome.try_recv() {
            (self.discard)(unwanted);
        }
    }
}

impl<T> fmt::Debug for RemoteGreenThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteGreenThread").finish_non_exhaustive()
    }
}
