//! The watchdog: one OS thread for all hubs of the process that are watched.
//!
//! It starts with the first of them and ends after the last. It looks at each several times in a
//! limit, and counts the time between two looks that saw the same turn. So what it says is never
//! more than what was; where it was itself kept from running, by a debugger or a crowd of
//! processes, it counts no more than the time between two looks of a usual pace.

use std::cell::Cell;
use std::io;
use std::panic::Location;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::capture::{self, Frames};
use super::pulse::{Pulse, Stalls, Turn};
use super::stall::Stall;

/// Looks in the time that a turn may take.
const LOOKS: u32 = 4;

/// The shortest time that a turn may be given.
const SHORTEST: Duration = Duration::from_millis(1);

/// Time between two looks at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Time between two reports about one hub, at least.
const BETWEEN_REPORTS: Duration = Duration::from_secs(1);

static WATCHDOG: Watchdog = Watchdog {
    rounds: Mutex::new(Rounds { hubs: Vec::new(), runs: false }),
    changed: Condvar::new(),
};

struct Watchdog {
    rounds: Mutex<Rounds>,
    /// Told when a hub comes or goes.
    changed: Condvar,
}

struct Rounds {
    hubs: Vec<Seen>,
    /// Whether the OS thread runs.
    runs: bool,
}

/// Returns an error that says so unless a turn may be given so much time.
pub(crate) fn check_limit(limit: Duration) -> io::Result<()> {
    if limit >= SHORTEST {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "a blocking detector with a resolution of {limit:?} would report every turn: give each \
             turn {SHORTEST:?} at least, as in `Duration::from_millis(100)`"
        ),
    ))
}

/// A hub that is watched: its end of the pulse. Dropping it ends that.
pub(crate) struct Watched {
    pulse: Arc<Pulse>,
    /// Turns so far.
    turns: Cell<u64>,
}

impl Watched {
    /// Has this OS thread's hub watched.
    ///
    /// # Errors
    ///
    /// When the limit is too short, or the system refuses the OS thread or the signal handler.
    pub(crate) fn start(limit: Duration) -> io::Result<Watched> {
        check_limit(limit)?;
        capture::prepare()?;
        let pulse = Arc::new(Pulse::new(limit));
        let mut rounds = WATCHDOG.rounds();
        if !rounds.runs {
            thread::Builder::new().name("eventlet-watchdog".to_owned()).spawn(|| WATCHDOG.run())?;
            rounds.runs = true;
        }
        rounds.hubs.push(Seen::new(Arc::clone(&pulse)));
        WATCHDOG.changed.notify_one();
        Ok(Watched { pulse, turns: Cell::new(0) })
    }

    /// Notes that a turn of that green thread begins, or goes on.
    #[inline]
    pub(crate) fn begin(&self, id: u64, spawned_at: &'static Location<'static>) {
        let number = self.turns.get() + 1;
        self.turns.set(number);
        self.pulse.begin(number, id, spawned_at);
    }

    /// Notes that nobody has a turn.
    #[inline]
    pub(crate) fn rest(&self) {
        self.pulse.rest();
    }

    pub(crate) fn set_name(&self, id: u64, name: &str) {
        self.pulse.set_name(id, name);
    }

    /// Notes that a green thread has ended, with its turn.
    pub(crate) fn forget(&self, id: u64) {
        self.pulse.forget(id);
    }

    /// Returns how often that green thread blocked the hub.
    pub(crate) fn stalls(&self, id: u64) -> Stalls {
        self.pulse.stalls(id)
    }

    /// Returns how often the hub was blocked.
    pub(crate) fn total(&self) -> Stalls {
        self.pulse.total()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // The OS thread is asked for its frames under this lock only: so it is alive then.
        let mut rounds = WATCHDOG.rounds();
        rounds.hubs.retain(|seen| !Arc::ptr_eq(&seen.pulse, &self.pulse));
        WATCHDOG.changed.notify_one();
    }
}

impl Watchdog {
    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of the OS thread: until there is no hub to be watched.
    fn run(&self) {
        let mut last = Instant::now();
        let mut rounds = self.rounds();
        while let Some(pause) = rounds.hubs.iter().map(Seen::pause).min() {
            rounds =
                self.changed.wait_timeout(rounds, pause).unwrap_or_else(PoisonError::into_inner).0;
            let passed = last.elapsed();
            last += passed;
            let stalls: Vec<_> =
                rounds.hubs.iter_mut().filter_map(|seen| seen.look(passed)).collect();
            if !stalls.is_empty() {
                // Without the lock, as this takes its time and is the user's code in part.
                drop(rounds);
                stalls.into_iter().for_each(|(pulse, stall)| stall.report(&pulse.log));
                rounds = self.rounds();
            }
        }
        rounds.runs = false;
    }
}

/// A hub as the watchdog sees it.
struct Seen {
    pulse: Arc<Pulse>,
    /// The turn that it was in at the last look, and for how long it has been seen.
    turn: Option<(Turn, Duration)>,
    noted: Noted,
    /// How long it is until a report may be made again.
    quiet_for: Duration,
    /// Stalls since the last report, but for the one that goes on.
    unreported: u64,
}

/// What was made of the turn that a hub is in.
#[derive(Clone, Copy, PartialEq)]
enum Noted {
    Nothing,
    /// It is a stall, whose report waits until one may be made.
    Stall,
    /// It is a stall, and was reported.
    Report,
}

impl Seen {
    fn new(pulse: Arc<Pulse>) -> Seen {
        Seen { pulse, turn: None, noted: Noted::Nothing, quiet_for: Duration::ZERO, unreported: 0 }
    }

