//! Follows eventlet tests/semaphore_test.py at c8f903a3, and what eventlet was seen to do beyond
//! it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use eventlet::hubs::get_hub;
use eventlet::{
    BoundedSemaphore, CappedSemaphore, GreenThread, Semaphore, sleep, spawn, with_timeout,
};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;

use crate::crowd::*;
use crate::support::*;

both_colours! {
    /// test_bounded
    fn a_capped_semaphore_waits_at_both_ends() {
        let semaphore = CappedSemaphore::new(2, 3);
        keeps_turn!(wait!(semaphore.acquire()));
        keeps_turn!(wait!(semaphore.acquire()));
        let releaser = spawn(sharing!(semaphore => { keeps_turn!(wait!(semaphore.release())) }));
        yields!(wait!(semaphore.acquire()));
        assert_eq!(semaphore.balance(), -3);
        wait!(releaser).unwrap();
        for _ in 0..3 {
            keeps_turn!(wait!(semaphore.release()));
        }
        let acquirer = spawn(sharing!(semaphore => { wait!(semaphore.acquire()) }));
        yields!(wait!(semaphore.release()));
        assert_eq!(semaphore.balance(), 3);
        wait!(acquirer).unwrap();
    }

    /// test_bounded_with_zero_limit
    fn at_a_limit_of_zero_acquirers_and_releasers_meet() {
        let semaphore = CappedSemaphore::new(0, 0);
        let acquirer = spawn(sharing!(semaphore => { wait!(semaphore.acquire()) }));
        yields!(wait!(semaphore.release()));
        wait!(acquirer).unwrap();
        let releaser = spawn(sharing!(semaphore => { wait!(semaphore.release()) }));
        yields!(wait!(semaphore.acquire()));
        wait!(releaser).unwrap();
        assert!(!keeps_turn!(semaphore.try_acquire()));
        assert!(!keeps_turn!(semaphore.try_release()));
    }

    fn a_capped_semaphore_loses_no_permit_to_a_kill() {
        let semaphore = CappedSemaphore::new(0, 1);
        let acquirers = [0, 1].map(|_| spawn(sharing!(semaphore => { wait!(semaphore.acquire()) })));
        wait!(idle());
        assert!(semaphore.try_release());
        acquirers[0].kill();
        let [_, second] = acquirers;
        wait!(second).unwrap();
        assert_eq!(semaphore.balance(), -1);

        assert!(semaphore.try_release());
        let releasers = [0, 1].map(|_| spawn(sharing!(semaphore => { wait!(semaphore.release()) })));
        wait!(idle());
        assert_eq!(semaphore.balance(), 5);
        releasers[0].kill();
        assert_eq!(semaphore.balance(), 3);
        wait!(semaphore.acquire());
        wait!(semaphore.acquire());
        assert!(semaphore.locked());
        wait!(idle());
        assert!(releasers[1].dead());
    }

    fn a_semaphore_starts_within_its_limit() {
        panics_here!("does not fit", CappedSemaphore::new(2, 1));
        // test_semaphore_type_check: what is left of it.
        for value in [0, 1, 100, usize::MAX] {
            assert_eq!(Semaphore::new(value).locked(), value == 0);
        }
        panics_here!("more often", Semaphore::new(usize::MAX).release());
        for count in [0, 1, usize::MAX] {
            let capped = CappedSemaphore::new(count, usize::MAX);
            assert_eq!((capped.locked(), capped.bounded()), (count == 0, count == usize::MAX));
            assert_eq!(capped.balance().signum(), if count == usize::MAX { 0 } else { -1 });
        }
    }

    /// test_non_blocking
    fn try_acquire_does_not_wait() {
        let semaphore = Semaphore::new(0);
        assert!(!keeps_turn!(semaphore.try_acquire()));
        keeps_turn!(semaphore.release());
        assert!(keeps_turn!(semaphore.try_acquire()));
        assert!(!semaphore.bounded());
    }

    /// test_timeout
    fn a_timed_acquire_waits_so_long() {
        let semaphore = Semaphore::new(0);
        let start = Instant::now();
        assert!(!yields!(wait!(semaphore.acquire_timeout(ms(100)))));
        assert_eq!(start.elapsed(), ms(100));
        assert_eq!(semaphore.balance(), 0);
        let releaser = spawn(sharing!(semaphore => {
            wait!(sleep(ms(50)));
            semaphore.release();
        }));
        assert!(wait!(semaphore.acquire_timeout(ms(100))));
        assert_eq!((semaphore.counter(), get_hub().timers()), (0, 0));
        wait!(releaser).unwrap();
        semaphore.release();
        assert!(keeps_turn!(wait!(semaphore.acquire_timeout(ZERO))));
        assert!(!wait!(semaphore.acquire_timeout(ZERO)));
    }

    /// test_semaphore_contention
    fn two_that_want_it_all_the_time_share_fairly() {
        let (semaphore, log) = (Semaphore::new(1), Log::new());
        let rivals = ["a", "b"].map(|name| {
            spawn(sharing!(semaphore, log => {
                loop {
                    wait!(semaphore.acquire());
                    log.add(name);
                    wait!(sleep(ms(1)));
                    semaphore.release();
                }
            }))
        });
        wait!(sleep(ms(10)));
        rivals.iter().for_each(|rival| rival.kill());
        assert!(log.text().starts_with("a b a b a b a b a b"), "{}", log.text());
    }

    fn nobody_overtakes_who_waits_not_even_with_a_limit() {
        let (semaphore, log) = (Semaphore::new(0), Log::new());
        let patient = spawn(sharing!(semaphore, log => {
            wait!(semaphore.acquire());
            log.add("patient");
        }));
        let hasty = spawn(sharing!(semaphore, log => {
            wait!(sleep(ZERO));
            assert!(wait!(semaphore.acquire_timeout(ms(1000))));
            log.add("hasty");
        }));
        wait!(idle());
        assert_eq!((semaphore.counter(), semaphore.balance()), (0, -2));
        keeps_turn!(semaphore.release());
        // It was handed over, so nobody can have it in between.
        assert!(!semaphore.try_acquire());
        assert_eq!((semaphore.counter(), semaphore.balance()), (0, -1));
        wait!(patient).unwrap();
        assert_eq!(log.text(), "patient");
        semaphore.release();
        wait!(hasty).unwrap();
        assert_eq!(log.text(), "patient hasty");
    }

    fn a_killed_acquirer_passes_its_permit_on() {
        let semaphore = Semaphore::new(0);
        let acquirers = [0, 1, 2].map(|_| spawn(sharing!(semaphore => { wait!(semaphore.acquire()) })));
        wait!(idle());
        acquirers[1].kill();
        semaphore.release();
        acquirers[0].kill();
        assert_eq!((semaphore.counter(), semaphore.balance()), (0, 0));
        let [_, _, third] = acquirers;
        wait!(third).unwrap();
        assert_eq!(semaphore.counter(), 0);
    }

    fn a_permit_comes_back_however_its_holder_ends() {
        let semaphore = Semaphore::new(1);
        let returns = spawn(sharing!(semaphore => { drop(wait!(semaphore.permit())) }));
        wait!(returns).unwrap();
        assert_eq!(semaphore.counter(), 1);
        let panics = spawn(sharing!(semaphore => {
            let _permit = wait!(semaphore.permit());
            panic_on_purpose();
        }));
        assert!(wait!(panics).unwrap_err().is_panic());
        assert_eq!(semaphore.counter(), 1);
        let killed = spawn(sharing!(semaphore => {
            let _permit = wait!(semaphore.permit());
            wait!(std::future::pending::<()>());
        }));
        wait!(idle());
        let waits = spawn(sharing!(semaphore => { drop(wait!(semaphore.permit())) }));
        wait!(idle());
        assert_eq!(semaphore.balance(), -1);
        killed.kill();
        wait!(waits).unwrap();
        assert_eq!(semaphore.counter(), 1);
    }

    fn a_bounded_semaphore_notices_one_release_too_many() {
        let semaphore = BoundedSemaphore::new(1);
        panics_here!("more often", semaphore.release());
        assert_eq!(semaphore.counter(), 1);
        wait!(semaphore.acquire());
        let acquirer = spawn(sharing!(semaphore => { wait!(semaphore.acquire()) }));
        wait!(idle());
        semaphore.release();
        wait!(acquirer).unwrap();
        semaphore.release();
        assert_eq!(semaphore.counter(), 1);
    }

    fn anybody_may_release() {
        let semaphore = Semaphore::default();
        wait!(semaphore.acquire());
        let releaser = spawn(sharing!(semaphore => { semaphore.release() }));
        yields!(wait!(semaphore.acquire()));
        wait!(releaser).unwrap();
    }
}

