//! The stacks of this OS thread: those that are kept, in which order, and how many.
//!
//! ```text
//!           take                                   give back
//!    warm  <-----   the last that was given back   -----> green thread  -----> warm
//!    cold  <-----   no memory, but a guard                                      |
//!    slab  <-----   nothing yet but address space          those that waited longest lose their
//!                                                          memory, and go to `cold`;
//!                                                          slabs that are cold altogether are unmapped
//! ```
//!
//! The last one given back is the first to be taken: its memory is in the processor's caches. If
//! many are taken in a row, each is prefetched, which takes a tenth or more off the work of 10,000
//! green threads that start and wait. Those that have been idle longest are trimmed:
//!
//! - a stack never keeps more than [`KEPT`](super::slab) bytes when it is given back;
//! - all idle stacks together never have more than the hub's budget,
//!   [`Builder::max_idle_stack_bytes`];
//! - half of those that were not needed for a good while, in which every stack could have been used
//!   several times.
//!
//! A single green thread pays for none of that: the pool trims itself at every [`LOOK`]th stack
//! that is given back.
//!
//! [`Builder::max_idle_stack_bytes`]: crate::runtime::Builder::max_idle_stack_bytes

use std::cell::RefCell;
use std::io;
use std::mem;
use std::rc::Rc;

use super::guard::Guards;
use super::overflow::Watch;
use super::slab::{Blank, Memory, Slab};
use super::{StackStats, limits, whole_steps};
use crate::hub::{self, Stacks};

pub(in crate::stackful) use super::slab::GreenStack;

/// How many takes ahead a stack is prefetched.
const AHEAD: usize = 4;

/// Stacks that are given back between two trims of the pool.
const LOOK: usize = 256;

/// Stacks that are given back until the kernel is asked how deep one was used even though its
/// canary is intact: a frame may have stepped over that.
const MEASURE: usize = 4 * LOOK;

/// A slab has room for at least so many stacks,
const SMALLEST_SLAB: usize = 8;
/// and at most for so many: it is unmapped only when none of them is in use.
const LARGEST_SLAB: usize = 1024;
/// Nor has it more bytes than this, if it holds more than one stack.
const LARGEST_SLAB_BYTES: usize = 1 << 30;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::new(Guards::Markers)) };
}

/// Takes a stack of at least `size` bytes.
///
/// # Errors
///
/// If the operating system refuses: the error names the limit, and says what to do.
#[inline]
pub(in crate::stackful) fn take(size: usize) -> io::Result<GreenStack> {
    POOL.try_with(|pool| pool.borrow_mut().take(size)).unwrap_or_else(|_ending| {
        // On an OS thread that is ending there is no pool any more: the stack gets a slab of its
        // own.
        Pool::new(Guards::Markers).take(size)
    })
}

/// Keeps a stack for the next green thread that wants one of its size.
#[inline]
pub(in crate::stackful) fn give_back(stack: GreenStack) {
    // On an OS thread that is ending there is no next green thread: the stack is dropped.
    let _ = POOL.try_with(|pool| pool.borrow_mut().give_back(stack));
}

/// Inspects all stacks of this OS thread.
pub(super) fn stats() -> StackStats {
    POOL.try_with(|pool| pool.borrow_mut().stats()).unwrap_or_default()
}

/// Gives all memory of the idle stacks back to the system.
pub(super) fn trim() {
    let _ = POOL.try_with(|pool| pool.borrow_mut().trim_all());
}

struct Pool {
    /// One for each size. Almost always there is a single one, as most programs use one size.
    classes: Vec<Class>,
    guards: Guards,
    /// The memory of the idle stacks, as far as it is known.
    idle_bytes: usize,
    /// How many stacks were given back.
    returns: usize,
    /// Whether the last call was a `take`. Then stacks are being taken in a row, each colder than
    /// the last.
    took: bool,
    /// The deepest that any stack was found used.
    high_water: usize,
    /// `None` before the first stack is made.
    watch: Option<Watch>,
}

/// The stacks of one size.
struct Class {
    size: usize,
    /// All mappings. Only the last may have room.
    slabs: Vec<Rc<Slab>>,
    /// Idle stacks with memory. The last was given back last.
    warm: Vec<GreenStack>,
    /// Idle stacks without memory.
    cold: Vec<Blank>,
    /// The fewest that were in `warm` since `looks` was zero.
    least: usize,
    /// Rounds since unneeded stacks were last trimmed.
    looks: usize,
}

