//! `green::sync`.
//!
//! Case names after `library/std/tests/sync/` of Rust 1.95, where it has them.

mod barrier;
mod condvar;
mod kills;
mod mpsc;
mod mutex;
mod once;
mod rendezvous;
mod rwlock;
