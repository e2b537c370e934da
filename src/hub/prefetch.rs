//! Prefetching: the memory of a green thread is asked for before its turn comes.
//!
//! A green thread that ran a moment ago is still in the caches. One that waited for a client or a
//! timer is not: between two turns of it others had theirs, and the kernel did its part for each of
//! them. Each of its cache misses then takes a hundred nanoseconds, and each depends on the one
//! before. But the hub knows who is next, and a processor serves the misses of several green
//! threads at the same time.
//!
//! What a turn touches first is the job and, if it has a stack, its frame and the stack around the
//! place where it was suspended. No other green thread is in the same page, so each costs a TLB
//! miss, too. The room of the stacks notes that place here when it is another one than the last
//! time, by the number of the green thread's slot. An entry may be out of date: then the prefetch
//! is wasted, and nothing else happens.
//!
//! It takes a twelfth off the work of an echo server with 1,000 clients, and a quarter off a spawn
//! among 10,000.
//!
//! # Invariants
//!
//! - **I1**: a prefetch is a hint and no access: whatever the address is, it is not an error, and
//!   nothing that a program can see changes.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ptr;

use super::current_stack::Outer;
use super::job::Job;

/// Green threads that are fetched at once. More do not come faster.
pub(super) const AT_ONCE: usize = 8;

/// Green threads that stay near when they do nothing but take turns.
const NEAR: usize = 512;

/// How many of those who are ready are far, from the first on.
#[derive(Default)]
pub(super) struct Far {
    count: Cell<usize>,
    /// How many were ready when the last poll of the hub was over.
    left: Cell<usize>,
}

impl Far {
    /// Notes how many are ready when a poll begins. Those who became so since the last one are far,
    /// as they waited for something outside, and so is whoever is before them. Of more than
    /// [`NEAR`] all are.
    pub(super) fn begin(&self, ready: usize) {
        if ready > self.left.get().min(NEAR) {
            self.count.set(ready);
        }
    }

    /// Notes how many have run when a poll is over, and how many are ready now.
    pub(super) fn end(&self, runs: usize, ready: usize) {
        self.count.set(self.count.get().saturating_sub(runs));
        self.left.set(ready);
    }

    /// Returns whether the next [`AT_ONCE`] are to be fetched, before the turn of that number in a
    /// poll: the first is 1.
    #[inline]
    pub(super) fn must_fetch(&self, turn: usize) -> bool {
        turn <= self.count.get() && turn % AT_ONCE == 1
    }
}

/// Bytes that are fetched at once.
const LINE: usize = 64;

/// Lines of a stack that are fetched: what a wait, those whom it calls and its caller need, as a
/// rule.
const FRAMES: usize = 8;

/// How many of them are below the place where it was suspended.
const BELOW: usize = 3;

/// Lines of a job that are fetched at most. A larger one keeps a future's own data, which it may
/// not need at once.
const JOB: usize = 5;

/// Bytes before a job: its `Rc` counts there, and the hub makes itself one more.
const COUNTS: usize = 2 * size_of::<usize>();

/// Green threads that are in the table at most: those of the first slots. It takes a megabyte then.
const MOST: usize = 1 << 16;

thread_local! {
    static SUSPENDED: RefCell<Vec<Suspended>> = const { RefCell::new(Vec::new()) };
}

/// Where a stack is suspended. Zeros where there is none.
#[derive(Clone, Copy, Default)]
struct Suspended {
    /// The lowest address that was in use.
    at: usize,
    frame: usize,
}

/// Notes where a stack is suspended, and where its frame is.
#[inline(never)]
pub(crate) fn note_suspended(slot: usize, at: usize, frame: usize) {
    let suspended = Suspended { at, frame };
    let _ = SUSPENDED.try_with(|all| {
        let mut all = all.borrow_mut();
        match all.get_mut(slot) {
            Some(place) => *place = suspended,
            None => grow(&mut all, slot, suspended),
        }
    });
}

/// Returns where the stack of the green thread in a slot was suspended, and its frame.
#[cfg(all(test, feature = "stackful", target_arch = "x86_64"))]
pub(crate) fn suspended_at(slot: usize) -> (usize, usize) {
    SUSPENDED.with_borrow(|all| (all[slot].at, all[slot].frame))
}

