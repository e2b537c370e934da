//! Semaphores: how many green threads may be somewhere at once.
//!
//! [`Semaphore`] counts permits, [`BoundedSemaphore`] also notices when too many are released, and
//! [`CappedSemaphore`] makes those wait who would release too many.
//!
//! Corresponds to eventlet's `eventlet.semaphore`.
//!
//! A semaphore of one is a lock: [`Lock`](crate::lock::Lock).

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::hub;
use crate::queue::{Get, LightQueue, Put, Storage};
use crate::waiters::{Left, Place, Waiters, Wakeup, wake_all};

/// A counter of permits: acquiring takes one and waits when there is none, releasing gives one back.
///
/// It is a handle: clones name the same semaphore. Acquirers are served in the order in which they
/// came. A release hands its permit straight to the first of them, so nobody can overtake.
///
/// Corresponds to eventlet's `semaphore.Semaphore`.
///
/// # Examples
///
/// ```
/// use eventlet::Semaphore;
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// eventlet::run(async {
///     let (semaphore, inside) = (Semaphore::new(2), Rc::new(Cell::new(0)));
///     let visitors: Vec<_> = (0..10)
///         .map(|_| {
///             let (semaphore, inside) = (semaphore.clone(), inside.clone());
///             eventlet::spawn(async move {
///                 let _permit = semaphore.permit().await;
///                 inside.set(inside.get() + 1);
///                 assert!(inside.get() <= 2);
///                 eventlet::sleep(Duration::ZERO).await;
///                 inside.set(inside.get() - 1);
///             })
///         })
///         .collect();
///     for visitor in visitors {
///         visitor.await.unwrap();
///     }
/// });
/// ```
///
/// # Differences
///
/// eventlet's non-blocking and timed acquirers overtake those who wait; here nobody does. A permit
/// that was handed to a waiter is no longer counted, even before that waiter has its turn.
pub struct Semaphore {
    shared: Rc<Shared>,
}

struct Shared {
    /// Permits to be had; below zero after a cut that took more than there were. While somebody
    /// waits it is not above zero, which is why nobody needs to look whom he might overtake.
    counter: Cell<isize>,
    /// How far releasing may raise the counter.
    limit: isize,
    waiters: Waiters<(), ()>,
}

/// Makes a counter of a size; no program has so many permits that the difference could be seen.
pub(crate) fn saturating(size: usize) -> isize {
    isize::try_from(size).unwrap_or(isize::MAX)
}

impl Semaphore {
    /// Makes a semaphore of so many permits.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::Semaphore::new(2);
    /// assert_eq!(semaphore.counter(), 2);
    /// ```
    pub fn new(value: usize) -> Semaphore {
        Semaphore::with_limit(value, isize::MAX)
    }

    fn with_limit(value: usize, limit: isize) -> Semaphore {
        let counter = Cell::new(saturating(value));
        Semaphore { shared: Rc::new(Shared { counter, limit, waiters: Waiters::new() }) }
    }

