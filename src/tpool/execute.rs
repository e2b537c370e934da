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

/// Runs a closure in an OS thread of this hub's pool, and waits for its value.
///
/// Other green threads run meanwhile. Called from inside a pool, the closure runs right there: so a
/// job can use what uses the pool, and never waits for its own thread. A job may also wait for
/// another hub that uses its own pool, or run one.
///
/// It can be awaited anywhere: in green threads, in tasks of Tokio, under any executor. Where there
/// is no hub, a pool that all such callers share does it.
///
/// Corresponds to `eventlet.tpool.execute`.
///
/// # Yields
///
/// Until the closure has returned, unless it ran right here.
///
/// # Killed
///
/// A closure that has not begun never does. One that has runs to its end and keeps its thread that
/// long; what it returns is dropped there, and its panic is reported.
///
/// # Panics
///
/// A panic of the closure goes on in the caller. So does a refusal of the operating system to give
/// the pool its first thread, and an `EVENTLET_THREADPOOL_SIZE` that is no number.
///
/// # Differences
///
/// Eventlet runs a closure even when its caller has given up before it began. An exception that
/// is not an `Exception` ends one of eventlet's threads, and its caller waits forever.
///
/// A paused clock does not wait for the pool: if nobody else can go on, it runs ahead.
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

/// Runs a closure in an OS thread of that pool, and waits for its value.
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
    /// In the pool of whoever waits first.
    Hub,
    Pool(Arc<Pool>),
    Lane(Arc<Lane>),
}

enum Stage {
    /// Nobody has waited for it yet.
    New(Job),
    /// It was in line, under this number.
    InLine(u64),
    /// It ran where it was waited for.
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
    /// Sees to it that the job is done, now or in its turn.
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
            // A statement of its own: the closure is dropped after the lock was given back.
            let _job = match &self.queue {
                Where::Hub => None,
                Where::Pool(pool) => pool.take_back(number),
                Where::Lane(lane) => lane.take_back(number),
            };
        }
        // From here on whoever has the outcome is the one who answers for it.
        self.outcome.close();
        if let Ok(unwanted) = self.outcome.try_recv() {
            discard(unwanted);
        }
    }
}

/// Drops an outcome that nobody waits for, and reports it if it is a panic.
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
