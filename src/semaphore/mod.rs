//! Semaphores: how many green threads may be somewhere at once.
//!
//! [`Semaphore`] counts permits, [`BoundedSemaphore`] also notices when too many are released, and
//! [`CappedSemaphore`] makes those wait who would release too many.
//!
//! Corresponds to eventlet's `eventlet.semaphore`.
//!
//! A semaphore of one is a lock: [`Lock`](crate::lock::Lock).

mod bounded;
mod capped;
#[allow(clippy::module_inception)]
mod semaphore;

pub use bounded::BoundedSemaphore;
pub use capped::{CappedAcquire, CappedRelease, CappedSemaphore};
pub use semaphore::{Acquire, AcquirePermit, Semaphore, SemaphorePermit};

pub(crate) use semaphore::saturating;
