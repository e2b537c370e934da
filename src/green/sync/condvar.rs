//! Waiting until notified of a change.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::sync::LockResult;
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::mutex::MutexGuard;
use crate::green::wait::must_wait;
use crate::hub::within;

/// A condition variable: waits until another green thread notifies of a change to the value of a
/// [`Mutex`](super::Mutex).
///
/// Waiters are notified in the order in which they came.
///
/// Corresponds to [`std::sync::Condvar`].
///
/// # Killed
///
/// A waiter that is killed or times out leaves the wait queue without the lock. A notification that
/// it had received goes to the next one, also if it was waiting to lock again.
///
/// # Differences
///
/// It may be used with several locks. There are no spurious wakeups, except that a notification
/// that is passed on may reach a waiter that was notified too.
///
/// # Not here
///
/// `wait_timeout_ms`, which is deprecated.
///
/// # Examples
///
/// ```
/// use eventlet::green::sync::{Arc, Condvar, Mutex};
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let pair = Arc::new((Mutex::new(false), Condvar::new()));
///     let other = Arc::clone(&pair);
///     thread::spawn(move || {
///         let (lock, changed) = &*other;
///         *lock.lock().unwrap() = true;
///         changed.notify_one();
///     });
///
///     let (lock, changed) = &*pair;
///     let mut started = lock.lock().unwrap();
///     while !*started {
///         started = changed.wait(started).unwrap();
///     }
/// }));
/// ```
#[derive(Default)]
pub struct Condvar {
    line: Notify,
}

impl Condvar {
    /// Makes one without waiters.
    ///
    /// Corresponds to [`std::sync::Condvar::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// static CHANGED: eventlet::green::sync::Condvar = eventlet::green::sync::Condvar::new();
    /// CHANGED.notify_all();
    /// ```
    pub const fn new() -> Condvar {
        Condvar { line: Notify::const_new() }
    }

