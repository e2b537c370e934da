//! Waiting on behalf of C code: a wait that never unwinds.
//!
//! [`Block::block`] waits on a green stack, and ends by unwinding when its green thread is killed
//! or a time limit passes. No unwind may pass a function of C, nor an `extern "C"` function of
//! Rust: the process aborts. So a function that C calls, and that has to wait, uses [`wait`], which
//! returns [`Cancelled`] instead. The function reports that by a C error, such as `ECANCELED`, and
//! C returns; back in Rust, the next ordinary wait unwinds.
//!
//! ```
//! use eventlet::{Block, Timeout, lowlevel, sleep, stackful};
//! use std::time::Duration;
//!
//! /// As a C library might call it, to wait for something.
//! extern "C" fn pause(milliseconds: u64) -> i32 {
//!     if !lowlevel::may_wait() {
//!         std::thread::sleep(Duration::from_millis(milliseconds));
//!         return 0;
//!     }
//!     match lowlevel::wait(sleep(Duration::from_millis(milliseconds))) {
//!         Ok(()) => 0,
//!         Err(_cancelled) => -1,
//!     }
//! }
//!
//! eventlet::run(stackful(|| {
//!     assert_eq!(pause(1), 0);
//!     let limit = Timeout::new(Duration::from_millis(1));
//!     let late = limit.run_blocking(|| {
//!         assert_eq!(pause(60_000), -1);
//!         assert_eq!(pause(60_000), -1);
//!         sleep(Duration::ZERO).block();
//!         unreachable!("an ordinary wait unwinds");
//!     });
//!     assert_eq!(late, Err(limit));
//! }));
//! ```
//!
//! Some C functions that wait cannot return an error, such as that for a lock: [`wait_shielded`] is
//! for them. The crate `eventlet-shim` is built on these two.
//!
//! Eventlet has no need of it: its green threads wait in C, where `greenlet` switches.
//!
//! [`Block::block`]: crate::Block::block

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::hint;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::ptr;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use crate::greenthread::sleep;
use crate::hub::{self, Outer};
use crate::report;
use crate::stackful::Frame;

/// How code that has to wait can do so: what [`place`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// On no green stack, or inside a poll: waiting blocks the OS thread.
    Elsewhere,
    /// On a green stack: [`wait`] and [`wait_shielded`] suspend it.
    Stack,
    /// In a destructor that an unwinding green stack runs. It is not suspended: other green threads
    /// would run while the OS thread counts as panicking.
    Unwinding,
}

/// Returns where this code runs. Off green stacks it costs one load.
///
/// # Examples
///
/// ```
/// use eventlet::lowlevel::{Place, place};
/// use eventlet::stackful;
///
/// assert_eq!(place(), Place::Elsewhere);
/// eventlet::run(stackful(|| assert_eq!(place(), Place::Stack)));
/// ```
#[inline]
pub fn place() -> Place {
    match hub::current_stack().is_null() {
        true => Place::Elsewhere,
        false if thread::panicking() => Place::Unwinding,
        false => Place::Stack,
    }
}

/// Returns the number of the green stack that this code runs on. No other stack has it until this
/// one has ended. `None` where [`place`] is [`Place::Elsewhere`].
///
/// It identifies the executing code, for a lock that records its owner for example. A stack keeps
/// its number when it is orphaned ([`wait_shielded`]).
///
/// # Examples
///
/// ```
/// use eventlet::{Block, lowlevel, spawn, stackful};
///
/// assert_eq!(lowlevel::stack_id(), None);
/// eventlet::run(stackful(|| {
///     let other = spawn(stackful(lowlevel::stack_id));
///     let own = lowlevel::stack_id();
///     assert!(own.is_some() && own != other.block().unwrap());
/// }));
/// ```
#[inline]
pub fn stack_id() -> Option<NonZeroUsize> {
    NonZeroUsize::new(hub::current_stack().addr())
}

/// Returns whether this code belongs to a green thread of a hub. A green stack may be polled by
/// other executors, and then there is no hub to sleep in.
///
/// # Examples
///
/// ```
/// use eventlet::lowlevel;
///
/// assert!(!lowlevel::has_hub());
/// eventlet::run(async { assert!(lowlevel::has_hub()) });
/// ```
pub fn has_hub() -> bool {
    hub::current().is_some_and(|hub| hub.current().is_some())
}

