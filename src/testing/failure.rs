//! A program that fails.

use std::fmt;

use super::run::Ran;

/// Turns that a report shows.
const MOST_SHOWN: usize = 40;

/// How a program failed under a schedule.
///
/// Its `Display` is the report: what went wrong, how to run it again, and its last turns.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    seed: Option<u64>,
    what: String,
    schedule: String,
    /// Choices that were not the usual ones, at first and now.
    choices: (usize, usize),
    turns: Vec<String>,
}

impl Failure {
    pub(super) fn new(seed: Option<u64>, at_first: usize, ran: &Ran) -> Failure {
        Failure {
            seed,
            what: ran.failed.as_ref().map_or_else(String::new, |failed| failed.to_string()),
            schedule: ran.taken.to_string(),
            choices: (at_first, ran.taken.0.len()),
            turns: ran.steps.iter().map(|step| step.to_string()).collect(),
        }
    }

    /// Returns the first seed that fails. `None` where the schedule was given.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Returns what went wrong: the message of a panic and its place, a deadlock, or what was left
    /// behind.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Returns the shortest schedule that was found to fail, for [`replay`](super::replay) and for
    /// `EVENTLET_SEED`.
    pub fn schedule(&self) -> &str {
        &self.schedule
    }

    /// Returns whose turns there were, in order, and who was killed in between.
    pub fn turns(&self) -> &[String] {
        &self.turns
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at_first, now) = self.choices;
        writeln!(f, "{}", self.what)?;
        match self.seed {
            Some(seed) => {
                writeln!(f, "it is the first failure, with seed {seed}: EVENTLET_SEED={seed}")?
            }
            None => writeln!(f, "it fails under the schedule that was given")?,
        }
        if now < at_first {
            writeln!(
                f,
                "{now} unusual choices, of {at_first}, are enough: EVENTLET_SEED={}",
                self.schedule
            )?;
        }
        let hidden = self.turns.len().saturating_sub(MOST_SHOWN);
        match hidden {
            0 => writeln!(f, "its turns:")?,
            hidden => writeln!(f, "its turns, without the first {hidden}:")?,
        }
        self.turns[hidden..].iter().try_for_each(|turn| writeln!(f, "  {turn}"))
    }
}
