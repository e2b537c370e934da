//! All meeting points at once, in random use by green threads of both colours that are killed,
//! thrown at, timed out and panic: nothing is lost or doubled, nobody is stranded, and memory stays
//! flat.
//!
//! `EVENTLET_SOAK_SECONDS` says how long it goes on, and `EVENTLET_SOAK_SEED` where it begins.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::fmt::Display;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use eventlet::corolocal::Local;
use eventlet::dagpool::DAGPool;
use eventlet::hubs::get_hub;
use eventlet::pools::Pool;
use eventlet::queue::{LifoQueue, LightQueue, PriorityQueue};
use eventlet::{
    BoundedSemaphore, CappedSemaphore, Event, Exit, GreenPile, GreenPool, GreenThread, Queue,
    Semaphore, Timeout, getcurrent, kill, sleep, spawn, spawn_after, spawn_after_local, spawn_n,
    with_timeout,
};

use crate::crowd::panic_on_purpose;
use crate::memory::held;
use crate::support::{Dice, Ear, OnDrop, Panicked, ZERO, idle, last_panic, ms, run};
use members::{round, run_round};

/// How many green threads of the crowd a round may have, jobs of pools not counted.
const CROWD: u64 = 48;

/// What became of an item.
#[derive(Clone, Copy, Default)]
struct Fate {
    /// Its putter came back from the put.
    put: bool,
    /// A getter has it.
    got: bool,
}

/// An item of the queues, which tells when it was lost.
struct Thing {
    id: usize,
    world: Rc<World>,
}

impl Drop for Thing {
    fn drop(&mut self) {
        let fate = self.world.fates.borrow()[self.id];
        self.world.living_things.set(self.world.living_things.get() - 1);
        self.world.check(fate.got || !fate.put, "an item was put and nobody got it");
    }
}

impl PartialEq for Thing {
    fn eq(&self, other: &Thing) -> bool {
        self.id == other.id
    }
}

impl Eq for Thing {}

