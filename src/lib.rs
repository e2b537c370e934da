//! Cheap green threads and plain, blocking-looking network code on one OS thread.

mod exit;
mod hub;
mod report;
mod waiters;

pub mod greenthread;
pub mod hubs;
pub mod runtime;
#[cfg(feature = "stackful")]
pub mod stackful;

pub use exit::Exit;
pub use greenthread::{
    GreenThread, Greenlet, getcurrent, kill, sleep, spawn, spawn_after, spawn_after_local, spawn_n,
};
pub use runtime::{local, run};
#[cfg(feature = "stackful")]
pub use stackful::{Block, Blocking, stackful};
