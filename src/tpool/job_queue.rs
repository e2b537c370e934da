//! Queued jobs.

use std::collections::BTreeMap;

/// What a thread of the pool does. It never unwinds.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Jobs in the order in which they came, each under a number, so that its owner can take it back.
///
/// A map, so that a job can be removed: in a plain queue cancelled jobs would stay until their
/// turn, and if all threads hang, that never comes.
pub(super) struct JobQueue {
    jobs: BTreeMap<u64, Job>,
    next: u64,
}

impl JobQueue {
    pub(super) const fn new() -> JobQueue {
        JobQueue { jobs: BTreeMap::new(), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Adds a job at the end, and returns its number.
    pub(super) fn push(&mut self, job: Job) -> u64 {
        let number = self.next;
        self.next += 1;
        self.jobs.insert(number, job);
        number
    }

    /// Takes the first job out.
    pub(super) fn pop(&mut self) -> Option<Job> {
        self.jobs.pop_first().map(|(_, job)| job)
    }

    /// Takes a job out of the middle. `None` when it has begun.
    pub(super) fn take_back(&mut self, number: u64) -> Option<Job> {
        self.jobs.remove(&number)
    }
}