    /// Takes a permit, and waits for one where there is none.
    ///
    /// The permit is given back with [`release`](Semaphore::release), by whomever. Where one green
    /// thread does both, [`permit`](Semaphore::permit) gives it back by itself.
    ///
    /// Corresponds to eventlet's `Semaphore.acquire`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Semaphore;
    ///
    /// eventlet::run(async {
    ///     let semaphore = Semaphore::new(1);
    ///     semaphore.acquire().await;
    ///     assert!(semaphore.locked());
    ///     semaphore.release();
    ///     assert!(!semaphore.locked());
    /// });
    /// ```
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// The waiter leaves the line; a permit that was handed to it already goes to the next one. After
    /// `acquire` has returned, a kill does not give the permit back.
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire { semaphore: self, place: Place::default() }
    }

    /// Takes a permit if that needs no waiting, and returns whether it did.
    ///
    /// Corresponds to eventlet's `Semaphore.acquire` with `blocking=False`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::Semaphore::new(1);
    /// assert!(semaphore.try_acquire());
    /// assert!(!semaphore.try_acquire());
    /// ```
    ///
    /// # Yields
    ///
    /// Never.
    #[must_use = "without a look at it nobody knows whether there is a permit to release"]
    pub fn try_acquire(&self) -> bool {
        let free = !self.locked();
        if free {
            self.shared.counter.set(self.counter() - 1);
        }
        free
    }

    /// Takes a permit, but waits for one no longer than `limit`, and returns whether it got one.
    ///
    /// Corresponds to eventlet's `Semaphore.acquire` with a timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Semaphore;
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let semaphore = Semaphore::new(1);
    ///     assert!(semaphore.acquire_timeout(Duration::from_millis(1)).await);
    ///     assert!(!semaphore.acquire_timeout(Duration::from_millis(1)).await);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// Where there is no hub.
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// As with [`acquire`](Semaphore::acquire): no permit is lost.
    #[track_caller]
    pub fn acquire_timeout(&self, limit: Duration) -> impl Future<Output = bool> {
        let acquired = hub::within(Some(limit), self.acquire());
        async { acquired.await.is_some() }
    }

    /// Takes a permit that is released when it is dropped, and waits for one where there is none.
    ///
    /// Corresponds to eventlet's `with semaphore:`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Semaphore;
    ///
    /// eventlet::run(async {
    ///     let semaphore = Semaphore::new(1);
    ///     {
    ///         let _permit = semaphore.permit().await;
    ///         assert!(semaphore.locked());
    ///     }
    ///     assert!(!semaphore.locked());
    /// });
    /// ```
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// No permit is lost: one that was handed to the waiter already goes to the next one, and the
    /// guard of a killed green thread is dropped with everything else it has.
    pub fn permit(&self) -> AcquirePermit<'_> {
        AcquirePermit(self.acquire())
    }

    /// Takes a permit that is released when it is dropped, if that needs no waiting.
    ///
    /// Corresponds to eventlet's `Semaphore.acquire` with `blocking=False`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::Semaphore::new(1);
    /// let permit = semaphore.try_permit();
    /// assert!(permit.is_some());
    /// assert!(semaphore.try_permit().is_none());
    /// ```
    pub fn try_permit(&self) -> Option<SemaphorePermit> {
        self.try_acquire().then(|| SemaphorePermit { semaphore: self.clone() })
    }

    /// Takes a permit that is released when it is dropped, but waits for one no longer than `limit`.
    ///
    /// Corresponds to eventlet's `Semaphore.acquire` with a timeout.
    ///
    /// # Panics
    ///
    /// Where there is no hub.
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// As with [`permit`](Semaphore::permit): no permit is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Semaphore;
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let semaphore = Semaphore::new(1);
    ///     let permit = semaphore.permit_timeout(Duration::from_millis(1)).await;
    ///     assert!(permit.is_some());
    ///     assert!(semaphore.permit_timeout(Duration::from_millis(1)).await.is_none());
    /// });
    /// ```
    #[track_caller]
    pub fn permit_timeout(&self, limit: Duration) -> impl Future<Output = Option<SemaphorePermit>> {
        hub::within(Some(limit), self.permit())
    }

    /// Gives a permit back, and hands it to whoever waits first.
    ///
    /// It need not be the acquirer who releases.
    ///
    /// Corresponds to eventlet's `Semaphore.release`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::Semaphore::new(0);
    /// semaphore.release();
    /// assert!(semaphore.try_acquire());
    /// ```
    ///
    /// # Panics
    ///
    /// When this is a [`BoundedSemaphore`] whose permits are all there, or when there are
    /// [`isize::MAX`] already.
    ///
    /// # Yields
    ///
    /// Never: whoever waits runs in a later turn.
    #[track_caller]
    pub fn release(&self) {
        assert!(self.put_back(), "the semaphore was released more often than acquired");
    }

    /// Returns how many permits are to be had.
    ///
    /// Corresponds to eventlet's `Semaphore.counter`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::Semaphore::new(3);
    /// assert!(semaphore.try_acquire());
    /// assert_eq!(semaphore.counter(), 2);
    /// ```
    pub fn counter(&self) -> isize {
        self.shared.counter.get()
    }

    /// Returns whether acquiring would wait.
    ///
    /// Corresponds to eventlet's `Semaphore.locked`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(eventlet::Semaphore::new(0).locked());
    /// ```
    pub fn locked(&self) -> bool {
        self.counter() <= 0
    }

    /// Returns how many permits are to be had, less the green threads that wait for one.
    ///
    /// Corresponds to eventlet's `Semaphore.balance`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Semaphore;
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let semaphore = Semaphore::new(0);
    ///     eventlet::spawn({
    ///         let semaphore = semaphore.clone();
    ///         async move { semaphore.acquire().await }
    ///     });
    ///     eventlet::sleep(Duration::ZERO).await;
    ///     assert_eq!(semaphore.balance(), -1);
    /// });
    /// ```
    pub fn balance(&self) -> isize {
        self.counter() - saturating(self.waiting())
    }

    /// Returns whether releasing would wait: never.
    ///
    /// It is there for symmetry with [`CappedSemaphore::bounded`].
    ///
    /// Corresponds to eventlet's `Semaphore.bounded`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!eventlet::Semaphore::new(1).bounded());
    /// ```
    pub fn bounded(&self) -> bool {
        false
    }

    /// Returns how many wait for a permit.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiters.len()
    }

    /// Adds permits and wakes whom they serve, or takes some away, be they there or not: what is
    /// acquired stays so, and the counter goes below zero.
    pub(crate) fn adjust(&self, delta: isize) {
        self.shared.counter.set(self.counter() + delta);
        wake_all(|| self.serve());
    }

    /// Changes how many permits there are in all, acquired ones included.
    pub(crate) fn resize(&self, old: usize, new: usize) {
        self.adjust(saturating(new) - saturating(old));
    }

    /// Is the body of every future that acquires: for those that own their handle, as a pool's do.
    /// Whoever polls must [`leave`](Semaphore::leave) when dropped.
    pub(crate) fn poll_acquire(&self, place: &mut Place, cx: &Context<'_>) -> Poll<()> {
        let at_once = || if self.try_acquire() { Ok(()) } else { Err(()) };
        self.shared.waiters.wait(place, cx, at_once)
    }

    /// Gives up acquiring, and passes a permit on that was handed over but not received.
    pub(crate) fn leave(&self, place: &mut Place) {
        if let Left::Grant(()) = self.shared.waiters.leave(place) {
            self.put_back();
        }
    }

    /// Hands a permit to the first waiter, where there are both.
    fn serve(&self) -> Option<Wakeup> {
        if self.locked() {
            return None;
        }
        let ((), wakeup) = self.shared.waiters.choose(()).ok()?;
        self.shared.counter.set(self.counter() - 1);
        Some(wakeup)
    }

    /// Gives a permit back, unless all are there already.
    fn put_back(&self) -> bool {
        let missing = self.counter() < self.shared.limit;
        if missing {
            self.adjust(1);
        }
        missing
    }
}

