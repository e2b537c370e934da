//! The pool of OS threads: eventlet tests/tpool_test.py and tests/env_test.py at c8f903a3.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use eventlet::tpool::{Proxy, execute, killall, set_num_threads};
use eventlet::{GreenPile, HubThread, Timeout, run, sleep, spawn, with_timeout};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{join_all, poll_immediate};

use crate::real_time::both_colours_in_real_time;
use crate::support::{
    Ear, OnDrop, ZERO, in_a_process_of_its_own, keeps_turn, ms, run_in_real_time,
};

/// A job that tells when it has begun, and ends when it is told to, or when nobody can tell it any
/// more.
fn held<T: Send + 'static>(
    value: T,
) -> (impl FnOnce() -> T + Send + 'static, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begun, has_begun) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let job = move || {
        begun.send(()).unwrap();
        let _ = released.recv();
        value
    };
    (job, has_begun, release)
}

mod executing;
mod hubs;
mod proxies;
mod sizes;
