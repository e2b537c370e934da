//! Who blocks the hub.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::hub;
use crate::watchdog::{self, Watched};

pub use crate::watchdog::Stall;

/// Switches on or off that turns of this OS thread's hub are reported which take longer than
/// `resolution`.
///
/// A green thread that computes, or calls what blocks, keeps all others of its hub from running.
/// With this on, an OS thread of the process, the watchdog, notices, and reports it *while it
/// happens*: the green thread, where it was spawned, for how long it has run, and with the feature
/// `backtrace` what runs now, in either colour and also inside C code. Nothing is ended or switched
/// by that.
///
/// A stall is reported once, and a hub has one report a second at most: the next one says how many
/// were left out. It is counted in any case:
/// [`GreenThreadInfo::stalls`](super::GreenThreadInfo::stalls) tells whose they were, and
/// [`stalls`] how many there were in all. A report is a `tracing` event of the target `eventlet`,
/// in the log that this OS thread has now; where it has none, it is lines on standard error.
/// [`set_blocking_hook`] has a closure called, too.
///
/// The time is real, also where the clock of the hub is paused. It is that of one turn: many short
/// turns in a row are no stall. What Tokio's own tasks do, those of `spawn_local`, is no turn, and
/// is not seen. A destructor or a link that runs when a green thread ends counts for that one.
///
/// Off, it costs nothing. On, it costs some nanoseconds in each turn. To call it again changes the
/// resolution, and counts anew.
///
/// # Backtraces
///
/// The OS thread of the hub is sent `SIGURG`, once for each report, and the handler copies the top
/// of its stack, up to 64 KiB. This is for Linux on x86-64 and aarch64; elsewhere there are no
/// backtraces. Of stacks within stacks the backtrace shows the innermost. A system call that it
/// interrupts goes on, but for those that Linux never restarts: `poll`, `epoll_wait`, `nanosleep`
/// and the like return `EINTR`, which std and Tokio take in their stride, and C code that calls
/// `usleep` sleeps for less. A handler that the program has for this signal goes on to work when it
/// was there first, and turns the backtraces off when it came later.
///
/// Corresponds to `eventlet.debug.hub_blocking_detection`.
///
/// # Errors
///
/// When the resolution is less than a millisecond, or the system refuses the OS thread or the
/// signal handler.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
/// [`Builder::blocking_detection`](crate::runtime::Builder::blocking_detection) sets it for a hub
/// to come.
///
/// # Yields
///
/// Never.
///
/// # Differences
///
/// Eventlet raises `RuntimeError` in the green thread that blocks. Here nothing happens to it.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// use eventlet::debug;
///
/// let (sender, reports) = mpsc::channel();
/// debug::set_blocking_hook(move |stall| drop(sender.send(stall.clone())));
/// eventlet::run(async move {
///     debug::hub_blocking_detection(true, Duration::from_millis(20)).unwrap();
///     let culprit = eventlet::spawn(async move {
///         // It blocks until it is reported.
///         reports.recv().unwrap()
///     });
///     culprit.set_name("culprit");
///     let stall = culprit.await.unwrap();
///     assert_eq!(stall.name.as_deref(), Some("culprit"));
/// });
/// ```
#[track_caller]
pub fn hub_blocking_detection(detect: bool, resolution: Duration) -> io::Result<()> {
    let hub = hub::expect("detecting who blocks the hub");
    let watched = if detect { Some(Watched::start(resolution)?) } else { None };
    hub.set_watched(watched);
    Ok(())
}

/// Has a closure called with each [`Stall`] that is reported, of any hub of the process, in place
/// of the one that was set before.
///
/// It is called on the OS thread of the watchdog, which looks at no hub meanwhile, after the
/// `tracing` event. A panic of it is reported.
///
/// Corresponds to [`std::panic::set_hook`].
///
/// # Examples
///
/// ```
/// // A metric, or a page to whoever is on call.
/// eventlet::debug::set_blocking_hook(|stall| eprintln!("blocked by {:?}", stall.name));
/// ```
pub fn set_blocking_hook(hook: impl Fn(&Stall) + Send + Sync + 'static) {
    watchdog::set_hook(Arc::new(hook));
}

/// Returns how many turns blocked this OS thread's hub since the [detector](hub_blocking_detection)
/// was switched on, and how long they took in all.
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
/// let (stalls, time) = eventlet::debug::stalls();
/// assert_eq!((stalls, time.as_secs()), (0, 0), "the detector is off");
/// # });
/// ```
#[track_caller]
pub fn stalls() -> (u64, Duration) {
    let stalls = hub::expect("counting stalls").all_stalls();
    (stalls.count, stalls.total)
}
