//! The hub of this OS thread.
//!
//! As in eventlet, an OS thread has one hub or none. All that this crate keeps per OS thread for
//! its scheduler is in one place, here.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::runtime::Handle;

use super::registry::Number;
use super::scheduler::Hub;
use super::wake_id::WakeId;
use crate::report;

thread_local! {
    static HUB: RefCell<Option<Rc<Hub>>> = const { RefCell::new(None) };
}

/// Returns the hub of this OS thread, if it has one.
///
/// A signal handler may ask, by a function that is replaced, in the middle of [`is_borrowed`]. It
/// is told that there is none.
#[inline]
pub(crate) fn current() -> Option<Rc<Hub>> {
    HUB.try_with(|hub| hub.try_borrow().ok()?.clone()).ok().flatten()
}

/// Returns whether this OS thread has a hub that [is borrowed](Hub::is_borrowed).
#[cfg_attr(not(feature = "stackful"), expect(dead_code))]
pub(crate) fn is_borrowed() -> bool {
    let borrowed = |hub: &RefCell<Option<Rc<Hub>>>| {
        hub.try_borrow_mut().map_or(true, |hub| hub.as_ref().is_some_and(|hub| hub.is_borrowed()))
    };
    HUB.try_with(borrowed).unwrap_or(false)
}

/// Returns the hub of this OS thread.
///
/// # Panics
///
/// If there is none, at the caller's line; `what` is what the caller needs it for.
#[inline]
#[track_caller]
pub(crate) fn expect(what: &str) -> Rc<Hub> {
    match current() {
        Some(hub) => hub,
        None => none(what),
    }
}

/// Makes sure that this OS thread has a hub.
///
/// # Panics
///
/// As [`expect`] does.
#[inline]
#[track_caller]
pub(crate) fn check(what: &str) {
    if !HUB.try_with(|hub| hub.borrow().is_some()).unwrap_or(false) {
        none(what);
    }
}

#[cold]
#[track_caller]
fn none(what: &str) -> ! {
    panic!(
        "{what} needs a hub, and this OS thread has none: call it inside `eventlet::run(..)` \
         or, in a program that has a Tokio runtime already, inside `eventlet::local(..)`"
    )
}

/// Makes sure that this OS thread is inside a Tokio runtime: a hub's, or one of the program's own.
///
/// # Panics
///
/// If it is not, at the caller's line; `what` is what the caller needs it for.
#[track_caller]
pub(crate) fn check_runtime(what: &str) {
    assert!(
        Handle::try_current().is_ok(),
        "{what} needs a Tokio runtime, and this OS thread is inside none: call it inside \
         `eventlet::run(..)`"
    );
}

/// Wakes a green thread if it belongs to this OS thread's hub, and returns whether it does.
#[inline]
pub(super) fn wake(id: WakeId) -> bool {
    let wake = |mine: &RefCell<Option<Rc<Hub>>>| match &*mine.borrow() {
        Some(mine) if mine.id() == id.hub() => {
            mine.wake(id);
            true
        }
        _ => false,
    };
    HUB.try_with(wake).unwrap_or(false)
}

/// The place of a hub as the hub of its OS thread. Dropping it ends the hub.
pub(crate) struct Seat {
    hub: Rc<Hub>,
    /// Dropped last: until the hub has ended, other OS threads may send wakeups to it.
    _number: Number,
}

impl Seat {
    /// Makes a hub and makes it the hub of this OS thread.
    ///
    /// # Panics
    ///
    /// If this OS thread has a hub.
    #[track_caller]
    pub(crate) fn take(number: Number) -> Seat {
        assert!(
            current().is_none(),
            "this OS thread runs a hub already, and has room for one: instead of a nested `run` or \
             `local`, `spawn` the future and wait for it"
        );
        let hub = Rc::new(Hub::new(&number));
        HUB.set(Some(Rc::clone(&hub)));
        Seat { hub, _number: number }
    }

    pub(crate) fn hub(&self) -> &Rc<Hub> {
        &self.hub
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.end();
        self.hub.stop_observing();
        let _hub = HUB.try_with(|hub| hub.borrow_mut().take());
        report::report_failures(true);
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(feature = "stackful", debug_assertions))]
    #[test]
    fn no_stack_is_suspended_while_its_hub_is_borrowed() {
        use std::future::pending;
        use std::panic::{AssertUnwindSafe, catch_unwind};

        use super::*;
        use crate::{Block, stackful};

        crate::run(stackful(|| {
            assert!(!is_borrowed());
            let hub = current().unwrap();
            let suspend = || {
                hub.map_slots(|_, _| {
                    assert!(is_borrowed());
                    pending::<()>().block();
                })
            };
            let refused = catch_unwind(AssertUnwindSafe(suspend)).unwrap_err();
            let message = report::message(&*refused).unwrap();
            assert!(message.ends_with("in the middle of its hub's work"), "{message}");
        }));
    }
}
