//! Runs a program under many schedules.

use std::env;

use super::choices::{Script, Source};
use super::failure::Failure;
use super::run::run;
use super::shrink::shrink;
use crate::awaitable::Awaitable;

/// Names a schedule that `check` is to run in place of its seeds.
const VARIABLE: &str = "EVENTLET_SEED";

/// Runs a program with each seed, and panics when it fails: see [the module](super).
///
/// Each run has an OS thread and a hub of its own, and a clock that stands still. The environment
/// variable `EVENTLET_SEED` has it run one seed or schedule only, that of a failure.
///
/// # Panics
///
/// When the program fails, with the report of the [`Failure`]. When `EVENTLET_SEED` is neither a
/// seed nor a schedule.
///
/// # Examples
///
/// ```
/// use eventlet::{Queue, spawn, testing};
///
/// testing::check(0..100, || async {
///     let queue = Queue::new(1);
///     let sender = queue.clone();
///     spawn(async move { sender.put(1).await });
///     assert_eq!(queue.get().await, 1);
/// });
/// ```
///
/// In the other colour:
///
/// ```
/// # #[cfg(feature = "stackful")] {
/// use eventlet::{Block, Queue, spawn, stackful, testing};
///
/// testing::check(0..100, || {
///     stackful(|| {
///         let queue = Queue::new(1);
///         let sender = queue.clone();
///         spawn(stackful(move || sender.put(1).block()));
///         assert_eq!(queue.get().block(), 1);
///     })
/// });
/// # }
/// ```
#[track_caller]
pub fn check<M, F>(seeds: impl IntoIterator<Item = u64>, program: M)
where
    M: Fn() -> F + Sync,
    F: Awaitable<()> + 'static,
{
    let failure = match env::var(VARIABLE) {
        Ok(schedule) => replay(&schedule, program),
        Err(_) => find(seeds, program),
    };
    if let Some(failure) = failure {
        panic!("{failure}");
    }
}

/// Runs a program with each seed up to the first that fails, and returns how it failed, under the
/// shortest schedule that was found to fail.
///
/// `EVENTLET_SEED` changes nothing here.
///
/// # Examples
///
/// ```
/// use eventlet::testing;
///
/// let program = || async { assert_ne!(testing::choose(3), 2) };
/// let failure = testing::find(0..100, program).unwrap();
/// assert!(failure.what().contains("assertion `left != right` failed"));
/// assert_eq!(testing::replay(failure.schedule(), program).unwrap().what(), failure.what());
/// ```
pub fn find<M, F>(seeds: impl IntoIterator<Item = u64>, program: M) -> Option<Failure>
where
    M: Fn() -> F + Sync,
    F: Awaitable<()> + 'static,
{
    let with_seed = |seed| (seed, run(&program, Source::Seed(seed)));
    let (seed, first) =
        seeds.into_iter().map(with_seed).find(|(_seed, ran)| ran.failed.is_some())?;
    let at_first = first.taken.0.len();
    let least = shrink(first, |script: Script| run(&program, Source::Script(script)));
    Some(Failure::new(Some(seed), at_first, &least))
}

/// Runs a program under one schedule, or with one seed, and returns how it failed, if it did.
///
/// # Panics
///
/// When `schedule` is neither.
///
/// # Examples
///
/// ```
/// use eventlet::testing;
///
/// let program = || async { assert_ne!(testing::choose(3), 2) };
/// assert!(testing::replay("0=2", program).is_some());
/// assert!(testing::replay("0=1", program).is_none());
/// ```
#[track_caller]
pub fn replay<M, F>(schedule: &str, program: M) -> Option<Failure>
where
    M: Fn() -> F + Sync,
    F: Awaitable<()> + 'static,
{
    let source = schedule.parse().unwrap_or_else(|error| panic!("{VARIABLE}: {error}"));
    let ran = run(&program, source);
    ran.failed.is_some().then(|| Failure::new(None, ran.taken.0.len(), &ran))
}
