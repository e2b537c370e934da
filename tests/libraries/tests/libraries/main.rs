//! Libraries that know nothing of this crate, called from green stacks of the default size, over
//! the loopback interface: one module for each, of its name.
//!
//! A green stack has 256 KiB, and the deepest calls of these libraries run on it. A build without
//! optimisation, as that of the tests, takes most.

mod async_trait;
mod axum;
mod compat;
mod futures;
mod hyper;
mod redis;
mod reqwest;
mod rustls;
mod support;
mod tokio;
mod tower;
mod tracing;
