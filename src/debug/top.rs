//! Who uses the hub.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::greenthread::Greenlet;
use crate::hub::{self, Accounts, Living};

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
    /// How long the processor worked in them, where that is [counted](keep_cpu_usage).
    pub cpu: Option<Duration>,
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
    /// How long the processor worked in them, where that is [counted](keep_cpu_usage).
    pub cpu: Option<Duration>,
    /// How long the longest of them took.
    pub longest: Duration,
    /// How long they took in the last second that is over.
    pub last_second: Duration,
    /// How many turns took no longer than each of some times, and longer than the time before it:
    /// a histogram. The times are a fourth apart, or less.
    pub histogram: Vec<(Duration, u64)>,
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
/// processes included. [`keep_cpu_usage`] counts what the processor did, too.
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
    hub::expect("counting who uses the hub").keep_usage(keep, false);
}

/// As [`keep_usage`], and counts for how long the processor works in the turns of each green
/// thread.
///
/// A turn that takes long, in which the processor does little, blocks: it waits in the system for
/// something, or for a processor. To ask the system
/// twice takes a microsecond of each turn, more or less.
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
/// eventlet::debug::keep_cpu_usage(true);
/// eventlet::spawn(async { std::thread::sleep(Duration::from_millis(50)) }).await.unwrap();
/// let top = eventlet::debug::top();
/// assert!(top.time >= Duration::from_millis(50));
/// # #[cfg(unix)]
/// assert!(top.cpu.unwrap() < Duration::from_millis(50), "it slept");
/// # });
/// ```
#[track_caller]
pub fn keep_cpu_usage(keep: bool) {
    hub::expect("counting who uses the hub").keep_usage(keep, true);
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
    let accounts = hub.usage().unwrap_or_else(|| Accounts::new(false).into());
    let cpu = |cpu| accounts.asks_processor().then_some(cpu);
    let used = |living: Living| {
        let (account, last_second) = accounts.of(living.key.serial());
        Usage {
            greenlet: Greenlet::new(living.key),
            name: living.name,
            spawned_at: living.spawned_at,
            turns: account.turns,
            time: account.time,
            cpu: cpu(account.cpu),
            longest: account.longest,
            last_second,
        }
    };
    let mut green_threads: Vec<Usage> = hub.living().into_iter().map(used).collect();
    green_threads.sort_by_key(|usage| std::cmp::Reverse((usage.last_second, usage.time)));
    let (account, last_second) = accounts.total();
    Top {
        counted_for: accounts.age(),
        turns: account.turns,
        time: account.time,
        cpu: cpu(account.cpu),
        longest: account.longest,
        last_second,
        histogram: accounts.times().counts().collect(),
        green_threads,
    }
}

impl Top {
    /// Returns a time that this share of the turns did not exceed: `quantile(0.99)` is that of 99
    /// in
    /// 100. It is true to a fourth.
    ///
    /// # Panics
    ///
    /// When the share is not between 0 and 1.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// eventlet::debug::keep_usage(true);
    /// for _ in 0..10 {
    ///     eventlet::sleep(std::time::Duration::ZERO).await;
    /// }
    /// let top = eventlet::debug::top();
    /// assert!(top.quantile(0.5) <= top.quantile(0.99));
    /// # });
    /// ```
    #[track_caller]
    pub fn quantile(&self, share: f64) -> Duration {
        assert!((0.0..=1.0).contains(&share), "a share is between 0 and 1, and {share} is not");
        let wanted = (share * self.turns as f64).ceil() as u64;
        let mut turns = 0;
        let reached = self.histogram.iter().find(|(_time, count)| {
            turns += count;
            turns >= wanted
        });
        reached.map_or(Duration::ZERO, |(time, _count)| (*time).min(self.longest))
    }
}

/// Green threads that the table shows.
const MOST_SHOWN: usize = 20;

impl fmt::Display for Top {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Top { counted_for, turns, time, longest, last_second, .. } = self;
        write!(f, "{turns} turns in {counted_for:.1?} took {time:.1?}")?;
        if let Some(cpu) = self.cpu {
            write!(f, ", of which the processor worked {cpu:.1?}")?;
        }
        let (half, most) = (self.quantile(0.5), self.quantile(0.99));
        writeln!(
            f,
            ", half of them {half:.1?} at most, 99 % {most:.1?}, the longest {longest:.1?}"
        )?;
        writeln!(f, "in the last second: {last_second:.1?}")?;
        writeln!(f, "last second       time  processor      turns    longest  green thread")?;
        let shown = self.green_threads.iter().take(MOST_SHOWN);
        shown.into_iter().try_for_each(|usage| writeln!(f, "{usage}"))?;
        match self.green_threads.len().saturating_sub(MOST_SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

/// A line of the table.
impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |time: Duration| format!("{time:.1?}");
        let cpu = self.cpu.map_or_else(String::new, text);
        let (last_second, time) = (text(self.last_second), text(self.time));
        write!(f, "{last_second:>11} {time:>10} {cpu:>10} ")?;
        write!(f, "{:>10} {:>10}  {}", self.turns, text(self.longest), self.greenlet.id())?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        write!(f, ", spawned at {}", self.spawned_at)
    }
}
