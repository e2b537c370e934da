//! What a program asks of the check that it runs in.

use std::cell::Cell;
use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::schedule;
use crate::exit::Exit;
use crate::greenthread::Greenlet;
use crate::hub;
use crate::timeout::Timeout;

/// Lets the check kill a green thread, at any moment between two turns, or not at all.
///
/// Outside [`check`](super::check()) it does nothing.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use eventlet::{spawn, sleep, testing};
/// use std::time::Duration;
///
/// testing::check(0..50, || async {
///     let worker = spawn(sleep(Duration::from_secs(1)));
///     testing::may_kill(&worker);
///     // It ends either way, and whoever waits for it hears so.
///     assert!(worker.await.map_or_else(|exit| exit.is_killed(), |()| true));
/// });
/// ```
pub fn may_kill(victim: &Greenlet) {
    let key = victim.key();
    if let Some(schedule) = schedule::current() {
        schedule.add_fault(move |schedule| {
            let hub = hub::expect("a check");
            if !hub.dead(key) {
                schedule.note("kill of", key, hub.place_of(key));
                hub.kill(key, Exit::killed());
            }
        });
    }
}

/// Waits for a future, which the check may give up on, at any moment between two turns, or not at
/// all.
///
/// Outside [`check`](super::check()) it waits as long as it takes.
///
/// Corresponds to [`with_timeout`](crate::with_timeout) with a limit that nobody knows.
///
/// # Yields
///
/// When the future does.
///
/// # Killed
///
/// The future is dropped.
///
/// # Errors
///
/// The [`Timeout`], when the future was given up on, and dropped.
///
/// # Examples
///
/// ```
/// use eventlet::{Semaphore, testing};
///
/// testing::check(0..50, || async {
///     let semaphore = Semaphore::new(1);
///     let _held = semaphore.permit().await;
///     let waiting = eventlet::spawn({
///         let semaphore = semaphore.clone();
///         async move { testing::may_time_out(semaphore.permit()).await.is_err() }
///     });
///     testing::may_kill(&waiting);
///     eventlet::sleep(std::time::Duration::from_secs(1)).await;
///     drop(_held);
///     let _ = waiting.await;
///     assert!(!semaphore.locked(), "the permit is there again");
/// });
/// ```
pub async fn may_time_out<F: IntoFuture>(future: F) -> Result<F::Output, Timeout> {
    let limit = Rc::new(Limit::default());
    let same = Rc::clone(&limit);
    let may_pass = schedule::current()
        .is_some_and(|schedule| schedule.add_fault(move |_schedule| same.pass()));
    let mut future = pin!(future.into_future());
    poll_fn(|cx| {
        if limit.passed.get() {
            return Poll::Ready(Err(Timeout::new(Duration::ZERO)));
        }
        if may_pass {
            limit.waker.set(Some(cx.waker().clone()));
        }
        future.as_mut().poll(cx).map(Ok)
    })
    .await
}

#[derive(Default)]
struct Limit {
    passed: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Limit {
    fn pass(&self) {
        self.passed.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Returns a number below `options` that the check chooses: 0 is the usual one, and what it tries
/// to get to when it shrinks a schedule that fails.
///
/// Outside [`check`](super::check()) it is 0.
///
/// # Panics
///
/// When there are no options.
///
/// # Examples
///
/// ```
/// use eventlet::testing;
///
/// testing::check(0..50, || async {
///     let packets_lost = testing::choose(3);
///     assert!(packets_lost < 3);
/// });
/// ```
#[track_caller]
pub fn choose(options: usize) -> usize {
    assert!(options > 0, "`choose` needs something to choose from: call it with 1 option at least");
    schedule::current().map_or(0, |schedule| schedule.choose(options))
}

/// Has the check fail when a value is another at the end than it is now: the permits of a
/// semaphore, the free places of a pool, the items of a queue.
///
/// Outside [`check`](super::check()) it does nothing.
///
/// # Examples
///
/// ```
/// use eventlet::{Semaphore, testing};
///
/// testing::check(0..50, || async {
///     let semaphore = Semaphore::new(3);
///     let permits = semaphore.clone();
///     testing::unchanged("permits", move || permits.counter());
///     let user = eventlet::spawn(async move {
///         let _permit = semaphore.permit().await;
///         eventlet::sleep(std::time::Duration::ZERO).await;
///     });
///     testing::may_kill(&user);
///     let _ = user.await;
/// });
/// ```
pub fn unchanged<T>(what: impl Into<String>, value: impl Fn() -> T + 'static)
where
    T: PartialEq + Debug + 'static,
{
    if let Some(schedule) = schedule::current() {
        let before = value();
        let changed = move || {
            let now = value();
            (now != before).then(|| format!("{before:?} before, {now:?} now"))
        };
        schedule.unchanged.borrow_mut().push((what.into(), Box::new(changed)));
    }
}
