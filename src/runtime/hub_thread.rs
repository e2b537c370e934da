//! A hub on an OS thread of its own, and the handle to it.

use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc as plain};
use std::task::{Context, Poll};
use std::thread;

use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc};
use tokio::task::LocalSet;

use super::aborted::Aborted;
use super::bounded::Bounded;
use super::builder::{Builder, Options};
use super::host::{has_no_value, host};
use super::orders::{Handle, Order};
use super::remote::RemoteGreenThread;
use crate::awaitable::Awaitable;
use crate::hub::Number;
use crate::os_thread::assert_may_block;

/// A hub that runs on an OS thread of its own.
///
/// This is a handle, `Send`, `Sync` and cheap to clone, with which any OS thread and any runtime
/// gives work to the hub and waits for the result. Closures and results that cross OS threads are
/// `Send`; the green threads themselves and everything that they use stay on their OS thread, so
/// they need not be. N of them, each with a listener of its own that has
/// [`reuse_port`](crate::convenience::Listen::reuse_port), use N cores.
///
/// The hub ends with [`shutdown`](HubThread::shutdown), or with the last handle: this one and its
/// clones, and every [`RemoteGreenThread`]. Dropping the last handle does not wait for that. A
/// process that exits runs no destructors in its hubs: call `shutdown` and wait, if that matters. A
/// hub whose green threads keep a handle to it ends only by `shutdown`.
///
/// Corresponds to an OS thread of a Python program that uses eventlet: there its hub starts by
/// itself.
///
/// # Differences
///
/// Eventlet cannot send work to the hub of another OS thread.
///
/// # Examples
///
/// ```
/// use eventlet::HubThread;
///
/// #[tokio::main]
/// async fn main() {
///     let hub = HubThread::start();
///     let sum = hub.spawn(|| async {
///         let one = eventlet::spawn(async { 1 });
///         one.await.unwrap() + 2
///     });
///     assert_eq!(sum.await.unwrap(), 3);
///     hub.shutdown().await;
/// }
/// ```
#[derive(Clone)]
pub struct HubThread(Arc<Handle>);

impl HubThread {
    /// Starts a hub on a new OS thread, with the options that [`run`](super::run()) uses.
    ///
    /// # Panics
    ///
    /// If the operating system refuses the OS thread or the runtime's resources, or 4,096 hubs are
    /// running. [`Builder::start_thread`] returns an error instead.
    ///
    /// # Examples
    ///
    /// ```
    /// let hub = eventlet::HubThread::start();
    /// assert_eq!(hub.spawn(|| async { 42 }).join().unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn start() -> HubThread {
        match Builder::new().start_thread() {
            Ok(hub) => hub,
            Err(error) => panic!("cannot start a hub on an OS thread: {error}"),
        }
    }

    /// Starts a green thread on the hub, and returns the handle to wait for it.
    ///
    /// The closure is sent there, and the green thread calls it first. So the future that it makes
    /// need not be `Send`. A stackful green thread is `spawn(|| stackful(closure))`.
    ///
    /// Green threads start in the order in which one caller spawned them.
    ///
    /// Corresponds to `eventlet.spawn`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{HubThread, Queue, spawn};
    ///
    /// let hub = HubThread::start();
    /// let letters = hub.spawn(|| async {
    ///     let queue = Queue::new(None); // it is `!Send`
    ///     let sender = queue.clone();
    ///     spawn(async move { sender.put("a").await }).await.unwrap();
    ///     queue.get().await
    /// });
    /// assert_eq!(letters.join().unwrap(), "a");
    /// ```
    #[track_caller]
    pub fn spawn<M, F, T>(&self, make: M) -> RemoteGreenThread<T>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Awaitable<T> + 'static,
        T: Send + 'static,
    {
        self.spawn_from(make, Location::caller())
    }

    /// Starts a green thread in the name of a line that has asked for it before.
    pub(crate) fn spawn_from<M, F, T>(
        &self,
        make: M,
        spawned_at: &'static Location<'static>,
    ) -> RemoteGreenThread<T>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Awaitable<T> + 'static,
        T: Send + 'static,
    {
        RemoteGreenThread::spawn(&self.0, make, spawned_at)
    }

    /// Ends the hub, and returns a future of its end: await it, or [`join`](Shutdown::join) it from
    /// a plain OS thread.
    ///
    /// Green threads that are left are dropped on their OS thread, their destructors run, and their
    /// waiters get an [`Exit`](crate::Exit) that [`is_killed`](crate::Exit::is_killed). One that is
    /// running goes on to its next wait first. A green thread that is spawned from now on never
    /// starts, and its result says why. Shutting down twice has no further effect.
    ///
    /// # Yields
    ///
    /// Never; what it returns does, until the hub has ended.
    ///
    /// # Killed
    ///
    /// The hub ends all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::HubThread;
    /// use std::future::pending;
    ///
    /// let hub = HubThread::start();
    /// let parked = hub.spawn(|| pending::<()>());
    /// hub.shutdown().join();
    /// assert!(parked.join().unwrap_err().is_killed());
    ///
    /// let late = hub.spawn(|| async { 42 });
    /// assert_eq!(
    ///     late.join().unwrap_err().to_string(),
    ///     "the green thread was ended by an error: its hub was shut down before it could start"
    /// );
    /// ```
    pub fn shutdown(&self) -> Shutdown {
        let _ended_already = self.0.send(Order::End);
        let mut ended = self.0.ended.resubscribe();
        Shutdown {
            hub: Arc::clone(&self.0),
            ended: Box::pin(async move {
                let Err(_closed) = ended.recv().await;
            }),
        }
    }
}