    /// Returns how long it is until the next look.
    fn pause(&self) -> Duration {
        (self.pulse.limit / LOOKS).min(LONGEST_PAUSE)
    }

    /// Looks again after some time, and returns what there is to report.
    fn look(&mut self, passed: Duration) -> Option<(Arc<Pulse>, Stall)> {
        let passed = passed.min(2 * self.pause());
        self.quiet_for = self.quiet_for.saturating_sub(passed);
        let before = self.turn.take();
        let turn = self.pulse.turn();
        let same =
            |before: &(Turn, Duration)| turn.is_some_and(|now| now.number == before.0.number);
        let Some((turn, seen_for)) = before.filter(same) else {
            if let Some((over, _)) = before.filter(|_| self.noted != Noted::Nothing) {
                // It ended somewhere between the two looks.
                self.pulse.add(&over, passed / 2);
            }
            self.unreported += u64::from(self.noted == Noted::Stall);
            self.noted = Noted::Nothing;
            self.turn = turn.map(|turn| (turn, Duration::ZERO));
            return None;
        };
        let lasted = seen_for + passed;
        self.turn = Some((turn, lasted));
        if self.noted != Noted::Nothing {
            self.pulse.add(&turn, passed);
        } else if lasted >= self.pulse.limit && self.pulse.count(&turn) {
            self.noted = Noted::Stall;
            self.pulse.add(&turn, lasted);
        }
        (self.noted == Noted::Stall).then(|| self.report(&turn, lasted)).flatten()
    }

    /// Makes the report of a stall, unless there was one a moment ago.
    fn report(&mut self, turn: &Turn, lasted: Duration) -> Option<(Arc<Pulse>, Stall)> {
        if !self.quiet_for.is_zero() {
            return None;
        }
        self.noted = Noted::Report;
        self.quiet_for = BETWEEN_REPORTS;
        let frames = self.capture(turn);
        let stall =
            Stall::new(&self.pulse, turn, lasted, std::mem::take(&mut self.unreported), frames);
        Some((Arc::clone(&self.pulse), stall))
    }

    /// Returns where the hub's OS thread is, if that is in the same turn still.
    fn capture(&self, turn: &Turn) -> Option<Frames> {
        capture::capture(&self.pulse.target).filter(|_| self.pulse.is_in(turn.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(400);
    const PACE: Duration = Duration::from_millis(100);

    fn seen() -> (Arc<Pulse>, Seen) {
        let pulse = Arc::new(Pulse::new(LIMIT));
        (Arc::clone(&pulse), Seen::new(pulse))
    }

    /// Looks so often at that pace, and returns how many reports came of it.
    fn reports(seen: &mut Seen, looks: u32) -> usize {
        (0..looks).filter_map(|_| seen.look(PACE)).count()
    }

    #[test]
    fn a_turn_is_reported_once_and_counted_to_its_end() {
        let (pulse, mut seen) = seen();
        pulse.begin(1, 7, Location::caller());
        assert_eq!(reports(&mut seen, 4), 0, "it was seen for 300 ms");
        assert_eq!(reports(&mut seen, 1), 1);
        assert_eq!(reports(&mut seen, 10), 0, "it was reported already");
        pulse.rest();
        assert_eq!(reports(&mut seen, 1), 0);
        let stalls = pulse.stalls(7);
        assert_eq!((stalls.count, stalls.total), (1, Duration::from_millis(1450)));
    }

    #[test]
    fn a_hub_that_turns_or_waits_is_not_reported() {
        let (pulse, mut seen) = seen();
        for number in 1..100 {
            pulse.begin(number, 7, Location::caller());
            assert_eq!(reports(&mut seen, 4), 0);
        }
        pulse.rest();
        assert_eq!(reports(&mut seen, 100), 0);
        assert_eq!(pulse.total().count, 0);
    }

    #[test]
    fn time_in_which_the_watchdog_did_not_run_does_not_count() {
        let (pulse, mut seen) = seen();
        pulse.begin(1, 7, Location::caller());
        assert!(seen.look(PACE).is_none());
        assert!(seen.look(Duration::from_secs(3600)).is_none());
        assert_eq!(reports(&mut seen, 2), 1);
    }

    #[test]
    fn a_crowd_of_stalls_is_reported_as_one() {
        let (pulse, mut seen) = seen();
        // Each takes half a second, and there is one report a second.
        for (number, expected) in [(1, 1), (2, 0)] {
            pulse.begin(number, 7, Location::caller());
            assert_eq!(reports(&mut seen, 5), expected, "{number}");
        }
        pulse.begin(3, 7, Location::caller());
        let stall = (0..5).find_map(|_| seen.look(PACE)).unwrap().1;
        assert_eq!((stall.unreported, pulse.stalls(7).count), (1, 3));
    }

    #[test]
    fn a_stall_that_goes_on_is_reported_as_soon_as_that_may_be() {
        let (pulse, mut seen) = seen();
        pulse.begin(1, 7, Location::caller());
        assert_eq!(reports(&mut seen, 5), 1);
        pulse.begin(2, 8, Location::caller());
        assert_eq!(reports(&mut seen, 5), 0, "half a second after the first");
        let stall = (0..5).find_map(|_| seen.look(PACE)).unwrap().1;
        assert_eq!((stall.id, stall.unreported, pulse.stalls(8).count), (8, 0, 1));
        assert_eq!(reports(&mut seen, 20), 0, "it was reported already");
    }

    #[test]
    fn a_limit_that_is_too_short_is_an_error_that_names_the_cure() {
        assert!(check_limit(SHORTEST).is_ok());
        for limit in [Duration::ZERO, Duration::from_micros(999)] {
            let error = check_limit(limit).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains("give each turn 1ms at least"), "{error}");
        }
    }
}
