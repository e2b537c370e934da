//! What a semaphore does, step by step.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::waiters::stepping::{Stepped, paused};

fn acquire(semaphore: &Semaphore) -> Stepped<Acquire<'_>> {
    let mut acquire = Stepped::new(semaphore.acquire());
    assert!(acquire.step().is_pending());
    acquire
}

#[test]
fn a_free_permit_keeps_the_turn() {
    let semaphore = Semaphore::new(1);
    assert!(Stepped::new(semaphore.acquire()).step().is_ready());
    assert_eq!(semaphore.counter(), 0);
}

#[test]
fn a_release_hands_its_permit_to_the_first_and_nobody_overtakes() {
    let semaphore = Semaphore::new(0);
    let (mut first, mut second) = (acquire(&semaphore), acquire(&semaphore));
    assert_eq!(semaphore.balance(), -2);
    semaphore.release();
    assert!(!semaphore.try_acquire());
    assert!(second.step().is_pending());
    assert!(first.take_wakeup() && first.step().is_ready());
    assert!(!second.take_wakeup());
}

#[test]
fn a_chosen_waiter_that_is_killed_passes_its_permit_on() {
    let semaphore = Semaphore::new(0);
    let (first, second) = (acquire(&semaphore), acquire(&semaphore));
    semaphore.release();
    first.kill();
    assert!(second.take_wakeup());
    second.kill();
    assert_eq!((semaphore.counter(), semaphore.waiting()), (1, 0));
}

#[test]
fn a_cut_takes_permits_that_are_out_and_a_raise_wakes_all_it_serves() {
    let semaphore = Semaphore::new(1);
    assert!(semaphore.try_acquire());
    semaphore.adjust(-2);
    let waiters = [acquire(&semaphore), acquire(&semaphore), acquire(&semaphore)];
    semaphore.release();
    assert_eq!((semaphore.counter(), semaphore.waiting()), (-1, 3));
    semaphore.adjust(3);
    let woken = waiters.each_ref().map(Stepped::take_wakeup);
    assert_eq!((woken, semaphore.waiting()), ([true, true, false], 1));
}

#[test]
fn a_permit_comes_back_when_it_is_dropped() {
    let semaphore = Semaphore::new(1);
    let Poll::Ready(permit) = Stepped::new(semaphore.permit()).step() else { panic!() };
    let mut next = Stepped::new(semaphore.permit());
    assert!(next.step().is_pending());
    drop(permit);
    assert!(next.take_wakeup() && next.step().is_ready());
}

#[test]
fn who_times_out_leaves_the_line() {
    paused(async {
        let semaphore = Semaphore::new(0);
        assert!(!semaphore.acquire_timeout(Duration::from_secs(1)).await);
        semaphore.release();
        assert_eq!((semaphore.counter(), semaphore.waiting()), (1, 0));
        assert!(semaphore.acquire_timeout(Duration::ZERO).await);
    });
}

/// What happens to a semaphore. Numbers name one of the green threads that are waiting.
#[derive(Clone, Debug)]
enum Op {
    Acquire,
    TryAcquire,
    Release,
    Adjust(isize),
    Step(usize),
    Kill(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Acquire),
        1 => Just(Op::TryAcquire),
        2 => Just(Op::Release),
        1 => (-3_isize..4).prop_map(Op::Adjust),
        4 => (0_usize..64).prop_map(Op::Step),
        2 => (0_usize..64).prop_map(Op::Kill),
    ]
}

/// A semaphore by its promises only.
struct Model {
    counter: isize,
    waiting: VecDeque<usize>,
    /// Those that were granted a permit but have not resumed.
    served: Vec<usize>,
}

impl Model {
    fn try_acquire(&mut self) -> bool {
        let free = self.counter > 0;
        self.counter -= isize::from(free);
        free
    }

    fn adjust(&mut self, delta: isize) {
        self.counter += delta;
        while self.counter > 0 && !self.waiting.is_empty() {
            self.counter -= 1;
            self.served.extend(self.waiting.pop_front());
        }
    }

    fn take_served(&mut self, name: usize) -> bool {
        let at = self.served.iter().position(|&served| served == name);
        at.map(|at| self.served.remove(at)).is_some()
    }

    fn kill(&mut self, name: usize) {
        self.waiting.retain(|&waiting| waiting != name);
        if self.take_served(name) {
            self.adjust(1);
        }
    }
}

fn try_out(value: usize, ops: Vec<Op>) {
    let semaphore = Semaphore::new(value);
    let (waiting, served) = (VecDeque::new(), Vec::new());
    let mut model = Model { counter: value as isize, waiting, served };
    let mut tasks: Vec<(usize, Stepped<Acquire<'_>>)> = Vec::new();
    for (name, op) in ops.into_iter().enumerate() {
        match op {
            Op::Acquire => {
                let mut task = Stepped::new(semaphore.acquire());
                let free = model.try_acquire();
                assert_eq!(task.step().is_ready(), free);
                if !free {
                    model.waiting.push_back(name);
                    tasks.push((name, task));
                }
            }
            Op::TryAcquire => assert_eq!(semaphore.try_acquire(), model.try_acquire()),
            Op::Release => {
                semaphore.release();
                model.adjust(1);
            }
            Op::Adjust(delta) => {
                semaphore.adjust(delta);
                model.adjust(delta);
            }
            Op::Step(n) if !tasks.is_empty() => {
                let n = n % tasks.len();
                let served = model.take_served(tasks[n].0);
                assert_eq!(tasks[n].1.take_wakeup(), served);
                assert_eq!(tasks[n].1.step().is_ready(), served);
                if served {
                    tasks.remove(n);
                }
            }
            Op::Kill(n) if !tasks.is_empty() => {
                let (name, task) = tasks.remove(n % tasks.len());
                model.kill(name);
                task.kill();
            }
            Op::Step(_) | Op::Kill(_) => {}
        }
        assert_eq!(semaphore.counter(), model.counter);
        assert_eq!(semaphore.waiting(), model.waiting.len());
        assert!(model.waiting.is_empty() || model.counter <= 0);
    }
}

proptest! {
    #[test]
    fn no_permit_is_lost_doubled_or_overtaken(
        value in 0_usize..4,
        ops in vec(op(), 0..200),
    ) {
        try_out(value, ops);
    }
}
