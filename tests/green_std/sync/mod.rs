//! `green::sync`.
//!
//! Case names after `library/std/tests/sync/` of Rust 1.95, where it has them.

mod barrier;
mod condvar;
mod kills;
mod mpsc;
mod mutex;
mod once;
mod rendezvous;
mod rwlock;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use eventlet::stackful;

use crate::support;

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
