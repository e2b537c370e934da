//! Prefetching: loads the memory of a green thread into the caches before its turn.
//!
//! A green thread that ran a moment ago is still in the caches. One that waited for a client or a
//! timer is not: other green threads and the kernel have evicted it. Each of its cache misses then
//! takes a hundred nanoseconds, and each depends on the one before. But the hub knows which green
//! threads are next, and a processor overlaps the misses of several of them.
//!
//! A turn first touches the job and, if it has a stack, its frame and the stack around the address
//! where it was suspended. Each green stack has pages of its own, so each access is a TLB miss,
//! too. `stackful` records that address here when it has changed, by the green thread's slot. A
//! stale entry wastes the prefetch and does no harm.
//!
//! It takes a twelfth off the work of an echo server with 1,000 clients, and a quarter off a spawn
//! among 10,000.
//!
//! # Invariants
//!
//! - **I1**: a prefetch is a hint and not an access: no address is an error, and nothing that a
//!   program can observe changes.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ptr;

use super::current_stack::Outer;
use super::job::Job;

/// Green threads that are prefetched at once. A larger batch gains nothing.
pub(super) const AT_ONCE: usize = 8;

/// Green threads that stay in the caches when they only take turns.
const NEAR: usize = 512;

/// How many of the ready green threads are cold, from the first on.
#[derive(Default)]
pub(super) struct Far {
    count: Cell<usize>,
    /// How many were ready when the last poll of the hub was over.
    left: Cell<usize>,
}

impl Far {
    /// Records how many are ready when a poll begins. Those that became ready since the last poll
    /// are cold, as they waited for an external event, and so are those before them. Of more than
    /// [`NEAR`] all are.
    pub(super) fn begin(&self, ready: usize) {
        if ready > self.left.get().min(NEAR) {
            self.count.set(ready);
        }
    }

    /// Records how many have run when a poll is over, and how many are ready now.
    pub(super) fn end(&self, runs: usize, ready: usize) {
        self.count.set(self.count.get().saturating_sub(runs));
        self.left.set(ready);
    }

    /// Returns whether to prefetch the next [`AT_ONCE`] before the turn of that number in a poll:
    /// the first is 1.
    #[inline]
    pub(super) fn must_fetch(&self, turn: usize) -> bool {
        turn <= self.count.get() && turn % AT_ONCE == 1
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Cache lines of a stack that are prefetched: as a rule what a wait, its callees and its caller
/// need.
const FRAMES: usize = 8;

/// How many of them are below the address where it was suspended.
const BELOW: usize = 3;

/// The most cache lines of a job that are prefetched. A larger job has data of its future that it
/// may not need at once.
const JOB: usize = 5;

/// Bytes before a job: the counts of its `Rc`, one of which the hub increments.
const COUNTS: usize = 2 * size_of::<usize>();

/// The most green threads in the table: those of the first slots. It takes a megabyte then.
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

/// Records where a stack is suspended, and where its frame is.
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
        // A stack is being suspended: the allocator must not suspend it as well.
        let _on_no_stack = Outer::leave();
        all.resize(slot + 1, Suspended::default());
        all[slot] = suspended;
    }
}

/// Prefetches a green thread, by its slot and its job.
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

/// Prefetches the frame of a stack that is resumed next. The frame's address is itself loaded from
/// the stack, so the two misses would be serial. Overlapping them saves a twentieth of a turn among
/// a hundred.
#[inline]
pub(crate) fn fetch_frame(frame: usize) {
    fetch_line(frame);
}

/// Prefetches the upper end of a stack that a green thread will start on. Only the stacks for Linux
/// know their tops.
#[cfg_attr(not(target_os = "linux"), expect(dead_code))]
#[inline]
pub(crate) fn fetch_top(top: usize) {
    fetch_lines(top.wrapping_sub(FRAMES * LINE), FRAMES);
}

/// Prefetches cache lines.
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

/// Does nothing on other processors: stable Rust has no prefetch for them.
#[cfg(not(target_arch = "x86_64"))]
fn fetch_line(_address: usize) {}

/// So there is nothing to record either.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn stack_pointer() -> usize {
    0
}

#[cfg(test)]
thread_local! {
    /// Green threads that were prefetched on this OS thread.
    pub(super) static FETCHED: Cell<usize> = const { Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the turns before which a poll prefetches, of so many.
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
