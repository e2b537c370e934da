//! When an idle connection is closed.

use std::time::Duration;

use tokio::time::Instant;

/// How long connections may live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How long one may be idle.
    pub(super) max_idle: Duration,
    /// How long one may be used for the next borrower after it was made.
    pub(super) max_age: Duration,
}

/// Eventlet's.
impl Default for Limits {
    fn default() -> Limits {
        Limits { max_idle: Duration::from_secs(10), max_age: Duration::from_secs(30) }
    }
}

impl Limits {
    /// Returns when a connection that was made then and is idle since then is to be closed. `None`
    /// where that is beyond what the clock can say.
    pub(super) fn end(self, made: Instant, idle_since: Instant) -> Option<Instant> {
        let ends = [made.checked_add(self.max_age), idle_since.checked_add(self.max_idle)];
        ends.into_iter().flatten().min()
    }

    pub(super) fn are_over(self, made: Instant, idle_since: Instant) -> bool {
        self.end(made, idle_since).is_some_and(|end| end <= Instant::now())
    }
}
