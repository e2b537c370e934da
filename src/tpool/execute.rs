//! One job of the pool, as a future of its value.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;

use tokio::sync::oneshot;

use super::hubs;
use super::job_queue::Job;
use super::lane::Lane;
use super::pool::Pool;
use crate::report;

/// Runs a closure on an OS thread of this hub's pool, and waits for its value.
///
/// Other green threads run meanwhile. Called from inside a pool, the closure runs on the same OS
/// thread: so a job can call code that uses the pool, and never waits for its own thread. A job may
/// also wait for another hub that uses its own pool, or run one.
///
/// It can be awaited anywhere: in green threads, in tasks of Tokio, under any executor. Without a
/// hub, the closure runs in a pool that all such callers share.
///
/// Corresponds to `eventlet.tpool.execute`.
///
/// # Yields
///
/// Until the closure has returned, unless it ran on this OS thread.
///
/// # Killed
///
/// A closure that has not begun never does. One that has begun runs to its end and occupies its
/// thread that long; its value is dropped there, and its panic is reported.
///
/// # Panics
///
/// A panic of the closure is resumed in the caller. It also panics if the operating system refuses
/// the pool its first thread, or `EVENTLET_THREADPOOL_SIZE` is not a number.
///
/// # Differences
///
/// Eventlet runs a closure even when its caller has given up before it began. An exception that
/// is not an `Exception` ends one of eventlet's threads, and its caller waits forever.
///
/// A paused clock does not wait for the pool: if no other task can run, it advances.
///
/// # Examples
///
/// ```
/// use eventlet::{tpool, with_timeout};
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// # eventlet::run(async {
/// let (stop, stopped) = mpsc::channel::<()>();
/// let slow = tpool::execute(move || stopped.recv());
/// assert!(with_timeout(Duration::from_millis(1), slow).await.is_err());
/// drop(stop);
///
/// assert_eq!(tpool::execute(|| 6 * 7).await, 42);
/// # });
/// ```
pub fn execute<F, T>(job: F) -> Execute<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Execute::new(Where::Hub, job)
}

/// Runs a closure on an OS thread of that pool, and waits for its value.
pub(crate) fn execute_on<F, T>(pool: Arc<Pool>, job: F) -> Execute<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Execute::new(Where::Pool(pool), job)
}

/// The future of [`execute`] and [`Proxy::call`](super::Proxy::call).
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Execute<T> {
    queue: Where,
    stage: Stage,
    outcome: oneshot::Receiver<thread::Result<T>>,
}

/// Where a job waits for its turn.
pub(super) enum Where {
    /// In the pool of the first waiter.
    Hub,
    Pool(Arc<Pool>),
    Lane(Arc<Lane>),
}

enum Stage {
    /// It has not been polled yet.
    New(Job),
    /// It was queued, under this number.
    InLine(u64),
    /// It ran on the waiter's OS thread.
    Done,
}

impl<T: Send + 'static> Execute<T> {
    pub(super) fn new(queue: Where, job: impl FnOnce() -> T + Send + 'static) -> Execute<T> {
        let (sender, outcome) = oneshot::channel();
        let job = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(job));
            if let Err(unwanted) = sender.send(result) {
                discard(unwanted);
            }
        });
        Execute { queue, stage: Stage::New(job), outcome }
    }
}

impl<T> Execute<T> {
    /// Runs or queues the job.
    fn start(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        self.stage = match stage {
            Stage::New(job) => self.begin(job),
            begun => begun,
        };
    }

    fn begin(&mut self, job: Job) -> Stage {
        if let Where::Pool(pool) = &self.queue {
            return Stage::InLine(pool.push(job));
        }
        let Some(pool) = hubs::of_caller() else {
            job();
            return Stage::Done;
        };
        if let Where::Lane(lane) = &self.queue {
            return Stage::InLine(lane.push(&pool, job));
        }
        let number = pool.push(job);
        self.queue = Where::Pool(pool);
        Stage::InLine(number)
    }
}

impl<T> Future for Execute<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.start();
        match ready!(Pin::new(&mut self.outcome).poll(cx)) {
            Ok(Ok(value)) => Poll::Ready(value),
            Ok(Err(payload)) => resume_unwind(payload),
            Err(_) => panic!("a job of the thread pool was lost"),
        }
    }
}

impl<T> Drop for Execute<T> {
    fn drop(&mut self) {
        if let Stage::InLine(number) = self.stage {
            // A separate statement: the closure is dropped after the unlock.
            let _job = match &self.queue {
                Where::Hub => None,
                Where::Pool(pool) => pool.take_back(number),
                Where::Lane(lane) => lane.take_back(number),
            };
        }
        // From here on the holder of the outcome is responsible for reporting it.
        self.outcome.close();
        if let Ok(unwanted) = self.outcome.try_recv() {
            discard(unwanted);
        }
    }
}

/// Drops an outcome that has no waiter, and reports it if it is a panic.
fn discard<T>(outcome: thread::Result<T>) {
    let what = "in a job of the thread pool that nobody waited for";
    match outcome {
        Ok(value) => report::discard(what, value),
        Err(payload) => report::panicked(what, payload),
    }
}

impl<T> fmt::Debug for Execute<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute").finish_non_exhaustive()
    }
}
