//! Hubs: how they start, where they are refused, and what is left when they end.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use eventlet::hubs::get_hub;
use eventlet::runtime::Builder;
use eventlet::{
    Event, Exit, GreenPool, GreenThread, Queue, Semaphore, Timeout, getcurrent, local, run, sleep,
    spawn, spawn_after, spawn_after_local, spawn_n, with_timeout,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_local, yield_now};

use crate::support::{Ear, Log, OnDrop, ZERO, guarded, idle, ms, panics};

/// The runtimes that `local` is for.
fn runtimes() -> [tokio::runtime::Runtime; 2] {
    [
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ]
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

mod endings;
mod left_behind;
mod next_hub;
mod refusals;
mod several;
mod tokio_inside;