/// Returns whether this is called from inside the hub of this OS thread: code that the hub calls,
/// such as the program's allocator, must not suspend the green stack.
///
/// # Examples
///
/// ```
/// use eventlet::{lowlevel, stackful};
///
/// eventlet::run(stackful(|| assert!(!lowlevel::hub_is_borrowed())));
/// ```
pub fn hub_is_borrowed() -> bool {
    hub::is_borrowed()
}

/// Returns whether this code executes on the green stack itself, and not in a signal handler with a
/// stack of its own. `None` if that is not known, because the green thread is being ended, or if
/// there is no green stack.
///
/// # Examples
///
/// ```
/// use eventlet::{lowlevel, stackful};
///
/// assert_eq!(lowlevel::executes_on_stack(), None);
/// eventlet::run(stackful(|| assert_eq!(lowlevel::executes_on_stack(), Some(true))));
/// ```
pub fn executes_on_stack() -> Option<bool> {
    let local = 0_u8;
    let here = ptr::from_ref(hint::black_box(&local)).addr();
    Frame::with_current(|frame| frame?.holds(here))
}

/// Calls a function as if it were on no green stack: its waits block the OS thread.
///
/// # Examples
///
/// ```
/// use eventlet::{lowlevel, stackful};
///
/// eventlet::run(stackful(|| {
///     lowlevel::without_waiting(|| assert!(!lowlevel::may_wait()));
///     assert!(lowlevel::may_wait());
/// }));
/// ```
pub fn without_waiting<R>(function: impl FnOnce() -> R) -> R {
    let _on_no_stack = Outer::leave();
    function()
}

/// Returns whether this code may [`wait`]: it is on a green stack, not inside a poll, and not in a
/// destructor that a panic runs.
///
/// If it is false, a wait must block the OS thread, as it would without green threads.
///
/// On a green stack whose green thread is being ended it is true, also in a destructor: `wait`
/// returns at once there.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, lowlevel, stackful};
///
/// assert!(!lowlevel::may_wait());
/// eventlet::run(stackful(|| {
///     assert!(lowlevel::may_wait());
///     async { assert!(!lowlevel::may_wait()) }.block();
/// }));
/// ```
pub fn may_wait() -> bool {
    Frame::with_current(|frame| {
        frame.is_some_and(|frame| frame.is_ending() || !thread::panicking())
    })
}

/// Returns whether this code is inside the poll of a future of a green thread of this OS thread.
///
/// Blocking the OS thread here blocks all its green threads. That also holds in Tokio's own tasks,
/// which this does not detect.
///
/// # Examples
///
/// ```
/// use eventlet::{lowlevel, stackful};
///
/// assert!(!lowlevel::inside_poll());
/// eventlet::run(async {
///     assert!(lowlevel::inside_poll());
///     stackful(|| assert!(!lowlevel::inside_poll())).await;
/// });
/// ```
pub fn inside_poll() -> bool {
    let on_a_stack = Frame::with_current(|frame| frame.is_some());
    !on_a_stack && has_hub()
}

/// Waits for a future on a green stack, without ever unwinding.
///
/// It is for code that is called from C; all other code waits with
/// [`Block::block`](crate::Block::block). A panic of the future is passed on, so it must not panic.
///
/// # Panics
///
/// At the caller's line, if this code is not on a green stack, or is inside a poll: check
/// [`may_wait`] first.
///
/// # Yields
///
/// Until the future is ready; not at all if it is.
///
/// # Killed
///
/// The future is dropped, and the wait is cancelled. The green thread runs on while the killer
/// waits, as it does for destructors: each further `wait` is cancelled at once, without polling its
/// future. At the next ordinary wait its stack is unwound from there. If there is none it runs to
/// its end, and its value is dropped.
///
/// C code may ignore the error, and call again in a loop. After 64 cancelled waits in a row the
/// killer does not wait any longer: the stack is orphaned, as in [`wait_shielded`], and each
/// further wait takes a millisecond before it is cancelled. The same holds after a limit has
/// passed.
///
/// # Errors
///
/// [`Cancelled`] when the green thread is being ended; when a time limit
/// ([`Timeout::run_blocking`](crate::Timeout::run_blocking)) has passed, unless the future is
/// ready; in a destructor that a panic runs, likewise.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, Queue, lowlevel, sleep, spawn, stackful};
/// use std::time::Duration;
///
/// eventlet::run(stackful(|| {
///     let queue = Queue::<u32>::new(None);
///     let items = queue.clone();
///     let reader = spawn(stackful(move || {
///         assert!(lowlevel::wait(items.get()).is_err());
///         assert!(lowlevel::wait(async { "ready" }).is_err());
///     }));
///     sleep(Duration::ZERO).block();
///     reader.kill();
///     assert!(reader.block().unwrap_err().is_killed());
/// }));
/// ```
#[track_caller]
pub fn wait<F: IntoFuture>(future: F) -> Result<F::Output, Cancelled> {
    match Frame::with_current(|frame| Some(wait_on(frame?, future))) {
        Some(waited) => waited,
        None => panic!(
            "`lowlevel::wait` needs a green stack, and this code is on none or inside a poll: ask \
             `lowlevel::may_wait()` first"
        ),
    }
}