impl Clone for Semaphore {
    fn clone(&self) -> Self {
        Semaphore { shared: Rc::clone(&self.shared) }
    }
}

/// Makes a semaphore of one permit: a lock.
impl Default for Semaphore {
    fn default() -> Self {
        Semaphore::new(1)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("counter", &self.counter())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// The future that [`Semaphore::acquire`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    place: Place,
}

impl Future for Acquire<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Acquire { semaphore, place } = self.get_mut();
        semaphore.poll_acquire(place, cx)
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        self.semaphore.leave(&mut self.place);
    }
}

/// The future that [`Semaphore::permit`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct AcquirePermit<'a>(Acquire<'a>);

impl Future for AcquirePermit<'_> {
    type Output = SemaphorePermit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<SemaphorePermit> {
        ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(SemaphorePermit { semaphore: self.0.semaphore.clone() })
    }
}

/// A permit of a semaphore, which is released when this is dropped.
///
/// It holds a handle of its semaphore, so it may be kept anywhere and as long as one likes.
/// [`Semaphore::permit`] makes it.
///
/// # Examples
///
/// ```
/// use eventlet::Semaphore;
///
/// eventlet::run(async {
///     let semaphore = Semaphore::new(1);
///     let permit = semaphore.permit().await;
///     eventlet::spawn(async move {
///         // .. work ..
///         drop(permit);
///     });
///     semaphore.acquire().await;
/// });
/// ```
#[derive(Debug)]
#[must_use = "the permit is released when this is dropped"]
pub struct SemaphorePermit {
    semaphore: Semaphore,
}

