//! Says aloud what nobody else will hear of: the panic of a green thread that nobody waits for.
//!
//! Eventlet prints such things on standard error. Here they are `tracing` events, which reach whatever
//! log the program keeps; a program that keeps none gets them on standard error, as from eventlet.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::dispatcher;
use tracing::subscriber::NoSubscriber;

use crate::exit::Exit;

/// Reports a failure that has nobody to go to.
pub(crate) fn failure(what: &str, error: &dyn fmt::Display) {
    if nobody_listens() {
        eprintln!("eventlet: {what}: {error}");
    } else {
        tracing::error!(target: "eventlet", "{what}: {error}");
    }
}

/// Reports something that works, though hardly as it was meant to.
pub(crate) fn warning(what: &str) {
    if nobody_listens() {
        eprintln!("eventlet: {what}");
    } else {
        tracing::warn!(target: "eventlet", "{what}");
    }
}

/// Returns whether events of `tracing` reach nobody here.
pub(crate) fn nobody_listens() -> bool {
    dispatcher::get_default(|subscriber| subscriber.is::<NoSubscriber>())
}

/// Runs foreign code that must not unwind into us, and reports a panic in it.
pub(crate) fn contain(what: &str, code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        failure(what, &Exit::unwound(payload));
    }
}
