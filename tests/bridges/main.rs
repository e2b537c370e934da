//! Where this crate meets others: streams and sinks, other hubs, other OS threads.

mod awaitables;
mod maps;
mod shared;
mod shared_model;
mod sinks;
// Both colours, and an empty hub after each test, as in `it`.
#[allow(dead_code, unused_imports, unused_macros)]
#[path = "../it/support.rs"]
mod support;
