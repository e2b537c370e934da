//! Random programs, of both colours mixed, whose hubs end at any moment: green threads are spawned,
//! waited for, killed and thrown at, by destructors and links, too; they panic, with payloads that
//! panic when they are dropped; green stacks nest, have scopes and limits, and catch the unwind of
//! a kill. Whatever they do, the hub ends, every destructor and every link has run once, no stack
//! is in use, and the process goes on.
//!
//! `EVENTLET_HAVOC_SECONDS` says how long it goes on, `EVENTLET_HAVOC_SEED` which program is the
//! first, and `EVENTLET_HAVOC_PROGRAMS` how many there are at most. With 0 seconds that is the only
//! one: so a failure, which names its program, can be had again.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use eventlet::greenthread::Link;
use eventlet::runtime::Builder;
use eventlet::{
    GreenPool, GreenThread, getcurrent, sleep, spawn, spawn_after, spawn_n, with_timeout,
};

use crate::support::{Dice, ZERO, in_a_process_of_its_own, ms};

/// Green threads that a program may have.
const CROWD: u32 = 60;

/// Green threads that destructors and links may start, each from the one before: fewer than a hub
/// that ends allows.
const GENERATIONS: u32 = 6;

/// The guards that have not been dropped, and the links that have not run, of all programs.
static GUARDS: AtomicIsize = AtomicIsize::new(0);
static LINKS: AtomicIsize = AtomicIsize::new(0);

/// One program.
struct World {
    dice: RefCell<Dice>,
    spawned: Cell<u32>,
    handles: RefCell<Vec<Rc<GreenThread<u32>>>>,
    links: RefCell<Vec<(Rc<GreenThread<u32>>, Link)>>,
    pool: GreenPool,
}

/// A payload whose destructor panics with another one.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any(Bomb);
        }
    }
}

/// An error whose destructor panics.
#[derive(Debug)]
struct Fuse(#[expect(dead_code)] Option<u8>);

impl fmt::Display for Fuse {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose")
    }
}

impl Error for Fuse {}

impl Drop for Fuse {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any(Bomb);
        }
    }
}

/// Does anything when it is dropped.
struct Guard {
    world: Rc<World>,
    generation: u32,
}

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDS.fetch_sub(1, Ordering::SeqCst);
        self.world.meddle(self.generation + 1);
        // Rust allows no panic in a destructor that runs as something else unwinds.
        if !thread::panicking() && self.world.one_in(8) {
            self.world.panic();
        }
    }
}

impl World {
    fn new(seed: u64) -> Rc<World> {
        Rc::new(World {
            dice: RefCell::new(Dice::new(seed)),
            spawned: Cell::new(0),
            handles: RefCell::default(),
            links: RefCell::default(),
            pool: GreenPool::new(2),
        })
    }

    fn below(&self, limit: u64) -> u64 {
        self.dice.borrow_mut().below(limit)
    }

