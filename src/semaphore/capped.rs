//! A semaphore with two ends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::semaphore::saturating;
use crate::queue::{Get, LightQueue, Put, Storage};

/// A semaphore with two ends: acquiring waits when it has no permits, releasing waits when it is at
/// its limit.
///
/// It is a handle: clones name the same semaphore. With a limit of zero, acquirers and releasers
/// meet in pairs. It serves the waiters of both ends in order.
///
/// Corresponds to eventlet's `semaphore.CappedSemaphore`.
///
/// # Differences
///
/// Waiters at either end are served in order, and no caller overtakes them, not even with
/// `try_acquire` or `try_release`.
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
#[derive(Clone)]
pub struct CappedSemaphore {
    /// A bounded queue of permits is such a semaphore: to acquire is to get, to release is to put.
    permits: LightQueue<()>,
    limit: usize,
}

impl CappedSemaphore {
    /// Makes a semaphore that has `count` permits and may have up to `limit`.
    ///
    /// # Panics
    ///
    /// When `count` is above `limit`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::CappedSemaphore::new(2, 3);
    /// assert!(!semaphore.locked() && !semaphore.bounded());
    /// ```
    #[track_caller]
    pub fn new(count: usize, limit: usize) -> CappedSemaphore {
        assert!(count <= limit, "a semaphore of {count} permits does not fit a limit of {limit}");
        let permits = Storage::fifo(vec![(); count]);
        CappedSemaphore { permits: LightQueue::with_storage(Some(limit), permits), limit }
    }

    /// Takes a permit, and waits for one if there is none.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.acquire`.
    ///
    /// # Yields
    ///
    /// Only when there is no permit.
    ///
    /// # Killed
    ///
    /// The waiter leaves the wait queue. A permit that was granted to it goes to the next one, or
    /// stays with the semaphore, which may then have one more than its limit.
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
    pub fn acquire(&self) -> CappedAcquire<'_> {
        CappedAcquire(self.permits.get())
    }

    /// Takes a permit if it can do so without waiting, and returns whether it did.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.acquire` with `blocking=False`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::CappedSemaphore::new(1, 1);
    /// assert!(semaphore.try_acquire());
    /// assert!(!semaphore.try_acquire());
    /// ```
    pub fn try_acquire(&self) -> bool {
        self.permits.get_nowait().is_ok()
    }

    /// Gives a permit back, and waits while the semaphore is at its limit.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.release`.
    ///
    /// # Yields
    ///
    /// Only if the semaphore is at its limit.
    ///
    /// # Killed
    ///
    /// A permit that still waited for room is not given back.
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
    pub fn release(&self) -> CappedRelease<'_> {
        CappedRelease(self.permits.put(()))
    }

    /// Gives a permit back if it can do so without waiting, and returns whether it did.
    ///
    /// Corresponds to eventlet's `CappedSemaphore.release` with `blocking=False`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = eventlet::CappedSemaphore::new(0, 1);
    /// assert!(semaphore.try_release());
    /// assert!(!semaphore.try_release());
    /// ```
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

    /// Returns the number of permits less the room for more.
    ///
    /// Waiters count as if they were served: each acquirer subtracts two, as it would take a permit
    /// and leave room, and each releaser adds two.
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
    use super::*;
    use crate::waiters::stepping::Stepped;

    // eventlet's `test_bounded`, with its numbers.
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
}
