//! A semaphore that notices mistakes.

use std::ops::Deref;

use super::semaphore::{Semaphore, saturating};

/// A semaphore that panics when it is released more often than acquired.
///
/// It finds a mistake; to make the releaser wait, use a
/// [`CappedSemaphore`](super::CappedSemaphore). It is a handle, and it derefs to [`Semaphore`],
/// which has its methods, as eventlet's inherits from it. The limit holds there, too.
///
/// Dropping a [`SemaphorePermit`](super::SemaphorePermit) when no permit is missing does not panic,
/// and adds none.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiters::stepping::Stepped;

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
}
