//! The place and backtrace of the last panic, for the clients of a server with the option `debug`.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

thread_local! {
    /// Whether panics of this OS thread are recorded.
    static RECORDING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Recorded>> = const { RefCell::new(None) };
}

/// Where a panic came from.
struct Recorded {
    at: String,
    backtrace: Backtrace,
}

/// Records panics of this OS thread from now on.
pub(super) fn record() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            record_panic(info);
            previous(info);
        }));
    });
    RECORDING.set(true);
}

fn record_panic(info: &PanicHookInfo<'_>) {
    if RECORDING.try_with(Cell::get).unwrap_or(false) {
        let at = info.location().map_or_else(String::new, ToString::to_string);
        let recorded = Recorded { at, backtrace: Backtrace::force_capture() };
        // An OS thread that is ending has no place for it any more.
        let _ = LAST.try_with(|last| last.replace(Some(recorded)));
    }
}

/// Appends the place and backtrace of the last panic to its text.
pub(super) fn after(panic: &str) -> String {
    match LAST.take() {
        Some(Recorded { at, backtrace }) => format!("{panic}\nat {at}\n\n{backtrace}"),
        None => panic.to_owned(),
    }
}
