//! A look into the hub from outside the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

#[cfg(not(feature = "stackful"))]
use super::format_green_threads as format;
#[cfg(feature = "stackful")]
use super::format_green_threads_with_backtraces as format;
use crate::greenthread::{Greenlet, spawn_n};
use crate::hub;
use crate::report;

/// Prints all green threads of this hub on standard error, each time the process gets that signal:
/// with the backtraces of those that have stacks.
///
/// It is done by a green thread that waits for the signal, and is returned: kill it to have no more
/// of this. So the hub must turn. A hub that somebody blocks does not answer: then a debugger tells
/// who it is.
///
/// The signal does nothing else in this process from now on, not even after the green thread was
/// killed. Each hub that asked for it prints.
///
/// Corresponds to a signal handler that prints eventlet's `debug.format_hub_listeners()`.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local). In a Tokio
/// runtime without I/O.
///
/// # Yields
///
/// Never.
///
/// # Errors
///
/// When the system refuses a handler for that signal, as for `SIGKILL`.
///
/// # Examples
///
/// ```
/// use eventlet::debug;
/// use tokio::signal::unix::SignalKind;
///
/// # eventlet::run(async {
/// // `kill -USR1 <process>` shows what everybody waits for.
/// let printer = debug::dump_on_signal(SignalKind::user_defined1()).unwrap();
/// # printer.kill();
/// # });
/// ```
#[track_caller]
pub fn dump_on_signal(kind: SignalKind) -> io::Result<Greenlet> {
    hub::check("looking at all green threads");
    let mut signals = signal(kind)?;
    let printer = spawn_n(async move {
        while signals.recv().await.is_some() {
            report::print(format().trim_end());
        }
    });
    printer.set_name(format!("prints all green threads on signal {}", kind.as_raw_value()));
    Ok(printer)
}
