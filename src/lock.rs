//! A lock for green threads.
//!
//! Corresponds to `eventlet.lock`.
//!
//! # Not here
//!
//! A lock that has what it protects inside: on one OS thread a `RefCell` does that, and a `Lock` is only
//! needed where a green thread waits while others must stay out.

use std::ops::Deref;

use crate::semaphore::{AcquirePermit, Semaphore};

/// A lock that one green thread at a time can have.
///
/// It is a handle: clones name the same lock. Green threads get it in the order in which they asked. It is
/// not re-entrant: who has it and asks again waits for itself. It derefs to a [`Semaphore`] of one permit.
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
    /// Makes a lock that nobody has.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!eventlet::lock::Lock::new().locked());
    /// ```
    pub fn new() -> Lock {
        Lock { semaphore: Semaphore::new(1) }
    }

    /// Takes the lock, and gives it back when the guard is dropped.
    ///
    /// Corresponds to eventlet's `with lock:`.
    ///
    /// # Yields
    ///
    /// Only when somebody has it.
    ///
    /// # Killed
    ///
    /// The lock goes to the next in line, if it was handed over already.
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

    /// Gives back a lock that was taken with [`acquire`](Semaphore::acquire). Anybody may.
    ///
    /// Corresponds to eventlet's `Lock.release`.
    ///
    /// # Panics
    ///
    /// When nobody has the lock.
    ///
    /// # Yields
    ///
    /// Never.
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
        assert!(self.locked(), "a lock was released that nobody has: acquire it first");
        self.semaphore.release();
    }
}

impl Default for Lock {
    fn default() -> Lock {
        Lock::new()
    }
}

impl Deref for Lock {
    type Target = Semaphore;

    fn deref(&self) -> &Semaphore {
        &self.semaphore
    }
}
