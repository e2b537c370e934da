//! The semaphore itself, and its permits.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::hub::{self, Holder};
use crate::probe::Point;
use crate::waiters::{Left, Place, Waiters, Wakeup, wake_all};

/// A counter of permits: acquiring takes one and waits when there is none, releasing gives one
/// back.
///
/// It is a handle: clones name the same semaphore. Acquirers are served in the order in which they
/// came. A release hands its permit straight to the first of them, so a later caller cannot
/// overtake.
///
/// Corresponds to eventlet's `semaphore.Semaphore`.
///
/// # Differences
///
/// eventlet's non-blocking and timed acquirers overtake waiters; here none does. A permit that was
/// granted to a waiter is no longer counted, even before that waiter resumes.
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
pub struct Semaphore {
    shared: Rc<Shared>,
}

struct Shared {
    /// Available permits; negative after a cut by more than there were. It is never positive while
    /// a waiter is in the queue, so a newcomer cannot barge in.
    counter: Cell<isize>,
    /// How far releasing may raise the counter.
    limit: isize,
    holder: Holder,
    waiters: Waiters<(), ()>,
}

/// Converts a size to a counter; no program has so many permits that saturating shows.
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
        Semaphore::with(value, isize::MAX, Holder::never_noted())
    }

    pub(super) fn with_limit(value: usize, limit: isize) -> Semaphore {
        Semaphore::with(value, limit, Holder::never_noted())
    }

    /// Makes the semaphore of a lock, of one permit.
    pub(crate) fn of_lock() -> Semaphore {
        Semaphore::with(1, isize::MAX, Holder::of_lock())
    }

    fn with(value: usize, limit: isize, holder: Holder) -> Semaphore {
        let counter = Cell::new(saturating(value));
        Semaphore { shared: Rc::new(Shared { counter, limit, holder, waiters: Waiters::new() }) }
    }

    /// Takes a permit, and waits for one if there is none.
    ///
    /// Any code may give the permit back, with [`release`](Semaphore::release). If one green thread
    /// does both, use [`permit`](Semaphore::permit), which gives it back by itself.
    ///
    /// Corresponds to eventlet's `Semaphore.acquire`.
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// The waiter leaves the wait queue; a permit that was granted to it goes to the next one.
    /// After `acquire` has returned, a kill does not give the permit back.
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
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire { semaphore: self, place: Place::default() }
    }

    /// Takes a permit if it can do so without waiting, and returns whether it did.
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
    /// assert!(semaphore.try_acquire());
    /// assert!(!semaphore.try_acquire());
    /// ```
    #[must_use = "it says whether there is a permit to release"]
    pub fn try_acquire(&self) -> bool {
        let free = !self.locked();
        if free {
            self.shared.counter.set(self.counter() - 1);
            self.shared.holder.take();
        }
        free
    }

    /// Takes a permit, but waits for one no longer than `limit`, and returns whether it got one.
    ///
    /// Corresponds to eventlet's `Semaphore.acquire` with a timeout.
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// As with [`acquire`](Semaphore::acquire): no permit is lost.
    ///
    /// # Panics
    ///
    /// If there is no hub.
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
    #[track_caller]
    pub fn acquire_timeout(&self, limit: Duration) -> impl Future<Output = bool> {
        let acquired = hub::within(Some(limit), self.acquire());
        async { acquired.await.is_some() }
    }

    /// Takes a permit that is released when it is dropped, and waits for one if there is none.
    ///
    /// Corresponds to eventlet's `with semaphore:`.
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// No permit is lost: one that was granted to the waiter goes to the next one, and the guard of
    /// a killed green thread is dropped with everything else it has.
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
    pub fn permit(&self) -> AcquirePermit<'_> {
        AcquirePermit(self.acquire())
    }

    /// Takes a permit that is released when it is dropped, if it can do so without waiting.
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

    /// Takes a permit that is released when it is dropped, but waits for one no longer than
    /// `limit`.
    ///
    /// Corresponds to eventlet's `Semaphore.acquire` with a timeout.
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// As with [`permit`](Semaphore::permit): no permit is lost.
    ///
    /// # Panics
    ///
    /// If there is no hub.
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

    /// Gives a permit back, to the first waiter if there is one.
    ///
    /// The releaser need not be the acquirer.
    ///
    /// Corresponds to eventlet's `Semaphore.release`.
    ///
    /// # Yields
    ///
    /// Never: a waiter runs in a later turn.
    ///
    /// # Panics
    ///
    /// When this is a [`BoundedSemaphore`](super::BoundedSemaphore) from which no permit is
    /// missing, or when there are [`isize::MAX`] already.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::Semaphore::new(0);
    /// semaphore.release();
    /// assert!(semaphore.try_acquire());
    /// ```
    #[track_caller]
    pub fn release(&self) {
        assert!(self.put_back(), "the semaphore was released more often than acquired");
    }

    /// Returns the number of available permits.
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

    /// Returns the number of available permits, less the green threads that wait for one.
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
    /// It is there for symmetry with [`CappedSemaphore::bounded`](super::CappedSemaphore::bounded).
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

    /// Adds permits and wakes the waiters that get them, or removes some. Acquired permits stay
    /// acquired, so the counter may become negative.
    pub(crate) fn adjust(&self, delta: isize) {
        self.shared.counter.set(self.counter() + delta);
        wake_all(|| self.serve());
    }

    /// Changes how many permits there are in all, acquired ones included.
    pub(crate) fn resize(&self, old: usize, new: usize) {
        self.adjust(saturating(new) - saturating(old));
    }

    /// The body of every future that acquires; it also serves those that own their handle, as a
    /// pool's do. The future must call [`leave`](Semaphore::leave) in its drop.
    pub(crate) fn poll_acquire(&self, place: &mut Place, cx: &Context<'_>) -> Poll<()> {
        let at_once = || if self.try_acquire() { Ok(()) } else { Err(()) };
        let polled = self.shared.waiters.wait(place, cx, at_once, || self.point());
        if polled.is_ready() {
            self.shared.holder.take();
        }
        polled
    }

    /// Says what is waited for.
    fn point(&self) -> Point {
        let holder = &self.shared.holder;
        if holder.is_of_lock() {
            return Point { holder: holder.id(), ..Point::new("a lock", "") };
        }
        Point::new("a permit of a semaphore", format!("counter {}", self.counter()))
    }

    /// Gives up acquiring, and passes on a permit that was granted but not received.
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

    /// Gives a permit back, unless none is missing.
    fn put_back(&self) -> bool {
        let missing = self.counter() < self.shared.limit;
        if missing {
            self.shared.holder.give_back();
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
/// It holds a handle of its semaphore, so it may be kept anywhere, for any time.
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
        // A bounded semaphore that was also released by hand may have all its permits. That is a
        // mistake, but a destructor must not panic about it.
        self.semaphore.put_back();
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
