//! What is reported of a hub that is blocked, and to whom.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tracing::{Dispatch, dispatcher};

use super::capture::Frames;
use super::pulse::{Pulse, Turn};
use crate::report;

/// A green thread that blocks its hub at this moment.
///
/// Its `Display` is the report, of several lines.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stall {
    /// The [number](crate::Greenlet::id) of the green thread.
    pub id: u64,
    /// Its name, if it was [given](crate::Greenlet::set_name) one.
    pub name: Option<String>,
    /// The line that spawned it.
    pub spawned_at: &'static Location<'static>,
    /// The name of the hub's OS thread.
    pub thread: Option<String>,
    /// For how long its turn has been seen: it began up to a quarter of the resolution before that.
    pub lasted: Duration,
    /// Stalls of the same hub since its last report that were counted, but not reported.
    pub unreported: u64,
    backtrace: Option<String>,
}

impl Stall {
    pub(super) fn new(
        pulse: &Pulse,
        turn: &Turn,
        lasted: Duration,
        unreported: u64,
        frames: Option<Frames>,
    ) -> Stall {
        Stall {
            id: turn.id,
            name: pulse.name(turn.id),
            spawned_at: turn.spawned_at,
            thread: pulse.thread.clone(),
            lasted,
            unreported,
            backtrace: frames.map(|frames| frames.describe()),
        }
    }

    /// Returns the backtrace of what ran when the stall was noticed: a line for each function, from
    /// the innermost down to the hub, and a line for its place.
    ///
    /// `None` without the feature `backtrace`, on systems other than Linux on x86-64 and aarch64,
    /// and where the hub's OS thread did not answer: it has the signal `SIGURG` blocked, or
    /// somebody else handles that.
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }

    pub(super) fn report(&self, log: &Dispatch) {
        dispatcher::with_default(log, || {
            report::warning(&self.to_string());
            if let Some(hook) = hook() {
                report::contain("in the hook for hubs that are blocked", || hook(self));
            }
        });
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "green thread {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        write!(f, ", spawned at {}, blocks the hub", self.spawned_at)?;
        if let Some(thread) = &self.thread {
            write!(f, " of OS thread {thread:?}")?;
        }
        write!(f, ": it has run for {:?} without a wait", self.lasted)?;
        if self.unreported > 0 {
            write!(f, "; {} stalls before this were not reported", self.unreported)?;
        }
        match &self.backtrace {
            Some(backtrace) => write!(f, "\n{}", backtrace.trim_end()),
            None => Ok(()),
        }
    }
}

type Hook = Arc<dyn Fn(&Stall) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets what is called with each stall, in place of what was set before.
pub(crate) fn set_hook(hook: Hook) {
    // The old one is dropped after the lock: its destructor is the user's.
    let _old = HOOK.write().unwrap_or_else(PoisonError::into_inner).replace(hook);
}

fn hook() -> Option<Hook> {
    HOOK.read().unwrap_or_else(PoisonError::into_inner).clone()
}
