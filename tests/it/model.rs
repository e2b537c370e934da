//! Random programs of green threads, of both colours mixed, against a model that knows only this:
//! who was ended by whom, in which order, and who came to which of its waits.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use eventlet::hubs::get_hub;
use eventlet::{Exit, GreenThread, sleep, spawn, spawn_after, spawn_n};
use proptest::prelude::*;

use crate::support::{OnDrop, ZERO, ms, run};

/// What a green thread does, step by step. Others are meant by any number, modulo how many there
/// are.
#[derive(Clone, Debug)]
enum Step {
    Turn,
    Sleep(u64),
    /// Waits for one that was spawned before it.
    Wait(usize),
    Kill(usize),
    Throw(usize),
    Cancel(usize),
    Link(usize),
    /// Spawns the next script, at once or later.
    Spawn(Option<u64>),
    /// Wakes one for no reason, as a stale waker may. It changes nothing.
    Wake(usize),
}

#[derive(Clone, Debug)]
struct Script {
    stackful: bool,
    steps: Vec<Step>,
    panics: bool,
    /// Whom its destructor kills.
    drags_along: Option<usize>,
}

fn step() -> impl Strategy<Value = Step> {
    let any_one = 0..16_usize;
    prop_oneof![
        4 => Just(Step::Turn),
        2 => (0..4_u64).prop_map(Step::Sleep),
        3 => any_one.clone().prop_map(Step::Wait),
        2 => any_one.clone().prop_map(Step::Kill),
        1 => any_one.clone().prop_map(Step::Throw),
        1 => any_one.clone().prop_map(Step::Cancel),
        2 => any_one.clone().prop_map(Step::Link),
        2 => any_one.prop_map(Step::Wake),
        3 => prop_oneof![Just(None), (0..4_u64).prop_map(Some)].prop_map(Step::Spawn),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    let steps = prop::collection::vec(step(), 0..10);
    let drags_along = prop_oneof![3 => Just(None), 1 => (0..16_usize).prop_map(Some)];
    (any::<bool>(), steps, prop::bool::weighted(0.15), drags_along).prop_map(
        |(stackful, steps, panics, drags_along)| Script { stackful, steps, panics, drags_along },
    )
}

/// How a green thread ended.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Value(usize),
    Killed,
    Thrown(String),
    Panicked,
}

fn end(result: &Result<usize, Exit>) -> End {
    match result {
        Ok(value) => End::Value(*value),
        Err(exit) if exit.is_killed() => End::Killed,
        Err(exit) if exit.is_panic() => End::Panicked,
        Err(exit) => End::Thrown(exit.error().expect("the third reason").to_string()),
    }
}

/// What the model knows of one green thread.
#[derive(Default)]
struct Fact {
    started: Cell<bool>,
    /// Set when it was ended from outside, at that moment.
    ended: RefCell<Option<End>>,
    /// Set when it was to be ended while it ran: it may run to its next wait.
    doomed: RefCell<Option<End>>,
    /// Set when it came to its own end.
    finished: RefCell<Option<End>>,
    drops: Cell<u32>,
    links: Cell<u32>,
    linked: Cell<u32>,
    heard: RefCell<Vec<End>>,
}

struct World {
    scripts: Vec<Script>,
    spawned: Cell<usize>,
    facts: Vec<Fact>,
    handles: RefCell<Vec<Rc<GreenThread<usize>>>>,
    /// Of everyone who has started, also of those who have ended.
    wakers: RefCell<Vec<Waker>>,
    /// Whose turn it is; `None` for main.
    running: Cell<Option<usize>>,
}

impl World {
    fn handle(&self, one: usize) -> Option<(usize, Rc<GreenThread<usize>>)> {
        let handles = self.handles.borrow();
        let one = one.checked_rem(handles.len())?;
        Some((one, Rc::clone(&handles[one])))
    }

    fn spawn_next(self: &Rc<World>, delay: Option<u64>) {
        let me = self.spawned.get();
        if me == self.scripts.len() {
            return;
        }
        self.spawned.set(me + 1);
        let handle = start(Rc::clone(self), me, delay);
        self.handles.borrow_mut().push(Rc::new(handle));
    }

