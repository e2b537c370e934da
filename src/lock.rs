//! A lock for green threads.
//!
//! Corresponds to `eventlet.lock`.
//!
//! # Not here
//!
//! A lock that contains its data: on one OS thread a `RefCell` does that. A `Lock` is only needed
//! if a green thread waits inside the critical section.

use std::time::Duration;

use crate::semaphore::{Acquire, AcquirePermit, Semaphore, SemaphorePermit};

/// A lock that one green thread at a time can hold.
///
/// It is a handle: clones name the same lock. Green threads get it in the order in which they
/// asked. It is not re-entrant: a holder that asks again waits for itself.
///
/// Corresponds to `eventlet.lock.Lock`.
///
/// # Differences
///
/// [`lock`](Lock::lock) gives a guard. A lock that is not held cannot be released: eventlet raises
/// `RuntimeError`, this panics.
///
/// # Examples
///
/// ```
/// use eventlet::lock::Lock;
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// eventlet::run(async {
///     let (lock, inside) = (Lock::new(), Rc::new(Cell::new(false)));
///     let visit = |lock: Lock, inside: Rc<Cell<bool>>| async move {
///         let _guard = lock.lock().await;
///         assert!(!inside.replace(true), "nobody else is here");
///         eventlet::sleep(Duration::ZERO).await;
///         inside.set(false);
///     };
///     let visitors = [(); 3].map(|()| eventlet::spawn(visit(lock.clone(), inside.clone())));
///     for visitor in visitors {
///         visitor.await.unwrap();
///     }
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Lock {
    semaphore: Semaphore,
}

impl Lock {
    /// Makes a lock that is free.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!eventlet::lock::Lock::new().locked());
    /// ```
    pub fn new() -> Lock {
        Lock { semaphore: Semaphore::of_lock() }
    }

    /// Takes the lock, and releases it when the guard is dropped.
    ///
    /// Corresponds to eventlet's `with lock:`.
    ///
    /// # Yields
    ///
    /// Only if it is held.
    ///
    /// # Killed
    ///
    /// A lock that was granted to the waiter already goes to the next one.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let lock = eventlet::lock::Lock::new();
    /// let guard = lock.lock().await;
    /// assert!(lock.locked());
    /// drop(guard);
    /// assert!(!lock.locked());
    /// # });
    /// ```
    pub fn lock(&self) -> AcquirePermit<'_> {
        self.semaphore.permit()
    }

    /// Takes the lock if it is free, and releases it when the guard is dropped.
    ///
    /// Corresponds to eventlet's `Lock.acquire` with `blocking=False`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = eventlet::lock::Lock::new();
    /// let guard = lock.try_lock();
    /// assert!(guard.is_some());
    /// assert!(lock.try_lock().is_none());
    /// ```
    pub fn try_lock(&self) -> Option<SemaphorePermit> {
        self.semaphore.try_permit()
    }

    /// Takes the lock, but waits for it no longer than `limit`.
    ///
    /// Corresponds to eventlet's `Lock.acquire` with a timeout.
    ///
    /// # Yields
    ///
    /// Only if it is held.
    ///
    /// # Killed
    ///
    /// As with [`lock`](Lock::lock).
    ///
    /// # Panics
    ///
    /// If there is no hub.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let lock = eventlet::lock::Lock::new();
    /// let guard = lock.lock_timeout(Duration::from_millis(1)).await;
    /// assert!(guard.is_some());
    /// assert!(lock.lock_timeout(Duration::from_millis(1)).await.is_none());
    /// # });
    /// ```
    #[track_caller]
    pub fn lock_timeout(&self, limit: Duration) -> impl Future<Output = Option<SemaphorePermit>> {
        self.semaphore.permit_timeout(limit)
    }

    /// Takes the lock. Any code may release it, with [`release`](Lock::release).
    ///
    /// Corresponds to eventlet's `Lock.acquire`.
    ///
    /// # Yields
    ///
    /// Only if it is held.
    ///
    /// # Killed
    ///
    /// As with [`lock`](Lock::lock). After `acquire` has returned, a kill does not release the
    /// lock.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let lock = eventlet::lock::Lock::new();
    /// lock.acquire().await;
    /// assert!(lock.locked());
    /// lock.release();
    /// # });
    /// ```
    pub fn acquire(&self) -> Acquire<'_> {
        self.semaphore.acquire()
    }

    /// Returns whether the lock is held.
    ///
    /// Corresponds to eventlet's `Lock.locked`.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = eventlet::lock::Lock::new();
    /// let _guard = lock.try_lock();
    /// assert!(lock.locked());
    /// ```
    pub fn locked(&self) -> bool {
        self.semaphore.locked()
    }

    /// Releases a lock that was taken with [`acquire`](Lock::acquire), from any code.
    ///
    /// Corresponds to eventlet's `Lock.release`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Panics
    ///
    /// If the lock is not held.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let lock = eventlet::lock::Lock::new();
    /// lock.acquire().await;
    /// lock.release();
    /// assert!(!lock.locked());
    /// # });
    /// ```
    #[track_caller]
    pub fn release(&self) {
        assert!(self.locked(), "a lock was released that is not held: acquire it first");
        self.semaphore.release();
    }
}

impl Default for Lock {
    fn default() -> Lock {
        Lock::new()
    }
}