fn wait_on<F: IntoFuture>(frame: &Frame, future: F) -> Result<F::Output, Cancelled> {
    match poll_to_end(frame, pin!(future.into_future())) {
        Ok(output) => Ok(output),
        Err(cause) => {
            pace(frame, cause);
            Err(Cancelled(cause))
        }
    }
}

fn poll_to_end<F: Future>(frame: &Frame, mut future: Pin<&mut F>) -> Result<F::Output, Cause> {
    while !frame.is_ending() {
        if let Poll::Ready(output) = frame.poll(future.as_mut()) {
            return Ok(output);
        }
        if thread::panicking() {
            return Err(Cause::Unwinding);
        }
        if frame.limit_to_take_effect().is_some() {
            return Err(Cause::Limit);
        }
        frame.put_aside();
    }
    Err(Cause::Ended)
}

/// Cancelled waits in a row after which the code that makes them is slowed down.
const MANY_CANCELLED: usize = 64;

thread_local! {
    /// The waiter that was cancelled last, and how many times in a row.
    static CANCELLED: Cell<(Waiter, usize)> = const { Cell::new(((0, 0), 0)) };
}

/// A waiter: the address of the stack's frame, and the number of the green thread, as another may
/// get that stack next.
type Waiter = (usize, u64);

/// Counts a cancelled wait, and slows down a waiter that ignores it.
#[cold]
fn pace(frame: &Frame, cause: Cause) {
    let here = waiter(frame);
    let (last, count) = CANCELLED.get();
    let count = if last == here { count + 1 } else { 1 };
    CANCELLED.set((here, count));
    if count < MANY_CANCELLED || thread::panicking() {
        return;
    }
    if count == MANY_CANCELLED {
        report::warning(&format!(
            "a wait below C was cancelled {MANY_CANCELLED} times in a row on one green stack, and its code waits again: \
             each further wait takes a millisecond"
        ));
    }
    let pause = sleep(Duration::from_millis(1));
    match cause {
        Cause::Limit => pause_with_limit(frame, pause),
        _ => frame.wait_shielded(pause.into_future()),
    }
    // Other stacks have waited meanwhile, and this stack may belong to another green thread now.
    CANCELLED.set((waiter(frame), count));
}

fn waiter(frame: &Frame) -> Waiter {
    let green_thread = hub::current().and_then(|hub| hub.current()).map_or(0, hub::Key::serial);
    (ptr::from_ref(frame).addr(), green_thread)
}

/// Pauses on a green stack whose limit has passed, unless it is killed.
fn pause_with_limit(frame: &Frame, pause: impl IntoFuture) {
    let mut pause = pin!(pause.into_future());
    while !frame.is_ending() && frame.poll(pause.as_mut()).is_pending() {
        frame.put_aside();
    }
}