/// A semaphore by its promises only. It hears of everything as it happens, from those who do it.
#[derive(Default)]
struct Model {
    counter: usize,
    waiting: VecDeque<usize>,
    /// Those who were handed a permit but have had no turn since.
    served: Vec<usize>,
}

impl Model {
    fn try_acquire(&mut self) -> bool {
        let free = self.counter > 0;
        self.counter -= usize::from(free);
        free
    }

    fn release(&mut self) {
        match self.waiting.pop_front() {
            Some(first) => self.served.push(first),
            None => self.counter += 1,
        }
    }

    fn receive(&mut self, name: usize) -> bool {
        let at = self.served.iter().position(|&served| served == name);
        at.map(|at| self.served.remove(at)).is_some()
    }

    fn leave(&mut self, name: usize) {
        self.waiting.retain(|&waiting| waiting != name);
        if self.receive(name) {
            self.release();
        }
    }
}

#[derive(Clone)]
struct Trial {
    semaphore: Semaphore,
    model: Rc<RefCell<Model>>,
    inside: Rc<Cell<usize>>,
}

/// Somebody who takes a permit, keeps it for some milliseconds, and ends somehow.
#[derive(Clone, Debug)]
struct Visit {
    colour: Colour,
    patience: Option<u64>,
    stay: u64,
    panics: bool,
}

