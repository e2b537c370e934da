//! A hundred synchronous clients at a time, unmodified, on one OS thread.
//!
//! Each prints how long it took. It may take half of what one client after the other would, which
//! only a machine that is busy beyond measure needs.

mod databases;
mod http;
mod sqlite;
mod standard;
mod tls;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use eventlet::{Block, spawn, stackful};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// How long each client waits.
pub(crate) const WAIT: Duration = Duration::from_millis(500);

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

/// Calls a function that waits for [`WAIT`] in so many green threads at once, and returns what they
/// returned.
pub(crate) fn crowd<T: 'static>(
    what: &str,
    count: usize,
    each: impl Fn(usize) -> T + Clone + 'static,
) -> Vec<T> {
    let (values, took) = at_once(what, count, each);
    assert!(took < WAIT * count as u32 / 2, "{took:?}");
    values
}

/// Calls a function in so many green threads at once, and returns what they returned, and when all
/// had.
pub(crate) fn at_once<T: 'static>(
    what: &str,
    count: usize,
    each: impl Fn(usize) -> T + Clone + 'static,
) -> (Vec<T>, Duration) {
    let start = Instant::now();
    let begin = |number| {
        let each = each.clone();
        spawn(stackful(move || each(number)))
    };
    let all: Vec<_> = (0..count).map(begin).collect();
    let values = all.into_iter().map(|one| one.block().unwrap()).collect();
    let took = start.elapsed();
    println!("{count} x {what}: {took:?}");
    (values, took)
}