    /// Notes what ending green thread `one` must come to, and asserts it when `call` is over.
    fn end(&self, one: usize, how: End, call: impl FnOnce(&GreenThread<usize>)) {
        let Some((one, gt)) = self.handle(one) else { return };
        let fact = &self.facts[one];
        let running = self.running.get() == Some(one) && fact.finished.borrow().is_none();
        let was_dead = gt.dead();
        if running && !was_dead {
            fact.doomed.borrow_mut().get_or_insert(how);
            call(&gt);
            assert!(!gt.dead(), "who runs comes to its next wait");
            return;
        }
        if !was_dead {
            fact.ended.borrow_mut().get_or_insert(how);
        }
        let before = (fact.linked.get(), fact.links.get());
        call(&gt);
        assert!(gt.dead(), "a kill has ended its victim when it returns");
        if was_dead {
            assert_eq!((fact.linked.get(), fact.links.get()), before, "it ended once already");
        } else {
            assert_eq!(fact.drops.get(), 1, "its destructors have run");
            assert_eq!(fact.linked.get(), fact.links.get(), "its links have run");
        }
    }

    fn cancel(&self, one: usize) {
        let Some((at, gt)) = self.handle(one) else { return };
        if self.facts[at].started.get() || gt.dead() {
            let was_dead = gt.dead();
            gt.cancel();
            assert_eq!(gt.dead(), was_dead, "it is too late to cancel");
        } else {
            self.end(at, End::Killed, |gt| gt.cancel());
        }
    }

    fn link(self: &Rc<World>, one: usize) {
        let Some((one, gt)) = self.handle(one) else { return };
        let fact = &self.facts[one];
        fact.links.set(fact.links.get() + 1);
        let was_dead = gt.dead();
        let world = Rc::clone(self);
        gt.link(move |result| {
            let fact = &world.facts[one];
            fact.linked.set(fact.linked.get() + 1);
            assert_eq!(fact.drops.get(), 1, "links run when it has ended");
            fact.heard.borrow_mut().push(end(result));
        });
        assert!(!was_dead || fact.linked.get() == fact.links.get(), "a late link runs at once");
    }

    fn act(self: &Rc<World>, step: &Step) {
        match step {
            Step::Kill(one) => self.end(*one, End::Killed, |gt| gt.kill()),
            Step::Throw(one) => {
                let text = format!("by {:?}", self.running.get());
                self.end(*one, End::Thrown(text.clone()), move |gt| gt.throw(text));
            }
            Step::Cancel(one) => self.cancel(*one),
            Step::Link(one) => self.link(*one),
            Step::Spawn(delay) => self.spawn_next(*delay),
            Step::Wake(one) => self.wake(*one),
            Step::Turn | Step::Sleep(_) | Step::Wait(_) => unreachable!("they wait"),
        }
    }

    fn wake(&self, one: usize) {
        let wakers = self.wakers.borrow();
        if let Some(one) = one.checked_rem(wakers.len()) {
            wakers[one].wake_by_ref();
        }
    }

    /// Keeps the waker of whoever polls this.
    fn keep_waker(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| {
            self.wakers.borrow_mut().push(cx.waker().clone());
            Poll::Ready(())
        })
    }

    /// Takes the turn back after a wait.
    fn resume(&self, me: usize) {
        self.running.set(Some(me));
        let fact = &self.facts[me];
        assert!(fact.ended.borrow().is_none(), "it runs on after its end");
        assert!(fact.doomed.borrow().is_none(), "it passed a wait after it was to end");
    }

    fn finish(&self, me: usize) -> usize {
        let script = &self.scripts[me];
        let end = if script.panics { End::Panicked } else { End::Value(me) };
        self.facts[me].finished.replace(Some(end));
        if script.panics {
            // Not `panic!`, which would write a line for each of thousands.
            std::panic::resume_unwind(Box::new("as its script says"));
        }
        me
    }

    /// Its destructor.
    fn dropped(&self, me: usize) {
        let fact = &self.facts[me];
        fact.drops.set(fact.drops.get() + 1);
        if let Some(other) = self.scripts[me].drags_along {
            // Itself, or one whose end brought this one along, is dead by now, or ends right now.
            let Some((other, gt)) = self.handle(other) else { return };
            if other != me && self.facts[other].drops.get() == 0 {
                self.end(other, End::Killed, |gt| gt.kill());
            } else {
                gt.kill();
            }
        }
    }
}

