//! Numbers of a hub, for the `metrics` facade.

use std::collections::HashMap;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tokio::time::Instant;

use super::{Top, keep_usage, stalls, top};
use crate::greenpool::GreenPool;
use crate::greenthread::{Greenlet, sleep, spawn_n};
use crate::hub;
#[cfg(not(feature = "stackful"))]
use no_stacks::report_stacks;
#[cfg(feature = "stackful")]
use stacks::report_stacks;

/// The numbers of stacks, where there are some.
#[cfg(feature = "stackful")]
mod stacks {
    use super::*;
    use crate::stackful::stack_stats;

    pub(super) fn report_stacks(labels: &Labels) {
        let stats = stack_stats();
        gauge!("eventlet_stacks_in_use", labels).set(stats.in_use as f64);
        gauge!("eventlet_stacks_pooled", labels).set(stats.pooled as f64);
        gauge!("eventlet_stacks_resident_bytes", labels).set(stats.resident as f64);
    }
}

/// The same, where there are none.
#[cfg(not(feature = "stackful"))]
mod no_stacks {
    pub(super) fn report_stacks(_labels: &super::Labels) {}
}

/// Hands the numbers of this OS thread's hub to the recorder that the program has installed for the
/// [`metrics`](https://docs.rs/metrics) facade, again and again.
///
/// It is done by a green thread, which is returned: kill it to have no more of this. It switches
/// [`keep_usage`] on, which asks the clock twice for each turn, unless that is on.
///
/// | name | kind | of |
/// |---|---|---|
/// | `eventlet_green_threads` | gauge | green threads that have not ended |
/// | `eventlet_ready` | gauge | those that are ready |
/// | `eventlet_timers` | gauge | sleeps and limits that are waited for |
/// | `eventlet_turns_total` | counter | turns |
/// | `eventlet_busy_seconds` | gauge | the time that turns have taken in all |
/// | `eventlet_longest_turn_seconds` | gauge | the longest turn so far |
/// | `eventlet_turn_seconds` | histogram | the time of each turn, true to a fourth |
/// | `eventlet_loop_lag_seconds` | histogram | how late a sleep was over, ten times a second: what timers and sockets wait for their turn |
/// | `eventlet_stalls_total` | counter | turns that blocked the hub, where the [detector](super::hub_blocking_detection) is on |
/// | `eventlet_stacks_in_use`, `eventlet_stacks_pooled` | gauge | stacks of the OS thread that green threads have, and that wait for one |
/// | `eventlet_stacks_resident_bytes` | gauge | the memory of all these |
///
/// Each has the label `thread`, with the name of the OS thread. To look at the memory of stacks
/// takes a microsecond for each. [`report_pool_metrics`] tells how many are in a pool.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # eventlet::run(async {
/// let reporter = eventlet::debug::report_metrics(Duration::from_secs(10));
/// # reporter.kill();
/// # });
/// ```
#[track_caller]
pub fn report_metrics(every: Duration) -> Greenlet {
    if hub::expect("reporting metrics").usage().is_none() {
        keep_usage(true);
    }
    describe();
    let reporter = spawn_n(async move {
        let (labels, mut last) = (labels(), Last::default());
        loop {
            measure_lag(every, &labels).await;
            last.report(&labels);
        }
    });
    reporter.set_name("reports metrics");
    reporter
}

