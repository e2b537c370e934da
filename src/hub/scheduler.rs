//! The hub: green threads in slots, a queue of the ready ones, and the current one.
//!
//! # Fields
//!
//! A green thread is a [`Job`] in a slot. Its [`Key`] is the slot and a serial number that no other
//! green thread of this OS thread ever has, so a stale key never names another green thread.
//!
//! # States
//!
//! ```text
//!              spawn           its turn            Ready, panic, kill
//!   (no slot) -------> ready -------------> running -------------------> (no slot), finish
//!                        ^                     |
//!                        |   woken             | Pending
//!                        +--------- waiting <--+
//! ```
//!
//! # Who polls, who drops
//!
//! Only [`Hub::run`] polls a job, and it holds its own `Rc` of it meanwhile, so the job may call
//! into the hub without meeting a borrow. A job ends in one place too, [`Hub::finish`]: its slot is
//! freed first, so that its destructors, links and waiters all see it dead.
//!
//! A destructor may kill another green thread, whose destructor kills a third, and so on. Nested
//! [`DEEPEST`] deep on one stack, the next one is put off: the outermost `finish` there ends it
//! before it returns.
//!
//! No user code (a job, a waker, a destructor) runs while a `RefCell` of the hub is borrowed.
//!
//! # How a hub ends
//!
//! [`Hub::end`] ends every green thread. Green threads that their destructors and links spawn are
//! added as usual, never run, and are ended next, as a generation of their own. After
//! [`GENERATIONS`] of them, new ones are forgotten, as by [`mem::forget`]: a supervisor that
//! restarts its worker whenever it ends would go on forever.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::clock::Clock;
use super::current_stack::{Outer, current_stack};
use super::job::{Job, Key, SpawnedAt, next_serial};
use super::locals::Locals;
use super::notes::{Notes, State};
use super::observer::Observer;
use super::prefetch::Far;
use super::registry::Number;
use super::remote::Remote;
use super::resolver::Resolve;
use super::settings::Stacks;
use super::slots::{Next, Slot, Slots};
use super::wake_id::WakeId;
use crate::exit::Exit;
use crate::report;

/// The most ends nested on one stack, each from a destructor or a link of the one before. That may
/// be a green stack of only 64 KiB.
const DEEPEST: usize = 16;

/// The generations of green threads, spawned while the hub ends, that it ends.
const GENERATIONS: usize = 8;

pub(crate) struct Hub {
    /// The number of this hub in wakers.
    id: usize,
    /// The green threads, and the queue of the ready ones: first come, first served.
    slots: RefCell<Slots>,
    /// The green thread whose code runs now: the one being polled, or one that is being ended.
    current: Cell<Option<Key>>,
    /// The green thread that is being polled, or whose panic made the poll unwind.
    polled: Cell<Option<Key>>,
    /// Set when the green thread that is being polled was killed, by itself or by something that it
    /// called: it ends at its next wait.
    doom: RefCell<Option<Exit>>,
    /// How many green threads are being ended now on the current stack, nested in each other.
    depth: Cell<usize>,
    /// Those that were killed too deep inside other kills.
    put_off: RefCell<VecDeque<(Key, Exit)>>,
    /// Set while the hub ends: no green thread has a turn any more.
    ending: Cell<bool>,
    /// How many were spawned too late to be ended. `None` before that.
    forgotten: Cell<Option<usize>>,
    /// Whether it ends with its OS thread. Determined once.
    ends_with_thread: OnceCell<bool>,
    /// Where wakeups from other OS threads arrive.
    pub(super) remote: Arc<Remote>,
    pub(super) clock: Clock,
    /// The locals of green threads.
    pub(crate) locals: Locals,
    /// Names and states of green threads, for debugging.
    pub(crate) notes: Notes,
    pub(super) observer: Observer,
    /// The hub's Tokio task, to be woken when a green thread becomes ready between two polls.
    pub(super) task: RefCell<Option<Waker>>,
    /// Whether `task` need not be woken: it has been already, or is being polled.
    pub(super) awake: Cell<bool>,
    /// The last polls in a row that ended as Tokio's budget was used up.
    pub(super) polls: Cell<usize>,
    pub(super) far: Far,
    /// The limits on the stacks of stackful green threads.
    stacks: Cell<Stacks>,
    /// The green thread at whose end the hub ends.
    main: Cell<Option<Key>>,
    /// The name resolver, unless it is the system's.
    resolver: RefCell<Option<Arc<dyn Resolve>>>,
}

