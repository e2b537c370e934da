//! Whether anything can ever wake a hub again.
//!
//! A hub that has nobody ready and no timer waits for a waker to be used. So the question is who
//! has one. Each green thread gets a waker that counts its clones, while this is asked for. And
//! each is polled once spuriously, for the meeting points to [note](crate::probe) that they have a
//! clone, of which only another green thread makes use. Where all clones are accounted for, for
//! every green thread, nobody is left who could wake any of them.
//!
//! A clone that somebody else has, a socket, a channel of Tokio's, an OS thread, a future within
//! one that has wakers of its own, is taken for one that will be used. So this never says too much,
//! and may say nothing where it could.

use std::backtrace::Backtrace;
use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::job::Key;
use super::notes::State;
use super::scheduler::Hub;
use crate::exit::Exit;
use crate::frames;
use crate::probe::Point;

/// Every green thread of a hub waits for another, and nothing else can wake any of them.
///
/// It is what [`Builder::run`](crate::runtime::Builder::run) returns, inside an `io::Error`, when
/// [`deadlock_detection`](crate::runtime::Builder::deadlock_detection) is on. Its `Display` is the
/// report: who waits, for what, and where.
///
/// # Examples
///
/// ```
/// use eventlet::debug::Deadlock;
/// use eventlet::runtime::Builder;
/// use eventlet::{Event, spawn};
///
/// let error = Builder::new()
///     .deadlock_detection(true)
///     .run(async {
///         let nobody_sends = Event::<()>::new();
///         spawn(async move { nobody_sends.wait().await }).await
///     })
///     .unwrap_err();
/// let deadlock = Deadlock::from_error(&error).unwrap();
/// assert_eq!(deadlock.stuck().len(), 2);
/// assert!(deadlock.to_string().contains("waits for the end of green thread 2"), "{deadlock}");
/// ```
#[derive(Clone)]
pub struct Deadlock {
    stuck: Arc<[Stuck]>,
}

/// One green thread of a [`Deadlock`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Stuck {
    /// The [number](crate::Greenlet::id) of the green thread.
    pub id: u64,
    /// Its name, if it was [given](crate::Greenlet::set_name) one.
    pub name: Option<String>,
    /// The line that spawned it.
    pub spawned_at: &'static Location<'static>,
    /// The green threads whose end it waits for, by their numbers.
    pub waits_for: Vec<u64>,
    /// The green threads that have the [locks](crate::lock::Lock) it waits for, by their numbers.
    pub held_by: Vec<u64>,
    /// Numbers that tell meeting points apart: whoever waits at the same one has the same number.
    pub meeting_points: Vec<usize>,
    waits: Arc<[StuckWait]>,
    backtraces: Arc<[Backtrace]>,
}

/// What a green thread waits for that is stuck.
struct StuckWait {
    /// For whose end.
    ending: Option<u64>,
    meeting_point: usize,
    point: Point,
}

impl Stuck {
    /// Returns where it waits: the backtrace of each of its waits. There is none where it waits for
    /// nothing at all, as `std::future::pending` does.
    pub fn waits_at(&self) -> impl Iterator<Item = String> {
        self.backtraces.iter().map(|backtrace| frames::of_code(&backtrace.to_string()))
    }
}

impl Deadlock {
    /// Returns the deadlock that an error of [`run`](crate::runtime::Builder::run) reports, if it
    /// does.
    pub fn from_error(error: &std::io::Error) -> Option<&Deadlock> {
        error.get_ref()?.downcast_ref()
    }

    /// Returns the deadlock that ended a green thread, if one did.
    pub(crate) fn of(exit: &Exit) -> Option<&Deadlock> {
        exit.downcast_ref()
    }

    /// Returns all green threads of the hub, in the order in which they were spawned.
    pub fn stuck(&self) -> &[Stuck] {
        &self.stuck
    }

    /// Returns green threads of which each waits for the end of the next, or for a lock that the
    /// next has, and the last one for the first, if there are such.
    ///
    /// Who has a permit of a semaphore is not known, so a cycle through one is not found.
    pub fn cycle(&self) -> Option<Vec<u64>> {
        let mut seen = HashSet::new();
        self.stuck.iter().find_map(|start| self.cycle_from(start.id, &mut seen))
    }

    /// Follows the waits from one green thread to the next, but not through those seen to lead
    /// nowhere.
    fn cycle_from(&self, start: u64, seen: &mut HashSet<u64>) -> Option<Vec<u64>> {
        let mut path = Vec::new();
        let mut next = Some(start);
        loop {
            match next {
                Some(id) if seen.insert(id) => path.push((id, self.needed_by(id))),
                Some(id) => {
                    if let Some(first) = path.iter().position(|(on_path, _)| *on_path == id) {
                        return Some(path[first..].iter().map(|(id, _)| *id).collect());
                    }
                }
                None => drop(path.pop()),
            }
            next = path.last_mut()?.1.next();
        }
    }

