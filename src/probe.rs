//! Asks what a green thread waits for: while it is polled spuriously, each meeting point that it
//! stands in line at notes so.
//!
//! Nothing is kept of a wait that nobody asks about. A future that is polled although nothing
//! happened says again what it waits for, and where that is can be read off its stack at that
//! moment, in either colour.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::mem;

thread_local! {
    static PROBE: RefCell<Option<Probe>> = const { RefCell::new(None) };
}

struct Probe {
    /// Whether it is asked where each wait is, too.
    backtraces: bool,
    waits: Vec<Wait>,
}

/// A place in a line.
pub(crate) struct Wait {
    /// The address of the line.
    pub(crate) line: usize,
    pub(crate) backtrace: Option<Backtrace>,
}

/// Runs a poll, and returns at which lines it found itself waiting.
pub(crate) fn waits_in<R>(backtraces: bool, poll: impl FnOnce() -> R) -> (R, Vec<Wait>) {
    let outer = Restore(PROBE.replace(Some(Probe { backtraces, waits: Vec::new() })));
    let polled = poll();
    let waits = PROBE.take().map(|probe| probe.waits);
    drop(outer);
    (polled, waits.unwrap_or_default())
}

/// Puts back who asked before, also while unwinding.
struct Restore(Option<Probe>);

impl Drop for Restore {
    fn drop(&mut self) {
        PROBE.set(mem::take(&mut self.0));
    }
}

/// Notes that whoever is polled waits in that line still, if anybody asks.
#[cold]
pub(crate) fn note<T>(line: *const T) {
    let _too_late = PROBE.try_with(|probe| {
        if let Some(probe) = &mut *probe.borrow_mut() {
            let backtrace = probe.backtraces.then(Backtrace::force_capture);
            probe.waits.push(Wait { line: line.addr(), backtrace });
        }
    });
}
