//! Green threads in tokio-console, and in whatever else reads spans.

use crate::hub;

/// Switches on or off that each green thread of this OS thread's hub is a `tracing` span, with the
/// name and the fields of those that Tokio makes for its tasks.
///
/// So [tokio-console](https://docs.rs/console-subscriber) lists green threads as tasks: with name,
/// number, the line that spawned each, turns, time busy and idle, wakeups, and how many wakers of
/// each are out. A span is made at the first turn: a name that is set later is missing there. It is
/// entered around each turn.
///
/// It needs no feature of this crate, and no `tokio_unstable` for what this crate does.
/// `console-subscriber` itself refuses to start unless it was compiled with `RUSTFLAGS="--cfg
/// console_without_tokio_unstable"`, or `tokio_unstable` for Tokio's own tasks and resources to be
/// in the console, too.
///
/// It is off at first. On, a turn costs what the subscriber does with it.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// // console_subscriber::init();
/// eventlet::debug::trace_green_threads(true);
/// eventlet::spawn(async {}).await.unwrap();
/// # });
/// ```
#[track_caller]
pub fn trace_green_threads(trace: bool) {
    hub::expect("tracing green threads").trace(trace);
}
