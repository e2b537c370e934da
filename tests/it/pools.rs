//! Follows eventlet tests/pools_test.py at c8f903a3, and the defects of its pools.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use eventlet::pools::{Item, Pool, TokenPool};
use eventlet::{GreenPool, Queue, Timeout, sleep, spawn, spawn_n};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::sync::oneshot;

use crate::crowd::sharing;
use crate::support::*;

/// A pool whose items are 1, 2, 3..
fn int_pool(max_size: usize) -> Pool<u32> {
    let last = Cell::new(0);
    Pool::infallible(max_size, move || {
        last.set(last.get() + 1);
        let item = last.get();
        async move { item }
    })
}

/// A pool whose `create` waits a millisecond, and fails as long as the cell says so.
fn moody_pool(max_size: usize, fails: &Rc<Cell<bool>>) -> Pool<&'static str, &'static str> {
    let fails = Rc::clone(fails);
    Pool::new(max_size, move || {
        let fails = Rc::clone(&fails);
        async move {
            sleep(ms(1)).await;
            if fails.get() { Err("failed") } else { Ok("item") }
        }
    })
}

both_colours! {
    fn an_absurd_size_is_a_size() {
        let pool = int_pool(usize::MAX);
        let Ok(item) = wait!(pool.get());
        pool.resize(0);
        assert_eq!(pool.free(), -1);
        pool.resize(usize::MAX);
        pool.put(item);
        assert_eq!((pool.free(), pool.current_size()), (isize::MAX, 1));
    }

    /// test_integers
    fn items_are_created_as_they_are_needed() {
        let pool = int_pool(4);
        for expected in 1..=4 {
            assert_eq!(pool.current_size(), expected as usize - 1);
            assert_eq!(keeps_turn!(wait!(pool.get())), Ok(expected));
        }
    }

    /// test_free
    fn free_counts_what_can_be_had() {
        let pool = int_pool(4);
        assert_eq!(pool.free(), 4);
        let Ok(gotten) = wait!(pool.get());
        assert_eq!(pool.free(), 3);
        pool.put(gotten);
        assert_eq!(pool.free(), 4);
    }

    /// test_exhaustion
    fn a_getter_of_an_empty_pool_gets_what_is_put_back() {
        let pool = int_pool(4);
        let waiter = Queue::new(0);
        spawn_n({
            let (pool, waiter) = (pool.clone(), waiter.clone());
            green!({
                let Ok(gotten) = wait!(pool.get());
                wait!(waiter.put(gotten));
            })
        });
        let mut taken = Vec::new();
        for _ in 0..4 {
            let Ok(item) = wait!(pool.get());
            taken.push(item);
        }
        assert_eq!(pool.free(), 0);
        wait!(sleep(ZERO));
        assert_eq!(pool.waiting(), 1);
        keeps_turn!(pool.put(taken[0]));
        assert_eq!(pool.waiting(), 0);
        assert_eq!(wait!(waiter.get()), taken[0]);
    }

    /// test_blocks_on_pool
    fn one_too_many_waits() {
        let pool = int_pool(4);
        let greedy = spawn({
            let pool = pool.clone();
            green!({
                for _ in 0..4 {
                    let Ok(_) = wait!(pool.get());
                }
                assert_eq!(pool.waiting(), 0);
                let Ok(_) = wait!(pool.get());
                unreachable!("nobody puts anything back");
            })
        });
        assert_eq!(pool.waiting(), 0);
        wait!(sleep(ZERO));
        assert_eq!(pool.waiting(), 1);
        greedy.kill();
        assert_eq!(pool.waiting(), 0);
        assert!(wait!(greedy).unwrap_err().is_killed());
    }

    /// test_ordering of TestIntPool
    fn items_come_out_in_the_order_in_which_they_were_put() {
        let pool = int_pool(4);
        let (Ok(one), Ok(two)) = (wait!(pool.get()), wait!(pool.get()));
        pool.put(two);
        pool.put(one);
        assert_eq!(wait!(pool.get()), Ok(two));
        assert_eq!(wait!(pool.get()), Ok(one));
    }

    /// test_ordering of TestOrderAsStack
    fn as_a_stack_the_latest_comes_out_first() {
        let pool = int_pool(3).order_as_stack(true);
        let (Ok(one), Ok(two)) = (wait!(pool.get()), wait!(pool.get()));
        pool.put(one);
        pool.put(two);
        assert_eq!(wait!(pool.get()), Ok(two));
        assert_eq!(wait!(pool.get()), Ok(one));
    }

    /// test_putting_to_queue
    fn those_who_put_back_let_the_next_one_get() {
        let (pool, queue) = (int_pool(2), Queue::new(None));
        for index in 0..3 {
            let Ok(item) = wait!(pool.get());
            let (pool, queue) = (pool.clone(), queue.clone());
            spawn_n(green!({
                pool.put(item);
                wait!(queue.put(index));
            }));
        }
        for index in 0..3 {
            assert_eq!(wait!(queue.get()), index);
        }
    }

    /// test_resize
    fn a_smaller_pool_drops_what_is_too_much() {
        let pool = int_pool(2);
        let (Ok(one), Ok(two)) = (wait!(pool.get()), wait!(pool.get()));
        assert_eq!(pool.free(), 0);
        pool.resize(1);
        assert_eq!(pool.free(), -1);
        pool.put(one);
        assert_eq!((pool.free(), pool.current_size()), (0, 1));
        pool.put(two);
        assert_eq!((pool.free(), pool.current_size()), (1, 1));
        pool.resize(2);
        assert_eq!(pool.free(), 2);
        assert_eq!(wait!(pool.get()), Ok(two));
        assert_eq!(wait!(pool.get()), Ok(3));
    }

    /// test_create_contention
    fn a_create_that_waits_is_not_called_too_often() {
        let creates = Rc::new(Cell::new(0));
        let pool = Pool::infallible(4, {
            let creates = Rc::clone(&creates);
            move || {
                creates.set(creates.get() + 1);
                green!({ wait!(sleep(ZERO)) })
            }
        });
        let crowd = GreenPool::default();
        for _ in 0..100 {
            let pool = pool.clone();
            wait!(crowd.spawn_n(green!({
                let Ok(item) = wait!(pool.get());
                pool.put(item);
            })));
        }
        wait!(crowd.waitall());
        assert_eq!((creates.get(), pool.free(), pool.current_size()), (4, 4, 4));
    }

    /// test_put_with_timed_out_getters
    fn an_item_for_getters_that_time_out_stays_in_the_pool() {
        let pool = int_pool(1);
        let Ok(item) = wait!(pool.get());
        let getters = [(); 5].map(|()| {
            let pool = pool.clone();
            spawn(green!({ wait!(pool.get()) }))
        });
        wait!(sleep(ZERO));
        assert_eq!(pool.waiting(), 5);
        // It goes from hand to hand, as each of them ends when it was just about to have it.
        keeps_turn!(pool.put(item));
        getters.iter().for_each(|getter| getter.throw(Timeout::new(None)));
        for getter in getters {
            assert!(wait!(getter).unwrap_err().is_timeout());
        }
        assert_eq!((pool.free(), pool.current_size()), (1, 1));
        assert_eq!(keeps_turn!(wait!(pool.get())), Ok(item));
    }

    /// test_something: a pool with a min_size
    fn min_size_is_created_at_once() {
        let Ok(pool) = wait!(int_pool(3).min_size(3));
        assert_eq!((pool.free(), pool.current_size()), (3, 3));
        assert_eq!(wait!(pool.get()), Ok(1));
        let Ok(pool) = wait!(pool.min_size(9));
        assert_eq!(pool.current_size(), 3);
    }

    fn min_size_leaves_room_for_those_who_were_before_in_line() {
        let pool = int_pool(0);
        for _ in 0..2 {
            let pool = pool.clone();
            spawn_n(green!({
                let _item = wait!(pool.item());
                wait!(sleep(ZERO));
            }));
        }
        wait!(idle());
        pool.resize(2);
        let Ok(pool) = wait!(pool.min_size(2));
        wait!(idle());
        assert_eq!((pool.free(), pool.current_size()), (2, 2));
        assert_eq!(wait!(pool.get()), Ok(1));
    }

    fn a_min_size_that_fails_leaves_what_was_made() {
        let fails = Rc::new(Cell::new(false));
        let Ok(pool) = wait!(moody_pool(3, &fails).min_size(1)) else { unreachable!() };
        fails.set(true);
        let same = pool.clone();
        assert_eq!(wait!(pool.min_size(3)).unwrap_err(), "failed");
        assert_eq!((same.free(), same.current_size()), (3, 1));
    }

    /// TestCreateRaises
    fn a_create_that_fails_takes_no_room() {
        let pool = moody_pool(3, &Rc::new(Cell::new(true)));
        assert_eq!(pool.free(), 3);
        assert_eq!(wait!(pool.get()), Err("failed"));
        assert_eq!((pool.free(), pool.current_size()), (3, 0));
    }

    fn a_create_that_fails_lets_the_next_in_line_try() {
        let (fails, log) = (Rc::new(Cell::new(true)), Log::new());
        let pool = moody_pool(1, &fails);
        for name in ["a", "b", "c"] {
            let (pool, log, fails) = (pool.clone(), log.clone(), Rc::clone(&fails));
            spawn_n(green!({
                let outcome = wait!(pool.get());
                log.add(format_args!("{name}:{}", outcome.unwrap_or_else(|error| error)));
                // The third one succeeds.
                fails.set(name == "a");
            }));
        }
        wait!(idle());
        assert_eq!((pool.waiting(), pool.free()), (2, 0));
        wait!(sleep(ms(10)));
        assert_eq!(log.text(), "a:failed b:failed c:item");
        assert_eq!((pool.free(), pool.current_size()), (0, 1));
    }

    fn a_create_that_panics_or_is_killed_lets_the_next_in_line_try() {
        let calls = Rc::new(Cell::new(0));
        let pool = Pool::infallible(1, {
            let calls = Rc::clone(&calls);
            move || {
                calls.set(calls.get() + 1);
                let call = calls.get();
                green!({
                    wait!(sleep(ms(1)));
                    match call {
                        1 => panic!("the first create"),
                        2 => wait!(pending()),
                        call => call,
                    }
                })
            }
        });
        let mut getters = Vec::new();
        for _ in 0..3 {
            let pool = pool.clone();
            getters.push(spawn(green!({ wait!(pool.get()) })));
        }
        wait!(sleep(ms(5)));
        getters[1].kill();
        let [first, second, third] = getters.try_into().unwrap();
        assert!(wait!(first).unwrap_err().is_panic());
        assert!(wait!(second).unwrap_err().is_killed());
        assert_eq!(wait!(third).unwrap(), Ok(3));
        assert_eq!((pool.free(), pool.current_size(), calls.get()), (0, 1, 3));
    }

    fn growth_wakes_as_many_as_there_is_room_for() {
        let pool = TokenPool::new(0);
        let inside = Rc::new(Cell::new(0));
        let getters: Vec<_> = (0..3)
            .map(|_| {
                let (pool, inside) = (pool.clone(), Rc::clone(&inside));
                spawn_n(green!({
                    let _token = wait!(pool.item());
                    inside.set(inside.get() + 1);
                    wait!(pending::<()>());
                }))
            })
            .collect();
        wait!(idle());
        keeps_turn!(pool.resize(2));
        assert_eq!(pool.waiting(), 1);
        wait!(idle());
        assert_eq!(inside.get(), 2);
        getters.iter().for_each(|getter| getter.kill());
        assert_eq!((pool.free(), pool.waiting()), (2, 0));
    }

    fn waiters_are_served_in_order_and_nobody_overtakes() {
        let (pool, log) = (int_pool(1), Log::new());
        let Ok(item) = wait!(pool.get());
        for name in ["a", "b", "c"] {
            let (pool, log) = (pool.clone(), log.clone());
            spawn_n(green!({
                let _item = wait!(pool.item());
                log.add(name);
            }));
        }
        wait!(idle());
        pool.put(item);
        // The item belongs to the first in line, who had no turn yet.
        assert_eq!(pool.free(), 0);
        let Ok(_) = yields!(wait!(pool.get()));
        assert_eq!(log.text(), "a b c");
        assert_eq!(pool.current_size(), 1);
    }

    fn an_item_that_was_handed_to_a_killed_getter_goes_to_the_next() {
        let pool = int_pool(1);
        let Ok(item) = wait!(pool.get());
        let getters = [(); 2].map(|()| {
            let pool = pool.clone();
            spawn(green!({ wait!(pool.get()) }))
        });
        wait!(idle());
        pool.put(item);
        getters[0].kill();
        let [first, second] = getters;
        assert!(wait!(first).unwrap_err().is_killed());
        assert_eq!(wait!(second).unwrap(), Ok(item));
    }

    fn the_item_of_a_killed_green_thread_goes_back() {
        let pool = int_pool(1);
        let owner = spawn_n({
            let pool = pool.clone();
            green!({
                let Ok(mut item) = wait!(pool.item());
                *item += 10;
                wait!(pending::<()>());
            })
        });
        wait!(idle());
        assert_eq!(pool.free(), 0);
        owner.kill();
        assert_eq!(pool.free(), 1);
        assert_eq!(wait!(pool.get()), Ok(11));
    }

    fn a_discarded_item_makes_room_for_a_new_one() {
        let pool = int_pool(1);
        let Ok(item) = wait!(pool.item());
        let getter = spawn({
            let pool = pool.clone();
            green!({ wait!(pool.get()) })
        });
        wait!(idle());
        Item::discard(item);
        assert_eq!(wait!(getter).unwrap(), Ok(2));
        pool.discard(2);
        assert_eq!((pool.free(), pool.current_size()), (1, 0));
    }

    fn strangers_are_taken_in_while_there_is_room() {
        let pool = int_pool(2);
        for stranger in [10, 20, 30] {
            pool.put(stranger);
        }
        assert_eq!((pool.free(), pool.current_size()), (2, 2));
        assert_eq!(wait!(pool.get()), Ok(10));
        assert_eq!(wait!(pool.get()), Ok(20));
        assert_eq!(pool.free(), 0);
    }

    fn the_destructor_of_an_item_may_use_the_pool() {
        type Noisy = OnDrop<Box<dyn FnMut()>>;
        let (log, shared) = (Log::new(), Rc::new(RefCell::new(None::<Pool<Noisy>>)));
        let pool = Pool::infallible(2, {
            let (log, shared) = (log.clone(), Rc::clone(&shared));
            move || {
                let (log, shared) = (log.clone(), Rc::clone(&shared));
                async move {
                    OnDrop::<Box<dyn FnMut()>>(Box::new(move || {
                        let Some(pool) = shared.borrow().clone() else { return };
                        log.add(format_args!("{}:{}", pool.free(), pool.current_size()));
                        pool.resize(pool.max_size());
                    }))
                }
            }
        });
        *shared.borrow_mut() = Some(pool.clone());
        let (Ok(one), Ok(two)) = (wait!(pool.get()), wait!(pool.get()));
        pool.resize(1);
        pool.put(one);
        pool.discard(two);
        assert_eq!(log.text(), "0:1 1:0");
        shared.take();
    }

    fn a_create_may_use_a_pool() {
        let pool = int_pool(2);
        let nested = Pool::infallible(1, {
            let pool = pool.clone();
            move || {
                let pool = pool.clone();
                green!({
                    let Ok(inner) = wait!(pool.item());
                    *inner * 10
                })
            }
        });
        assert_eq!(wait!(nested.get()), Ok(10));
        assert_eq!((pool.free(), pool.current_size()), (2, 1));
    }

    /// test_pool_smash of greenpool_test.py
    fn a_member_that_times_out_for_a_token_leaves_the_token() {
        let (pool, tokens) = (GreenPool::new(1), TokenPool::new(1));
        let token = wait!(tokens.get());
        let first = wait!(pool.spawn(sharing!(tokens => {
            wait!(Timeout::new(ZERO).run(tokens.get())).is_err()
        })));
        assert!(wait!(first).unwrap());
        let sender = spawn(sharing!(tokens => { tokens.put(token) }));
        let second = wait!(pool.spawn(green!({ "resumed" })));
        assert_eq!(wait!(second).unwrap(), "resumed");
        assert_eq!((tokens.free(), tokens.waiting()), (1, 0));
        wait!(sender).unwrap();
    }

    /// test_with_intpool of greenpool_test.py
    fn members_of_a_pool_take_turns_with_its_items() {
        for (numbers, size, jobs) in [(4, 7, 7), (50, 75, 100), (10, 5, 100), (20, 50, 50)] {
            let (numbers, pool) = (int_pool(numbers), GreenPool::new(size));
            for _ in 0..jobs {
                wait!(pool.spawn_n(sharing!(numbers => {
                    let number = wait!(numbers.item()).unwrap();
                    wait!(sleep(ms(1)));
                    assert!(*number as usize <= numbers.max_size());
                })));
            }
            wait!(pool.waitall());
            assert_eq!(numbers.free(), numbers.max_size() as isize);
            assert_eq!(numbers.waiting(), 0);
        }
    }
}

