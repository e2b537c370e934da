//! Waiting for several: for the first of them, or for all.

use std::future::poll_fn;
use std::task::Poll;

use crate::awaitable::Awaitable;
use crate::exit::Exit;
use crate::greenthread::GreenThread;

/// Waits for the first of several to be ready, and returns its index with its output.
///
/// They may be green threads, or anything else that can be awaited: queues, events, sockets,
/// timers. The others are dropped, which loses nothing: an item stays in its queue. To go on with
/// them, pass `&mut` of each.
///
/// If they differ in type, use `Pin<Box<dyn Future>>` with one type of output or, in an async fn,
/// `tokio::select!`.
///
/// Corresponds to `eventlet.green.select.select`, and to a queue into which several green threads
/// put their names.
///
/// # Yields
///
/// Until one is ready; not at all if one is. If several are, the first is taken.
///
/// # Killed
///
/// All of them are dropped.
///
/// # Panics
///
/// If there is nothing to wait for.
///
/// # Examples
///
/// ```
/// use eventlet::{Queue, spawn, wait_any};
/// use std::future::pending;
///
/// # eventlet::run(async {
/// let queues = [Queue::new(None), Queue::new(None)];
/// queues[1].put("hello").await;
/// assert_eq!(wait_any(queues.iter().map(|queue| queue.get())).await, (1, "hello"));
///
/// let mut threads = vec![spawn(pending()), spawn(async { 42 })];
/// let (first, result) = wait_any(&mut threads).await;
/// assert_eq!((first, result.unwrap()), (1, 42));
/// threads[0].kill();
/// # });
/// ```
#[doc(alias = "select")]
#[doc(alias = "select_all")]
#[track_caller]
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub fn wait_any<I, F, T>(futures: I) -> impl Future<Output = (usize, T)> + use<I, F, T>
where
    I: IntoIterator<Item = F>,
    F: Awaitable<T>,
{
    let futures = futures.into_iter().map(|future| Box::pin(future.into_future()));
    let mut futures: Vec<_> = futures.collect();
    assert!(
        !futures.is_empty(),
        "`wait_any` was given nothing to wait for, and would wait forever"
    );
    poll_fn(move |cx| {
        for (place, future) in futures.iter_mut().enumerate() {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready((place, output));
            }
        }
        Poll::Pending
    })
}

/// Waits for green threads, and collects their results in the order in which they are given: into a
/// `Vec`, or a `Result` of one.
///
/// Corresponds to `[gt.wait() for gt in threads]`.
///
/// # Yields
///
/// Until all have ended; not at all if they have.
///
/// # Killed
///
/// The green threads go on.
///
/// # Examples
///
/// ```
/// use eventlet::{Exit, spawn, wait_all};
///
/// # eventlet::run(async {
/// let threads = [1, 2, 3].map(|n| spawn(async move { n * 2 }));
/// let doubled: Result<Vec<i32>, Exit> = wait_all(threads).await;
/// assert_eq!(doubled.unwrap(), [2, 4, 6]);
/// # });
/// ```
#[doc(alias = "join_all")]
pub async fn wait_all<C, T>(threads: impl IntoIterator<Item = GreenThread<T>>) -> C
where
    C: FromIterator<Result<T, Exit>>,
{
    let mut results = Vec::new();
    for thread in threads {
        results.push(thread.await);
    }
    results.into_iter().collect()
}
