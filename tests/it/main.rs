//! The tests of this crate, one module for each room of the source.

mod support;
mod timeout;

mod greenthread;
mod hub;
mod model;
mod runtime;
#[cfg(feature = "stackful")]
mod stackful;
