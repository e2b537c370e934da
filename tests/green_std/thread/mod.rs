//! `green::thread`.
//!
//! Case names after `library/std/src/thread/tests.rs` and `library/std/tests/thread_local/` of Rust
//! 1.95, where they have them.

mod builder;
mod local;
mod park;
mod scope;
mod scope_kills;
mod spawn;