impl Pool {
    const fn new(guards: Guards) -> Pool {
        Pool {
            classes: Vec::new(),
            guards,
            idle_bytes: 0,
            returns: 0,
            took: false,
            high_water: 0,
            watch: None,
        }
    }

    #[inline]
    fn take(&mut self, size: usize) -> io::Result<GreenStack> {
        let whole = whole_steps(size);
        let in_a_row = mem::replace(&mut self.took, true);
        let known = self.classes.iter_mut().find(|class| class.size == whole);
        if let Some(stack) = known.and_then(|class| class.take_warm(in_a_row)) {
            self.idle_bytes -= stack.mark();
            return Ok(stack);
        }
        self.take_cold(whole).map_err(|error| limits::refusal(size, error))
    }

    #[cold]
    fn take_cold(&mut self, size: usize) -> io::Result<GreenStack> {
        self.watch.get_or_insert_with(Watch::start);
        let guards = &mut self.guards;
        let class = class_of(&mut self.classes, size);
        if let Some(blank) = class.cold.pop() {
            return Ok(blank.prepare());
        }
        let mut carved = class.carve(guards)?.into_iter().map(Blank::prepare);
        let first = carved.next().expect("a slab with room gives at least one stack");
        for ahead in carved {
            self.idle_bytes += ahead.mark();
            class.warm.push(ahead);
        }
        Ok(first)
    }

    #[inline]
    fn give_back(&mut self, mut stack: GreenStack) {
        self.took = false;
        self.returns = self.returns.wrapping_add(1);
        let look = self.returns % LOOK == 0;
        if stack.went_deeper() || self.returns % MEASURE == 0 {
            self.high_water = self.high_water.max(stack.settle());
        }
        self.idle_bytes += stack.mark();
        class_of(&mut self.classes, stack.size()).warm.push(stack);
        if look {
            self.look();
        }
    }

    /// Trims what exceeds the budget, and what was not needed.
    #[cold]
    fn look(&mut self) {
        let stacks = hub::current().map_or_else(Stacks::default, |hub| hub.stacks());
        self.trim(stacks.max_idle_bytes);
    }

    fn trim(&mut self, budget: usize) {
        for class in &mut self.classes {
            let mut excess = self.idle_bytes.saturating_sub(budget);
            if excess > 0 {
                // Some more than necessary, so that the next round has nothing to do.
                excess += budget / 32;
            }
            let unwanted = class.unwanted();
            self.idle_bytes -= class.trim(|trimmed, bytes| trimmed < unwanted || bytes < excess);
        }
    }

    fn trim_all(&mut self) {
        for class in &mut self.classes {
            self.idle_bytes -= class.trim(|_, _| true);
        }
    }

    fn stats(&mut self) -> StackStats {
        let mut stats = StackStats::default();
        for class in &self.classes {
            let idle = class.warm.len() + class.cold.len();
            stats.pooled += idle;
            for slab in &class.slabs {
                let Memory { resident, depth } = slab.memory();
                stats.in_use += slab.carved();
                stats.resident += resident;
                stats.mapped += slab.len();
                self.high_water = self.high_water.max(depth);
            }
            stats.in_use -= idle;
        }
        stats.high_water = self.high_water;
        stats
    }
}

/// Returns the stacks of a size, of which there may be none yet.
#[inline]
fn class_of(classes: &mut Vec<Class>, size: usize) -> &mut Class {
    let at = classes.iter().position(|class| class.size == size);
    let at = at.unwrap_or_else(|| add_class(classes, size));
    &mut classes[at]
}

#[cold]
fn add_class(classes: &mut Vec<Class>, size: usize) -> usize {
    classes.push(Class::new(size));
    classes.len() - 1
}

impl Class {
    fn new(size: usize) -> Class {
        Class { size, slabs: vec![], warm: vec![], cold: vec![], least: 0, looks: 0 }
    }

    #[inline]
    fn take_warm(&mut self, in_a_row: bool) -> Option<GreenStack> {
        let stack = self.warm.pop();
        let left = self.warm.len();
        self.least = self.least.min(left);
        if in_a_row {
            if let Some(soon) = left.checked_sub(AHEAD).and_then(|at| self.warm.get(at)) {
                soon.fetch();
            }
        }
        stack
    }