impl Hub {
    pub(super) fn new(number: &Number) -> Hub {
        Hub {
            id: number.id(),
            slots: RefCell::default(),
            current: Cell::new(None),
            polled: Cell::new(None),
            doom: RefCell::new(None),
            depth: Cell::new(0),
            put_off: RefCell::default(),
            ending: Cell::new(false),
            forgotten: Cell::new(None),
            ends_with_thread: OnceCell::new(),
            remote: number.remote(),
            clock: Clock::new(),
            locals: Locals::default(),
            notes: Notes::default(),
            observer: Observer::default(),
            task: RefCell::new(None),
            awake: Cell::new(true),
            polls: Cell::new(0),
            far: Far::default(),
            stacks: Cell::default(),
            main: Cell::new(None),
            resolver: RefCell::default(),
        }
    }

    pub(super) fn id(&self) -> usize {
        self.id
    }

    /// Returns the number of green threads that have not ended.
    pub(crate) fn len(&self) -> usize {
        self.slots.borrow().len()
    }

    /// Returns whether code of a green thread runs, and the hub is not ending.
    #[cfg_attr(not(feature = "stackful"), expect(dead_code))]
    pub(crate) fn is_at_work(&self) -> bool {
        !self.ending.get() && self.current.get().is_some()
    }

    /// Returns whether the hub, which is ending, ends with its OS thread. `ask` tells whether that
    /// is ending.
    #[cfg_attr(not(feature = "stackful"), expect(dead_code))]
    pub(crate) fn ends_with_thread(&self, ask: fn() -> bool) -> bool {
        if self.ending.get() { *self.ends_with_thread.get_or_init(ask) } else { ask() }
    }