/// The body of a green thread, in the colour of `$wait`.
macro_rules! play {
    ($world:ident, $me:ident, $wait:ident) => {{
        let _guard = OnDrop({
            let world = Rc::clone(&$world);
            move || world.dropped($me)
        });
        $world.running.set(Some($me));
        $world.facts[$me].started.set(true);
        $wait!($world.keep_waker());
        for step in &$world.scripts[$me].steps {
            match step {
                Step::Turn => {
                    $wait!(sleep(ZERO));
                    $world.resume($me);
                }
                Step::Sleep(length) => {
                    $wait!(sleep(ms(*length)));
                    $world.resume($me);
                }
                Step::Wait(one) if $me > 0 => {
                    let (one, gt) = $world.handle(one % $me).expect("it is older");
                    let waits = !gt.dead();
                    let result = $wait!(gt.wait());
                    if waits {
                        $world.resume($me);
                    }
                    let fact = &$world.facts[one];
                    assert_eq!(fact.linked.get(), fact.links.get(), "links come before waiters");
                    fact.heard.borrow_mut().push(end(&result));
                }
                Step::Wait(_) => {}
                other => $world.act(other),
            }
        }
        $world.finish($me)
    }};
}

fn start(world: Rc<World>, me: usize, delay: Option<u64>) -> GreenThread<usize> {
    use crate::support::stackless::wait;
    #[cfg(feature = "stackful")]
    if world.scripts[me].stackful {
        use crate::support::stackful::wait;
        let guard = Dropped::new(&world, me);
        let body = eventlet::stackful(move || {
            guard.started();
            play!(world, me, wait)
        });
        return begin(body, delay);
    }
    let _ = world.scripts[me].stackful;
    let guard = Dropped::new(&world, me);
    begin(
        async move {
            guard.started();
            play!(world, me, wait)
        },
        delay,
    )
}

fn begin<F: Future<Output = usize> + 'static>(body: F, delay: Option<u64>) -> GreenThread<usize> {
    match delay {
        None => spawn(body),
        Some(delay) => spawn_after(ms(delay), body),
    }
}

/// Stands for the destructor of a green thread that never starts.
struct Dropped {
    world: Rc<World>,
    me: usize,
}

impl Dropped {
    fn new(world: &Rc<World>, me: usize) -> Dropped {
        Dropped { world: Rc::clone(world), me }
    }

    /// From here on the body has a destructor of its own.
    fn started(self) {
        self.world.facts[self.me].started.set(true);
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        if !self.world.facts[self.me].started.get() {
            self.world.dropped(self.me);
        }
    }
}

async fn play_all(scripts: Vec<Script>) {
    let facts = scripts.iter().map(|_| Fact::default()).collect();
    let world = Rc::new(World {
        scripts,
        spawned: Cell::new(0),
        facts,
        handles: RefCell::default(),
        wakers: RefCell::default(),
        running: Cell::new(None),
    });
    while world.spawned.get() < world.scripts.len() {
        world.running.set(None);
        world.spawn_next(None);
        if world.spawned.get() % 2 == 0 {
            sleep(ZERO).await;
        }
    }
    for (one, fact) in world.facts.iter().enumerate() {
        let (_, gt) = world.handle(one).unwrap();
        let result = end(&gt.wait().await);
        let ended = fact.ended.borrow().clone();
        let finished = fact.finished.borrow().clone();
        let doomed = fact.doomed.borrow().clone();
        // Ended from outside; or it came to its end; or it was to end and came to a wait.
        let expected = ended.or(finished).or(doomed).expect("somebody ended it, or it itself");
        assert_eq!(result, expected, "green thread {one}");
        assert!(fact.heard.borrow().iter().all(|heard| *heard == expected), "all hear the same");
        assert_eq!(fact.drops.get(), 1, "its destructors run once");
        assert_eq!(fact.linked.get(), fact.links.get(), "each link runs once");
    }
    assert_eq!(get_hub().green_threads(), 1);
    assert_eq!(get_hub().timers(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_green_thread_ends_once_as_the_model_says(
        scripts in prop::collection::vec(script(), 1..12),
    ) {
        run(play_all(scripts));
    }
}

/// What `spawn_n` starts has no handle, and ends all the same.
#[test]
fn green_threads_without_a_handle_end_once_too() {
    run(async {
        let drops = Rc::new(Cell::new(0));
        let greenlets: Vec<_> = (0..100)
            .map(|i| {
                let drops = Rc::clone(&drops);
                spawn_n(async move {
                    let _guard = OnDrop(|| drops.set(drops.get() + 1));
                    for _ in 0..i % 7 {
                        sleep(ms(i % 3)).await;
                    }
                })
            })
            .collect();
        for greenlet in greenlets.iter().step_by(3) {
            sleep(ZERO).await;
            greenlet.kill();
        }
        sleep(ms(100)).await;
        assert!(greenlets.iter().all(|greenlet| greenlet.dead()));
        assert_eq!(drops.get(), 100);
    });
}
