//! Looking into a hub: who lives, what each does, and where it came from.
//!
//! ```
//! # eventlet::run(async {
//! let gt = eventlet::spawn(std::future::pending::<()>());
//! gt.set_name("patience");
//! eventlet::sleep(std::time::Duration::ZERO).await;
//!
//! let all = eventlet::debug::format_green_threads();
//! assert!(all.contains("\"patience\", waiting, spawned at "), "{all}");
//! # gt.kill();
//! # });
//! ```
//!
//! Of those with stacks it can be seen where the code on them waits, too:
//! `format_green_threads_with_backtraces` and `GreenThreadInfo::parked_stacks`. A signal can have
//! all of it printed: `dump_on_signal`. And whoever blocks the hub is reported while that lasts:
//! [`hub_blocking_detection`].
//!
//! Corresponds to `eventlet.debug`.
//!
//! # Not here
//!
//! `format_threads_info` is [`format_green_threads`]. `spew` and `unspew`, which trace lines of
//! Python. `tpool_exceptions`: what fails in the pool of OS threads with nobody waiting is always
//! reported. `hub_prevent_multiple_readers` is
//! [`hubs::prevent_multiple_readers`](crate::hubs::prevent_multiple_readers).

mod blocking;
mod exceptions;
mod green_threads;
#[cfg(unix)]
mod listeners;
mod meeting_points;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(unix)]
mod signal;
#[cfg(feature = "stackful")]
mod stacks;
mod timers;
mod top;
mod tracing;
#[cfg(feature = "stackful")]
mod waits;

pub use self::tracing::trace_green_threads;
pub use crate::hub::{Deadlock, Stuck};
pub use blocking::{Stall, hub_blocking_detection, set_blocking_hook, stalls};
pub use exceptions::hub_exceptions;
pub use green_threads::{
    GreenThreadInfo, State, format_green_threads, green_threads, record_turn_times,
};
#[cfg(unix)]
pub use listeners::{ListenerInfo, format_hub_listeners, hub_listener_stacks, hub_listeners};
pub use meeting_points::{MeetingPoint, Waiter, keep_holders, meeting_points};
#[cfg(feature = "metrics")]
pub use metrics::{report_metrics, report_pool_metrics};
#[cfg(unix)]
pub use signal::dump_on_signal;
#[cfg(feature = "stackful")]
pub use stacks::{ParkedStack, format_green_threads_with_backtraces};
pub use timers::{TimerInfo, format_hub_timers, hub_timer_stacks, hub_timers};
pub use top::{Top, Usage, keep_cpu_usage, keep_usage, top};
#[cfg(feature = "stackful")]
pub use waits::check_waits;
