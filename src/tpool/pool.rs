//! The threads of the pool: how many there are, and what each does.
//!
//! Not Tokio's blocking pool, though it would do most of this: its threads belong to one runtime, their
//! number is fixed when that is built, and a runtime that ends waits for their jobs.
//!
//! A lock and a condition variable suffice, as a job is worth microseconds at the least. No foreign code
//! runs under the lock.

use std::cell::Cell;
use std::env;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::line::{Job, Line};
use crate::report;

/// As in eventlet.
const DEFAULT_SIZE: usize = 20;

const SIZE_VARIABLE: &str = "EVENTLET_THREADPOOL_SIZE";

static POOL: Pool = Pool {
    state: Mutex::new(State { line: Line::new(), size: None, threads: 0, idle: 0, warned: false }),
    work: Condvar::new(),
};

thread_local! {
    /// Whether this OS thread is one of the pool's.
    static IN_POOL: Cell<bool> = const { Cell::new(false) };
}

struct Pool {
    state: Mutex<State>,
    /// Signalled when there is something to do or a thread too many.
    work: Condvar,
}

struct State {
    line: Line,
    /// How many threads there may be. `None` until somebody asks or says.
    size: Option<usize>,
    /// How many there are.
    threads: usize,
    /// How many of them wait for `work`. One that was signalled counts until it holds the lock again,
    /// and so does the job that it will take.
    idle: usize,
    /// Whether a warning said that jobs run in their callers' threads.
    warned: bool,
}

/// Sets how many OS threads the pool may have.
///
/// It takes effect at once: more threads begin with the jobs that wait, and threads too many end as
/// soon as they have no job in hand. With 0 there is no pool: a job runs inside its caller, the hub and all
/// green threads wait for it, and a warning is reported.
///
/// Corresponds to `eventlet.tpool.set_num_threads`.
///
/// # Yields
///
/// Never.
///
/// # Differences
///
/// In eventlet this changes nothing once the pool has started.
///
/// # Examples
///
/// ```
/// use eventlet::tpool;
///
/// # eventlet::run(async {
/// tpool::set_num_threads(2);
/// assert_eq!(tpool::execute(|| 6 * 7).await, 42);
/// # });
/// ```
pub fn set_num_threads(threads: usize) {
    let mut state = lock();
    state.size = Some(threads);
    state.warned = false;
    for _ in 0..state.line.len().saturating_sub(state.idle) {
        // Where the operating system gives no thread now, `push` will try again.
        if !state.needs_thread() || state.start_thread().is_err() {
            break;
        }
    }
    drop(state);
    POOL.work.notify_all();
}

/// Returns whether a job is to run where it is asked for: in a thread of the pool, which could wait for
/// itself otherwise, or where there is no pool.
///
/// # Panics
///
/// When the environment asks for a number of threads that is none.
pub(super) fn runs_inline() -> bool {
    if IN_POOL.get() {
        return true;
    }
    let mut state = lock();
    if state.size() > 0 {
        return false;
    }
    let warned = std::mem::replace(&mut state.warned, true);
    drop(state);
    if !warned {
        report::warning(
            "the thread pool has no threads, so its jobs run in their callers' and block them",
        );
    }
    true
}

/// Adds a job to those that wait for a thread, and returns its number.
///
/// # Panics
///
/// When there is no thread and the operating system gives none.
pub(super) fn push(job: Job) -> u64 {
    let mut state = lock();
    let number = state.line.push(job);
    if state.needs_thread() {
        let refused = state.start_thread().err().filter(|_| state.threads == 0);
        if let Some(error) = refused {
            let _job = state.line.take_back(number);
            drop(state);
            panic!("cannot start an OS thread for the thread pool: {error}");
        }
    }
    drop(state);
    POOL.work.notify_one();
    number
}

/// Takes a job back. `None` when it has begun.
pub(super) fn take_back(number: u64) -> Option<Job> {
    lock().line.take_back(number)
}

fn lock() -> MutexGuard<'static, State> {
    POOL.state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn size(&mut self) -> usize {
        *self.size.get_or_insert_with(size_from_environment)
    }

    /// Returns whether some job would have to wait though there may be one thread more.
    fn needs_thread(&mut self) -> bool {
        // A job that slipped in while the size was set to 0 is done all the same.
        self.line.len() > self.idle && self.threads < self.size().max(1)
    }

    fn start_thread(&mut self) -> io::Result<()> {
        thread::Builder::new().name("eventlet-tpool".to_owned()).spawn(work)?;
        self.threads += 1;
        Ok(())
    }

    /// Returns whether a thread without a job is one too many. The last one leaves no job behind.
    fn may_leave(&mut self) -> bool {
        self.threads > self.size() && (self.threads > 1 || self.line.len() == 0)
    }
}

/// Reads how many threads the environment asks for.
fn size_from_environment() -> usize {
    match env::var(SIZE_VARIABLE) {
        Err(env::VarError::NotPresent) => DEFAULT_SIZE,
        Ok(size) => size.trim().parse().unwrap_or_else(|_| refuse(&size)),
        Err(env::VarError::NotUnicode(size)) => refuse(&size.to_string_lossy()),
    }
}

fn refuse(size: &str) -> ! {
    panic!(
        "the environment variable {SIZE_VARIABLE} says how many OS threads the thread pool has, and \
         `{size}` is no number of threads"
    )
}

/// What a thread of the pool does all its life.
fn work() {
    IN_POOL.set(true);
    while let Some(job) = next_job() {
        job();
    }
}

/// Waits for a job. `None` when this thread is one too many.
fn next_job() -> Option<Job> {
    let mut state = lock();
    loop {
        if state.may_leave() {
            state.threads -= 1;
            return None;
        }
        if let Some(job) = state.line.pop() {
            return Some(job);
        }
        state.idle += 1;
        state = POOL.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
    }
}
