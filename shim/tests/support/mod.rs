//! What the tests share.

#![allow(dead_code, reason = "each test uses some")]

#[path = "../../../tests/support/child.rs"]
pub(crate) mod child;
pub(crate) mod library;
pub(crate) mod temporary;

use std::time::{Duration, Instant};

use eventlet::{Block, GreenThread, spawn, stackful};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// What only a wait that does not end takes: machines are busy.
pub(crate) const NEVER: Duration = Duration::from_secs(30);

/// Runs a test of this binary in a process of its own, for what it counts is counted for all OS
/// threads, and the tests beside it have some.
pub(crate) fn alone(name: &str, test: impl FnOnce()) {
    if child::is_child() {
        return test();
    }
    let output = child::command(name).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Runs a test on a green stack of a hub, with everything patched.
pub(crate) fn run<T: 'static>(test: impl FnOnce() -> T + 'static) -> T {
    eventlet_shim::monkey_patch();
    eventlet::run(stackful(test))
}

/// Runs a test on a green stack where time passes when nothing else can happen.
pub(crate) fn run_paused(test: impl FnOnce() + 'static) {
    eventlet_shim::monkey_patch();
    let mut builder = eventlet::runtime::Builder::new();
    builder.start_paused(true).run(stackful(test)).unwrap();
}

/// Starts a green thread, and lets it come to its first wait.
pub(crate) fn green<T: 'static>(closure: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    let green_thread = spawn(stackful(closure));
    turns(3);
    green_thread
}

/// Gives others some turns.
pub(crate) fn turns(count: usize) {
    for _ in 0..count {
        eventlet::sleep(Duration::ZERO).block();
    }
}

/// Calls a function in so many green threads at once, and waits for all.
pub(crate) fn crowd<T: 'static>(
    count: usize,
    each: impl Fn(usize) -> T + Clone + 'static,
) -> Vec<T> {
    let start = |number| {
        let each = each.clone();
        spawn(stackful(move || each(number)))
    };
    let all: Vec<_> = (0..count).map(start).collect();
    all.into_iter().map(|one| one.block().unwrap()).collect()
}

/// Returns how long a function took, in real time.
pub(crate) fn timed<T>(function: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = function();
    (value, start.elapsed())
}

/// Waits until something has come about, which it does some time.
pub(crate) fn until(come: impl Fn() -> bool) {
    let start = Instant::now();
    while !come() {
        assert!(start.elapsed() < NEVER, "it does not come about");
        eventlet::sleep(MS).block();
    }
}

/// Returns the number of OS threads of this process.
pub(crate) fn os_threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Returns how often a function has blocked an OS thread.
pub(crate) fn blocked_by(function: &str) -> u64 {
    let all = eventlet_shim::blocked_calls();
    all.iter().find(|(name, _)| *name == function).map_or(0, |(_, count)| *count)
}

/// Returns the error of the call that has just failed.
pub(crate) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}
