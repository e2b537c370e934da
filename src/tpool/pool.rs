//! The threads of a pool: how many there are, and what each does.
//!
//! This is not Tokio's blocking pool, which would do most of this: its threads belong to one
//! runtime, their number is fixed when that is built, and an ending runtime waits for their jobs.
//!
//! A lock and a condition variable suffice, as a job takes at least microseconds. No user code runs
//! under the lock.

use std::cell::Cell;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::job_queue::{Job, JobQueue};
use crate::hub::{Held, hold};
use crate::report;

thread_local! {
    /// Whether this OS thread is one of a pool's.
    static IN_POOL: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this OS thread is one of a pool's.
pub(super) fn is_in_pool() -> bool {
    IN_POOL.get()
}

/// OS threads that run jobs in order. A thread is started when a job would have to wait.
pub(crate) struct Pool {
    name: &'static str,
    /// How long a thread without a job waits for one. `None` forever.
    idle_limit: Option<Duration>,
    state: Mutex<State>,
    /// Signalled when there is a job or a surplus thread.
    work: Condvar,
}

struct State {
    queue: JobQueue,
    /// How many threads there may be.
    size: usize,
    /// How many there are.
    threads: usize,
    /// How many of them wait for `work`. A signalled one counts until it holds the lock again, and
    /// so does the job that it will take.
    idle: usize,
    /// Whether a warning said that jobs run in their callers' threads.
    warned: bool,
    /// Senders to notify when there is no job and no thread any more.
    closing: Vec<oneshot::Sender<()>>,
}

impl Pool {
    pub(crate) fn new(name: &'static str, size: usize) -> Pool {
        let state = State {
            queue: JobQueue::new(),
            size,
            threads: 0,
            idle: 0,
            warned: false,
            closing: Vec::new(),
        };
        Pool { name, idle_limit: None, state: Mutex::new(state), work: Condvar::new() }
    }

    /// Makes threads end that have had no job for so long.
    pub(crate) fn leave_after(mut self, limit: Duration) -> Pool {
        self.idle_limit = Some(limit);
        self
    }

    /// Sets how many threads there may be: additional ones start on the waiting jobs, and surplus
    /// ones end after their current job.
    pub(super) fn set_size(self: &Arc<Self>, size: usize) {
        let mut state = self.lock();
        state.size = size;
        state.warned = false;
        for _ in 0..state.queue.len().saturating_sub(state.idle) {
            // If the operating system refuses a thread now, `push` will try again.
            if !state.needs_thread() || self.start_thread(&mut state).is_err() {
                break;
            }
        }
        drop(state);
        self.work.notify_all();
    }

    pub(super) fn size(&self) -> usize {
        self.lock().size
    }

    /// Returns whether the pool has no threads at all. That is reported the first time.
    pub(super) fn is_empty(&self) -> bool {
        let mut state = self.lock();
        if state.size > 0 {
            return false;
        }
        let warned = mem::replace(&mut state.warned, true);
        drop(state);
        if !warned {
            report::warning(
                "the thread pool has no threads, so its jobs run in their callers' and block them",
            );
        }
        true
    }

    /// Queues a job for a thread, and returns its number.
    ///
    /// # Panics
    ///
    /// If there is no thread and the operating system refuses one.
    pub(super) fn push(self: &Arc<Self>, job: Job) -> u64 {
        let mut state = self.lock();
        let number = state.queue.push(job);
        if state.needs_thread() {
            let refused = self.start_thread(&mut state).err().filter(|_| state.threads == 0);
            if let Some(error) = refused {
                let _job = state.queue.take_back(number);
                drop(state);
                panic!("cannot start an OS thread for the thread pool: {error}");
            }
        }
        drop(state);
        self.work.notify_one();
        number
    }

    /// Takes a job back. `None` when it has begun.
    pub(super) fn take_back(&self, number: u64) -> Option<Job> {
        self.lock().queue.take_back(number)
    }

    /// Makes its threads end once its jobs are done, and returns a receiver that is notified then.
    pub(super) fn close(&self) -> oneshot::Receiver<()> {
        let (sender, closed) = oneshot::channel();
        let mut state = self.lock();
        state.size = 0;
        state.closing.push(sender);
        state.tell_if_closed();
        drop(state);
        self.work.notify_all();
        closed
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let pool = Arc::clone(self);
        thread::Builder::new().name(self.name.to_owned()).spawn(move || pool.work())?;
        state.threads += 1;
        Ok(())
    }

    /// The main function of a thread of the pool.
    fn work(&self) {
        IN_POOL.set(true);
        while let Some(job) = self.next_job() {
            job();
        }
    }

    /// Waits for a job. `None` if this thread is surplus.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock_here();
        let mut waited_enough = false;
        loop {
            if state.may_leave(waited_enough) {
                state.threads -= 1;
                state.tell_if_closed();
                return None;
            }
            if let Some(job) = state.queue.pop() {
                return Some(job);
            }
            state.idle += 1;
            (state, waited_enough) = self.wait(state);
            state.idle -= 1;
        }
    }

    /// Waits until there may be a job, or until the idle limit has passed.
    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        let Some(limit) = self.idle_limit else {
            return (self.work.wait(state).unwrap_or_else(PoisonError::into_inner), false);
        };
        let waited = self.work.wait_timeout(state, limit);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        (state, waited.timed_out())
    }

    fn lock(&self) -> Held<'_, State> {
        hold(&self.state)
    }

    /// As [`lock`](Pool::lock), on an OS thread of the pool.
    fn lock_here(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns whether a job would have to wait although another thread is allowed.
    fn needs_thread(&self) -> bool {
        // A job that was queued while the size was set to 0 still runs.
        self.queue.len() > self.idle && self.threads < self.size.max(1)
    }

    /// Returns whether an idle thread is surplus. The last one leaves no job behind.
    fn may_leave(&self, waited_enough: bool) -> bool {
        let no_job = self.queue.len() == 0;
        (self.threads > self.size && (self.threads > 1 || no_job)) || (waited_enough && no_job)
    }

    fn tell_if_closed(&mut self) {
        if self.threads == 0 && self.queue.len() == 0 {
            for waiter in self.closing.drain(..) {
                // It may have gone away.
                let _told = waiter.send(());
            }
        }
    }
}
