//! Green threads: spawn, wait, kill, sleep.
//!
//! A green thread is a future that the hub of this OS thread runs. It runs until it waits; then the
//! next one that is ready runs. Nothing is preemptive: a green thread that never waits keeps all
//! others waiting.
//!
//! Corresponds to `eventlet.greenthread`.
//!
//! Not here: `call_after`, `exc_after` and the other deprecated names; use [`spawn_after`].

mod failure;
mod greenlet;
mod handle;
mod job;
mod outcome;
mod sleep;
mod spawn;

pub use greenlet::{Greenlet, getcurrent, kill};
pub use handle::{GreenThread, Shared, Wait};
pub use outcome::Link;
pub use sleep::{Sleep, sleep};
pub use spawn::{spawn, spawn_after, spawn_after_local, spawn_n};

pub(crate) use failure::failure_in;
pub(crate) use spawn::{spawn_delivered, spawn_from, spawn_n_from};
