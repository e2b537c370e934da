//! What the processor has done for this OS thread.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Returns for how long the processor has worked for this OS thread. It takes a system call.
pub(super) fn time_used() -> Option<Duration> {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
}
