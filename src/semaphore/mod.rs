//! Semaphores: limits on how many green threads do something at once.
//!
//! [`Semaphore`] counts permits, [`BoundedSemaphore`] also notices when too many are released, and
//! [`CappedSemaphore`] makes a releaser wait instead.
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
