//! The place and backtrace of the last panic, for the clients of a server with the option `debug`.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

thread_local! {
    /// Whether panics of this OS thread are recorded.
    static KEPT: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// A panic.
struct Noted {
    at: String,
    backtrace: Backtrace,
}

/// Records panics of this OS thread from now on.
pub(super) fn keep() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            note(info);
            previous(info);
        }));
    });
    KEPT.set(true);
}

fn note(info: &PanicHookInfo<'_>) {
    if KEPT.try_with(Cell::get).unwrap_or(false) {
        let at = info.location().map_or_else(String::new, ToString::to_string);
        let noted = Noted { at, backtrace: Backtrace::force_capture() };
        let _too_late = LAST.try_with(|last| last.replace(Some(noted)));
    }
}

/// Appends the place and backtrace of the last panic to its text.
pub(super) fn after(panic: &str) -> String {
    match LAST.take() {
        Some(Noted { at, backtrace }) => format!("{panic}\nat {at}\n\n{backtrace}"),
        None => panic.to_owned(),
    }
}
