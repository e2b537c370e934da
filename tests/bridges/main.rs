//! Where this crate meets others: streams and sinks, other hubs, other OS threads.

mod awaitables;
mod maps;
mod shared;
mod shared_model;
mod sinks;
mod support;