/// What is pooled in the property test: counted while it lives.
struct Thing {
    _alive: Rc<()>,
}

/// A getter, and whether it was woken since it was last polled.
struct Getter {
    future: Pin<Box<dyn Future<Output = Result<Thing, ()>>>>,
    woken: Arc<Flag>,
    creating: bool,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Getter {
    fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed)
    }
}

type Creations = Rc<RefCell<VecDeque<oneshot::Sender<Result<Thing, ()>>>>>;

/// A pool with those who use it, stepped by hand: nobody is polled who was not woken.
struct World {
    pool: Pool<Thing, ()>,
    /// One more reference for each thing alive.
    alive: Rc<()>,
    creations: Creations,
    /// In the order in which they came.
    getters: Vec<Getter>,
    held: Vec<Thing>,
    /// How many things there may be: of a cut pool, as many as before while somebody who was chosen
    /// then had no turn since.
    limit: usize,
}

impl World {
    fn new(max_size: usize) -> World {
        let creations = Creations::default();
        let pool = Pool::new(max_size, {
            let creations = Rc::clone(&creations);
            move || {
                let (create, created) = oneshot::channel();
                creations.borrow_mut().push_back(create);
                async move { created.await.unwrap() }
            }
        });
        World {
            pool,
            alive: Rc::new(()),
            creations,
            getters: Vec::new(),
            held: Vec::new(),
            limit: max_size,
        }
    }

