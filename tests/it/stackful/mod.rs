//! Green stacks: when they switch, how they unwind, what happens to those beside them.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::{pending, poll_fn, ready};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use eventlet::hubs::get_hub;
use eventlet::runtime::Builder;
use eventlet::{Block, Blocking, getcurrent, local, sleep, spawn, spawn_n};
use futures::stream;

use crate::support::{
    Ear, Log, OnDrop, ZERO, idle, in_a_process_of_its_own, keeps_turn, ms, panics, panics_here,
    run, yields,
};

/// Runs a test on a green stack.
fn run_stackful(test: impl FnOnce() + 'static) {
    run(eventlet::stackful(test));
}

/// A green thread with a stack of its own.
fn green<T: 'static>(closure: impl FnOnce() -> T + 'static) -> eventlet::GreenThread<T> {
    spawn(eventlet::stackful(closure))
}

mod blocking;
mod call;
mod futures_of_stacks;
mod stacks;
mod unwinding;
