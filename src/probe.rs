//! Finds out what a green thread waits for: it is polled spuriously, and each meeting point in
//! whose wait queue it is records that.
//!
//! Nothing is recorded outside a probe. A future that is polled spuriously reaches its wait again,
//! and a backtrace taken at that moment shows where, in either colour.

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
    /// The address of the wait queue.
    pub(crate) line: usize,
    /// How many stand in it.
    pub(crate) waiting: usize,
    pub(crate) point: Point,
    pub(crate) backtrace: Option<Backtrace>,
}

/// The description of a meeting point.
pub(crate) struct Point {
    /// What is waited for.
    pub(crate) what: &'static str,
    /// What there is of it.
    pub(crate) state: String,
    /// The number of the green thread that holds it, if that is recorded.
    pub(crate) holder: Option<u64>,
}

impl Point {
    pub(crate) fn new(what: &'static str, state: impl Into<String>) -> Point {
        Point { what, state: state.into(), holder: None }
    }
}

/// The description of a wait for the end of a green thread.
pub(crate) const END: &str = "the end of a green thread";

/// Runs a poll, and returns the wait queues that it is in.
pub(crate) fn waits_in(backtraces: bool, poll: impl FnOnce()) -> Vec<Wait> {
    let _outer = Restore(PROBE.replace(Some(Probe { backtraces, waits: Vec::new() })));
    poll();
    PROBE.take().map_or_else(Vec::new, |probe| probe.waits)
}

/// Restores the previous probe, also while unwinding.
struct Restore(Option<Probe>);

impl Drop for Restore {
    fn drop(&mut self) {
        PROBE.set(mem::take(&mut self.0));
    }
}

/// Records, during a probe, that the polled green thread is still in that wait queue.
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