    fn things(&self) -> usize {
        Rc::strong_count(&self.alive) - 1
    }

    fn creating(&self) -> usize {
        self.getters.iter().filter(|getter| getter.creating).count()
    }

    /// How many creations have an outcome that their getter did not see yet.
    fn created(&self) -> usize {
        self.getters.iter().filter(|getter| getter.creating && getter.is_woken()).count()
    }

    fn get(&mut self) {
        let pool = self.pool.clone();
        let future = Box::pin(async move { pool.get().await });
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        self.getters.push(Getter { future, woken, creating: false });
        self.poll(self.getters.len() - 1);
    }

    fn poll(&mut self, at: usize) {
        let getter = &mut self.getters[at];
        getter.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&getter.woken));
        let before = self.creations.borrow().len();
        let polled = getter.future.as_mut().poll(&mut Context::from_waker(&waker));
        if self.creations.borrow().len() > before {
            self.getters[at].creating = true;
            let things = self.things() + self.creating() - self.created();
            assert!(things <= self.limit, "created too much");
        }
        if let Poll::Ready(outcome) = polled {
            self.getters.remove(at);
            self.held.extend(outcome);
        }
    }

    /// Ends the creation that has been under way for longest.
    fn create(&mut self, succeeds: bool) {
        let Some(create) = self.creations.borrow_mut().pop_front() else { return };
        let thing = succeeds.then(|| Thing { _alive: Rc::clone(&self.alive) });
        assert!(create.send(thing.ok_or(())).is_ok(), "a creation without its getter");
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Get => self.get(),
            Action::Poll(n) => {
                let woken: Vec<usize> =
                    (0..self.getters.len()).filter(|&at| self.getters[at].is_woken()).collect();
                if !woken.is_empty() {
                    self.poll(woken[n % woken.len()]);
                }
            }
            Action::Kill(n) if !self.getters.is_empty() => {
                drop(self.getters.remove(n % self.getters.len()));
                self.creations.borrow_mut().retain(|create| !create.is_closed());
            }
            Action::Create(succeeds) => self.create(succeeds),
            Action::Put(n) if !self.held.is_empty() => {
                let thing = self.held.swap_remove(n % self.held.len());
                self.pool.put(thing);
            }
            Action::Discard(n) if !self.held.is_empty() => {
                let thing = self.held.swap_remove(n % self.held.len());
                self.pool.discard(thing);
            }
            Action::Resize(max_size) => {
                self.pool.resize(max_size);
                self.limit = self.limit.max(max_size);
            }
            Action::Kill(_) | Action::Put(_) | Action::Discard(_) => {}
        }
    }

    /// What must hold whenever nobody is being polled.
    fn check(&mut self) {
        let waits = |getter: &&Getter| !getter.creating && !getter.is_woken();
        let waiting = self.getters.iter().filter(waits).count();
        assert_eq!(self.pool.waiting(), waiting);

        let queue = self.getters.iter().filter(|getter| !getter.creating);
        let chosen = queue.clone().take_while(|getter| getter.is_woken()).count();
        assert_eq!(chosen + waiting, queue.count(), "somebody was overtaken");

        let taken = self.held.len() + self.creating() + chosen;
        assert_eq!(self.pool.free(), self.pool.max_size() as isize - taken as isize);
        assert!(self.pool.free() <= 0 || waiting == 0, "somebody waits though there is room");

        if chosen == 0 {
            self.limit = self.pool.max_size();
        }
        let idle = self.pool.current_size() - self.held.len() - self.creating();
        let elsewhere = self.things() - self.held.len();
        // Of the creations that have ended, some may have failed.
        assert!(elsewhere >= idle, "a thing was lost");
        assert!(elsewhere <= idle + self.created(), "a thing was doubled");
    }

    /// Lets everybody who still waits come through, with nothing but wakeups.
    fn settle(&mut self) {
        self.act(Action::Resize(self.pool.max_size().max(1)));
        while !self.getters.is_empty() {
            let before = (self.getters.len(), self.creations.borrow().len(), self.held.len());
            while let Some(at) = self.getters.iter().position(Getter::is_woken) {
                self.poll(at);
            }
            self.create(true);
            self.act(Action::Put(0));
            self.check();
            let after = (self.getters.len(), self.creations.borrow().len(), self.held.len());
            let woken = self.getters.iter().any(Getter::is_woken);
            assert!(woken || before != after, "somebody was stranded");
        }
    }
}

#[derive(Clone, Debug)]
enum Action {
    Get,
    Poll(usize),
    Kill(usize),
    Create(bool),
    Put(usize),
    Discard(usize),
    Resize(usize),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Get),
        4 => any::<usize>().prop_map(Action::Poll),
        2 => any::<usize>().prop_map(Action::Kill),
        3 => any::<bool>().prop_map(Action::Create),
        3 => any::<usize>().prop_map(Action::Put),
        1 => any::<usize>().prop_map(Action::Discard),
        1 => (0_usize..4).prop_map(Action::Resize),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nobody_stranded(max_size in 0_usize..4, actions in vec(action(), 0..80)) {
        let mut world = World::new(max_size);
        for action in actions {
            world.act(action);
            world.check();
        }
        world.settle();
    }
}
