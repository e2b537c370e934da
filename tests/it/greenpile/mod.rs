//! Follows eventlet tests/greenpool_test.py, class GreenPile and the tests of `imap` and `starmap`,
//! at c8f903a3, and what eventlet was seen to do beyond it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::iter::{from_fn, repeat_with, zip};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use eventlet::{
    Event, GreenPile, GreenPool, GreenThread, Semaphore, getcurrent, sleep, spawn, with_timeout,
};
use futures::{Stream, StreamExt};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crowd::*;
use crate::support::*;

/// Eventlet's `list(..)`, of a pile or a map.
macro_rules! list {
    ($results:expr) => {{
        let mut list = Vec::new();
        while let Some(result) = wait!($results.next()) {
            list.push(result.unwrap());
        }
        list
    }};
}

/// Polls a stream once.
async fn poll_once<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_next(cx))).await
}

mod map;
mod pile;

/// Who asks for a slot beside a map or for a pile, and has not got one yet.
#[derive(Clone, Default)]
struct Asking(Rc<Cell<usize>>);

impl Asking {
    fn one(&self) -> OnDrop<impl FnMut() + use<>> {
        self.0.set(self.0.get() + 1);
        let asking = Rc::clone(&self.0);
        OnDrop(move || asking.set(asking.get() - 1))
    }

    /// Asserts that nobody else is in line, and that no slot is lost.
    fn compare(&self, pool: &GreenPool) {
        let served = pool.size() as isize - pool.free() - pool.running() as isize;
        assert_eq!(pool.waiting() as isize + served, self.0.get() as isize);
    }
}

mod map_trial;
mod pile_trial;
