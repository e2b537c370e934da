//! When an idle connection is closed.

use std::time::Duration;

use tokio::time::Instant;

/// How long connections may live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How long one may be idle.
    pub(super) max_idle: Duration,
    /// The greatest age at which one may be lent again.
    pub(super) max_age: Duration,
}

/// Eventlet's.
impl Default for Limits {
    fn default() -> Limits {
        Limits { max_idle: Duration::from_secs(10), max_age: Duration::from_secs(30) }
    }
}

impl Limits {
    /// Returns when to close a connection, given when it was made and since when it is idle. `None`
    /// if that is beyond the range of the clock.
    pub(super) fn end(self, made: Instant, idle_since: Instant) -> Option<Instant> {
        let ends = [made.checked_add(self.max_age), idle_since.checked_add(self.max_idle)];
        ends.into_iter().flatten().min()
    }

    pub(super) fn are_over(self, made: Instant, idle_since: Instant) -> bool {
        self.end(made, idle_since).is_some_and(|end| end <= Instant::now())
    }
}
