//! Follows eventlet tests/greenthread_test.py at c8f903a3, and what eventlet was seen to do beyond
//! it.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use eventlet::greenthread::{GreenThread, Greenlet, spawn_after_local};
use eventlet::hubs::get_hub;
use eventlet::{Exit, getcurrent, kill, sleep, spawn, spawn_after, spawn_n};
use futures::FutureExt;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::support::*;

/// Eventlet runs its tests of `spawn` again for `spawn_after`.
const DELAYS: [Option<Duration>; 3] = [None, Some(ZERO), Some(Duration::from_millis(10))];

fn start<F: Future + 'static>(delay: Option<Duration>, future: F) -> GreenThread<F::Output> {
    match delay {
        None => spawn(future),
        Some(delay) => spawn_after(delay, future),
    }
}

/// Asserts that a green thread ended in a panic with these words.
fn assert_panicked<T: std::fmt::Debug>(result: Result<T, Exit>, words: &str) {
    let exit = result.unwrap_err();
    assert!(exit.is_panic(), "{exit}");
    assert!(exit.to_string().contains(words), "{exit}");
}

/// A future that is ready, and holds something until it is dropped.
struct Holder<T> {
    _held: T,
}

impl<T> Future for Holder<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// A handle that several green threads can await, each with a borrow of its own.
type Shared<T> = Rc<RefCell<GreenThread<T>>>;

fn poll_shared<T: 'static>(gt: &Shared<T>) -> impl Future<Output = Result<T, Exit>> + use<T> {
    let gt = Rc::clone(gt);
    poll_fn(move |cx| Pin::new(&mut *gt.borrow_mut()).poll(cx))
}

mod killing;
mod linking;
mod sleeping;
mod spawning;
mod waiting;
