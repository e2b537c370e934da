//! The current green thread, and parking it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use crate::corolocal::Local;
use crate::green::wait::{must_wait, wait};
use crate::greenthread::{Greenlet, getcurrent};
use crate::hub::within;

/// State shared by the handles of a green thread while it lives. Made at the first use.
static SHARED: Local<Arc<Shared>> = Local::new(Arc::default);

#[derive(Default)]
struct Shared {
    name: OnceLock<String>,
    /// Tokio's `Notify` stores one notification for a later waiter, which is what `unpark` needs.
    token: Notify,
}

/// Identifies a green thread, and can unpark it.
///
/// It is `Send` and `Sync`: a green thread may be unparked from another OS thread.
///
/// Corresponds to [`std::thread::Thread`].
///
/// # Examples
///
/// ```
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let handle = thread::spawn(thread::park);
///     let parked = handle.thread().clone();
///     std::thread::spawn(move || parked.unpark());
///     handle.join().unwrap();
/// }));
/// ```
#[derive(Clone)]
pub struct Thread {
    id: ThreadId,
    shared: Arc<Shared>,
}

impl Thread {
    /// Returns the number of the green thread, which no other of this process ever has.
    ///
    /// Corresponds to [`std::thread::Thread::id`].
    pub fn id(&self) -> ThreadId {
        self.id
    }

    /// Returns the name, if it was spawned with one, or got one from [`Greenlet::set_name`].
    ///
    /// Corresponds to [`std::thread::Thread::name`].
    ///
    /// # Differences
    ///
    /// The main green thread has none.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::thread::{self, Builder};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let named = Builder::new().name("worker".to_owned());
    ///     let handle = named.spawn(|| thread::current().name().unwrap().to_owned()).unwrap();
    ///     assert_eq!(handle.thread().name(), Some("worker"));
    ///     assert_eq!(handle.join().unwrap(), "worker");
    ///     assert_eq!(thread::current().name(), None);
    /// }));
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.shared.name.get().map(String::as_str)
    }

    /// Ends the current [`park`] of the green thread, or else its next one.
    ///
    /// Corresponds to [`std::thread::Thread::unpark`].
    ///
    /// # Yields
    ///
    /// Never.
    pub fn unpark(&self) {
        self.shared.token.notify_one();
    }

    /// Returns the handle of a green thread of this OS thread. One that has ended has no name any
    /// more, and its `unpark` does nothing.
    pub(super) fn of(greenlet: Greenlet) -> Thread {
        let shared = if greenlet.dead() { None } else { SHARED.value_of(greenlet.key()) };
        Thread::new(greenlet, shared.as_deref().cloned())
    }

    fn new(greenlet: Greenlet, shared: Option<Arc<Shared>>) -> Thread {
        let shared = shared.unwrap_or_default();
        if let Some(name) = greenlet.name() {
            shared.name.get_or_init(|| name.to_string());
        }
        Thread { id: ThreadId::of(greenlet), shared }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Thread");
        text.field("id", &self.id()).field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The number of a green thread, which no other of this process ever has.
///
/// Corresponds to [`std::thread::ThreadId`].
///
/// # Examples
///
/// ```
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let other = thread::spawn(|| thread::current().id());
///     assert_ne!(other.join().unwrap(), thread::current().id());
/// }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadId {
    os_thread: u64,
    /// The number from [`Greenlet::id`], which is unique within its OS thread.
    greenlet: u64,
}

impl ThreadId {
    fn of(greenlet: Greenlet) -> ThreadId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        std::thread_local! {
            static OS_THREAD: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        ThreadId { os_thread: OS_THREAD.with(|number| *number), greenlet: greenlet.id() }
    }
}

/// Returns the [`Thread`] of the running green thread, of whatever colour.
///
/// Corresponds to [`std::thread::current`].
///
/// # Panics
///
/// Outside green threads.
///
/// # Examples
///
/// ```
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     assert_eq!(thread::current().id(), thread::current().id());
/// }));
/// ```
#[track_caller]
pub fn current() -> Thread {
    let shared = SHARED.try_with(Arc::clone);
    Thread::new(getcurrent(), shared)
}

/// Waits until [`Thread::unpark`] is called, unless it was called since the last `park`.
///
/// Corresponds to [`std::thread::park`].
///
/// # Panics
///
/// If it has to wait and cannot: off green stacks, and while one unwinds.
///
/// # Yields
///
/// Unless it was unparked already.
///
/// # Killed
///
/// Nothing stays behind.
///
/// # Differences
///
/// It never returns spuriously. Code that runs inside a green thread, such as a `stackful` future
/// that is waited for with `.block()`, shares its token.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let flag = Rc::new(Cell::new(false));
///     let seen = Rc::clone(&flag);
///     let parked = thread::spawn(move || {
///         while !seen.get() {
///             thread::park();
///         }
///     });
///     thread::yield_now();
///     flag.set(true);
///     parked.thread().unpark();
///     parked.join().unwrap();
/// }));
/// ```
#[track_caller]
pub fn park() {
    must_wait(current().shared.token.notified());
}

/// Waits as [`park`] does, but no longer than so.
///
/// Corresponds to [`std::thread::park_timeout`].
///
/// # Panics
///
/// If there is no green stack to wait on.
///
/// # Yields
///
/// Unless it was unparked already, or its green stack unwinds: then it returns at once.
///
/// # Killed
///
/// Nothing stays behind.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let start = Instant::now();
///     thread::park_timeout(Duration::from_millis(5));
///     assert!(start.elapsed() >= Duration::from_millis(5));
/// }));
/// ```
#[track_caller]
pub fn park_timeout(dur: Duration) {
    // `std` does not say why it returned either.
    let _either = wait(within(Some(dur), current().shared.token.notified()));
}