impl Drop for SemaphorePermit {
    fn drop(&mut self) {
        // Of a bounded semaphore that was released by hand too, all permits may be there. That is a
        // mistake, but not one to panic about in a destructor.
        self.semaphore.put_back();
    }
}

/// A semaphore that panics when it is released more often than acquired.
///
/// It finds a mistake; to make the releaser wait, use a [`CappedSemaphore`]. It is a handle, and it
/// derefs to [`Semaphore`], which has its methods, as eventlet's inherits from it. The limit holds there, too.
///
/// A [`SemaphorePermit`] dropped when all permits are there already does not panic, and adds none.
///
/// Corresponds to eventlet's `semaphore.BoundedSemaphore`, which raises `ValueError`.
///
/// # Examples
///
/// ```
/// use eventlet::BoundedSemaphore;
///
/// let semaphore = BoundedSemaphore::new(1);
/// assert!(semaphore.try_acquire());
/// semaphore.release();
/// ```
///
/// One time too often:
///
/// ```should_panic
/// eventlet::BoundedSemaphore::new(1).release();
/// ```
#[derive(Clone, Debug)]
pub struct BoundedSemaphore {
    semaphore: Semaphore,
}

impl BoundedSemaphore {
    /// Makes a semaphore that has so many permits, and never more.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::BoundedSemaphore::new(2);
    /// assert_eq!(semaphore.counter(), 2);
    /// ```
    pub fn new(value: usize) -> BoundedSemaphore {
        BoundedSemaphore { semaphore: Semaphore::with_limit(value, saturating(value)) }
    }
}

/// Makes a semaphore of one permit: a lock.
impl Default for BoundedSemaphore {
    fn default() -> Self {
        BoundedSemaphore::new(1)
    }
}

impl Deref for BoundedSemaphore {
    type Target = Semaphore;

    fn deref(&self) -> &Semaphore {
        &self.semaphore
    }
}

/// A semaphore with two ends: acquiring waits when it has no permits, releasing waits when it has as
/// many as it may.
///
/// It is a handle: clones name the same semaphore. With a limit of zero, acquirers and releasers
/// meet in pairs. It serves both ends in order, and nobody overtakes.
///
/// Corresponds to eventlet's `semaphore.CappedSemaphore`.
///
/// # Examples
///
/// ```
/// use eventlet::CappedSemaphore;
///
/// eventlet::run(async {
///     let semaphore = CappedSemaphore::new(0, 0);
///     let acquirer = eventlet::spawn({
///         let semaphore = semaphore.clone();
///         async move { semaphore.acquire().await }
///     });
///     semaphore.release().await;
///     acquirer.await.unwrap();
/// });
/// ```
///
/// # Differences
///
/// Who waits at either end is served in order, and nobody overtakes, not with `try_acquire` or `try_release` either.
#[derive(Clone)]
pub struct CappedSemaphore {
    /// A bounded queue of permits is such a semaphore: to acquire is to get, to release is to put.
    permits: LightQueue<()>,
    limit: usize,
}

impl CappedSemaphore {
    /// Makes a semaphore that has `count` permits and may have up to `limit`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::CappedSemaphore::new(2, 3);
    /// assert!(!semaphore.locked() && !semaphore.bounded());
    /// ```
    ///
    /// # Panics
    ///
    /// When `count` is above `limit`.
    #[track_caller]
    pub fn new(count: usize, limit: usize) -> CappedSemaphore {
        assert!(count <= limit, "a semaphore of {count} permits does not fit a limit of {limit}");
        let permits = Storage::fifo(vec![(); count]);
        CappedSemaphore { permits: LightQueue::with_storage(Some(limit), permits), limit }
    }

