//! Waiting until all have arrived.

use std::fmt;
use std::sync::Mutex;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::green::wait::must_wait;
use crate::hub::{Held, hold};

/// A barrier at which a number of green threads wait for each other.
///
/// Corresponds to [`std::sync::Barrier`].
///
/// # Examples
///
/// ```
/// use eventlet::green::sync::{Arc, Barrier};
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let barrier = Arc::new(Barrier::new(3));
///     let others = [(); 2].map(|()| {
///         let barrier = Arc::clone(&barrier);
///         thread::spawn(move || barrier.wait().is_leader())
///     });
///     let mut leaders = usize::from(barrier.wait().is_leader());
///     for other in others {
///         leaders += usize::from(other.join().unwrap());
///     }
///     assert_eq!(leaders, 1);
/// }));
/// ```
pub struct Barrier {
    size: usize,
    /// Held for a few instructions, never across a wait.
    state: Mutex<State>,
    complete: Notify,
}

struct State {
    /// How many wait for the others.
    here: usize,
    /// The number of completed rounds.
    rounds: usize,
}

impl Barrier {
    /// Makes a barrier for so many. One for 0 or 1 never waits.
    ///
    /// Corresponds to [`std::sync::Barrier::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::sync::Barrier;
    ///
    /// static ALONE: Barrier = Barrier::new(1);
    /// assert!(ALONE.wait().is_leader());
    /// ```
    #[must_use]
    pub const fn new(n: usize) -> Barrier {
        let state = Mutex::new(State { here: 0, rounds: 0 });
        Barrier { size: n, state, complete: Notify::const_new() }
    }

    /// Waits until all have arrived. The last to arrive is the leader; then the next round begins.
    ///
    /// Corresponds to [`std::sync::Barrier::wait`].
    ///
    /// # Panics
    ///
    /// If others are missing and this code cannot wait: off green stacks, and while one unwinds.
    ///
    /// # Yields
    ///
    /// Unless it is the last to come.
    ///
    /// # Killed
    ///
    /// It is no longer counted: the others wait for one more to arrive.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        let leader = match self.arrive() {
            None => true,
            Some((arrival, complete)) => {
                must_wait(complete);
                arrival.stay();
                false
            }
        };
        BarrierWaitResult(leader)
    }

    /// Arrives. The last to arrive completes the round, and all others are notified of that.
    fn arrive(&self) -> Option<(Arrival<'_>, Notified<'_>)> {
        let mut state = self.state();
        state.here += 1;
        if state.here >= self.size {
            state.here = 0;
            state.rounds = state.rounds.wrapping_add(1);
            drop(state);
            self.complete.notify_waiters();
            return None;
        }
        // Made under the lock: it is notified of every completion from now on.
        let complete = self.complete.notified();
        Some((Arrival { barrier: self, round: state.rounds }, complete))
    }

    fn state(&self) -> Held<'_, State> {
        // Nothing in it panics.
        hold(&self.state)
    }
}

/// A waiter, counted until it is dropped.
struct Arrival<'a> {
    barrier: &'a Barrier,
    round: usize,
}

impl Arrival<'_> {
    fn stay(self) {
        std::mem::forget(self);
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        let mut state = self.barrier.state();
        // Otherwise its round was completed, and it is no longer counted.
        if state.rounds == self.round {
            state.here -= 1;
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}

/// Tells which green thread was the last to arrive at a [`Barrier`].
///
/// Corresponds to [`std::sync::BarrierWaitResult`].
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Returns whether this one was the last to arrive. One in each round is.
    ///
    /// Corresponds to [`std::sync::BarrierWaitResult::is_leader`].
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult").field("is_leader", &self.is_leader()).finish()
    }
}
