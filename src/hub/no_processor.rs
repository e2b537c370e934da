//! For systems that do not report the CPU time of an OS thread.

use std::time::Duration;

pub(super) fn time_used() -> Option<Duration> {
    None
}