    /// Takes a permit, and waits for one where there is none.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.acquire`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::CappedSemaphore;
    ///
    /// eventlet::run(async {
    ///     let semaphore = CappedSemaphore::new(1, 1);
    ///     semaphore.acquire().await;
    ///     assert!(semaphore.locked());
    /// });
    /// ```
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// The waiter leaves the line. A permit that was handed to it already goes to the next one, or
    /// stays with the semaphore, which may then have one more than its limit.
    pub fn acquire(&self) -> CappedAcquire<'_> {
        CappedAcquire(self.permits.get())
    }

    /// Takes a permit if that needs no waiting, and returns whether it did.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.acquire` with `blocking=False`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::CappedSemaphore::new(1, 1);
    /// assert!(semaphore.try_acquire());
    /// assert!(!semaphore.try_acquire());
    /// ```
    ///
    /// # Yields
    ///
    /// Never.
    pub fn try_acquire(&self) -> bool {
        self.permits.get_nowait().is_ok()
    }

    /// Gives a permit back, and waits while there are as many as may be.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.release`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::CappedSemaphore;
    ///
    /// eventlet::run(async {
    ///     let semaphore = CappedSemaphore::new(0, 1);
    ///     semaphore.release().await;
    ///     assert!(semaphore.bounded());
    /// });
    /// ```
    ///
    /// # Yields
    ///
    /// Only when there are as many permits as may be.
    ///
    /// # Killed
    ///
    /// A permit that was still waiting for its place is not given back.
    pub fn release(&self) -> CappedRelease<'_> {
        CappedRelease(self.permits.put(()))
    }

    /// Gives a permit back if that needs no waiting, and returns whether it did.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.release` with `blocking=False`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::CappedSemaphore::new(0, 1);
    /// assert!(semaphore.try_release());
    /// assert!(!semaphore.try_release());
    /// ```
    ///
    /// # Yields
    ///
    /// Never.
    pub fn try_release(&self) -> bool {
        self.permits.put_nowait(()).is_ok()
    }

    /// Returns whether acquiring would wait.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.locked`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(eventlet::CappedSemaphore::new(0, 1).locked());
    /// ```
    pub fn locked(&self) -> bool {
        self.permits.empty() && self.permits.putting() == 0
    }

    /// Returns whether releasing would wait.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.bounded`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(eventlet::CappedSemaphore::new(1, 1).bounded());
    /// ```
    pub fn bounded(&self) -> bool {
        self.permits.full() && self.permits.getting() == 0
    }

    /// Returns how many more permits there are than places for more.
    ///
    /// Those who wait count as if they were served: each acquirer takes two off, for it would take a
    /// permit and leave a place, and each releaser adds two.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.balance`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::CappedSemaphore::new(2, 3);
    /// assert_eq!(semaphore.balance(), 1);
    /// semaphore.try_acquire();
    /// assert_eq!(semaphore.balance(), -1);
    /// ```
    pub fn balance(&self) -> isize {
        let permits = saturating(self.permits.qsize().saturating_add(self.permits.putting()))
            - saturating(self.permits.getting());
        permits.saturating_mul(2).saturating_sub(saturating(self.limit))
    }
}

impl fmt::Debug for CappedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CappedSemaphore")
            .field("counter", &self.permits.qsize())
            .field("limit", &self.limit)
            .field("acquiring", &self.permits.getting())
            .field("releasing", &self.permits.putting())
            .finish()
    }
}

/// The future that [`CappedSemaphore::acquire`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct CappedAcquire<'a>(Get<'a, ()>);

impl Future for CappedAcquire<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// The future that [`CappedSemaphore::release`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct CappedRelease<'a>(Put<'a, ()>);

