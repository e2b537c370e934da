//! Parts of `eventlet` that other OS threads reach, run under loom in every interleaving. A package
//! of its own, so that `cargo test` of the crate does not build loom.
//!
//! ```sh
//! cargo test -p eventlet-interleavings
//! ```
