//! Starting green threads.

use std::future::pending;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::greenlet::{Greenlet, getcurrent};
use super::handle::GreenThread;
use super::job::{Delivered, Spawned, Unwatched};
use super::sleep::{Sleep, sleep};
use crate::awaitable::Awaitable;
use crate::exit::Exit;
use crate::hub;

/// Starts a green thread that runs a future, and returns its handle.
///
/// The caller keeps its turn; the green thread has its first one after all that are ready now. A
/// stackful green thread is `spawn(stackful(closure))`.
///
/// While a hub ends, destructors and links may still spawn. Such a green thread never starts: it is
/// killed in turn, which runs its destructors and links. If those spawn again, and so on, the hub
/// forgets every green thread of the ninth generation, as [`std::mem::forget`] does, and reports
/// that. So a supervisor that restarts its worker whenever that ends cannot keep its hub from
/// ending.
///
/// Corresponds to `eventlet.spawn`.
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// eventlet::run(async {
///     let gt = eventlet::spawn(async { 1 + 1 });
///     assert_eq!(gt.await.unwrap(), 2);
/// });
/// ```
#[inline]
#[track_caller]
pub fn spawn<F, T>(future: F) -> GreenThread<T>
where
    F: Awaitable<T> + 'static,
{
    start(future.into_future(), false, Location::caller())
}

/// Starts a green thread without a handle: its result is not wanted.
///
/// It costs less than [`spawn`]. Its value is dropped; a panic, and a value that is an `Err`, is
/// [reported](crate::debug::hub_exceptions) with this line.
///
/// Corresponds to `eventlet.spawn_n`.
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// let greenlet = eventlet::spawn_n(async {});
/// assert!(!greenlet.dead());
/// eventlet::sleep(std::time::Duration::ZERO).await;
/// assert!(greenlet.dead());
/// # });
/// ```
#[inline]
#[track_caller]
pub fn spawn_n<F, T>(future: F) -> Greenlet
where
    F: Awaitable<T> + 'static,
{
    spawn_n_from(future.into_future(), Location::caller())
}

/// Starts a green thread that begins its work after so long.
///
/// It runs even if the caller has ended by then. Until it begins, [`cancel`](Greenlet::cancel)
/// prevents it.
///
/// Corresponds to `eventlet.spawn_after`.
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// # eventlet::run(async {
/// let start = Instant::now();
/// eventlet::spawn_after(Duration::from_millis(5), async {}).await.unwrap();
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// # });
/// ```
#[track_caller]
pub fn spawn_after<F, T>(delay: Duration, future: F) -> GreenThread<T>
where
    F: Awaitable<T> + 'static,
{
    let (delay, future) = (wait_for(delay), future.into_future());
    let delayed = async move {
        if let Some(delay) = delay {
            delay.await;
        }
        begin();
        future.await
    };
    start(delayed, true, Location::caller())
}

/// Starts a green thread that begins its work after so long, unless the caller has ended by then.
///
/// If it has, the new green thread ends as killed.
///
/// Corresponds to `eventlet.greenthread.spawn_after_local`.
///
/// # Panics
///
/// Outside green threads, as there is no caller whose end could be checked.
///
/// # Yields
///
/// Never.
///
/// # Differences
///
/// In eventlet, waiting for one whose owner has ended never returns.
///
/// # Examples
///
/// ```
/// use eventlet::greenthread::{spawn, spawn_after_local};
/// use std::time::Duration;
///
/// # eventlet::run(async {
/// let owner = spawn(async { spawn_after_local(Duration::from_millis(1), async {}) });
/// let orphan = owner.await.unwrap();
/// assert!(orphan.await.unwrap_err().is_killed());
/// # });
/// ```
#[track_caller]
pub fn spawn_after_local<F, T>(delay: Duration, future: F) -> GreenThread<T>
where
    F: Awaitable<T> + 'static,
{
    let owner = getcurrent();
    let (delay, future) = (wait_for(delay), future.into_future());
    let delayed = async move {
        if let Some(delay) = delay {
            delay.await;
        }
        if owner.dead() {
            getcurrent().kill();
            pending::<()>().await;
        }
        begin();
        future.await
    };
    start(delayed, true, Location::caller())
}

/// Starts a green thread on behalf of a line that asked for it earlier.
#[track_caller]
pub(crate) fn spawn_from<F>(
    future: F,
    spawned_at: &'static Location<'static>,
) -> GreenThread<F::Output>
where
    F: Future + 'static,
{
    start(future, false, spawned_at)
}

/// Like [`spawn_from`], without a handle.
#[inline]
#[track_caller]
pub(crate) fn spawn_n_from<F>(future: F, spawned_at: &'static Location<'static>) -> Greenlet
where
    F: Future + 'static,
{
    Greenlet::spawn(Rc::pin(Unwatched::new(future)), false, spawned_at)
}

/// Starts a green thread whose outcome is passed to a function as soon as it ends.
pub(crate) fn spawn_delivered<F, D>(
    future: F,
    deliver: D,
    spawned_at: &'static Location<'static>,
) -> Greenlet
where
    F: Future + 'static,
    D: FnOnce(Result<F::Output, Exit>) + 'static,
{
    Greenlet::spawn(Rc::pin(Delivered::new(future, deliver)), false, spawned_at)
}

#[inline]
#[track_caller]
fn start<F>(
    future: F,
    delayed: bool,
    spawned_at: &'static Location<'static>,
) -> GreenThread<F::Output>
where
    F: Future + 'static,
{
    let job = Rc::pin(Spawned::new(future));
    GreenThread::new(Greenlet::spawn(job.clone(), delayed, spawned_at), job)
}

/// Makes the timer that a green thread waits for before it starts. Without a delay there is none:
/// its first turn comes in the order of the spawns.
#[track_caller]
fn wait_for(delay: Duration) -> Option<Sleep> {
    if delay.is_zero() { None } else { Some(sleep(delay)) }
}

/// Records that the running green thread, spawned to start later, starts now.
fn begin() {
    hub::expect("starting a green thread").start(getcurrent().key());
}
