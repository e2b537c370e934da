//! A Tokio runtime that does not wait forever when it ends.

use std::ops::Deref;
use std::time::{Duration, Instant};

use tokio::runtime::{LocalRuntime, Runtime};

use crate::report;
use crate::uninterruptible::{self, What};

/// How long a runtime waits by default.
pub(super) const DEFAULT_LIMIT: Duration = Duration::from_secs(5);

/// The most calls that are named in a report.
const MOST_NAMED: usize = 8;

/// A runtime that waits, when it is dropped, no longer than a limit for calls that block an OS
/// thread, and reports what it leaves behind.
pub(super) struct Bounded<R: Tokio> {
    /// `None` only while this is being dropped.
    runtime: Option<R>,
    limit: Duration,
}

/// Either of Tokio's runtimes.
pub(super) trait Tokio {
    fn shutdown_timeout(self, limit: Duration);
}

impl Tokio for LocalRuntime {
    fn shutdown_timeout(self, limit: Duration) {
        LocalRuntime::shutdown_timeout(self, limit);
    }
}

impl Tokio for Runtime {
    fn shutdown_timeout(self, limit: Duration) {
        Runtime::shutdown_timeout(self, limit);
    }
}

impl<R: Tokio> Bounded<R> {
    pub(super) fn new(runtime: R, limit: Duration) -> Bounded<R> {
        Bounded { runtime: Some(runtime), limit }
    }
}

impl<R: Tokio> Deref for Bounded<R> {
    type Target = R;

    fn deref(&self) -> &R {
        self.runtime.as_ref().expect("it is there until it is dropped")
    }
}

impl<R: Tokio> Drop for Bounded<R> {
    fn drop(&mut self) {
        let start = Instant::now();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(self.limit);
        }
        let gave_up = start.elapsed() >= self.limit;
        if let Some(left) = left_behind(&uninterruptible::take_left(), gave_up) {
            report::warning(&format!("the hub has ended, and {left} goes on without it"));
        }
    }
}

/// Describes what an ending hub leaves behind, if anything. Closures of `spawn_blocking` are
/// noticed only by the time that they take.
fn left_behind(calls: &[What], gave_up: bool) -> Option<String> {
    let mut left: Vec<String> = calls.iter().take(MOST_NAMED).map(What::to_string).collect();
    if calls.len() > MOST_NAMED {
        left.push(format!("{} more", calls.len() - MOST_NAMED));
    }
    if gave_up && !calls.iter().any(|call| matches!(call, What::Files(_))) {
        left.push("what was given to Tokio's `spawn_blocking`".to_owned());
    }
    (!left.is_empty()).then(|| left.join(", and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_behind_is_named() {
        let lookups = vec![What::Lookup("example.net".to_owned()); 10];
        assert_eq!(left_behind(&[], false), None);
        let name = "looking up \"example.net\"";
        assert_eq!(left_behind(&lookups[..1], false).unwrap(), name);
        let both = format!("{name}, and what was given to Tokio's `spawn_blocking`");
        assert_eq!(left_behind(&lookups[..1], true).unwrap(), both);
        assert!(left_behind(&lookups, false).unwrap().ends_with("and 2 more"));
    }
}
