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

/// The pool of this OS thread's hub. It is made when it is first used, and closed when another hub
/// has come, or the OS thread ends.
struct OfHub {
    hub: Weak<Hub>,
    pool: Arc<Pool>,
}

/// What is used where there is no hub.
struct Shared {
    pool: Option<Arc<Pool>>,
    /// How many threads a pool has if nobody says. `None` until it was asked for or set.
    default_size: Option<usize>,
}

/// Sets how many OS threads the pool of this hub may have.
///
/// It takes effect at once: more threads begin with the jobs that wait, and threads too many end as
/// soon as they have no job in hand. With 0 there is no pool: a job runs inside its caller, the hub
/// and all green threads wait for it, and a warning is reported.
///
/// Where there is no hub, it sets how many the pools of hubs to come will have, and the pool that
/// is used without one.
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

/// Ends the OS threads of this hub's pool, once the jobs that it has are done, and waits for that.
///
/// A job that somebody needs from then on starts the pool anew, with as many threads as before.
/// Where there is no hub, it is the pool that is used without one.
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
        // The sender goes when it has been used, and not before.
        let _closed = pool.close().await;
    }
}

/// Returns the pool that a job of the caller goes to. `None` when it is to run right there: in a
/// thread of a pool, which could wait for itself otherwise, or where there are to be no threads.
///
/// # Panics
///
/// When the environment asks for a number of threads that is none.
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

/// Puts a pool that has not started in the place of the hub's, and returns that.
fn renew_of_hub(hub: &Rc<Hub>) -> Option<Arc<Pool>> {
    OF_HUB.with_borrow_mut(|mine| {
        let mine = mine.as_mut().filter(|mine| mine.of(hub).is_some())?;
        let new = new_pool(mine.pool.size());
        Some(std::mem::replace(&mut mine.pool, new))
    })
}

/// Returns the pool that is used without a hub.
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

/// Returns how many threads a pool has of which nobody said it.
fn default_size() -> usize {
    *shared().default_size.get_or_insert_with(size_from_environment)
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
        "the environment variable {SIZE_VARIABLE} says how many OS threads a thread pool has, and \
         `{size}` is not a number"
    )
}
