//! What the tests share.

#![allow(dead_code, reason = "each test uses some")]

use std::sync::atomic::AtomicU8;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot_core::{
    DEFAULT_PARK_TOKEN, FilterOp, ParkResult, ParkToken, RequeueOp, UnparkResult, UnparkToken,
};

/// An address that belongs to a test.
#[derive(Debug, Default)]
pub(crate) struct Key(AtomicU8);

impl Key {
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }

    /// Parks without conditions.
    pub(crate) fn park(&self, token: ParkToken, deadline: Option<Instant>) -> ParkResult {
        self.park_with(token, deadline, || (), |_, _| ())
    }

    pub(crate) fn park_with(
        &self,
        token: ParkToken,
        deadline: Option<Instant>,
        before_sleep: impl FnOnce(),
        timed_out: impl FnOnce(usize, bool),
    ) -> ParkResult {
        // SAFETY: the key is ours, and no callback in these tests breaks the contract but by a
        // panic.
        unsafe {
            parking_lot_core::park(
                self.address(),
                || true,
                before_sleep,
                timed_out,
                token,
                deadline,
            )
        }
    }

    pub(crate) fn unpark_one(&self) -> UnparkResult {
        self.unpark_one_with(|_| UnparkToken(0))
    }

    pub(crate) fn unpark_one_with(
        &self,
        callback: impl FnOnce(UnparkResult) -> UnparkToken,
    ) -> UnparkResult {
        // SAFETY: as above.
        unsafe { parking_lot_core::unpark_one(self.address(), callback) }
    }

    pub(crate) fn unpark_all(&self, token: UnparkToken) -> usize {
        // SAFETY: as above.
        unsafe { parking_lot_core::unpark_all(self.address(), token) }
    }

    pub(crate) fn requeue(&self, to: &Key, op: RequeueOp, token: UnparkToken) -> UnparkResult {
        let (from, to) = (self.address(), to.address());
        let callback = |said, _| {
            assert_eq!(said, op);
            token
        };
        // SAFETY: as above.
        unsafe { parking_lot_core::unpark_requeue(from, to, || op, callback) }
    }

    pub(crate) fn filter(
        &self,
        filter: impl FnMut(ParkToken) -> FilterOp,
        token: UnparkToken,
    ) -> UnparkResult {
        // SAFETY: as above.
        unsafe { parking_lot_core::unpark_filter(self.address(), filter, |_| token) }
    }
}

/// What an OS thread of a [`Crew`] did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) who: usize,
    pub(crate) result: ParkResult,
}

/// OS threads that park when they are told to.
pub(crate) struct Crew {
    orders: Vec<Sender<&'static Key>>,
    ready: Receiver<()>,
    ended: Receiver<Ended>,
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    pub(crate) fn new(count: usize) -> Crew {
        let (is_ready, ready) = mpsc::channel();
        let (ends, ended) = mpsc::channel();
        let mut orders = Vec::new();
        let mut threads = Vec::new();
        for who in 0..count {
            let (order, ordered) = mpsc::channel::<&Key>();
            let (is_ready, ends) = (is_ready.clone(), ends.clone());
            orders.push(order);
            threads.push(thread::spawn(move || {
                for key in ordered {
                    let before_sleep = || is_ready.send(()).unwrap();
                    let result = key.park_with(ParkToken(who), None, before_sleep, |_, _| ());
                    ends.send(Ended { who, result }).unwrap();
                }
            }));
        }
        Crew { orders, ready, ended, threads }
    }

    /// Has one of them park. It is in the queue when this returns.
    pub(crate) fn park(&self, who: usize, key: &'static Key) {
        self.orders[who].send(key).unwrap();
        self.ready.recv().unwrap();
    }

    /// Waits for so many whose wait ends, and returns them in order of their numbers.
    pub(crate) fn ended(&self, count: usize) -> Vec<Ended> {
        let one = || self.ended.recv_timeout(Duration::from_secs(60)).expect("it is woken");
        let mut ended: Vec<_> = (0..count).map(|_| one()).collect();
        ended.sort_by_key(|ended| ended.who);
        ended
    }

    /// Nobody's wait has ended since it was asked, and nobody is parked any more.
    pub(crate) fn end(self) {
        drop(self.orders);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(self.ended.try_iter().count(), 0);
    }
}

pub(crate) fn unparked(who: usize, token: usize) -> Ended {
    Ended { who, result: ParkResult::Unparked(UnparkToken(token)) }
}

/// Parks in a queue that this OS thread is alone in, with a deadline that has passed.
pub(crate) fn park_late(key: &Key) -> ParkResult {
    key.park(DEFAULT_PARK_TOKEN, Some(Instant::now()))
}
