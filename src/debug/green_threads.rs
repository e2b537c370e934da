//! Who lives in the hub, and what each does.

use std::collections::HashSet;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

#[cfg(not(feature = "stackful"))]
use no_owners as owners;
use tokio::time::Instant;

use crate::greenthread::Greenlet;
use crate::hub;
#[cfg(feature = "stackful")]
use crate::stackful::owners;

pub use crate::hub::State;

/// What is known of one green thread that has not ended.
///
/// Its `Display` is one line of [`format_green_threads`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GreenThreadInfo {
    /// The green thread itself, to be asked for its number or killed.
    pub greenlet: Greenlet,
    /// Its name, if it was [given](crate::Greenlet::set_name) one.
    pub name: Option<Rc<str>>,
    /// The line that spawned it.
    pub spawned_at: &'static Location<'static>,
    /// Whether it runs on a stack of its own. Known from its first turn on.
    pub stackful: bool,
    /// What it is doing.
    pub state: State,
    /// How long ago its last turn was over, if it had one since [`record_turn_times`] was switched
    /// on.
    pub idle: Option<Duration>,
    /// How many of its turns blocked the hub for too long, while the [blocking
    /// detector](super::hub_blocking_detection) was on.
    pub stalls: u64,
    /// How long those turns took in all, to a quarter of the detector's resolution each.
    pub stalled: Duration,
}

/// Returns all green threads of this OS thread's hub that have not ended, the main one included, in
/// the order in which they were spawned.
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
/// use eventlet::debug::{State, green_threads};
///
/// # eventlet::run(async {
/// let gt = eventlet::spawn(async {});
/// let [main, new] = &green_threads()[..] else { panic!("two are alive") };
/// assert_eq!((main.state, new.state), (State::Running, State::New));
/// assert_eq!(new.greenlet, *gt);
/// # });
/// ```
#[track_caller]
pub fn green_threads() -> Vec<GreenThreadInfo> {
    let now = Instant::now();
    let owners = owners();
    let living = hub::expect("looking at all green threads").living().into_iter();
    let info = living.map(|living| GreenThreadInfo {
        greenlet: Greenlet::new(living.key),
        name: living.name,
        spawned_at: living.spawned_at,
        stackful: owners.contains(&living.key.serial()),
        state: living.state,
        idle: living.last_turn.map(|turn| now.saturating_duration_since(turn)),
        stalls: living.stalls.count,
        stalled: living.stalls.total,
    });
    info.collect()
}

/// Returns a line for each green thread that has not ended: number, name, what it does, for how
/// long, and where it was spawned.
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
/// eprint!("{}", eventlet::debug::format_green_threads());
/// assert_eq!(eventlet::debug::format_green_threads().lines().count(), 1, "the main one");
/// # });
/// ```
#[track_caller]
pub fn format_green_threads() -> String {
    green_threads().iter().map(|info| format!("{info}\n")).collect()
}

/// Switches on or off that this OS thread's hub notes the time of every turn, for
/// [`GreenThreadInfo::idle`].
///
/// It is off at first, as asking the clock costs more than a turn does.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use eventlet::debug;
///
/// # eventlet::runtime::Builder::new().start_paused(true).run(async {
/// debug::record_turn_times(true);
/// let gt = eventlet::spawn(std::future::pending::<()>());
/// eventlet::sleep(Duration::from_secs(3)).await;
/// assert_eq!(debug::green_threads()[1].idle, Some(Duration::from_secs(3)));
/// # gt.kill();
/// # }).unwrap();
/// ```
#[track_caller]
pub fn record_turn_times(keep: bool) {
    hub::expect("noting the time of every turn").record_turn_times(keep);
}

/// Returns the numbers of those that have stacks, where nobody has.
#[cfg_attr(feature = "stackful", expect(dead_code))]
fn no_owners() -> HashSet<u64> {
    HashSet::new()
}

impl fmt::Display for GreenThreadInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "green thread {}", self.greenlet.id())?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        let state = match self.state {
            State::New => "not started",
            State::Ready => "ready",
            State::Running => "running",
            State::Waiting => "waiting",
        };
        write!(f, ", {}{state}", if self.stackful { "stackful, " } else { "" })?;
        if let Some(idle) = self.idle {
            write!(f, " for {idle:?}")?;
        }
        if self.stalls > 0 {
            write!(f, ", blocked the hub for {:?} in all", self.stalled)?;
        }
        write!(f, ", spawned at {}", self.spawned_at)
    }
}