#[derive(Clone, Debug)]
enum Op {
    Visit(Visit),
    TryAcquire,
    Release,
    Kill(usize),
    Sleep(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let patience = proptest::option::weighted(0.3, 0_u64..4);
    let visit = (colour(), patience, 0_u64..4, prop::bool::weighted(0.2));
    prop_oneof![
        5 => visit.prop_map(|(colour, patience, stay, panics)| {
            Op::Visit(Visit { colour, patience, stay, panics })
        }),
        1 => Just(Op::TryAcquire),
        1 => Just(Op::Release),
        3 => (0_usize..64).prop_map(Op::Kill),
        4 => Just(Op::Sleep(0)),
        1 => (1_u64..4).prop_map(Op::Sleep),
    ]
}

impl Trial {
    fn compare(&self) {
        let model = self.model.borrow();
        assert_eq!(self.semaphore.counter(), model.counter as isize);
        let balance = model.counter as isize - model.waiting.len() as isize;
        assert_eq!(self.semaphore.balance(), balance);
        assert_eq!(self.semaphore.locked(), model.counter == 0);
    }

    async fn visit(self, name: usize, visit: Visit) {
        self.compare();
        let killed = Unless::new({
            let model = Rc::clone(&self.model);
            move || model.borrow_mut().leave(name)
        });
        {
            let mut model = self.model.borrow_mut();
            match model.try_acquire() {
                true => model.served.push(name),
                false => model.waiting.push_back(name),
            }
        }
        let permit = with_timeout(visit.patience.map(ms), self.semaphore.permit()).await;
        killed.done();
        let served = self.model.borrow_mut().receive(name);
        assert_eq!(served, permit.is_ok());
        if permit.is_err() {
            return self.model.borrow_mut().leave(name);
        }
        self.inside.set(self.inside.get() + 1);
        // Dropped right before the permit: nobody runs in between.
        let _leaves = OnDrop(|| {
            self.inside.set(self.inside.get() - 1);
            self.model.borrow_mut().release();
        });
        sleep(ms(visit.stay)).await;
        if visit.panics {
            panic_on_purpose();
        }
    }

    async fn apply(self, permits: usize, ops: Vec<Op>) {
        let mut visitors: Vec<GreenThread<()>> = Vec::new();
        let mut own = 0;
        for (name, op) in ops.into_iter().enumerate() {
            match op {
                Op::Visit(visit) => {
                    visitors.push(visit.colour.spawn(self.clone().visit(name, visit)));
                }
                Op::TryAcquire => {
                    let acquired = self.semaphore.try_acquire();
                    assert_eq!(acquired, self.model.borrow_mut().try_acquire());
                    own += usize::from(acquired);
                }
                Op::Release if own > 0 => {
                    self.semaphore.release();
                    self.model.borrow_mut().release();
                    own -= 1;
                }
                Op::Kill(n) if !visitors.is_empty() => visitors[n % visitors.len()].kill(),
                Op::Release | Op::Kill(_) => {}
                Op::Sleep(time) => sleep(ms(time)).await,
            }
            self.compare();
            let model = self.model.borrow();
            assert_eq!(model.counter + model.served.len() + self.inside.get() + own, permits);
        }
        // One to go round is enough for all to come through.
        (0..own).for_each(|_| self.semaphore.release());
        (0..own).for_each(|_| self.model.borrow_mut().release());
        if permits == 0 {
            self.semaphore.release();
            self.model.borrow_mut().release();
        }
        all_ended(visitors).await;
        self.compare();
        assert_eq!(self.semaphore.counter(), permits.max(1) as isize);
    }
}

proptest! {
    #[test]
    fn green_threads_lose_double_and_overtake_nothing(
        permits in 0_usize..4,
        ops in vec(op(), 0..100),
    ) {
        let trial = Trial {
            semaphore: Semaphore::new(permits),
            model: Rc::new(RefCell::new(Model { counter: permits, ..Model::default() })),
            inside: Rc::default(),
        };
        run(trial.apply(permits, ops));
    }
}
