//! Whether failures are reported that nobody hears of.

use crate::hub;
use crate::report;

/// Sets whether this OS thread's hub reports failures that nobody hears of.
///
/// It does at first. Then this is reported, once:
///
/// - the panic of a green thread, and the `Err` that is its value, when nobody looks at its result:
///   it was started with [`spawn_n`](crate::spawn_n), or the last handle of it was dropped without
///   a wait or a link. The report has the line that spawned it;
/// - the error or panic of a handler of [`serve`](crate::serve());
/// - the panic of a link, and that of a destructor in a green thread that was ended.
///
/// A report is a `tracing` event of the target `eventlet`. Where the program has no subscriber, it
/// is a line on standard error. The panic hook is not concerned, and what the system refuses is
/// reported in any case.
///
/// What an error says is in the report where its type is one of std's or a text: `io::Error`,
/// `Box<dyn Error>` with or without `Send` and `Sync`, [`Exit`](crate::Exit), `String`, `&'static
/// str`, in a `Result` of nothing, of numbers, bytes or text. Of any other the report names the
/// type: handle such an error in the green thread, or wait for it.
///
/// Corresponds to `eventlet.debug.hub_exceptions`.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
/// [`Builder::hub_exceptions`](crate::runtime::Builder::hub_exceptions) sets it for a hub to come.
///
/// # Yields
///
/// Never.
///
/// # Differences
///
/// Eventlet prints the exception of every green thread, whoever waits for it.
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// eventlet::debug::hub_exceptions(false);
/// eventlet::spawn_n(async { Err::<(), _>("nobody hears of this") });
/// eventlet::sleep(std::time::Duration::ZERO).await;
/// # });
/// ```
#[track_caller]
pub fn hub_exceptions(report: bool) {
    hub::check("setting what is reported");
    report::report_failures(report);
}
