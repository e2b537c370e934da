//! Libraries that know nothing of `eventlet`, used from green threads. A package of its own, so
//! that `cargo test` of the crate does not build them.
//!
//! ```sh
//! cargo test -p eventlet-libraries
//! ```

#[cfg(doctest)]
#[doc = include_str!("../../../docs/bridges.md")]
mod bridges {}
