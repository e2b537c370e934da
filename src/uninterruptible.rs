//! Calls that cannot be interrupted: which are under way, and which wait for an OS thread.
//!
//! Opening a FIFO, reading from a network drive or asking a silent name server may take forever,
//! and the operating system offers no way to end such a call. A green thread that is killed in one
//! goes on without it, and the call remains. So that this does not go unnoticed, an ending hub
//! reports the calls that it leaves behind, and a call that got no OS thread for a long time is
//! reported.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slab::Slab;

use crate::report;

/// How long a call waits for an OS thread before that is reported.
const LONG: Duration = Duration::from_secs(5);

thread_local! {
    /// The calls of this OS thread's hub.
    static CALLS: RefCell<Arc<Calls>> = RefCell::default();
}

#[derive(Default)]
struct Calls {
    under_way: Mutex<Slab<What>>,
    /// Whether it was reported that calls wait for long.
    said: AtomicBool,
}

/// The description of a call, for reports.
#[derive(Clone)]
pub(crate) enum What {
    /// One of `green::fs`, made at that line.
    #[cfg_attr(not(feature = "stackful"), expect(dead_code))]
    Files(&'static Location<'static>),
    /// Looking up the addresses of that host.
    Lookup(String),
}

impl What {
    /// Returns what to do when all OS threads for such calls are busy.
    fn cure(&self) -> &'static str {
        match self {
            What::Files(_) => {
                "closures of `spawn_blocking` and calls of `green::fs` that do not end, or more of \
                 them at a time than `runtime::Builder::max_blocking_threads` allows"
            }
            What::Lookup(_) => "name lookups that do not end, or more of them than 64 at a time",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Files(place) => write!(f, "the call of `green::fs` at {place}"),
            What::Lookup(host) => write!(f, "looking up {host:?}"),
        }
    }
}

/// The caller's side of a call. Dropping it cancels the call.
pub(crate) struct Asked {
    call: Call,
}

/// The OS thread's side of a call.
#[derive(Clone)]
pub(crate) struct Call {
    calls: Arc<Calls>,
    what: What,
    since: Instant,
    begun: Arc<AtomicBool>,
}

/// Records that a call was requested.
pub(crate) fn ask(what: What) -> Asked {
    let calls = CALLS.with(|calls| Arc::clone(&calls.borrow()));
    let begun = Arc::default();
    Asked { call: Call { calls, what, since: Instant::now(), begun } }
}

impl Asked {
    /// Returns the side that the OS thread [makes](Call::make).
    pub(crate) fn call(&self) -> Call {
        self.call.clone()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.call.begun.load(Ordering::Relaxed) {
            self.call.complain("was given up before there was an OS thread for it");
        }
    }
}

impl Call {
    /// Makes the call. It is under way until `code` returns.
    pub(crate) fn make<T>(self, code: impl FnOnce() -> T) -> T {
        self.begun.store(true, Ordering::Relaxed);
        self.complain("had to wait for an OS thread");
        let number = self.calls.under_way().insert(self.what.clone());
        let _over = Over { calls: &self.calls, number };
        code()
    }

    /// Reports, once in a hub, that a call had to wait for long.
    fn complain(&self, what_became_of_it: &str) {
        let waited = self.since.elapsed();
        if waited >= LONG && !self.calls.said.swap(true, Ordering::Relaxed) {
            let (what, seconds, cure) = (&self.what, waited.as_secs(), self.what.cure());
            report::warning(&format!(
                "{what} {what_became_of_it}, for {seconds} s; all of them are taken by {cure}"
            ));
        }
    }
}

/// Removes a call from those that are under way, also when it panics.
struct Over<'a> {
    calls: &'a Calls,
    number: usize,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.calls.under_way().remove(self.number);
    }
}

impl Calls {
    fn under_way(&self) -> MutexGuard<'_, Slab<What>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes and returns the calls of this OS thread's hub that are still under way.
pub(crate) fn take_left() -> Vec<What> {
    let calls = CALLS.try_with(|calls| calls.take()).unwrap_or_default();
    calls.under_way().iter().map(|(_, what)| what.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup() -> What {
        What::Lookup("example.net".to_owned())
    }

    #[test]
    fn a_call_is_under_way_until_it_returns_or_panics() {
        let asked = ask(lookup());
        asked.call().make(|| {
            let calls = CALLS.with(|calls| Arc::clone(&calls.borrow()));
            assert_eq!(calls.under_way().len(), 1);
        });
        let call = asked.call();
        let panics =
            std::panic::AssertUnwindSafe(|| call.make(|| std::panic::resume_unwind(Box::new(()))));
        std::panic::catch_unwind(panics).unwrap_err();
        assert!(take_left().is_empty());
    }

    #[test]
    fn what_is_left_is_told_once() {
        let call = ask(lookup()).call();
        let left = call.make(take_left);
        assert_eq!(left[0].to_string(), "looking up \"example.net\"");
        assert!(take_left().is_empty());
    }

    #[test]
    fn a_call_that_waits_for_long_is_told_once_in_a_hub() {
        let mut late = ask(lookup());
        late.call.since = Instant::now() - LONG;
        assert!(!late.call.calls.said.load(Ordering::Relaxed));
        late.call().make(|| ());
        assert!(late.call.calls.said.swap(false, Ordering::Relaxed));

        let mut given_up = ask(lookup());
        given_up.call.since = Instant::now() - LONG;
        drop(given_up);
        assert!(late.call.calls.said.load(Ordering::Relaxed));
        drop(ask(lookup()));
        take_left();
    }
}