    /// Makes new stacks.
    fn carve(&mut self, guards: &mut Guards) -> io::Result<Vec<Blank>> {
        if !self.slabs.last().is_some_and(|slab| slab.has_room()) {
            let slab = self.map_slab()?;
            self.slabs.push(slab);
        }
        self.slabs[self.slabs.len() - 1].carve(guards)
    }

    /// Maps a slab as large as all others together: many stacks take few mappings, and few take
    /// little address space. If there is no room for so much, a smaller one.
    fn map_slab(&self) -> io::Result<Rc<Slab>> {
        let carved: usize = self.slabs.iter().map(|slab| slab.carved()).sum();
        let most = (LARGEST_SLAB_BYTES / self.size).clamp(1, LARGEST_SLAB);
        let mut stacks = carved.max(SMALLEST_SLAB).min(most);
        loop {
            match Slab::map(self.size, stacks) {
                Err(_) if stacks > 1 => stacks /= 2,
                mapped => return mapped,
            }
        }
    }

    /// Returns how many warm stacks to give up, because they were not needed for long.
    fn unwanted(&mut self) -> usize {
        self.looks += 1;
        let all: usize = self.slabs.iter().map(|slab| slab.carved()).sum();
        if self.looks * LOOK < 4 * all {
            return 0;
        }
        self.looks = 0;
        mem::replace(&mut self.least, self.warm.len()) / 2
    }

    /// Frees the memory of the stacks that have been idle longest, as long as `more` says so, given
    /// their number and bytes so far. Returns the bytes.
    fn trim(&mut self, more: impl Fn(usize, usize) -> bool) -> usize {
        let mut bytes = 0;
        let mut count = 0;
        while count < self.warm.len() && more(count, bytes) {
            bytes += self.warm[count].mark();
            count += 1;
        }
        if count > 0 {
            self.give_up(count);
        }
        bytes
    }

    /// Frees the memory of the stacks that have been idle longest. A slab whose stacks are all idle
    /// is unmapped as a whole.
    fn give_up(&mut self, count: usize) {
        let oldest: Vec<GreenStack> = self.warm.drain(..count).collect();
        self.least = self.least.min(self.warm.len());
        self.slabs.iter().for_each(|slab| slab.idle.set(0));
        let idle = self.cold.iter().map(Blank::slab).chain(oldest.iter().map(GreenStack::slab));
        idle.for_each(|slab| slab.idle.set(slab.idle.get() + 1));
        let in_use = |slab: &Slab| slab.idle.get() < slab.carved();
        self.cold.retain(|blank| in_use(blank.slab()));
        let blanks = oldest.into_iter().filter(|stack| in_use(stack.slab())).map(GreenStack::clear);
        self.cold.extend(blanks);
        self.slabs.retain(|slab| in_use(slab));
    }
}

#[cfg(test)]
mod tests {
    #![allow(unsafe_code)]

    use std::env;
    use std::os::unix::process::ExitStatusExt;
    use std::panic::Location;
    use std::process::Command;

    use corosensei::stack::Stack;

    use super::super::slab::overflowed;
    use super::*;

    const SIZE: usize = 256 * 1024;

    /// Runs a test on a pool of its own with each kind of guard.
    fn with_both_kinds(test: impl Fn(Pool)) {
        test(Pool::new(Guards::Markers));
        test(Pool::new(Guards::Protection));
    }

    /// Writes to a stack at some depth below its top, as code that runs on it would.
    fn use_at(stack: &GreenStack, depth: usize) {
        let place = (stack.base().get() - depth) as *mut u64;
        // SAFETY: no code runs on this stack.
        unsafe { place.write_volatile(1) };
    }

    fn take_many(pool: &mut Pool, stacks: usize) -> Vec<GreenStack> {
        (0..stacks).map(|_| pool.take(SIZE).unwrap()).collect()
    }

    fn give_back_all(pool: &mut Pool, stacks: Vec<GreenStack>) {
        stacks.into_iter().for_each(|stack| pool.give_back(stack));
    }