    fn one_in(&self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn guard(self: &Rc<World>, generation: u32) -> Guard {
        GUARDS.fetch_add(1, Ordering::SeqCst);
        Guard { world: Rc::clone(self), generation }
    }

    fn panic(&self) -> ! {
        if self.one_in(2) { panic_any(Bomb) } else { panic!("on purpose") }
    }

    fn any_one(&self) -> Option<Rc<GreenThread<u32>>> {
        let count = self.handles.borrow().len() as u64;
        if count == 0 {
            return None;
        }
        let which = self.below(count) as usize;
        self.handles.borrow().get(which).cloned()
    }

    /// Does something to somebody else that takes no wait.
    fn meddle(self: &Rc<World>, generation: u32) {
        let any_one = self.any_one();
        match (self.below(16), any_one) {
            (0..=2, Some(gt)) => gt.kill(),
            (3, Some(gt)) => gt.throw(Fuse(None)),
            (4, Some(gt)) => gt.cancel(),
            (5..=6, Some(gt)) => self.link(gt, generation),
            (7, _) => self.unlink(),
            (8..=10, _) => self.spawn(generation),
            (11, _) if self.one_in(4) => getcurrent().kill(),
            _ => {}
        }
    }

    fn link(self: &Rc<World>, gt: Rc<GreenThread<u32>>, generation: u32) {
        LINKS.fetch_add(1, Ordering::SeqCst);
        let world = Rc::clone(self);
        let link = gt.link(move |_| {
            LINKS.fetch_sub(1, Ordering::SeqCst);
            world.meddle(generation + 1);
            if world.one_in(6) {
                world.panic();
            }
        });
        self.links.borrow_mut().push((gt, link));
    }

    fn unlink(&self) {
        let removed = self.links.borrow_mut().pop();
        if let Some((gt, link)) = removed {
            LINKS.fetch_sub(isize::from(gt.unlink(link)), Ordering::SeqCst);
        }
    }

    fn spawn(self: &Rc<World>, generation: u32) {
        if self.spawned.get() == CROWD || generation > GENERATIONS {
            return;
        }
        self.spawned.set(self.spawned.get() + 1);
        let world = Rc::clone(self);
        let guard = self.guard(generation);
        match self.below(6) {
            0 => drop(spawn_n(world.stackless(guard))),
            1 => self.keep(spawn_after(ms(self.below(3)), world.stackless(guard))),
            2..=3 => self.keep(spawn(world.stackless(guard))),
            _ => self.spawn_stackful(world, guard),
        }
    }

    #[cfg(feature = "stackful")]
    fn spawn_stackful(&self, world: Rc<World>, guard: Guard) {
        self.keep(spawn(eventlet::stackful(move || stackful::live(&world, guard))));
    }

    #[cfg(not(feature = "stackful"))]
    fn spawn_stackful(&self, world: Rc<World>, guard: Guard) {
        self.keep(spawn(world.stackless(guard)));
    }

    fn keep(&self, gt: GreenThread<u32>) {
        self.handles.borrow_mut().push(Rc::new(gt));
    }

    async fn stackless(self: Rc<World>, guard: Guard) -> u32 {
        let generation = guard.generation;
        let _guard = guard;
        for _ in 0..self.below(6) {
            self.step(generation).await;
        }
        generation
    }

    /// Does something that may wait.
    async fn step(self: &Rc<World>, generation: u32) {
        let any_one = self.any_one();
        match (self.below(12), any_one) {
            (0..=1, _) => sleep(ZERO).await,
            (2, _) => sleep(ms(self.below(3))).await,
            (3..=4, Some(gt)) => drop(with_timeout(ms(self.below(4)), gt.wait()).await),
            (5, _) => {
                let _guard = self.guard(generation);
                let _too_late = with_timeout(ms(1), pending::<()>()).await;
            }
            (6, _) => self.in_the_pool(generation).await,
            (7, _) if self.one_in(3) => self.panic(),
            (8, _) => self.nest(generation).await,
            _ => self.meddle(generation),
        }
    }

    async fn in_the_pool(self: &Rc<World>, generation: u32) {
        let guard = self.guard(generation);
        let world = Rc::clone(self);
        let job = async move {
            let _guard = guard;
            sleep(ms(world.below(2))).await;
        };
        drop(with_timeout(ms(2), self.pool.spawn(job)).await);
    }

    #[cfg(feature = "stackful")]
    async fn nest(self: &Rc<World>, generation: u32) {
        let (world, guard) = (Rc::clone(self), self.guard(generation));
        let nested = eventlet::stackful(move || {
            let _guard = guard;
            eventlet::Block::block(sleep(ms(world.below(2))));
        });
        let _too_late = with_timeout(ms(self.below(3)), nested).await;
    }

    #[cfg(not(feature = "stackful"))]
    async fn nest(self: &Rc<World>, _generation: u32) {
        sleep(ZERO).await;
    }
}

#[cfg(feature = "stackful")]
mod stackful {
    use std::panic::resume_unwind;

    use eventlet::{Block, Timeout, green};

    use super::*;

    /// The life of a green thread on a stack of its own.
    pub(super) fn live(world: &Rc<World>, guard: Guard) -> u32 {
        let generation = guard.generation;
        let _guard = guard;
        for _ in 0..world.below(6) {
            match world.below(8) {
                0 => scope(world, generation),
                1 => catch(world, generation),
                2 => {
                    let limit = Timeout::new(ms(world.below(3)));
                    let _too_late = limit.run_blocking(|| world.step(generation).block());
                }
                _ => world.step(generation).block(),
            }
        }
        generation
    }