impl Future for CappedRelease<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::waiters::stepping::{Stepped, paused};

    fn acquire(semaphore: &Semaphore) -> Stepped<Acquire<'_>> {
        let mut acquire = Stepped::new(semaphore.acquire());
        assert!(acquire.step().is_pending());
        acquire
    }

    #[test]
    fn a_free_permit_keeps_the_turn() {
        let semaphore = Semaphore::new(1);
        assert!(Stepped::new(semaphore.acquire()).step().is_ready());
        assert_eq!(semaphore.counter(), 0);
    }

    #[test]
    fn a_release_hands_its_permit_to_the_first_and_nobody_overtakes() {
        let semaphore = Semaphore::new(0);
        let (mut first, mut second) = (acquire(&semaphore), acquire(&semaphore));
        assert_eq!(semaphore.balance(), -2);
        semaphore.release();
        assert!(!semaphore.try_acquire());
        assert!(second.step().is_pending());
        assert!(first.take_wakeup() && first.step().is_ready());
        assert!(!second.take_wakeup());
    }

    #[test]
    fn a_chosen_waiter_that_is_killed_passes_its_permit_on() {
        let semaphore = Semaphore::new(0);
        let (first, second) = (acquire(&semaphore), acquire(&semaphore));
        semaphore.release();
        first.kill();
        assert!(second.take_wakeup());
        second.kill();
        assert_eq!((semaphore.counter(), semaphore.waiting()), (1, 0));
    }

    #[test]
    fn a_cut_takes_permits_that_are_out_and_a_raise_wakes_all_it_serves() {
        let semaphore = Semaphore::new(1);
        assert!(semaphore.try_acquire());
        semaphore.adjust(-2);
        let waiters = [acquire(&semaphore), acquire(&semaphore), acquire(&semaphore)];
        semaphore.release();
        assert_eq!((semaphore.counter(), semaphore.waiting()), (-1, 3));
        semaphore.adjust(3);
        let woken = waiters.each_ref().map(Stepped::take_wakeup);
        assert_eq!((woken, semaphore.waiting()), ([true, true, false], 1));
    }

    #[test]
    fn a_permit_comes_back_when_it_is_dropped() {
        let semaphore = Semaphore::new(1);
        let Poll::Ready(permit) = Stepped::new(semaphore.permit()).step() else { panic!() };
        let mut next = Stepped::new(semaphore.permit());
        assert!(next.step().is_pending());
        drop(permit);
        assert!(next.take_wakeup() && next.step().is_ready());
    }

    #[test]
    fn who_times_out_leaves_the_line() {
        paused(async {
            let semaphore = Semaphore::new(0);
            assert!(!semaphore.acquire_timeout(Duration::from_secs(1)).await);
            semaphore.release();
            assert_eq!((semaphore.counter(), semaphore.waiting()), (1, 0));
            assert!(semaphore.acquire_timeout(Duration::ZERO).await);
        });
    }

    #[test]
    fn a_bounded_semaphore_does_not_grow() {
        let semaphore = BoundedSemaphore::new(1);
        let permit = Stepped::new(semaphore.permit()).step();
        semaphore.release();
        drop(permit);
        assert_eq!(semaphore.counter(), 1);
    }

    #[test]
    #[should_panic = "more often"]
    fn a_bounded_semaphore_panics_when_released_too_often() {
        BoundedSemaphore::new(0).release();
    }

    // eventlet's `test_bounded`: the numbers are its own.
    #[test]
    fn a_capped_semaphore_waits_at_both_ends() {
        let semaphore = CappedSemaphore::new(2, 3);
        assert!(semaphore.try_acquire() && semaphore.try_acquire());
        let mut third = Stepped::new(semaphore.acquire());
        assert!(third.step().is_pending());
        assert!(Stepped::new(semaphore.release()).step().is_ready());
        assert!(third.step().is_ready());
        assert_eq!(semaphore.balance(), -3);

        assert!((0..3).all(|_| semaphore.try_release()));
        let mut fourth = Stepped::new(semaphore.release());
        assert!(fourth.step().is_pending());
        assert!(Stepped::new(semaphore.acquire()).step().is_ready());
        assert!(fourth.step().is_ready());
        assert_eq!(semaphore.balance(), 3);
    }

    #[test]
    fn at_a_limit_of_zero_acquirers_and_releasers_meet() {
        let semaphore = CappedSemaphore::new(0, 0);
        let mut acquire = Stepped::new(semaphore.acquire());
        assert!(acquire.step().is_pending());
        assert!(!semaphore.bounded() && semaphore.try_release());
        assert!(acquire.step().is_ready());

        let mut release = Stepped::new(semaphore.release());
        assert!(release.step().is_pending());
        assert!(!semaphore.locked() && semaphore.try_acquire());
        assert!(release.step().is_ready());
        assert!(semaphore.locked() && semaphore.bounded());
    }

    #[test]
    fn a_capped_semaphore_of_many_permits_takes_no_memory() {
        let semaphore = CappedSemaphore::new(usize::MAX, usize::MAX);
        assert!(semaphore.try_acquire() && semaphore.try_release());
        assert!(semaphore.bounded());
    }

    #[test]
    #[should_panic = "does not fit"]
    fn a_capped_semaphore_starts_within_its_limit() {
        CappedSemaphore::new(2, 1);
    }

    /// What happens to a semaphore. Numbers name one of the green threads that are waiting.
    #[derive(Clone, Debug)]
    enum Op {
        Acquire,
        TryAcquire,
        Release,
        Adjust(isize),
        Step(usize),
        Kill(usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => Just(Op::Acquire),
            1 => Just(Op::TryAcquire),
            2 => Just(Op::Release),
            1 => (-3_isize..4).prop_map(Op::Adjust),
            4 => (0_usize..64).prop_map(Op::Step),
            2 => (0_usize..64).prop_map(Op::Kill),
        ]
    }

    /// A semaphore by its promises only.
    struct Model {
        counter: isize,
        waiting: VecDeque<usize>,
        /// Those who were handed a permit but had no turn since.
        served: Vec<usize>,
    }

    impl Model {
        fn try_acquire(&mut self) -> bool {
            let free = self.counter > 0;
            self.counter -= isize::from(free);
            free
        }

        fn adjust(&mut self, delta: isize) {
            self.counter += delta;
            while self.counter > 0 && !self.waiting.is_empty() {
                self.counter -= 1;
                self.served.extend(self.waiting.pop_front());
            }
        }

        fn take_served(&mut self, name: usize) -> bool {
            let at = self.served.iter().position(|&served| served == name);
            at.map(|at| self.served.remove(at)).is_some()
        }

        fn kill(&mut self, name: usize) {
            self.waiting.retain(|&waiting| waiting != name);
            if self.take_served(name) {
                self.adjust(1);
            }
        }
    }

    fn try_out(value: usize, ops: Vec<Op>) {
        let semaphore = Semaphore::new(value);
        let (waiting, served) = (VecDeque::new(), Vec::new());
        let mut model = Model { counter: value as isize, waiting, served };
        let mut tasks: Vec<(usize, Stepped<Acquire<'_>>)> = Vec::new();
        for (name, op) in ops.into_iter().enumerate() {
            match op {
                Op::Acquire => {
                    let mut task = Stepped::new(semaphore.acquire());
                    let free = model.try_acquire();
                    assert_eq!(task.step().is_ready(), free);
                    if !free {
                        model.waiting.push_back(name);
                        tasks.push((name, task));
                    }
                }
                Op::TryAcquire => assert_eq!(semaphore.try_acquire(), model.try_acquire()),
                Op::Release => {
                    semaphore.release();
                    model.adjust(1);
                }
                Op::Adjust(delta) => {
                    semaphore.adjust(delta);
                    model.adjust(delta);
                }
                Op::Step(n) if !tasks.is_empty() => {
                    let n = n % tasks.len();
                    let served = model.take_served(tasks[n].0);
                    assert_eq!(tasks[n].1.take_wakeup(), served);
                    assert_eq!(tasks[n].1.step().is_ready(), served);
                    if served {
                        tasks.remove(n);
                    }
                }
                Op::Kill(n) if !tasks.is_empty() => {
                    let (name, task) = tasks.remove(n % tasks.len());
                    model.kill(name);
                    task.kill();
                }
                Op::Step(_) | Op::Kill(_) => {}
            }
            assert_eq!(semaphore.counter(), model.counter);
            assert_eq!(semaphore.waiting(), model.waiting.len());
            assert!(model.waiting.is_empty() || model.counter <= 0);
        }
    }

    proptest! {
        #[test]
        fn no_permit_is_lost_doubled_or_overtaken(
            value in 0_usize..4,
            ops in vec(op(), 0..200),
        ) {
            try_out(value, ops);
        }
    }
}