    /// Unlocks, waits until it is notified, and locks again.
    ///
    /// No notification after the unlock is missed.
    ///
    /// Corresponds to [`std::sync::Condvar::wait`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on, and while one unwinds. The lock is released then,
    /// too.
    ///
    /// # Yields
    ///
    /// Always.
    ///
    /// # Killed
    ///
    /// As said of [`Condvar`].
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the guard is in the error.
    #[track_caller]
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let (guard, _) = must_wait(self.notified_within(None, guard));
        guard.mutex().checked(guard)
    }

    /// Waits as long as the condition holds. It is checked at first and after each notification.
    ///
    /// Corresponds to [`std::sync::Condvar::wait_while`].
    ///
    /// # Panics
    ///
    /// As [`wait`](Condvar::wait) does, if it has to.
    ///
    /// # Yields
    ///
    /// Unless the condition does not hold at first.
    ///
    /// # Killed
    ///
    /// As said of [`Condvar`].
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the guard is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::{Arc, Condvar, Mutex};
    /// use eventlet::green::thread;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let pair = Arc::new((Mutex::new(3), Condvar::new()));
    ///     for _ in 0..3 {
    ///         let pair = Arc::clone(&pair);
    ///         thread::spawn(move || {
    ///             *pair.0.lock().unwrap() -= 1;
    ///             pair.1.notify_all();
    ///         });
    ///     }
    ///     let left = pair.1.wait_while(pair.0.lock().unwrap(), |left| *left > 0).unwrap();
    ///     assert_eq!(*left, 0);
    /// }));
    /// ```
    #[track_caller]
    pub fn wait_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Waits as [`wait`](Condvar::wait) does, but for a notification no longer than so.
    ///
    /// Corresponds to [`std::sync::Condvar::wait_timeout`].
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Yields
    ///
    /// Always, except while its green stack unwinds: then the time is up at once.
    ///
    /// # Killed
    ///
    /// As said of [`Condvar`].
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the guard is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use eventlet::green::sync::{Condvar, Mutex};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (lock, changed) = (Mutex::new(7), Condvar::new());
    ///     let guard = lock.lock().unwrap();
    ///     let (guard, result) = changed.wait_timeout(guard, Duration::from_millis(1)).unwrap();
    ///     assert!(result.timed_out());
    ///     assert_eq!(*guard, 7);
    /// }));
    /// ```
    #[track_caller]
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        if thread::panicking() {
            return Ok((guard, WaitTimeoutResult(true)));
        }
        let (guard, timed_out) = must_wait(self.notified_within(Some(dur), guard));
        let mutex = guard.mutex();
        mutex.checked((guard, WaitTimeoutResult(timed_out)))
    }

    /// Waits as [`wait_while`](Condvar::wait_while) does, but no longer than so.
    ///
    /// Corresponds to [`std::sync::Condvar::wait_timeout_while`].
    ///
    /// # Panics
    ///
    /// If it has to wait and there is no green stack.
    ///
    /// # Yields
    ///
    /// Unless the condition does not hold at first, or its green stack unwinds.
    ///
    /// # Killed
    ///
    /// As said of [`Condvar`].
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the guard is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use eventlet::green::sync::{Condvar, Mutex};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let (lock, changed) = (Mutex::new(7), Condvar::new());
    ///     let (guard, limit) = (lock.lock().unwrap(), Duration::from_millis(1));
    ///     let (_, result) = changed.wait_timeout_while(guard, limit, |seven| *seven == 7).unwrap();
    ///     assert!(result.timed_out());
    /// }));
    /// ```
    #[track_caller]
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        dur: Duration,
        mut condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        // Tokio's clock is the hub's.
        let start = Instant::now();
        let mut timed_out = false;
        while condition(&mut *guard) {
            let left = dur.saturating_sub(start.elapsed());
            if timed_out || left.is_zero() {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            let result;
            (guard, result) = self.wait_timeout(guard, left)?;
            timed_out = result.timed_out();
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    /// Wakes the longest waiter, if there is one.
    ///
    /// Corresponds to [`std::sync::Condvar::notify_one`].
    ///
    /// # Yields
    ///
    /// Never.
    pub fn notify_one(&self) {
        self.line.notify_one();
    }

    /// Wakes all who wait.
    ///
    /// Corresponds to [`std::sync::Condvar::notify_all`].
    ///
    /// # Yields
    ///
    /// Never.
    pub fn notify_all(&self) {
        self.line.notify_waiters();
    }

    /// Unlocks, waits, and locks again. Returns whether the time was up.
    async fn notified_within<'a, T>(
        &self,
        limit: Option<Duration>,
        guard: MutexGuard<'a, T>,
    ) -> (MutexGuard<'a, T>, bool) {
        let mutex = guard.mutex();
        let notified = {
            let mut place = pin!(self.line.notified());
            self.stand_in_line(place.as_mut());
            drop(guard);
            within(limit, place).await.map(|()| PassOn(&self.line))
        };
        let guard = mutex.locked().await;
        let timed_out = notified.is_none();
        if let Some(notified) = notified {
            notified.keep();
        }
        (guard, timed_out)
    }

    /// Joins the wait queue. Tokio stores a notification that had no waiter and gives it to the
    /// next one; a condition variable must not, so it is consumed here.
    fn stand_in_line<'a>(&'a self, mut place: Pin<&mut Notified<'a>>) {
        while place.as_mut().enable() {
            place.set(self.line.notified());
        }
    }
}

/// A notification, which goes to the next waiter if its receiver is killed before it has the lock
/// again.
struct PassOn<'a>(&'a Notify);

impl PassOn<'_> {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

impl UnwindSafe for Condvar {}
impl RefUnwindSafe for Condvar {}

/// Whether a wait ended because its time was up.
///
/// Corresponds to [`std::sync::WaitTimeoutResult`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Returns whether the time was up.
    ///
    /// Corresponds to [`std::sync::WaitTimeoutResult::timed_out`].
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}