    fn scope(world: &Rc<World>, generation: u32) {
        let lent = Cell::new(0);
        green::thread::scope(|s| {
            for _ in 0..world.below(3) {
                let guard = world.guard(generation);
                s.spawn(|| {
                    let _guard = guard;
                    world.step(generation).block();
                    lent.set(lent.get() + 1);
                });
            }
            world.step(generation).block();
        });
    }

    /// Catches whatever ends a step, a kill too, and hands it on or does not. Then the next wait
    /// ends this again.
    fn catch(world: &Rc<World>, generation: u32) {
        let step = catch_unwind(AssertUnwindSafe(|| world.step(generation).block()));
        match step {
            Err(payload) if world.one_in(2) => resume_unwind(payload),
            _ => world.meddle(generation),
        }
    }
}

/// Main does some steps, and leaves.
async fn main_of(world: Rc<World>) {
    let guard = world.guard(0);
    for _ in 0..4 {
        world.spawn(0);
    }
    world.stackless(guard).await;
}

/// Runs one program on this OS thread or on one of its own, and says what is wrong after it.
fn run_program(seed: u64) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let mut builder = Builder::new();
    builder.hub_exceptions(false);
    if dice.below(16) == 0 {
        let hub = builder.start_thread().map_err(|error| error.to_string())?;
        drop(hub.spawn(move || main_and_wait(World::new(seed))));
        thread::sleep(Duration::from_micros(dice.below(2000)));
        hub.shutdown().join();
    } else {
        let world = World::new(seed);
        // Main may panic or be killed, and that goes on here.
        let program = main_of(Rc::clone(&world));
        let outcome = catch_unwind(AssertUnwindSafe(|| builder.start_paused(true).run(program)));
        if let Err(payload) = outcome {
            // It may be a bomb.
            std::mem::forget(payload);
        }
        if world.handles.borrow().iter().any(|gt| !gt.dead()) {
            return Err("a green thread outlived its hub".to_owned());
        }
        world.handles.borrow_mut().clear();
        world.links.borrow_mut().clear();
    }
    let left = [&GUARDS, &LINKS].map(|count| count.swap(0, Ordering::SeqCst));
    if left != [0, 0] {
        return Err(format!("guards and links that are left: {left:?}"));
    }
    in_use()
}

async fn main_and_wait(world: Rc<World>) {
    main_of(world).await;
    pending::<()>().await;
}

#[cfg(feature = "stackful")]
fn in_use() -> Result<(), String> {
    match eventlet::stackful::stack_stats().in_use {
        0 => Ok(()),
        stacks => Err(format!("stacks that are in use: {stacks}")),
    }
}

#[cfg(not(feature = "stackful"))]
fn in_use() -> Result<(), String> {
    Ok(())
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Ends the process when no program has ended for long.
fn watch(programs: &'static AtomicU64) {
    thread::spawn(|| {
        let mut last = u64::MAX;
        loop {
            let now = programs.load(Ordering::SeqCst);
            if now == last {
                println!("it hangs");
                std::process::abort();
            }
            last = now;
            thread::sleep(Duration::from_secs(60));
        }
    });
}

#[test]
#[ignore = "runs in a process of its own"]
fn programs() {
    static PROGRAMS: AtomicU64 = AtomicU64::new(0);
    let first = setting("EVENTLET_HAVOC_SEED").unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(setting("EVENTLET_HAVOC_SECONDS").unwrap_or(2));
    // They panic all the time.
    std::panic::set_hook(Box::new(|_| ()));
    watch(&PROGRAMS);
    let most = setting("EVENTLET_HAVOC_PROGRAMS").unwrap_or(u64::MAX);
    for seed in first..first.saturating_add(most) {
        println!("EVENTLET_HAVOC_SEED={seed}");
        if let Err(what) = run_program(seed) {
            println!("{what}");
            std::process::exit(1);
        }
        PROGRAMS.fetch_add(1, Ordering::SeqCst);
        if Instant::now() >= end {
            break;
        }
    }
}

#[test]
fn whatever_programs_do_their_hubs_end_and_leave_nothing() {
    let (passed, text) = in_a_process_of_its_own("havoc::programs");
    let last: Vec<&str> = text.lines().rev().take(20).collect();
    assert!(passed, "{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
    println!("{} programs", text.matches("EVENTLET_HAVOC_SEED").count());
}
