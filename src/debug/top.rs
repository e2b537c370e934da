//! Who uses the hub.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::greenthread::Greenlet;
use crate::hub;

/// What a green thread has used of its hub since [`keep_usage`] was switched on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Usage {
    /// The green thread itself.
    pub greenlet: Greenlet,
    /// Its name, if it was [given](crate::Greenlet::set_name) one.
    pub name: Option<Rc<str>>,
    /// The line that spawned it.
    pub spawned_at: &'static Location<'static>,
    /// How many turns it had.
    pub turns: u64,
    /// How long they took, in real time.
    pub time: Duration,
    /// How long the longest of them took.
    pub longest: Duration,
    /// How long they took in the last second that is over.
    pub last_second: Duration,
}

/// What has been used of a hub, and by whom.
///
/// Its `Display` is a table, of those who used the most.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Top {
    /// For how long it was counted.
    pub counted_for: Duration,
    /// The turns of all green threads, those that have ended included.
    pub turns: u64,
    /// How long they took, in real time.
    pub time: Duration,
    /// How long the longest of them took.
    pub longest: Duration,
    /// How long they took in the last second that is over.
    pub last_second: Duration,
    /// All that have not ended: those first that used the most in the last second, and of these the
    /// ones that used the most in all.
    pub green_threads: Vec<Usage>,
}

/// Switches on or off that this OS thread's hub counts the turns of each green thread, and the time
/// that they take, for [`top`].
///
/// It is off at first: asking the clock twice costs more than a turn does. To switch it on again
/// counts anew.
///
/// The time is that of the clock on the wall. So it has whatever the system did meanwhile, other
/// processes included: what the processor did for each green thread the system does not tell for
/// less than a system call a turn.
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
/// debug::keep_usage(true);
/// let gt = eventlet::spawn(std::future::pending::<()>());
/// eventlet::sleep(Duration::ZERO).await;
/// let top = debug::top();
/// let usage = top.green_threads.iter().find(|usage| usage.greenlet == *gt).unwrap();
/// assert_eq!(usage.turns, 1);
/// assert!(usage.longest <= usage.time && usage.time <= top.time);
/// # gt.kill();
/// # });
/// ```
#[track_caller]
pub fn keep_usage(keep: bool) {
    hub::expect("counting who uses the hub").keep_usage(keep);
}

/// Returns whether this OS thread's hub counts, as [`keep_usage`] has it do.
#[cfg(unix)]
#[track_caller]
pub(crate) fn keeps_usage() -> bool {
    hub::expect("counting who uses the hub").keeps_usage()
}

/// Returns who has used this OS thread's hub, and how much, since [`keep_usage`] was switched on.
/// All is zero where it is off.
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
/// eventlet::debug::keep_usage(true);
/// eventlet::sleep(std::time::Duration::from_millis(1)).await;
/// eprint!("{}", eventlet::debug::top());
/// # });
/// ```
#[track_caller]
pub fn top() -> Top {
    let hub = hub::expect("looking at who uses the hub");
    let total = hub.usage();
    let mut green_threads: Vec<Usage> = hub
        .living()
        .into_iter()
        .map(|living| {
            let (account, last_second) = hub.usage_of(living.key);
            Usage {
                greenlet: Greenlet::new(living.key),
                name: living.name,
                spawned_at: living.spawned_at,
                turns: account.turns,
                time: account.time,
                longest: account.longest,
                last_second,
            }
        })
        .collect();
    green_threads.sort_by_key(|usage| std::cmp::Reverse((usage.last_second, usage.time)));
    let (counted_for, account, last_second) = total;
    let (turns, time, longest) = (account.turns, account.time, account.longest);
    Top { counted_for, turns, time, longest, last_second, green_threads }
}

/// Green threads that the table shows.
const MOST_SHOWN: usize = 20;

impl fmt::Display for Top {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Top { counted_for, turns, time, longest, last_second, .. } = self;
        writeln!(
            f,
            "{turns} turns in {counted_for:.1?} took {time:.1?}, the longest {longest:.1?}"
        )?;
        writeln!(f, "in the last second: {last_second:.1?}")?;
        writeln!(f, "last second       time      turns    longest  green thread")?;
        for usage in self.green_threads.iter().take(MOST_SHOWN) {
            let Usage { last_second, time, turns, longest, spawned_at, .. } = usage;
            let (last_second, time) = (format!("{last_second:.1?}"), format!("{time:.1?}"));
            let longest = format!("{longest:.1?}");
            write!(f, "{last_second:>11} {time:>10} {turns:>10} {longest:>10}  ")?;
            write!(f, "{}", usage.greenlet.id())?;
            if let Some(name) = &usage.name {
                write!(f, " {name:?}")?;
            }
            writeln!(f, ", spawned at {spawned_at}")?;
        }
        match self.green_threads.len().saturating_sub(MOST_SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}