impl PartialOrd for Thing {
    fn partial_cmp(&self, other: &Thing) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Thing {
    fn cmp(&self, other: &Thing) -> Ordering {
        self.id.cmp(&other.id)
    }
}

/// Counts in a cell how many of it live.
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn new(count: &Rc<Cell<usize>>) -> Counted {
        count.set(count.get() + 1);
        Counted(Rc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Births and ends of green threads or jobs.
#[derive(Default)]
struct Census {
    born: Cell<u64>,
    /// Futures that were dropped.
    gone: Cell<u64>,
    /// Handles that were asked to link, and links that ran.
    linked: Cell<u64>,
    heard: Cell<u64>,
}

fn more(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

/// All meeting points, and what is known of them.
struct World {
    dice: RefCell<Dice>,
    failures: RefCell<Vec<String>>,
    census: Census,
    crowd: Cell<u64>,
    handles: RefCell<Vec<Option<Rc<GreenThread<u32>>>>>,

    light: LightQueue<Thing>,
    channel: LightQueue<Thing>,
    queue: Queue<Thing>,
    priority: PriorityQueue<Thing>,
    lifo: LifoQueue<Thing>,
    fates: RefCell<Vec<Fate>>,
    living_things: Cell<usize>,

    semaphore: Semaphore,
    bounded: BoundedSemaphore,
    holders: [Rc<Cell<usize>>; 2],
    capped: CappedSemaphore,
    capped_taken: Cell<isize>,
    capped_given: Cell<isize>,
    /// Releases that ended early: nobody knows whether they had released.
    capped_unclear: Cell<isize>,

    events: [Event<u32>; 3],
    event_waiters: [Rc<Cell<usize>>; 3],

    pool: GreenPool,
    pile: GreenPile<u32>,
    pile_spawned: Cell<u64>,
    pile_results: Cell<u64>,
    maps: GreenPool,

    items: Pool<Counted, ()>,
    living_items: Rc<Cell<usize>>,
    local: Local<Counted, Box<dyn Fn() -> Counted>>,
    living_locals: Rc<Cell<usize>>,
    living_values: Rc<Cell<usize>>,
}

const SEMAPHORE: usize = 2;
const BOUNDED: usize = 1;
const CAPPED: (usize, usize) = (1, 3);

/// Evaluates an expression with `$queue` as the queue of that number.
macro_rules! on_queue {
    ($world:expr, $which:expr, $queue:ident => $body:expr) => {
        match $which {
            0 => {
                let $queue = &$world.light;
                $body
            }
            1 => {
                let $queue = &$world.channel;
                $body
            }
            2 => {
                let $queue = &$world.queue;
                $body
            }
            3 => {
                let $queue = &$world.priority;
                $body
            }
            _ => {
                let $queue = &$world.lifo;
                $body
            }
        }
    };
}

impl World {
    fn new(seed: u64) -> Rc<World> {
        let mut dice = Dice::new(seed);
        let living_items = Rc::<Cell<usize>>::default();
        let living_locals = Rc::<Cell<usize>>::default();
        let items = Pool::new(3, {
            let living = Rc::clone(&living_items);
            let dice = RefCell::new(Dice::new(dice.below(1 << 40)));
            move || {
                let living = Rc::clone(&living);
                let roll = dice.borrow_mut().below(12);
                let (waits, fails) = (roll < 4, roll % 4 == 0);
                async move {
                    if waits {
                        sleep(ms(1)).await;
                    }
                    if fails { Err(()) } else { Ok(Counted::new(&living)) }
                }
            }
        });
        let local: Box<dyn Fn() -> Counted> = Box::new({
            let living = Rc::clone(&living_locals);
            move || Counted::new(&living)
        });
        Rc::new(World {
            failures: RefCell::default(),
            census: Census::default(),
            crowd: Cell::new(0),
            handles: RefCell::default(),
            light: LightQueue::new(3),
            channel: LightQueue::new(0),
            queue: Queue::new(2),
            priority: PriorityQueue::new(2),
            lifo: LifoQueue::new(None),
            fates: RefCell::default(),
            living_things: Cell::new(0),
            semaphore: Semaphore::new(SEMAPHORE),
            bounded: BoundedSemaphore::new(BOUNDED),
            holders: Default::default(),
            capped: CappedSemaphore::new(CAPPED.0, CAPPED.1),
            capped_taken: Cell::new(0),
            capped_given: Cell::new(0),
            capped_unclear: Cell::new(0),
            events: Default::default(),
            event_waiters: Default::default(),
            pool: GreenPool::new(3),
            pile: GreenPile::new(2),
            pile_spawned: Cell::new(0),
            pile_results: Cell::new(0),
            maps: GreenPool::new(2),
            items,
            living_items,
            local: Local::new(local),
            living_locals,
            living_values: Rc::default(),
            dice: RefCell::new(dice),
        })
    }

    fn check(&self, holds: bool, otherwise: impl Display) {
        if !holds {
            self.failures.borrow_mut().push(otherwise.to_string());
        }
    }

    fn roll(&self, limit: u64) -> u64 {
        self.dice.borrow_mut().below(limit)
    }

    fn roll_index(&self, limit: usize) -> usize {
        self.roll(limit as u64) as usize
    }

    fn thing(self: &Rc<World>) -> Thing {
        let id = self.fates.borrow().len();
        self.fates.borrow_mut().push(Fate::default());
        self.living_things.set(self.living_things.get() + 1);
        Thing { id, world: Rc::clone(self) }
    }

    fn was_put(&self, id: usize) {
        self.fates.borrow_mut()[id].put = true;
    }

    fn was_got(&self, queue: usize, thing: Thing) {
        {
            let fate = &mut self.fates.borrow_mut()[thing.id];
            self.check(!fate.got, "an item was got twice");
            fate.got = true;
        }
        if queue == 2 {
            self.queue.task_done();
        }
    }

    /// Returns any of those of the handles in `among` that are still held.
    fn any_one(&self, among: usize) -> Option<Rc<GreenThread<u32>>> {
        if among == 0 {
            return None;
        }
        let which = self.roll_index(among);
        self.handles.borrow()[which].clone()
    }

    /// Counts a future as born now, and as gone when the guard is dropped.
    fn birth(self: &Rc<World>) -> OnDrop<impl FnMut() + use<>> {
        more(&self.census.born);
        let world = Rc::clone(self);
        OnDrop(move || more(&world.census.gone))
    }

    fn keep(self: &Rc<World>, handle: GreenThread<u32>) {
        more(&self.census.linked);
        let world = Rc::clone(self);
        handle.link(move |_: &Result<u32, Exit>| more(&world.census.heard));
        if self.roll(4) > 0 {
            self.handles.borrow_mut().push(Some(Rc::new(handle)));
        }
    }

    fn drop_a_handle(&self) {
        let count = self.handles.borrow().len();
        if count > 0 {
            let which = self.roll_index(count);
            let handle = self.handles.borrow_mut()[which].take();
            drop(handle);
        }
    }

    fn hurt_somebody(&self, in_a_destructor: bool) {
        let count = self.handles.borrow().len();
        let Some(victim) = self.any_one(count) else { return };
        match self.roll(4) {
            0 => victim.throw("a stone"),
            1 => victim.cancel(),
            _ => {
                // A destructor may have been called by its victim.
                let may_run = in_a_destructor || victim.id() == getcurrent().id();
                victim.kill();
                self.check(may_run || victim.dead(), "the victim of a kill lives");
            }
        }
    }

    fn resize_something(&self) {
        let size = self.roll_index(4);
        match self.roll(6) {
            0 => self.light.resize(size),
            1 => self.queue.resize(size),
            2 => self.priority.resize(if size == 3 { None } else { Some(size) }),
            3 => self.pool.resize(size),
            4 => self.maps.resize(size),
            _ => self.items.resize(size),
        }
    }

    fn send_something(&self, which: usize) {
        let event = &self.events[which];
        match event.ready() {
            true => event.reset(),
            false if self.roll(5) == 0 => event.send_exception("bad news"),
            false => event.send(7),
        }
    }

    /// What must hold when everybody waits: nobody waits for what is to be had.
    fn look_at_still_water(&self) {
        for which in 0..5 {
            on_queue!(self, which, queue => {
                let room = queue.maxsize().is_none_or(|maxsize| queue.qsize() < maxsize);
                let (getting, putting) = (queue.getting(), queue.putting());
                self.check(getting == 0 || queue.qsize() == 0, "a getter beside an item");
                self.check(getting == 0 || putting == 0, "a getter beside a putter");
                self.check(putting == 0 || !room, "a putter beside room");
            });
        }
        let semaphores = [(&self.semaphore, SEMAPHORE), (&self.bounded, BOUNDED)];
        for ((semaphore, value), holders) in semaphores.into_iter().zip(&self.holders) {
            let permits = semaphore.counter();
            let waiting = permits - semaphore.balance();
            self.check(waiting == 0 || permits <= 0, "an acquirer beside a permit");
            let whole = value as isize == permits + holders.get() as isize;
            self.check(whole, "permits and holders are not as many as there were permits");
        }
        let lost = self.capped_lost();
        self.check(lost <= 0, format_args!("{lost} permits of the capped semaphore lost"));
        for (event, waiters) in self.events.iter().zip(&self.event_waiters) {
            self.check(!event.ready() || waiters.get() == 0, "a waiter beside a sent event");
        }
        for pool in [&self.pool, self.pile.pool(), &self.maps] {
            self.check(pool.waiting() == 0 || pool.free() <= 0, "a spawner beside a slot");
            let running = pool.size() as isize - pool.free();
            self.check(running == pool.running() as isize, "slots and members are not as many");
        }
        self.check(self.items.waiting() == 0 || self.items.free() <= 0, "a getter beside a right");
        let living = self.living_items.get();
        self.check(living <= self.items.current_size(), "the pool does not know all its items");
        if let Some(panicked) = last_panic() {
            let Panicked { message, file, line } = panicked;
            self.check(false, format_args!("a panic of {file}:{line}: {message}"));
        }
    }

    /// Permits that should be in the capped semaphore, and are not. Fewer than none when releases
    /// had taken effect and were ended before they could say so.
    fn capped_lost(&self) -> isize {
        let expected = CAPPED.0 as isize + self.capped_given.get() - self.capped_taken.get();
        let permits = (self.capped.balance() + CAPPED.1 as isize) / 2 - self.capped_waiting();
        let lost = expected - permits;
        let unclear = self.capped_unclear.get();
        self.check(-lost <= unclear, format_args!("{} permits out of nowhere", -lost - unclear));
        lost
    }

    /// Releasers that wait, less acquirers that wait: the balance counts them as if they were
    /// served.
    fn capped_waiting(&self) -> isize {
        if self.capped.bounded() || self.capped.locked() {
            let permits = if self.capped.bounded() { CAPPED.1 as isize } else { 0 };
            return (self.capped.balance() + CAPPED.1 as isize) / 2 - permits;
        }
        0
    }

    /// Lets everybody who waits for something have it.
    async fn let_everybody_go(self: &Rc<World>) {
        self.light.resize(3);
        self.queue.resize(2);
        self.priority.resize(2);
        self.pool.resize(3);
        self.maps.resize(2);
        self.items.resize(3);
        for which in 0..5 {
            on_queue!(self, which, queue => {
                while queue.getting() > 0 {
                    let thing = self.thing();
                    let id = thing.id;
                    self.check(queue.put_nowait(thing).is_ok(), "a getter that takes nothing");
                    self.was_put(id);
                }
                while let Ok(thing) = queue.get_nowait() {
                    self.was_got(which, thing);
                }
                self.check(queue.putting() == 0, "a putter that gives nothing");
            });
        }
        if self.capped.locked() {
            while self.capped.balance() < -(CAPPED.1 as isize) && self.capped.try_release() {
                self.capped_given.set(self.capped_given.get() + 1);
            }
        }
        while self.capped.try_acquire() {
            self.capped_taken.set(self.capped_taken.get() + 1);
        }
        for event in self.events.iter().filter(|event| !event.ready()) {
            event.send(0);
        }
        while let Ok(Some(_)) = with_timeout(ZERO, self.pile.next()).await {
            more(&self.pile_results);
        }
    }

    /// What must hold when everybody has ended.
    fn look_at_the_end(&self) {
        self.look_at_still_water();
        let census = &self.census;
        let (born, gone) = (census.born.get(), census.gone.get());
        self.check(born == gone, format_args!("{born} were born and {gone} ended"));
        let (linked, heard) = (census.linked.get(), census.heard.get());
        self.check(linked == heard, format_args!("{linked} links, {heard} ran"));
        let hub = get_hub();
        self.check(hub.green_threads() == 1, "somebody is left");
        self.check(hub.timers() == 0, "timers are left");
        self.check(self.living_things.get() == 0, "items are left");
        for which in 0..5 {
            on_queue!(self, which, queue => {
                let counts = (queue.qsize(), queue.getting(), queue.putting());
                self.check(counts == (0, 0, 0), format_args!("left in queue {which}: {counts:?}"));
            });
        }
        self.check(self.queue.unfinished_tasks() == 0, "tasks are left");
        for (semaphore, value) in [(&self.semaphore, SEMAPHORE), (&*self.bounded, BOUNDED)] {
            let counts = (semaphore.counter(), semaphore.balance());
            self.check(counts == (value as isize, value as isize), format_args!("{counts:?}"));
        }
        for pool in [&self.pool, self.pile.pool(), &self.maps] {
            let counts = (pool.free(), pool.running(), pool.waiting());
            let empty = (pool.size() as isize, 0, 0);
            self.check(counts == empty, format_args!("left in a pool: {counts:?}"));
        }
        let (spawned, results) = (self.pile_spawned.get(), self.pile_results.get());
        self.check(spawned == results, format_args!("{spawned} piled, {results} results"));
        let free = self.items.free();
        self.check(free == self.items.max_size() as isize, format_args!("{free} items free"));
        let (size, living) = (self.items.current_size(), self.living_items.get());
        self.check(size == living, format_args!("{size} items counted, {living} live"));
        self.check(self.living_locals.get() == 0, "values of a local are left");
        self.check(self.living_values.get() == 0, "values of a dag are left");
    }

    fn complain(&self) {
        let failures = self.failures.take();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

mod members;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn nothing_is_lost_and_nobody_is_stranded() {
    let limit = Duration::from_secs(number("EVENTLET_SOAK_SECONDS", 3));
    let begin = Instant::now();
    let first = number("EVENTLET_SOAK_SEED", 1);
    let mut rounds = 0;
    while begin.elapsed() < limit {
        run_round(first + rounds);
        rounds += 1;
    }
    println!("{rounds} rounds");
}

/// The rounds of one hub, one after the other, do not let it grow.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat() {
    let (passed, text) = crate::support::in_a_process_of_its_own("soak::alone_memory");
    assert!(passed, "{text}");
    println!("{text}");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "measures its process: `memory_stays_flat` runs it"]
fn alone_memory() {
    fn resident_kib() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
        pages * rustix::param::page_size() as u64 / 1024
    }
    run(async {
        let rounds = 60 * number("EVENTLET_SOAK_SECONDS", 3);
        let mut seeds = 1_u64..;
        let mut measured = Vec::new();
        for _ in 0..4 {
            for seed in seeds.by_ref().take(rounds as usize / 3) {
                round(seed).await;
            }
            measured.push((held(), resident_kib()));
        }
        println!("bytes held, KiB resident: {measured:?}");
        // The first rounds make what is kept for reuse.
        let (first, last) = (measured[0], measured[3]);
        assert!(last.0 < first.0 + 8_000, "{first:?} grew to {last:?}");
        assert!(last.1 < first.1 + 600, "{first:?} grew to {last:?}");
    });
}
