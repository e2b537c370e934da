//! Servers that `eventlet` asks, as name servers. A package of its own, so that `cargo test` of the crate
//! does not build what they need.
//!
//! ```sh
//! cargo test -p eventlet-servers
//! ```
