//! The command line of a benchmark, and its clock.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How much is to be run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Just see that it runs: `cargo test --benches`.
    Smoke,
    /// `cargo bench --bench .. -- --quick`
    Quick,
    /// `cargo bench --bench ..`
    Full,
}

/// The command line of a benchmark.
pub(crate) struct Arguments {
    given: Vec<String>,
}

impl Arguments {
    pub(crate) fn get() -> Arguments {
        Arguments { given: std::env::args().skip(1).collect() }
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.given.iter().any(|given| given == flag)
    }

    pub(crate) fn effort(&self) -> Effort {
        if !self.has("--bench") {
            Effort::Smoke
        } else if self.has("--quick") {
            Effort::Quick
        } else {
            Effort::Full
        }
    }

    /// Returns what else was given: which pieces of work are wanted.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.given.iter().map(String::as_str).filter(|given| !given.starts_with("--"))
    }
}

/// Returns the CPU time that a clock has counted.
pub(crate) fn cpu_time(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().expect("a CPU clock is never before its start")
}