/// Waits for a future on a green stack, whatever happens to the green thread.
///
/// It is for C functions that cannot return an error, such as that for a lock: the caller goes on
/// only with the lock.
///
/// # Panics
///
/// At the caller's line, if [`place`] is not [`Place::Stack`]. A panic of the future is passed on,
/// so it must not panic.
///
/// # Yields
///
/// Until the future is ready; not at all if it is.
///
/// # Killed
///
/// The green thread ends at once for all others: the kill returns, its handle has its result, its
/// links have run. Its stack is orphaned. When the future is ready the code goes on there, with
/// each [`wait`] cancelled, until its next ordinary wait unwinds it. The same holds when a limit
/// around its future passes. Until then it lives on as a nameless green thread, without the
/// [locals](crate::corolocal) of the one that ended.
///
/// A [scope](crate::green::thread::scope) waits for such stacks of its members. A scope's owner
/// that is itself unwound, and whose member reaches a shielded wait only while it is being ended,
/// cannot: the process aborts with a message.
///
/// When its hub ends, or if there is none, the OS thread waits up to a second for all such stacks
/// of the hub together. Each that is left is abandoned with a warning: the future is dropped, but
/// the stack is never unwound, and not freed.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, Semaphore, lowlevel, sleep, spawn, stackful};
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// eventlet::run(stackful(|| {
///     let lock = Rc::new(Semaphore::new(0));
///     let (theirs, has_it) = (lock.clone(), Rc::new(std::cell::Cell::new(false)));
///     let seen = has_it.clone();
///     let victim = spawn(stackful(move || {
///         let _permit = lowlevel::wait_shielded(theirs.acquire());
///         seen.set(true);
///         assert!(lowlevel::wait(sleep(Duration::ZERO)).is_err());
///     }));
///     sleep(Duration::ZERO).block();
///     victim.kill();
///     assert!(victim.block().unwrap_err().is_killed());
///     assert!(!has_it.get());
///     lock.release();
///     sleep(Duration::from_millis(1)).block();
///     assert!(has_it.get());
/// }));
/// ```
#[track_caller]
pub fn wait_shielded<F: IntoFuture>(future: F) -> F::Output {
    let waited = match place() {
        Place::Stack => {
            Frame::with_current(|frame| Some(frame?.wait_shielded(future.into_future())))
        }
        _ => None,
    };
    match waited {
        Some(output) => output,
        None => panic!(
            "`lowlevel::wait_shielded` needs a green stack that does not unwind, and this code is on none or inside a \
             poll: ask `lowlevel::place()` first"
        ),
    }
}

/// Has a function called whenever no green thread of this OS thread's hub is ready, before the hub
/// waits for I/O and timers.
///
/// It is for what wakes no waker: the function looks, and wakes green threads, which run at once.
/// It is called inside the hub, so it neither waits nor panics. A hub has one such function; another
/// takes its place. Where there is no hub nothing happens.
///
/// # Examples
///
/// ```
/// use eventlet::{lowlevel, sleep};
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::time::Duration;
///
/// static LOOKS: AtomicU32 = AtomicU32::new(0);
///
/// eventlet::run(async {
///     lowlevel::when_idle(|| drop(LOOKS.fetch_add(1, Ordering::Relaxed)));
///     sleep(Duration::from_millis(1)).await;
///     assert!(LOOKS.load(Ordering::Relaxed) > 0);
/// });
/// ```
pub fn when_idle(function: fn()) {
    if let Some(hub) = hub::current() {
        hub.when_idle(function);
    }
}

/// Reports a failure that is not returned to any caller: as a `tracing` event, or on standard error
/// if the program has no subscriber.
///
/// # Examples
///
/// ```
/// eventlet::lowlevel::report_error("a lock of C", &"it is damaged");
/// ```
pub fn report_error(what: &str, error: &dyn fmt::Display) {
    report::trouble(what, error);
}

/// As [`report_error`], for something that works, but not as intended.
///
/// # Examples
///
/// ```
/// eventlet::lowlevel::report_warning("a green thread is parked, and nobody can unpark it");
/// ```
pub fn report_warning(text: &str) {
    report::warning(text);
}

/// The error of a cancelled [`wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled(Cause);

impl Cancelled {
    /// Returns why.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Timeout, lowlevel, stackful};
    /// use std::{future::pending, time::Duration};
    ///
    /// eventlet::run(stackful(|| {
    ///     let limit = Timeout::new(Duration::from_millis(1));
    ///     let waited = limit.run_blocking(|| lowlevel::wait(pending::<()>())).unwrap();
    ///     assert_eq!(waited.unwrap_err().cause(), lowlevel::Cause::Limit);
    /// }));
    /// ```
    pub fn cause(&self) -> Cause {
        self.0
    }
}

/// Why a [`wait`] was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The green thread is being ended.
    Ended,
    /// A time limit has passed.
    Limit,
    /// The stack is unwinding because of a panic.
    Unwinding,
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the wait was cancelled")
    }
}

impl Error for Cancelled {}
