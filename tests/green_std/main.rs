//! What `green` mirrors of std beside I/O: `green::sync` and `green::thread`.
#![cfg(feature = "stackful")]

#[path = "../it/support.rs"]
#[allow(dead_code, unused_imports, unused_macros)]
mod support;

mod sync;
mod thread;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use eventlet::stackful;

/// Runs a test on a green stack, under a paused clock.
fn run(test: impl FnOnce() + 'static) {
    support::run(stackful(test));
}

/// A counter that green threads share.
fn counter() -> (Rc<Cell<usize>>, Rc<Cell<usize>>) {
    let counter = Rc::new(Cell::new(0));
    (Rc::clone(&counter), counter)
}

/// Runs code that unwinds.
fn unwinds(code: impl FnOnce()) {
    catch_unwind(AssertUnwindSafe(code)).expect_err("it did not unwind");
}
