//! Which pool is whose.

use std::cell::RefCell;
use std::env;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex};

use super::pool::{Pool, is_in_pool};
use crate::hub::{self, Held, Hub, hold};

/// As in eventlet.
const DEFAULT_SIZE: usize = 20;

const SIZE_VARIABLE: &str = "EVENTLET_THREADPOOL_SIZE";

thread_local! {
    static OF_HUB: RefCell<Option<OfHub>> = const { RefCell::new(None) };
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { pool: None, default_size: None });

/// The pool of this OS thread's hub. It is made at its first use, and closed when another hub has
/// started, or the OS thread ends.
struct OfHub {
    hub: Weak<Hub>,
    pool: Arc<Pool>,
}

/// The pool for callers without a hub.
struct Shared {
    pool: Option<Arc<Pool>>,
    /// The default number of threads. `None` until it was read or set.
    default_size: Option<usize>,
}

/// Sets how many OS threads the pool of this hub may have.
///
/// It takes effect at once: additional threads start on the waiting jobs, and surplus threads end
/// after their current job. With 0 there is no pool: a job runs inside its caller, blocks the hub
/// with all green threads, and a warning is reported.
///
/// Without a hub, it sets the number for the pools of future hubs, and for the pool of callers
/// without a hub.
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
    match hub::current() {
        Some(hub) => of_hub(&hub, || threads).set_size(threads),
        None => {
            let mut shared = shared();
            shared.default_size = Some(threads);
            let pool = shared.pool.clone();
            drop(shared);
            if let Some(pool) = pool {
                pool.set_size(threads);
            }
        }
    }
}

/// Ends the OS threads of this hub's pool, once its jobs are done, and waits for that.
///
/// A later job starts the pool anew, with as many threads as before. Without a hub, this applies to
/// the pool of callers without a hub.
///
/// Corresponds to `eventlet.tpool.killall`.
///
/// # Yields
///
/// Until all jobs are done; not at all if there was no thread.
///
/// # Killed
///
/// The threads end all the same.
///
/// # Differences
///
/// Eventlet's blocks the hub.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// use eventlet::{sleep, spawn, tpool};
/// use std::time::Duration;
///
/// # eventlet::run(async {
/// let saved = Arc::new(AtomicBool::new(false));
/// let flag = Arc::clone(&saved);
/// spawn(tpool::execute(move || flag.store(true, Ordering::SeqCst)));
/// sleep(Duration::ZERO).await;
///
/// tpool::killall().await;
/// assert!(saved.load(Ordering::SeqCst));
/// assert_eq!(tpool::execute(|| 6 * 7).await, 42, "it has started again");
/// # });
/// ```
pub async fn killall() {
    let pool = match hub::current() {
        Some(hub) => renew_of_hub(&hub),
        None => renew_shared(),
    };
    if let Some(pool) = pool {
        // The sender is dropped after its use, and not before.
        let _closed = pool.close().await;
    }
}

/// Returns the pool for a job of the caller. `None` if the job is to run on this OS thread: inside
/// a pool, which could wait for itself otherwise, or if the pool has no threads.
///
/// # Panics
///
/// If the environment variable is not a number.
pub(super) fn of_caller() -> Option<Arc<Pool>> {
    let pool = match hub::current() {
        Some(hub) => of_hub(&hub, default_size),
        None if is_in_pool() => return None,
        None => of_all(),
    };
    if pool.is_empty() { None } else { Some(pool) }
}

/// Returns the pool of a hub, and makes it, with so many threads, if it has none.
fn of_hub(hub: &Rc<Hub>, size: impl FnOnce() -> usize) -> Arc<Pool> {
    let known = OF_HUB.with_borrow(|mine| Some(Arc::clone(&mine.as_ref()?.of(hub)?.pool)));
    known.unwrap_or_else(|| {
        let pool = new_pool(size());
        let new = OfHub { hub: Rc::downgrade(hub), pool: Arc::clone(&pool) };
        let _closed = OF_HUB.replace(Some(new));
        pool
    })
}

/// Replaces the hub's pool with one that has not started, and returns the old one.
fn renew_of_hub(hub: &Rc<Hub>) -> Option<Arc<Pool>> {
    OF_HUB.with_borrow_mut(|mine| {
        let mine = mine.as_mut().filter(|mine| mine.of(hub).is_some())?;
        let new = new_pool(mine.pool.size());
        Some(std::mem::replace(&mut mine.pool, new))
    })
}

/// Returns the pool of callers without a hub.
fn of_all() -> Arc<Pool> {
    let size = default_size();
    Arc::clone(shared().pool.get_or_insert_with(|| new_pool(size)))
}

fn renew_shared() -> Option<Arc<Pool>> {
    shared().pool.as_mut().map(|pool| {
        let new = new_pool(pool.size());
        std::mem::replace(pool, new)
    })
}

fn new_pool(size: usize) -> Arc<Pool> {
    Arc::new(Pool::new("eventlet-tpool", size))
}

fn shared() -> Held<'static, Shared> {
    hold(&SHARED)
}

impl OfHub {
    /// Returns this if it is of that hub, and not of one before.
    fn of(&self, hub: &Rc<Hub>) -> Option<&OfHub> {
        (self.hub.as_ptr() == Rc::as_ptr(hub)).then_some(self)
    }
}

impl Drop for OfHub {
    fn drop(&mut self) {
        let _nobody_waits = self.pool.close();
    }
}

/// Returns the default number of threads of a pool.
fn default_size() -> usize {
    *shared().default_size.get_or_insert_with(size_from_environment)
}

/// Reads the number of threads from the environment.
fn size_from_environment() -> usize {
    match env::var(SIZE_VARIABLE) {
        Err(env::VarError::NotPresent) => DEFAULT_SIZE,
        Ok(size) => size.trim().parse().unwrap_or_else(|_| refuse(&size)),
        Err(env::VarError::NotUnicode(size)) => refuse(&size.to_string_lossy()),
    }
}

fn refuse(size: &str) -> ! {
    panic!(
        "the environment variable {SIZE_VARIABLE} says how many OS threads a thread pool has, and \
         `{size}` is not a number"
    )
}
