//! Cheap green threads and plain, blocking-looking network code on one OS thread.

mod exit;
mod hub;
mod report;
mod waiters;

pub mod event;
pub mod greenpile;
pub mod greenpool;
pub mod greenthread;
pub mod hubs;
pub mod queue;
pub mod runtime;
pub mod semaphore;
#[cfg(feature = "stackful")]
pub mod stackful;

pub use event::Event;
pub use exit::Exit;
pub use greenpile::GreenPile;
pub use greenpool::GreenPool;
pub use greenthread::{
    GreenThread, Greenlet, getcurrent, kill, sleep, spawn, spawn_after, spawn_after_local, spawn_n,
};
pub use queue::Queue;
pub use runtime::{local, run};
pub use semaphore::{BoundedSemaphore, CappedSemaphore, Semaphore};
#[cfg(feature = "stackful")]
pub use stackful::{Block, Blocking, stackful};