impl Builder {
    /// Starts a hub on a new OS thread, as [`HubThread::start`] does.
    ///
    /// # Errors
    ///
    /// When the operating system refuses the thread or the runtime its resources, or 4,096 hubs are
    /// running.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::runtime::Builder;
    ///
    /// let hub = Builder::new().thread_name("crawler").start_thread().unwrap();
    /// let name = hub.spawn(|| async { std::thread::current().name().map(str::to_owned) });
    /// assert_eq!(name.join().unwrap().as_deref(), Some("crawler"));
    /// ```
    #[track_caller]
    pub fn start_thread(&mut self) -> io::Result<HubThread> {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (end, ended) = broadcast::channel(1);
        let (number, limit) = (Number::take()?, self.shutdown_timeout);
        let (options, started_at) = (self.options.clone(), Location::caller());
        // The OS thread first: if it is refused, there is no runtime to be dropped, which Tokio
        // forbids inside another.
        let (sender, receiver) = plain::channel();
        let thread = thread::Builder::new().name(self.name.clone()).spawn(move || {
            if let Ok(runtime) = receiver.recv() {
                live(&Bounded::new(runtime, limit), inbox, number, options, started_at);
            }
            drop(end);
        })?;
        let runtime = self.tokio.build()?;
        sender.send(runtime).map_err(|_| io::Error::other("the hub's OS thread did not start"))?;
        Ok(HubThread(Arc::new(Handle { orders, ended, thread: Mutex::new(Some(thread)) })))
    }
}

/// The life of the OS thread of a hub.
///
/// A runtime with a `LocalSet`, not Tokio's `LocalRuntime`: that cannot be made on the OS thread of
/// the caller, which is to get the error if it is refused.
fn live(
    runtime: &Runtime,
    inbox: mpsc::UnboundedReceiver<Order>,
    number: Number,
    options: Options,
    started_at: &'static Location<'static>,
) {
    let main = host(obey(inbox), number, started_at, |hub, _| options.apply(hub));
    match LocalSet::new().block_on(runtime, main) {
        Err(exit) if Aborted::of(&exit).is_none() => has_no_value(&exit),
        _ => {}
    }
}

/// The main green thread of a hub thread: executes orders, until it is ordered to end or no handle
/// is left.
async fn obey(mut inbox: mpsc::UnboundedReceiver<Order>) {
    while let Some(Order::Do(order)) = inbox.recv().await {
        order();
    }
}

/// A hub that is being shut down: what [`HubThread::shutdown`] returns.
///
/// It is a future, and `Send`. It is ready once every green thread of the hub has ended, every
/// destructor has run, and so have the closures that were given to Tokio's `spawn_blocking` there,
/// unless [they take too long](Builder::shutdown_timeout). Dropping it changes nothing.
pub struct Shutdown {
    hub: Arc<Handle>,
    ended: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl Shutdown {
    /// Blocks this OS thread until the OS thread of the hub has ended.
    ///
    /// # Panics
    ///
    /// Inside a Tokio runtime, such as the hub's own: await the `Shutdown` there.
    ///
    /// # Examples
    ///
    /// ```
    /// let hub = eventlet::HubThread::start();
    /// hub.shutdown().join();
    /// ```
    #[track_caller]
    pub fn join(self) {
        assert_may_block();
        let Err(_closed) = self.hub.ended.resubscribe().blocking_recv();
        let mut thread = self.hub.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // The panic hook has reported a panic of that OS thread already.
            let _panicked = thread.join();
        }
    }
}

impl Future for Shutdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.ended.as_mut().poll(cx)
    }
}

impl fmt::Debug for HubThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubThread").finish_non_exhaustive()
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").finish_non_exhaustive()
    }
}