/// Hands the numbers of a pool to the recorder that the program has installed, again and again, as
/// [`report_metrics`] does with those of the hub.
///
/// | name | kind | of |
/// |---|---|---|
/// | `eventlet_pool_size` | gauge | green threads that the pool has room for |
/// | `eventlet_pool_running` | gauge | those that run |
/// | `eventlet_pool_waiting` | gauge | those that wait for room to spawn one |
///
/// Each has the label `pool`, with this name.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use eventlet::{GreenPool, debug};
/// use std::time::Duration;
///
/// # eventlet::run(async {
/// let pool = GreenPool::new(100);
/// let reporter = debug::report_pool_metrics("crawlers", &pool, Duration::from_secs(10));
/// # reporter.kill();
/// # });
/// ```
#[track_caller]
pub fn report_pool_metrics(name: &str, pool: &GreenPool, every: Duration) -> Greenlet {
    hub::check("reporting metrics");
    describe_gauge!("eventlet_pool_size", "green threads that a pool has room for");
    describe_gauge!("eventlet_pool_running", "green threads of a pool that run");
    describe_gauge!("eventlet_pool_waiting", "those that wait for room in a pool");
    let (labels, pool) = ([("pool", name.to_owned())], pool.clone());
    let reporter = spawn_n(async move {
        loop {
            gauge!("eventlet_pool_size", &labels).set(pool.size() as f64);
            gauge!("eventlet_pool_running", &labels).set(pool.running() as f64);
            gauge!("eventlet_pool_waiting", &labels).set(pool.waiting() as f64);
            sleep(every).await;
        }
    });
    reporter.set_name(format!("reports metrics of the pool {name}"));
    reporter
}

type Labels = [(&'static str, String); 1];

fn labels() -> Labels {
    [("thread", std::thread::current().name().unwrap_or("unnamed").to_owned())]
}

fn describe() {
    describe_gauge!("eventlet_green_threads", "green threads that have not ended");
    describe_gauge!("eventlet_ready", "green threads that are ready");
    describe_gauge!("eventlet_timers", "sleeps and limits that are waited for");
    describe_counter!("eventlet_turns_total", "turns of green threads");
    describe_gauge!("eventlet_busy_seconds", "the time that turns have taken");
    describe_gauge!("eventlet_longest_turn_seconds", "the longest turn so far");
    describe_histogram!("eventlet_turn_seconds", "the time of a turn");
    describe_histogram!("eventlet_loop_lag_seconds", "how late a sleep was over");
    describe_counter!("eventlet_stalls_total", "turns that blocked the hub");
    describe_gauge!("eventlet_stacks_in_use", "stacks that green threads have");
    describe_gauge!("eventlet_stacks_pooled", "stacks that wait for a green thread");
    describe_gauge!("eventlet_stacks_resident_bytes", "the memory of stacks");
}

/// How often it is measured how late the hub is.
const LAG_EVERY: Duration = Duration::from_millis(100);

/// Measures for so long how late the hub is.
async fn measure_lag(time: Duration, labels: &Labels) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        let due = end.min(Instant::now() + LAG_EVERY);
        sleep(due.saturating_duration_since(Instant::now())).await;
        let lag = Instant::now().saturating_duration_since(due);
        histogram!("eventlet_loop_lag_seconds", labels).record(lag.as_secs_f64());
    }
}

/// What was counted at the last report.
#[derive(Default)]
struct Last {
    turns: HashMap<Duration, u64>,
}

impl Last {
    fn report(&mut self, labels: &Labels) {
        let (hub, top) = (hub::expect("reporting metrics"), top());
        gauge!("eventlet_green_threads", labels).set(hub.len() as f64);
        gauge!("eventlet_ready", labels).set(hub.ready() as f64);
        gauge!("eventlet_timers", labels).set(hub.timers() as f64);
        counter!("eventlet_turns_total", labels).absolute(top.turns);
        gauge!("eventlet_busy_seconds", labels).set(top.time.as_secs_f64());
        gauge!("eventlet_longest_turn_seconds", labels).set(top.longest.as_secs_f64());
        counter!("eventlet_stalls_total", labels).absolute(stalls().0);
        report_stacks(labels);
        self.report_turns(&top, labels);
    }

    fn report_turns(&mut self, top: &Top, labels: &Labels) {
        let turns = histogram!("eventlet_turn_seconds", labels);
        for (time, count) in &top.histogram {
            let before = self.turns.insert(*time, *count).unwrap_or_default();
            // Counted anew, where it is less.
            let new = count.checked_sub(before).unwrap_or(*count);
            turns.record_many(time.as_secs_f64(), new as usize);
        }
    }
}
