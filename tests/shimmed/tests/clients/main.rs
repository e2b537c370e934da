//! A hundred synchronous clients at a time, unmodified, on one OS thread.
//!
//! Each prints how long it took. What it may take is far more than a quiet machine needs, and far
//! less than one client after the other would.

mod databases;
mod http;
mod sqlite;
mod standard;
mod tls;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use eventlet::{Block, spawn, stackful};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// How many times as long as on a quiet machine something may take.
const SLACK: u32 = if cfg!(debug_assertions) { 6 } else { 3 };

/// Runs a test on a green stack of a hub, with everything patched, while no other test runs. It
/// must not block the OS thread.
pub(crate) fn run<T: 'static>(test: impl FnOnce() -> T + 'static) -> T {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    eventlet_shim::monkey_patch();
    let before = eventlet_shim::stats();
    let value = eventlet::run(stackful(test));
    let after = eventlet_shim::stats();
    assert_eq!(after.blocked, before.blocked, "calls blocked the OS thread");
    value
}

/// Calls a function in so many green threads at once, and returns what they returned.
pub(crate) fn crowd<T: 'static>(
    what: &str,
    count: usize,
    bar: Duration,
    each: impl Fn(usize) -> T + Clone + 'static,
) -> Vec<T> {
    let start = Instant::now();
    let begin = |number| {
        let each = each.clone();
        spawn(stackful(move || each(number)))
    };
    let all: Vec<_> = (0..count).map(begin).collect();
    let values = all.into_iter().map(|one| one.block().unwrap()).collect();
    let took = start.elapsed();
    println!("{count} x {what}: {took:?}");
    assert!(took < bar * SLACK, "{took:?} instead of {bar:?}");
    values
}
