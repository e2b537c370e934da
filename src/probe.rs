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
    /// How many stand in it.
    pub(crate) waiting: usize,
    pub(crate) point: Point,
    pub(crate) backtrace: Option<Backtrace>,
}

/// What a meeting point says of itself.
pub(crate) struct Point {
    /// What is waited for.
    pub(crate) what: &'static str,
    /// What there is of it.
    pub(crate) state: String,
    /// The number of the green thread that has it, where that is noted.
    pub(crate) holder: Option<u64>,
}

impl Point {
    pub(crate) fn new(what: &'static str, state: impl Into<String>) -> Point {
        Point { what, state: state.into(), holder: None }
    }
}

/// What is waited for where somebody waits for the end of a green thread.
pub(crate) const END: &str = "the end of a green thread";

/// Runs a poll, and returns at which lines it found itself waiting.
pub(crate) fn waits_in(backtraces: bool, poll: impl FnOnce()) -> Vec<Wait> {
    let _outer = Restore(PROBE.replace(Some(Probe { backtraces, waits: Vec::new() })));
    poll();
    PROBE.take().map_or_else(Vec::new, |probe| probe.waits)
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
pub(crate) fn note<T>(
    line: *const T,
    waiting: impl FnOnce() -> usize,
    point: impl FnOnce() -> Point,
) {
    let _too_late = PROBE.try_with(|probe| {
        if let Some(probe) = &mut *probe.borrow_mut() {
            let backtrace = probe.backtraces.then(Backtrace::force_capture);
            let (line, waiting, point) = (line.addr(), waiting(), point());
            probe.waits.push(Wait { line, waiting, point, backtrace });
        }
    });
}
