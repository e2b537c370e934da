//! A `SharedQueue` stepped by hand: random puts, gets and kills lose, double and strand nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use eventlet::queue::SharedQueue;
use proptest::collection::vec;
use proptest::prelude::*;

/// What happens to a queue. Numbers name one of those that wait.
#[derive(Clone, Copy, Debug)]
enum Op {
    Put,
    Get,
    PutNowait,
    GetNowait,
    Step(usize),
    Kill(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Put),
        3 => Just(Op::Get),
        1 => Just(Op::PutNowait),
        1 => Just(Op::GetNowait),
        4 => (0_usize..64).prop_map(Op::Step),
        2 => (0_usize..64).prop_map(Op::Kill),
    ]
}

/// Remembers that it was woken.
#[derive(Default)]
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Somebody who waits: to put this item, or to get one.
struct Waiter<'a> {
    item: Option<u32>,
    future: Pin<Box<dyn Future<Output = Option<u32>> + 'a>>,
    alarm: Arc<Alarm>,
}

impl Waiter<'_> {
    fn poll(&mut self) -> Poll<Option<u32>> {
        let waker = Waker::from(Arc::clone(&self.alarm));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

struct Trial<'a> {
    queue: &'a SharedQueue<u32>,
    waiters: Vec<Waiter<'a>>,
    /// The items in the order in which they were stored, and in that in which they were taken.
    stored: Vec<u32>,
    taken: Vec<u32>,
    next: u32,
}

impl<'a> Trial<'a> {
    fn apply(&mut self, op: Op) {
        let queue = self.queue;
        self.next += 1;
        let item = self.next;
        match op {
            Op::Put => self.start(Some(item), async move {
                queue.put(item).await;
                None
            }),
            Op::Get => self.start(None, async { Some(queue.get().await) }),
            Op::PutNowait => self.stored.extend(queue.put_nowait(item).ok().map(|()| item)),
            Op::GetNowait => self.taken.extend(queue.get_nowait()),
            Op::Step(n) if !self.waiters.is_empty() => self.step(n % self.waiters.len()),
            Op::Kill(n) if !self.waiters.is_empty() => {
                self.waiters.remove(n % self.waiters.len());
            }
            Op::Step(_) | Op::Kill(_) => {}
        }
        assert!(queue.maxsize().is_none_or(|maxsize| queue.qsize() <= maxsize));
        assert_eq!(self.taken, self.stored[..self.taken.len()]);
        assert_eq!(queue.qsize(), self.stored.len() - self.taken.len());
    }

    fn start(&mut self, item: Option<u32>, future: impl Future<Output = Option<u32>> + 'a) {
        let alarm = Arc::new(Alarm(AtomicBool::new(true)));
        self.waiters.push(Waiter { item, future: Box::pin(future), alarm });
        self.step(self.waiters.len() - 1);
    }

    /// Gives a waiter its turn if it was woken, as a hub does.
    fn step(&mut self, n: usize) {
        let waiter = &mut self.waiters[n];
        if waiter.alarm.0.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(got) = waiter.poll() {
                self.stored.extend(waiter.item);
                self.taken.extend(got);
                self.waiters.remove(n);
            }
        }
    }

    /// Gives everybody their turns, and looks for those who wait for what is there.
    fn finish(mut self) {
        while let Some(n) =
            self.waiters.iter().position(|waiter| waiter.alarm.0.load(Ordering::SeqCst))
        {
            self.step(n);
        }
        for waiter in &self.waiters {
            match waiter.item {
                Some(item) => assert!(self.queue.full(), "{item} waits though there is room"),
                None => assert!(self.queue.empty(), "somebody waits though there is an item"),
            }
        }
        self.waiters.clear();
        while let Ok(item) = self.queue.get_nowait() {
            self.taken.push(item);
        }
        assert_eq!(self.taken, self.stored);
        let room = self.queue.maxsize().unwrap_or(9);
        assert!((0..).take(room).all(|item| self.queue.put_nowait(item).is_ok()), "room was lost");
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_stranded(
        maxsize in proptest::option::of(1_usize..4),
        ops in vec(op(), 0..200),
    ) {
        let queue = SharedQueue::new(maxsize);
        let (waiters, stored, taken) = (Vec::new(), Vec::new(), Vec::new());
        let mut trial = Trial { queue: &queue, waiters, stored, taken, next: 0 };
        ops.into_iter().for_each(|op| trial.apply(op));
        trial.finish();
    }
}
