//! Numbers of a hub, for the `metrics` facade.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tokio::time::Instant;

use super::{keep_usage, stalls, top};
use crate::greenthread::{Greenlet, sleep, spawn_n};
use crate::hub;

/// Hands the numbers of this OS thread's hub to the recorder that the program has installed for the
/// [`metrics`](https://docs.rs/metrics) facade, again and again.
///
/// It is done by a green thread, which is returned: kill it to have no more of this. It switches
/// [`keep_usage`] on, which asks the clock twice for each turn.
///
/// | name | kind | of |
/// |---|---|---|
/// | `eventlet_green_threads` | gauge | green threads that have not ended |
/// | `eventlet_ready` | gauge | those that are ready |
/// | `eventlet_timers` | gauge | sleeps and limits that are waited for |
/// | `eventlet_turns_total` | counter | turns |
/// | `eventlet_busy_seconds` | gauge | the time that turns have taken in all |
/// | `eventlet_longest_turn_seconds` | gauge | the longest turn so far |
/// | `eventlet_turn_seconds` | histogram | the mean time of a turn between two reports |
/// | `eventlet_loop_lag_seconds` | histogram | how late a sleep was over: what timers and sockets wait for their turn |
/// | `eventlet_stalls_total` | counter | turns that blocked the hub, where the [detector](super::hub_blocking_detection) is on |
///
/// Each has the label `thread`, with the name of the OS thread. Stacks are counted by
/// `stackful::stack_stats`, and pools by their own `running` and `waiting`: what matters of them
/// the program hands over itself.
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
    hub::check("reporting metrics");
    keep_usage(true);
    describe();
    let reporter = spawn_n(async move {
        let mut last = Last::default();
        loop {
            let due = Instant::now() + every;
            sleep(every).await;
            last.report(Instant::now().saturating_duration_since(due));
        }
    });
    reporter.set_name("reports metrics");
    reporter
}

fn describe() {
    describe_gauge!("eventlet_green_threads", "green threads that have not ended");
    describe_gauge!("eventlet_ready", "green threads that are ready");
    describe_gauge!("eventlet_timers", "sleeps and limits that are waited for");
    describe_counter!("eventlet_turns_total", "turns of green threads");
    describe_gauge!("eventlet_busy_seconds", "the time that turns have taken");
    describe_gauge!("eventlet_longest_turn_seconds", "the longest turn so far");
    describe_histogram!("eventlet_turn_seconds", "the mean time of a turn");
    describe_histogram!("eventlet_loop_lag_seconds", "how late a sleep was over");
    describe_counter!("eventlet_stalls_total", "turns that blocked the hub");
}

/// What was counted at the last report.
#[derive(Default)]
struct Last {
    turns: u64,
    time: Duration,
}

impl Last {
    fn report(&mut self, lag: Duration) {
        let (hub, top) = (hub::expect("reporting metrics"), top());
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let labels = [("thread", thread)];
        gauge!("eventlet_green_threads", &labels).set(hub.len() as f64);
        gauge!("eventlet_ready", &labels).set(hub.ready() as f64);
        gauge!("eventlet_timers", &labels).set(hub.timers() as f64);
        counter!("eventlet_turns_total", &labels).absolute(top.turns);
        gauge!("eventlet_busy_seconds", &labels).set(top.time.as_secs_f64());
        gauge!("eventlet_longest_turn_seconds", &labels).set(top.longest.as_secs_f64());
        counter!("eventlet_stalls_total", &labels).absolute(stalls().0);
        histogram!("eventlet_loop_lag_seconds", &labels).record(lag.as_secs_f64());
        let (turns, time) = (top.turns - self.turns, top.time.saturating_sub(self.time));
        if turns > 0 {
            histogram!("eventlet_turn_seconds", &labels).record(time.as_secs_f64() / turns as f64);
        }
        *self = Last { turns: top.turns, time: top.time };
    }
}