    /// Returns who must go on so that a green thread can.
    fn needed_by(&self, id: u64) -> impl Iterator<Item = u64> {
        let stuck = self.stuck.binary_search_by_key(&id, |stuck| stuck.id);
        let stuck = stuck.ok().map(|at| &self.stuck[at]);
        stuck.into_iter().flat_map(|stuck| stuck.waits_for.iter().chain(&stuck.held_by)).copied()
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.stuck.len();
        write!(f, "deadlock: nothing can wake any of the hub's {all} green threads any more")?;
        if let Some(cycle) = self.cycle() {
            let numbers: Vec<String> = cycle.iter().map(u64::to_string).collect();
            write!(f, "; each of these waits for the next, and the last for the first: ")?;
            write!(f, "{}", numbers.join(", "))?;
        }
        self.stuck.iter().try_for_each(|stuck| write!(f, "\n{stuck}"))
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "green thread {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        write!(f, ", spawned at {}, ", self.spawned_at)?;
        match &self.waits[..] {
            [] => f.write_str("waits for nothing that this crate knows of")?,
            [first, others @ ..] => {
                write!(f, "waits for {first}")?;
                others.iter().try_for_each(|wait| write!(f, " or {wait}"))?;
            }
        }
        self.waits_at().try_for_each(|wait| write!(f, "\n{}", wait.trim_end()))
    }
}

impl fmt::Display for StuckWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point { what, state, holder } = &self.point;
        if let Some(ending) = self.ending {
            return write!(f, "the end of green thread {ending}");
        }
        write!(f, "{what} (meeting point {}", self.meeting_point)?;
        if !state.is_empty() {
            write!(f, ", {state}")?;
        }
        match holder {
            Some(holder) => write!(f, "), which green thread {holder} has"),
            None => f.write_str(")"),
        }
    }
}

/// The report, for whoever unwraps it.
impl fmt::Debug for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Deadlock {}

impl From<Deadlock> for std::io::Error {
    fn from(deadlock: Deadlock) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::Deadlock, deadlock)
    }
}

impl Hub {
    /// Ends the main green thread if nobody is left who could wake any. Called when nobody is
    /// ready.
    pub(super) fn look_for_deadlock(&self, main: Key) {
        if self.is_deadlocked(main) {
            let deadlock = Deadlock { stuck: self.stuck().into() };
            // To say where they wait they were polled once more.
            if self.is_asleep() && !self.dead(main) {
                self.kill(main, Exit::thrown(Box::new(deadlock)));
            }
        }
    }

    /// Returns whether no green thread can be woken but by another.
    fn is_deadlocked(&self, main: Key) -> bool {
        let detector = &self.observer.detector;
        let witness = detector.witness.take().filter(|witness| !self.dead(*witness));
        let all = self.map_slots(|key, _slot| key);
        let free =
            witness.into_iter().chain(all).find(|key| !self.is_asleep() || self.is_free(*key));
        detector.witness.set(free);
        free.is_none() && self.is_asleep() && !self.dead(main)
    }

    /// Returns whether nothing is about to happen by itself.
    fn is_asleep(&self) -> bool {
        // A task of Tokio's on this OS thread may have whatever a green thread has. The hub is one.
        let tasks = Handle::try_current().map(|runtime| runtime.metrics().num_alive_tasks());
        self.collect_remote();
        self.ready() == 0 && self.timers() == 0 && tasks.is_ok_and(|tasks| tasks <= 1)
    }

    /// Returns whether somebody else than a green thread can wake this one: it is polled to find
    /// that out.
    fn is_free(&self, key: Key) -> bool {
        let waits = self.probe(key, false);
        self.state(key) != Some(State::Waiting) || self.observer.detector.clones(key) > waits.len()
    }

    /// Asks all who live where they wait.
    fn stuck(&self) -> Vec<Stuck> {
        let (living, outcomes) = (self.living(), self.outcomes());
        let mut lines = Vec::new();
        let stuck = living.into_iter().map(|living| {
            let mut waits = self.probe(living.key, true);
            let backtraces = waits.iter_mut().filter_map(|wait| wait.backtrace.take()).collect();
            let waits: Vec<_> = waits
                .into_iter()
                .map(|wait| StuckWait {
                    ending: outcomes.whose(&wait).map(Key::serial),
                    meeting_point: number_of(wait.line, &mut lines),
                    point: wait.point,
                })
                .collect();
            Stuck {
                id: living.key.serial(),
                name: living.name.map(|name| name.to_string()),
                spawned_at: living.spawned_at,
                waits_for: waits.iter().filter_map(|wait| wait.ending).collect(),
                held_by: waits.iter().filter_map(|wait| wait.point.holder).collect(),
                meeting_points: waits.iter().map(|wait| wait.meeting_point).collect(),
                waits: waits.into(),
                backtraces,
            }
        });
        stuck.collect()
    }
}

/// Returns the number of a line, which is a new one where it was not seen before.
fn number_of(line: usize, lines: &mut Vec<usize>) -> usize {
    let known = lines.iter().position(|known| *known == line);
    known.unwrap_or_else(|| {
        lines.push(line);
        lines.len() - 1
    }) + 1
}
