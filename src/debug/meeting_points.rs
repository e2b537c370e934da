//! What green threads wait for.

use std::backtrace::Backtrace;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::frames;
use crate::greenthread::Greenlet;
use crate::hub::{self, Hub, Waiting};

/// A meeting point at which green threads wait: a lock, a queue, the end of another one.
///
/// Its `Display` says what it is, who waits there, and where if that was asked for.
#[derive(Debug)]
#[non_exhaustive]
pub struct MeetingPoint {
    /// What is waited for: `"a lock"`, `"an item of a queue"`.
    pub what: &'static str,
    /// What there is of it: `"counter 0"`, `"3 of 3 items"`. Empty where that says nothing.
    pub state: String,
    /// How many stand in line, those included that are no green threads.
    pub waiting: usize,
    /// The green thread for whose end they wait, or that has the lock, where that was
    /// [noted](keep_holders).
    pub held_by: Option<u64>,
    /// The green threads that stand in line, in the order in which they were spawned.
    pub waiters: Vec<Waiter>,
}

/// A green thread that waits at a [`MeetingPoint`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Waiter {
    /// The green thread itself.
    pub greenlet: Greenlet,
    /// Its name, if it was [given](crate::Greenlet::set_name) one.
    pub name: Option<Rc<str>>,
    /// The line that spawned it.
    pub spawned_at: &'static Location<'static>,
    backtrace: Option<Backtrace>,
}

impl Waiter {
    /// Returns the backtrace of its wait, if that was asked for.
    pub fn waits_at(&self) -> Option<String> {
        self.backtrace.as_ref().map(|backtrace| frames::of_code(&backtrace.to_string()))
    }
}

/// Asks all green threads of this OS thread's hub at which meeting points they wait, and returns
/// those: the ones where most wait first. With `backtraces` it asks where each wait is, too, for
/// both colours.
///
/// They are the meeting points of this crate: locks, semaphores, queues, events, pools, piles and
/// the ends of green threads. Who waits for a socket, for Tokio's channels or for
/// [time](super::hub_timers) is not among them. A green thread that waits for one thing or another
/// waits at several.
///
/// To ask them, the hub polls all that wait once more, as if they had been woken in vain. That is a
/// turn for each, between those of the others, and some ten microseconds more for each backtrace.
/// While nobody asks this costs nothing, and what a wait was for before is not forgotten: nothing
/// needs to be switched on.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Always, for one turn.
///
/// # Killed
///
/// Nothing is lost: nobody hears the answers.
///
/// # Examples
///
/// ```
/// use eventlet::debug;
/// use eventlet::lock::Lock;
///
/// # eventlet::run(async {
/// debug::keep_holders(true);
/// let lock = Lock::new();
/// let _guard = lock.lock().await;
/// let same = lock.clone();
/// let waits = eventlet::spawn(async move { drop(same.lock().await) });
/// eventlet::sleep(std::time::Duration::ZERO).await;
///
/// let [point] = &debug::meeting_points(true).await[..] else { panic!("there is one") };
/// assert_eq!((point.what, point.held_by), ("a lock", Some(eventlet::getcurrent().id())));
/// assert_eq!(point.waiters[0].greenlet, *waits);
/// eprintln!("{point}");
/// # waits.kill();
/// # });
/// ```
#[track_caller]
pub fn meeting_points(backtraces: bool) -> impl Future<Output = Vec<MeetingPoint>> {
    let hub = hub::expect("looking at meeting points");
    let answers = hub.ask(backtraces);
    async move { grouped(&hub, answers.await) }
}

/// Switches on or off that this OS thread's hub notes who takes a [`Lock`](crate::lock::Lock), for
/// [`MeetingPoint::held_by`].
///
/// It is off at first, and costs a few nanoseconds for each lock that is taken. Where [deadlocks
/// are detected](crate::runtime::Builder::deadlock_detection) it is on.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// eventlet::debug::keep_holders(true);
/// # });
/// ```
#[track_caller]
pub fn keep_holders(keep: bool) {
    hub::expect("noting who has a lock").note_holders(keep);
}

/// Puts those together that wait in the same line.
fn grouped(hub: &Hub, answers: Vec<Waiting>) -> Vec<MeetingPoint> {
    let outcomes = hub.outcomes();
    let mut places: HashMap<u64, _> =
        hub.living().into_iter().map(|living| (living.key.serial(), living)).collect();
    let (mut points, mut at) = (Vec::<MeetingPoint>::new(), HashMap::new());
    for Waiting { key, waits } in answers {
        let Some(living) = places.remove(&key.serial()) else { continue };
        for wait in waits {
            let held_by = outcomes.whose(&wait).map(|ends| ends.serial()).or(wait.point.holder);
            let at = *at.entry(wait.line).or_insert(points.len());
            if at == points.len() {
                let (what, state, waiting) = (wait.point.what, wait.point.state, wait.waiting);
                points.push(MeetingPoint { what, state, waiting, held_by, waiters: Vec::new() });
            }
            points[at].waiters.push(Waiter {
                greenlet: Greenlet::new(key),
                name: living.name.clone(),
                spawned_at: living.spawned_at,
                backtrace: wait.backtrace,
            });
        }
    }
    points.sort_by_key(|point| std::cmp::Reverse(point.waiting));
    points
}

impl fmt::Display for MeetingPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(id) = self.held_by {
            let has = if self.what == crate::probe::END { "" } else { "held by green thread " };
            write!(f, " {has}{id}")?;
        }
        if !self.state.is_empty() {
            write!(f, " ({})", self.state)?;
        }
        write!(f, ", {} waiting", self.waiting)?;
        self.waiters.iter().try_for_each(|waiter| write!(f, "\n  {waiter}"))
    }
}

impl fmt::Display for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "green thread {}", self.greenlet.id())?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        write!(f, ", spawned at {}", self.spawned_at)?;
        self.waits_at().map_or(Ok(()), |wait| write!(f, "\n{}", wait.trim_end()))
    }
}