    /// Returns whether code of the hub itself is under way and holds a borrow. Suspending it there
    /// would let the next turn meet that borrow.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.slots.try_borrow_mut().is_err()
            || self.doom.try_borrow_mut().is_err()
            || self.put_off.try_borrow_mut().is_err()
            || self.task.try_borrow_mut().is_err()
            || self.resolver.try_borrow_mut().is_err()
            || self.clock.is_borrowed()
            || self.locals.is_borrowed()
            || self.notes.is_borrowed()
            || self.observer.is_borrowed()
    }

    /// Returns the number of pending sleeps and deadlines.
    pub(crate) fn timers(&self) -> usize {
        self.clock.len()
    }

    pub(crate) fn main(&self) -> Option<Key> {
        self.main.get()
    }

    pub(crate) fn set_main(&self, main: Key) {
        self.main.set(Some(main));
    }

    pub(crate) fn resolver(&self) -> Option<Arc<dyn Resolve>> {
        self.resolver.borrow().clone()
    }

    pub(crate) fn set_resolver(&self, resolver: Option<Arc<dyn Resolve>>) {
        let _old = self.resolver.replace(resolver);
    }

    pub(crate) fn stacks(&self) -> Stacks {
        self.stacks.get()
    }

    pub(crate) fn set_stacks(&self, stacks: Stacks) {
        self.stacks.set(stacks);
    }

    /// Returns the green thread whose code runs now.
    pub(crate) fn current(&self) -> Option<Key> {
        self.current.get()
    }

    /// Returns the number of ready green threads.
    #[inline]
    pub(crate) fn ready(&self) -> usize {
        self.slots.borrow().ready()
    }

    /// Calls `see` with the slots and jobs of those whose turns are among the next `most`.
    pub(super) fn show_next(&self, most: usize, mut see: impl FnMut(usize, &dyn Job)) {
        for (slot, job) in self.slots.borrow().next(most) {
            see(slot, job);
        }
    }

    /// Adds a green thread, ready to run, behind all that are ready now.
    #[inline]
    pub(crate) fn spawn(&self, job: Pin<Rc<dyn Job>>, delayed: bool, spawned_at: SpawnedAt) -> Key {
        if let Some(forgotten) = self.forgotten.get() {
            self.forgotten.set(Some(forgotten + 1));
            mem::forget(job);
            return Key::ended();
        }
        let serial = next_serial();
        let key = self.slots.borrow_mut().insert(serial, job, delayed, spawned_at);
        self.rouse();
        key
    }

    /// Returns whether a green thread has ended.
    pub(crate) fn dead(&self, key: Key) -> bool {
        self.state(key).is_none()
    }

    /// Returns what a green thread is doing, unless it has ended. One that is being ended counts as
    /// ended.
    pub(crate) fn state(&self, key: Key) -> Option<State> {
        self.look(key, |slot| self.state_of(key, slot))
    }

    /// Returns whether a green thread has begun its work. True for one that has ended.
    pub(crate) fn started(&self, key: Key) -> bool {
        self.look(key, |slot| slot.started).unwrap_or(true)
    }

    /// Records that a green thread that was spawned to start later starts now.
    pub(crate) fn start(&self, key: Key) {
        self.look(key, |slot| slot.started = true);
    }

    /// Returns the line that spawned the green thread whose code runs now.
    pub(crate) fn spawned_at(&self) -> Option<SpawnedAt> {
        self.place_of(self.current.get()?)
    }

    /// Returns the line that spawned a green thread, unless it has ended.
    pub(crate) fn place_of(&self, key: Key) -> Option<SpawnedAt> {
        self.look(key, |slot| slot.spawned_at)
    }

    /// Ends a green thread before this returns or, if it is the one that is being polled, at its
    /// next wait. Does nothing to one that has ended. Too deep inside other kills it is put off.
    pub(crate) fn kill(&self, key: Key, exit: Exit) {
        if self.depth_here() < DEEPEST || self.polled.get() == Some(key) {
            self.kill_now(key, exit);
        } else {
            self.put_off.borrow_mut().push_back((key, exit));
        }
    }

    /// As [`kill`](Hub::kill), at any depth.
    pub(crate) fn kill_now(&self, key: Key, exit: Exit) {
        if self.polled.get() == Some(key) {
            self.doom(exit);
        } else if !self.dead(key) {
            let outer = self.depth.replace(self.depth_here());
            let _on_no_stack = Outer::leave();
            self.finish(key, Some(exit));
            self.depth.set(outer);
            // It may have been the main one, at whose end the hub ends.
            self.rouse();
        }
    }

    /// Returns how many green threads are being ended on this stack. A green stack has a depth of
    /// its own, as its room does not depend on the stack that resumed it.
    fn depth_here(&self) -> usize {
        if current_stack().is_null() { self.depth.get() } else { 0 }
    }

    /// Makes the green thread that is being polled end at its next wait. The first reason counts,
    /// as for a victim that is not running.
    fn doom(&self, exit: Exit) {
        // A separate statement: dropping a reason may run user code, so it is dropped after the
        // borrow.
        let is_doomed = self.doom.borrow().is_some();
        if !is_doomed {
            let _none = self.doom.replace(Some(exit));
        }
    }

    /// Wakes a green thread, if it has not ended. Called on the hub's own OS thread.
    #[inline]
    pub(crate) fn wake(&self, id: WakeId) {
        if self.slots.borrow_mut().wake(id) {
            self.rouse();
        }
    }

    /// Lets the next ready green thread run until it waits or ends.
    ///
    /// It is woken by the waker that `waker` makes for it. Unwinds when the green thread panics:
    /// [`finish_panicked`](Hub::finish_panicked) is next then. Catching the panic here would put
    /// its cost on every turn.
    #[inline]
    pub(super) fn run_next(&self, waker: impl FnOnce(Key) -> Waker) -> Turn {
        if self.observer.is_on() && self.prepare_turn() {
            return Turn::Ended;
        }
        // A separate statement, because the borrow must end before the turn begins.
        let next = self.slots.borrow_mut().take_turn();
        match next {
            Next::Ready(key, job) => self.run(key, job, waker(key)),
            Next::Gone => Turn::Ran,
            Next::Nobody => Turn::Idle,
        }
    }

    #[inline]
    pub(super) fn run(&self, key: Key, job: Pin<Rc<dyn Job>>, waker: Waker) -> Turn {
        // Its drop does nothing, but would cost a call through its vtable.
        let waker = ManuallyDrop::new(waker);
        self.polled.set(Some(key));
        self.current.set(Some(key));
        let done = if self.observer.is_on() {
            self.poll_observed(key, job.as_ref(), &waker)
        } else {
            job.as_ref().poll(&mut Context::from_waker(&waker)).is_ready()
        };
        self.polled.set(None);
        self.current.set(None);
        // The slot holds the last `Rc` again: a job that ends is freed when `finish` returns.
        drop(job);
        let doom = if self.doom.borrow().is_some() { self.take_doom() } else { None };
        if !done && doom.is_none() {
            return Turn::Ran;
        }
        self.finish(key, if done { None } else { doom });
        Turn::Ended
    }

    /// Out of line, as taking an empty value costs a twentieth of a turn.
    #[cold]
    fn take_doom(&self) -> Option<Exit> {
        self.doom.borrow_mut().take()
    }

    /// Ends the green thread whose panic made `run_next` unwind.
    pub(super) fn finish_panicked(&self, payload: Box<dyn Any + Send>) {
        let Some(key) = self.polled.take() else {
            // A panic of the hub itself, not of a green thread: a bug that must not be hidden.
            resume_unwind(payload);
        };
        self.current.set(None);
        let _doom = self.take_doom();
        self.finish(key, Some(Exit::unwound(payload)));
    }

    fn finish(&self, key: Key, exit: Option<Exit>) {
        let depth = self.depth.replace(self.depth.get() + 1);
        self.finish_one(key, exit);
        if depth == 0 && !self.put_off.borrow().is_empty() {
            self.finish_put_off();
        }
        self.depth.set(depth);
    }

    #[inline]
    fn finish_one(&self, key: Key, exit: Option<Exit>) {
        let removed = self.slots.borrow_mut().remove(key);
        let (job, spawned_at) = removed.expect("a green thread ends once");
        let _current = self.enter(key, spawned_at);
        job.finish(exit, spawned_at);
        // Last, as the green thread's destructors and links may use them. Waiters that its end woke
        // run after this, unless they are on another OS thread.
        self.locals.drop_all(key);
        self.notes.forget(key);
        if self.observer.is_on() {
            self.observer.forget(key.serial());
        }
    }

    /// Ends those that were killed too deep inside other kills, one by one.
    #[cold]
    fn finish_put_off(&self) {
        let next = || self.put_off.borrow_mut().pop_front();
        while let Some((key, exit)) = next() {
            if !self.dead(key) {
                self.finish_one(key, Some(exit));
            }
        }
    }

    /// Ends every green thread that is left, and the hub with them.
    pub(super) fn end(&self) {
        let _on_no_stack = Outer::leave();
        self.ending.set(true);
        let mut generations = 0..GENERATIONS;
        while self.len() > 0 && generations.next().is_some() {
            self.end_all();
        }
        self.forgotten.set(Some(0));
        self.end_all();
        if let Some(forgotten @ 1..) = self.forgotten.get() {
            report::warning(&format!(
                "a hub ended, and destructors or links of its green threads spawned others, again and \
                 again: the last of them, {forgotten}, were forgotten"
            ));
        }
    }

    /// Ends every green thread, except those that are spawned meanwhile.
    fn end_all(&self) {
        let (slots, now) = (self.slots.borrow().all(), next_serial());
        for at in (0..slots).rev() {
            let left = self.slots.borrow().key_at(at);
            if let Some(key) = left.filter(|left| left.is_older_than(now)) {
                self.finish(key, Some(Exit::killed()));
            }
        }
    }

    /// Returns whether the hub has ended, or is about to.
    #[inline]
    pub(super) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Wakes the hub's Tokio task unless it is awake.
    #[inline]
    pub(super) fn rouse(&self) {
        if !self.awake.get() {
            self.wake_task();
        }
    }

    #[cold]
    fn wake_task(&self) {
        self.awake.set(true);
        let _on_no_stack = Outer::leave();
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Returns the green thread that a waker's number names, unless it has ended.
    pub(super) fn key_of(&self, id: WakeId) -> Option<Key> {
        let key = self.slots.borrow().key_at(id.slot())?;
        (id.hub() == self.id && id.is_serial(key.serial())).then_some(key)
    }

    /// Returns the work of a green thread, unless it has ended.
    pub(super) fn job(&self, key: Key) -> Option<Pin<Rc<dyn Job>>> {
        self.look(key, |slot| slot.job())?
    }

    /// Moves the green thread that is behind so many others to the front of the queue.
    pub(super) fn prefer(&self, after: usize) {
        self.slots.borrow_mut().prefer(after);
    }

    /// Marks `key` as the green thread whose code runs, until the guard is dropped.
    fn enter(&self, key: Key, spawned_at: SpawnedAt) -> impl Drop + use<'_> {
        if self.observer.is_on() {
            self.observer.begin(key, spawned_at);
        }
        Entered { hub: self, outer: self.current.replace(Some(key)) }
    }

    /// Visits every green thread that has not ended.
    pub(super) fn map_slots<R>(&self, mut look: impl FnMut(Key, &Slot) -> R) -> Vec<R> {
        let slots = self.slots.borrow();
        slots.iter().map(|(key, slot)| look(key, slot)).collect()
    }

    /// Returns what the green thread in a slot is doing.
    pub(super) fn state_of(&self, key: Key, slot: &Slot) -> State {
        match slot {
            _ if self.polled.get() == Some(key) => State::Running,
            Slot { started: false, .. } => State::New,
            Slot { ready: true, .. } => State::Ready,
            _ => State::Waiting,
        }
    }

    fn look<R>(&self, key: Key, at: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        self.slots.borrow_mut().get_mut(key).map(at)
    }
}

/// What [`Hub::run_next`] did.
pub(super) enum Turn {
    /// Nothing: no green thread is ready.
    Idle,
    /// A green thread ran and waits now.
    Ran,
    /// A green thread ran and ended, or some may have.
    Ended,
}

/// Restores the green thread whose code ran before, also while unwinding.
struct Entered<'a> {
    hub: &'a Hub,
    outer: Option<Key>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.hub.current.set(self.outer);
        if self.hub.observer.is_on() {
            self.hub.show(self.outer);
        }
    }
}