    #[test]
    fn stacks_are_apart_and_aligned_and_as_large_as_asked_for() {
        with_both_kinds(|mut pool| {
            let mut stacks = take_many(&mut pool, 100);
            stacks.push(pool.take(1).unwrap());
            stacks.push(pool.take(1 << 20).unwrap());
            let mut ends: Vec<_> =
                stacks.iter().map(|s| (s.limit().get(), s.base().get())).collect();
            ends.sort_unstable();
            assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0));
            assert!(ends.iter().all(|(_, base)| base % 16 == 0));
            assert_eq!(pool.stats().in_use, 102);
            for stack in &stacks {
                assert!(stack.size() >= super::super::STACK_SIZE_STEP);
                use_at(stack, stack.size() - 64);
            }
        });
    }

    #[test]
    fn the_last_one_given_back_is_the_first_one_taken() {
        with_both_kinds(|mut pool| {
            let stacks = take_many(&mut pool, 3);
            let last = stacks[2].base();
            give_back_all(&mut pool, stacks);
            assert_eq!(pool.take(SIZE).unwrap().base(), last);
        });
    }

    #[test]
    fn a_deep_stack_gives_back_what_is_deep() {
        with_both_kinds(|mut pool| {
            let stack = pool.take(SIZE).unwrap();
            for depth in (8..200_000).step_by(8) {
                use_at(&stack, depth);
            }
            let before = pool.stats();
            assert!(before.resident >= 196_608 && before.resident <= 204_800, "{before:?}");
            pool.give_back(stack);
            let after = pool.stats();
            assert_eq!((after.in_use, after.pooled, after.resident), (0, 1, 32 * 1024));
            assert_eq!(after.high_water, before.resident);
        });
    }

    #[test]
    fn a_shallow_stack_keeps_what_it_has() {
        with_both_kinds(|mut pool| {
            let stack = pool.take(SIZE).unwrap();
            (8..20_000).step_by(8).for_each(|depth| use_at(&stack, depth));
            let there = pool.stats().resident;
            for _ in 0..3 {
                let stack = pool.take(SIZE).unwrap();
                pool.give_back(stack);
            }
            pool.give_back(stack);
            assert_eq!(pool.stats().high_water, there);
            assert!(pool.stats().resident >= there);
        });
    }

    #[test]
    fn who_steps_over_the_canary_is_found_in_time() {
        with_both_kinds(|mut pool| {
            for _ in 0..MEASURE {
                let stack = pool.take(SIZE).unwrap();
                use_at(&stack, 100_000);
                assert!(!stack.went_deeper());
                pool.give_back(stack);
            }
            assert!(pool.high_water >= 100_000);
        });
    }

    #[test]
    fn the_budget_bounds_what_waits() {
        with_both_kinds(|mut pool| {
            let mut stacks = take_many(&mut pool, 1000);
            let in_use = stacks.split_off(900);
            let hottest = stacks[899].base();
            give_back_all(&mut pool, stacks);
            let budget = 400_000;
            pool.trim(budget);
            let of_those_in_use = 100 * 4096;
            assert!(pool.stats().resident <= budget + of_those_in_use);
            assert!(pool.stats().resident >= budget / 2 + of_those_in_use, "no more than must be");
            assert_eq!(pool.take(SIZE).unwrap().base(), hottest, "those that waited longest go");
            assert!(pool.stats().mapped < 1000 * SIZE, "slabs of which nobody uses anything go");
            give_back_all(&mut pool, in_use);
            pool.trim_all();
            // The stack that was taken last was dropped, so its slab counts it as in use.
            let left = pool.stats();
            assert_eq!((left.pooled, left.in_use), (left.pooled, 1));
        });
    }

    #[test]
    fn what_nobody_wants_goes_by_and_by() {
        let mut pool = Pool::new(Guards::Markers);
        let stacks = take_many(&mut pool, 10_000);
        give_back_all(&mut pool, stacks);
        let warm = |pool: &Pool| pool.classes[0].warm.len();
        let all = warm(&pool);
        assert!((10_000..10_064).contains(&all), "a few were made ahead: {all}");
        for _ in 0..3 {
            let stacks = take_many(&mut pool, 10_000);
            give_back_all(&mut pool, stacks);
        }
        assert_eq!(warm(&pool), all, "all are wanted again and again");
        for _ in 0..500_000 {
            let stack = pool.take(SIZE).unwrap();
            pool.give_back(stack);
        }
        assert!(warm(&pool) < 100, "{} are still warm", warm(&pool));
    }

    #[test]
    fn each_of_many_has_a_page_when_the_kernel_was_asked_for_them() {
        with_both_kinds(|mut pool| {
            let stacks = take_many(&mut pool, 300);
            let stats = pool.stats();
            assert!(stats.pooled < 32, "{stats:?}");
            assert_eq!(stats.resident, (stats.in_use + stats.pooled) * 4096);
            give_back_all(&mut pool, stacks);
        });
    }

    #[test]
    fn a_stack_outlives_its_pool() {
        with_both_kinds(|mut pool| {
            let stack = pool.take(SIZE).unwrap();
            drop(pool);
            use_at(&stack, 100_000);
        });
    }

    #[test]
    fn a_guard_is_known_as_long_as_its_stack() {
        let pools = [0, 1, 2].map(|_| Pool::new(Guards::Markers));
        let mut guards = Vec::new();
        let mut known = pools.map(|mut pool| {
            let mut stack = pool.take(SIZE).unwrap();
            stack.set_label(7 + guards.len() as u64, None, Location::caller());
            guards.push(stack.limit().get());
            assert!(overflowed(stack.base().get() - SIZE / 2).is_none(), "that is no guard");
            assert!(overflowed(stack.limit().get() - 1).is_none(), "that is nothing of ours");
            Some((pool, stack))
        });
        let owner = |guard: usize| overflowed(guard + 100).map(|stack| stack.label.id);
        assert_eq!([0, 1, 2].map(|at| owner(guards[at])), [Some(7), Some(8), Some(9)]);
        known[1] = None;
        assert_eq!([0, 1, 2].map(|at| owner(guards[at])), [Some(7), None, Some(9)]);
        known[2] = None;
        assert_eq!([0, 1, 2].map(|at| owner(guards[at])), [Some(7), None, None]);
        known[0] = None;
        assert_eq!([0, 1, 2].map(|at| owner(guards[at])), [None, None, None]);
    }

    /// Runs this test again in a process of its own, and returns what it wrote, and the signal that
    /// ended it.
    fn in_a_child(test: &str) -> (String, Option<i32>) {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .arg(format!("stackful::stack::pool::tests::{test}"))
            .env(CHILD, "1")
            .output()
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("running 1 test"), "{text}");
        (text.into_owned(), output.status.signal())
    }

    const CHILD: &str = "EVENTLET_TEST_CHILD";

    fn run_over(guards: Guards) {
        let mut pool = Pool::new(guards);
        // So many that the last were made several at a time.
        let mut stacks = take_many(&mut pool, 300);
        let stack = &mut stacks[277];
        stack.set_label(42, None, Location::caller());
        use_at(stack, stack.size() + 8);
        panic!("nothing is in its way");
    }

    #[test]
    fn a_marked_guard_is_in_the_way() {
        if env::var_os(CHILD).is_some() {
            return run_over(Guards::Markers);
        }
        let (text, signal) = in_a_child("a_marked_guard_is_in_the_way");
        assert_eq!(signal, Some(libc::SIGABRT), "{text}");
        assert!(
            text.contains("green thread 42 has overflowed its stack of 262144 bytes"),
            "{text}"
        );
    }

    #[test]
    fn a_protected_guard_is_in_the_way() {
        if env::var_os(CHILD).is_some() {
            return run_over(Guards::Protection);
        }
        let (text, signal) = in_a_child("a_protected_guard_is_in_the_way");
        assert_eq!(signal, Some(libc::SIGABRT), "{text}");
        assert!(
            text.contains("green thread 42 has overflowed its stack of 262144 bytes"),
            "{text}"
        );
    }

    /// Protected guards take mappings, of which there are so many: the process runs out of them,
    /// and goes on.
    #[test]
    fn out_of_mappings_a_stack_is_refused_and_the_others_go_on() {
        if env::var_os(CHILD).is_none() {
            let (text, signal) =
                in_a_child("out_of_mappings_a_stack_is_refused_and_the_others_go_on");
            assert!(signal.is_none() && text.contains("1 passed"), "{text}");
            return;
        }
        let mut pool = Pool::new(Guards::Protection);
        let mut stacks = Vec::with_capacity(1 << 20);
        let error = loop {
            match pool.take(SIZE) {
                Ok(stack) => stacks.push(stack),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("vm.max_map_count`, which is "), "{error}");
        assert!(stacks.len() > 1000);
        assert_eq!(pool.stats().in_use, stacks.len());
        pool.give_back(stacks.pop().unwrap());
        stacks.push(pool.take(SIZE).unwrap());
        assert!(pool.take(SIZE).is_err());
        give_back_all(&mut pool, stacks);
        pool.trim_all();
        assert_eq!(pool.stats().mapped, 0);
        assert!(pool.take(SIZE).is_ok());
    }
}