/// Returns the lowest address of this stack that is in use.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let at;
    // SAFETY: it reads a register.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) at, options(nomem, nostack, preserves_flags));
    }
    at
}

#[cold]
fn grow(all: &mut Vec<Suspended>, slot: usize, suspended: Suspended) {
    if slot < MOST {
        // It is a stack that is being suspended: the allocator must not do so, too.
        let _on_no_stack = Outer::leave();
        all.resize(slot + 1, Suspended::default());
        all[slot] = suspended;
    }
}

/// Fetches a green thread, by its slot and its job.
pub(super) fn fetch(slot: usize, job: &dyn Job) {
    #[cfg(test)]
    FETCHED.set(FETCHED.get() + 1);
    let suspended = SUSPENDED.try_with(|all| all.borrow().get(slot).copied()).ok().flatten();
    if let Some(suspended) = suspended.filter(|suspended| suspended.at != 0) {
        fetch_line(suspended.frame);
        fetch_lines(suspended.at.wrapping_sub(BELOW * LINE), FRAMES);
    }
    let start = ptr::from_ref(job).addr().wrapping_sub(COUNTS);
    fetch_lines(start, (COUNTS + size_of_val(job)).div_ceil(LINE).min(JOB));
}

/// Fetches the frame of a stack that is resumed next. Its address is on that stack, so the two
/// misses would come one after the other. That is a twentieth of a turn among a hundred.
#[inline]
pub(crate) fn fetch_frame(frame: usize) {
    fetch_line(frame);
}

/// Fetches the upper end of a stack that somebody will start on. Only Linux keeps stacks that know
/// their tops.
#[cfg_attr(not(target_os = "linux"), expect(dead_code))]
#[inline]
pub(crate) fn fetch_top(top: usize) {
    fetch_lines(top.wrapping_sub(FRAMES * LINE), FRAMES);
}

/// Fetches lines of memory.
#[inline]
fn fetch_lines(from: usize, lines: usize) {
    for line in 0..lines {
        fetch_line(from.wrapping_add(line * LINE));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch_line(address: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: by I1.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address as *const i8) }
}

/// On other processors memory comes when it is needed: Rust has no stable way to ask them.
#[cfg(not(target_arch = "x86_64"))]
fn fetch_line(_address: usize) {}

/// So there is nothing to note either.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn stack_pointer() -> usize {
    0
}

#[cfg(test)]
thread_local! {
    /// Green threads that were fetched on this OS thread.
    pub(super) static FETCHED: Cell<usize> = const { Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the turns before which a poll fetches, of so many.
    fn fetches(far: &Far, turns: usize) -> Vec<usize> {
        (1..=turns).filter(|turn| far.must_fetch(*turn)).collect()
    }

    #[test]
    fn whoever_waited_for_something_outside_is_far() {
        let far = Far::default();
        far.begin(20);
        assert_eq!(fetches(&far, 256), [1, 9, 17]);
    }

    #[test]
    fn whoever_is_far_stays_so_until_its_turn() {
        let far = Far::default();
        far.begin(20);
        far.end(10, 10);
        far.begin(10);
        assert_eq!(fetches(&far, 256), [1, 9]);
        far.end(10, 0);
        far.begin(0);
        assert_eq!(fetches(&far, 256), []);
    }

    #[test]
    fn a_few_that_take_turns_are_near_and_many_are_not() {
        for (green_threads, expected) in [(100, vec![]), (NEAR, vec![]), (NEAR + 1, vec![1, 9])] {
            let far = Far::default();
            far.end(256, green_threads);
            far.begin(green_threads);
            assert_eq!(fetches(&far, 16), expected, "{green_threads}");
        }
    }

    #[test]
    fn one_that_comes_from_outside_makes_those_before_it_far() {
        let far = Far::default();
        far.end(256, 4);
        far.begin(5);
        assert_eq!(fetches(&far, 16), [1]);
    }

    #[test]
    fn the_table_stays_small() {
        let mut all = Vec::new();
        grow(&mut all, MOST - 1, Suspended { at: 1, frame: 2 });
        assert_eq!((all.len(), all[MOST - 1].at), (MOST, 1));
        grow(&mut all, MOST, Suspended::default());
        grow(&mut all, usize::MAX, Suspended::default());
        assert_eq!(all.len(), MOST);
    }
}
