//! The tests of this crate, one module for each room of the source.

mod crowd;
// Other modules use the rest of it.
#[allow(dead_code, unused_imports, unused_macros)]
mod support;

mod event;
mod greenpile;
mod greenpool;
mod queue;
mod semaphore;
