//! What a pool has done.

use std::cell::Cell;

/// The counts of a pool: what [`ConnectionPool::stats`](super::ConnectionPool::stats) returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Connections in all: idle, lent, being cleaned or being made.
    pub size: usize,
    /// Idle connections.
    pub idle: usize,
    /// Green threads that wait for a connection.
    pub waiting: usize,
    /// Connections that were made.
    pub connected: u64,
    /// Attempts to make one that failed or took too long.
    pub failed: u64,
    /// Times that an idle connection was lent.
    pub reused: u64,
    /// Connections that failed to be cleaned, or were broken.
    pub broken: u64,
    /// Connections that were too old, or idle for too long.
    pub expired: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) connected: Cell<u64>,
    pub(super) failed: Cell<u64>,
    pub(super) reused: Cell<u64>,
    pub(super) broken: Cell<u64>,
    pub(super) expired: Cell<u64>,
}

pub(super) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}
