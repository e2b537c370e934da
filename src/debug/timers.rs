//! What time is waited for.

use std::backtrace::Backtrace;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::frames;
use crate::greenthread::Greenlet;
use crate::hub::{self, Key, Pending};

/// A sleep or a time limit that somebody waits for.
///
/// Its `Display` is one line of [`format_hub_timers`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TimerInfo {
    /// How long it is until then.
    pub due_in: Duration,
    /// Who waits. `None` where that is not a green thread but a task of Tokio's or a future with a
    /// waker of its own, where [deadlocks are
    /// detected](crate::runtime::Builder::deadlock_detection), and for a
    /// [limit](crate::Timeout::start) that ends its green thread.
    pub greenlet: Option<Greenlet>,
    place: Option<Rc<Backtrace>>,
}

impl TimerInfo {
    /// Returns the backtrace of where it was set, if that was [noted](hub_timer_stacks).
    pub fn set_at(&self) -> Option<String> {
        self.place.as_ref().map(|place| frames::of_begin(&place.to_string()))
    }
}

/// Returns all timers of this OS thread's hub, those first that are due first.
///
/// They are those of this crate. Those of Tokio, as of `tokio::time::sleep`, are not among them.
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
/// # eventlet::runtime::Builder::new().start_paused(true).run(async {
/// let minute = Duration::from_secs(60);
/// let gt = eventlet::spawn(eventlet::sleep(minute));
/// eventlet::sleep(Duration::ZERO).await;
/// let [timer] = &eventlet::debug::hub_timers()[..] else { panic!("there is one") };
/// assert_eq!((timer.due_in, timer.greenlet), (minute, Some(*gt)));
/// # gt.kill();
/// # }).unwrap();
/// ```
#[track_caller]
pub fn hub_timers() -> Vec<TimerInfo> {
    let hub = hub::expect("looking at all timers");
    let info = |timer: Pending<Key>| TimerInfo {
        due_in: timer.due_in,
        greenlet: timer.who.map(Greenlet::new),
        place: timer.place,
    };
    let mut timers: Vec<TimerInfo> = hub.pending_timers().into_iter().map(info).collect();
    timers.sort_by_key(|timer| timer.due_in);
    timers
}

/// Switches on or off that this OS thread's hub notes where each timer is set, for
/// [`TimerInfo::set_at`] and [`format_hub_timers`].
///
/// It is off at first, as a backtrace takes some ten microseconds and a few kilobytes. Timers that
/// were set before have none.
///
/// Corresponds to `eventlet.debug.hub_timer_stacks`.
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
/// use eventlet::debug;
///
/// # eventlet::run(async {
/// debug::hub_timer_stacks(true);
/// let gt = eventlet::spawn(eventlet::sleep(Duration::from_secs(60)));
/// eventlet::sleep(Duration::ZERO).await;
/// assert!(debug::hub_timers()[0].set_at().is_some());
/// eprint!("{}", debug::format_hub_timers());
/// # gt.kill();
/// # });
/// ```
#[track_caller]
pub fn hub_timer_stacks(keep: bool) {
    hub::expect("noting where timers are set").keep_timer_places(keep);
}

/// Returns a line for each of the [timers](hub_timers) of this OS thread's hub, and where it was
/// set, if that was [noted](hub_timer_stacks).
///
/// Corresponds to `eventlet.debug.format_hub_timers`.
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
/// # eventlet::run(async {
/// assert_eq!(eventlet::debug::format_hub_timers(), "TIMERS: 0\n");
/// # });
/// ```
#[track_caller]
pub fn format_hub_timers() -> String {
    let timers = hub_timers();
    let lines = timers.iter().map(|timer| format!("{timer}\n"));
    format!("TIMERS: {}\n{}", timers.len(), lines.collect::<String>())
}

impl fmt::Display for TimerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {:?}", self.due_in)?;
        if let Some(greenlet) = self.greenlet {
            write!(f, ", green thread {}", greenlet.id())?;
        }
        self.set_at().map_or(Ok(()), |place| write!(f, "\n{}", place.trim_end()))
    }
}
