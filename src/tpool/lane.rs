//! A lane of the pool: jobs of which one is done at a time, in order.

use std::sync::{Arc, Mutex};

use super::job_queue::{Job, JobQueue};
use super::pool::Pool;
use crate::hub::{Held, hold};

/// Jobs that have something in common, so that no two of them may run at once.
///
/// They occupy at most one thread of the pool, and after each, other jobs of the pool get their
/// turn.
pub(super) struct Lane(Mutex<State>);

struct State {
    queue: JobQueue,
    /// Whether a thread of the pool runs the first job, or is about to.
    moving: bool,
}

impl Lane {
    pub(super) fn new() -> Lane {
        Lane(Mutex::new(State { queue: JobQueue::new(), moving: false }))
    }

    /// Adds a job at the end, and returns its number. If the lane is idle, that pool runs the job
    /// and those after it.
    pub(super) fn push(self: &Arc<Self>, pool: &Arc<Pool>, job: Job) -> u64 {
        let mut state = self.lock();
        let number = state.queue.push(job);
        let moving = std::mem::replace(&mut state.moving, true);
        drop(state);
        if !moving {
            self.go_on(pool);
        }
        number
    }

    /// Takes a job back. `None` when it has begun.
    pub(super) fn take_back(&self, number: u64) -> Option<Job> {
        self.lock().queue.take_back(number)
    }

    fn go_on(self: &Arc<Self>, pool: &Arc<Pool>) {
        let (lane, same) = (Arc::clone(self), Arc::clone(pool));
        pool.push(Box::new(move || lane.do_one(&same)));
    }

    fn do_one(self: Arc<Self>, pool: &Arc<Pool>) {
        let job = self.lock().queue.pop();
        if let Some(job) = job {
            job();
        }
        let mut state = self.lock();
        state.moving = state.queue.len() > 0;
        let moving = state.moving;
        drop(state);
        if moving {
            self.go_on(pool);
        }
    }

    fn lock(&self) -> Held<'_, State> {
        hold(&self.0)
    }
}
