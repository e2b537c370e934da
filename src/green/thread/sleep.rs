//! Yielding, for a while or for one round.

use std::time::Duration;

use crate::green::wait::wait;

/// Waits for at least so long. Other green threads run meanwhile.
///
/// Corresponds to [`std::thread::sleep`].
///
/// # Panics
///
/// If there is no green stack to wait on.
///
/// # Yields
///
/// Always, except while its green stack unwinds: then it returns at once.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let start = Instant::now();
///     thread::sleep(Duration::from_millis(5));
///     assert!(start.elapsed() >= Duration::from_millis(5));
/// }));
/// ```
#[track_caller]
pub fn sleep(dur: Duration) {
    // In a destructor, which cannot wait, it returns at once.
    let _unwinding = wait(crate::greenthread::sleep(dur));
}

/// Yields: all ready green threads run once.
///
/// Corresponds to [`std::thread::yield_now`].
///
/// # Panics
///
/// If there is no green stack to wait on.
///
/// # Yields
///
/// Always, except while its green stack unwinds.
///
/// # Examples
///
/// ```
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let other = thread::spawn(|| ());
///     thread::yield_now();
///     assert!(other.is_finished());
/// }));
/// ```
#[track_caller]
pub fn yield_now() {
    sleep(Duration::ZERO);
}
