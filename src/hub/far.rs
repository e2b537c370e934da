//! Which green threads are far from the processor, to be fetched into its caches before their turns come.
//!
//! A green thread that ran a moment ago is still near. One that waited for a client or a timer is not: between two
//! turns of it others had theirs, and the system did its part for each of them. To come upon its memory piece by piece,
//! each far away, takes some hundred nanoseconds. But the hub knows who is next, and the processor fetches for several
//! green threads at a time faster than for one after the other.

use std::cell::Cell;

#[cfg(not(feature = "stackful"))]
pub(super) use fetch_nothing as fetch;

use super::scheduler::Job;
#[cfg(feature = "stackful")]
pub(super) use crate::stackful::fetch;

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
    /// Notes how many are ready when a poll begins. Those who became so since the last one are far, as they waited for
    /// something outside, and so is whoever is before them. Of more than [`NEAR`] all are.
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

    /// Returns whether the next [`AT_ONCE`] are to be fetched, before the turn of that number in a poll: the first is 1.
    #[inline]
    pub(super) fn must_fetch(&self, turn: usize) -> bool {
        turn <= self.count.get() && turn % AT_ONCE == 1
    }
}

/// Fetches nothing: that takes `unsafe`, and without stacks there is less to fetch.
#[cfg_attr(feature = "stackful", expect(dead_code))]
pub(super) fn fetch_nothing(_slot: usize, _job: &dyn Job) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub;
    use crate::spawn;

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
    fn those_whose_turns_are_next_are_shown_in_their_order() {
        crate::run(async {
            let green_threads = [(); 3].map(|()| spawn(async {}));
            let slots = green_threads.each_ref().map(|green_thread| green_thread.key().slot());
            green_threads[1].kill();
            let mut shown = Vec::new();
            hub::current().unwrap().show_next(3, |slot, _job| shown.push(slot));
            assert_eq!(shown, [slots[0], slots[2]]);
        });
    }
}
