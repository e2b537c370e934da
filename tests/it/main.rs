//! The tests of this crate, one module for each room of the source.

mod crowd;
mod memory;
mod real_time;
mod support;

mod awaitable;
mod corolocal;
mod dagpool;
mod db_pool;
mod debug;
mod event;
mod flat;
mod greenio;
mod greenpile;
mod greenpool;
mod greenthread;
mod havoc;
mod hub;
mod hub_thread;
mod inputs;
mod lock;
#[cfg(feature = "stackful")]
mod lowlevel;
mod model;
#[cfg(feature = "stackful")]
mod obligations;
mod pools;
mod queue;
mod reports;
mod runtime;
mod semaphore;
mod soak;
#[cfg(feature = "stackful")]
mod stackful;
#[cfg(all(feature = "stackful", target_os = "linux"))]
mod stacks;
mod timeout;
mod tpool;
#[cfg(unix)]
mod trampoline;
#[cfg(feature = "stackful")]
mod unwinding;
