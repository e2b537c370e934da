//! The one question each function asks: may it wait greenly? And the wait itself, with `errno` as C
//! wants it.

use std::ffi::c_int;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use eventlet::lowlevel::{self, Cause, Place};

use crate::areas::{self, Area};
use crate::blocked::{self, Why};
use crate::identity;
use crate::real;
use crate::spin;

static WAITS: AtomicU64 = AtomicU64::new(0);
static CANCELLED: AtomicU64 = AtomicU64::new(0);

/// Returns whether a call is to be looked at: its area is patched, and it is made on a green stack.
#[inline]
pub(crate) fn is_on_stack(area: Area) -> bool {
    areas::is_patched(area) && lowlevel::place() != Place::Elsewhere
}

/// As [`is_on_stack`], of a call that blocks where it is not.
#[inline]
pub(crate) fn is_green(area: Area) -> bool {
    let green = is_on_stack(area);
    if !green && blocked::is_hooked() {
        note_in_poll(area);
    }
    green
}

/// Counts a call inside a poll, where it is one that blocks: Tokio's own use descriptors only.
#[cold]
fn note_in_poll(area: Area) {
    let blocks = matches!(area, Area::Time | Area::Dns | Area::Subprocess | Area::Thread);
    if blocks && areas::is_patched(area) && lowlevel::inside_poll() {
        blocked::note(Why::InPoll);
    }
}

/// Returns whether this stack unwinds, so that it cannot be suspended. Then the call blocks, and is
/// counted.
pub(crate) fn is_unwinding() -> bool {
    let unwinds = std::thread::panicking();
    if unwinds {
        blocked::note(Why::Unwinding);
    }
    unwinds
}

/// Returns whether a green thread may be suspended here. Where not, the call blocks the OS thread,
/// and is counted.
///
/// A signal handler runs on whatever stack it interrupted, in the middle of anything. It is told by
/// the stack that it has of its own. And the hub itself may be what calls, or this crate, through
/// an allocator that locks.
pub(crate) fn may_suspend() -> bool {
    let why = match () {
        () if is_in_handler() => Why::SignalHandler,
        () if !lowlevel::has_hub() => Why::NoHub,
        () if spin::is_held() || lowlevel::hub_is_borrowed() => Why::AtWork,
        () => return true,
    };
    blocked::note(why);
    false
}

/// Counts a call that blocks the OS thread although it is made on a green stack, as its arguments
/// want what only the kernel does.
pub(crate) fn note_blocked() {
    blocked::note(Why::Arguments);
}

/// Counts a call that an allocator makes.
pub(crate) fn note_allocator() {
    blocked::note(Why::AtWork);
}

fn is_in_handler() -> bool {
    if let Some(on_stack) = lowlevel::executes_on_stack() {
        return !on_stack;
    }
    // SAFETY: all zeroes is a value of it.
    let mut stack: libc::stack_t = unsafe { mem::zeroed() };
    // SAFETY: it writes to `stack`.
    unsafe { libc::sigaltstack(std::ptr::null(), &mut stack) };
    stack.ss_flags & libc::SS_ONSTACK != 0
}

/// Waits for a future. The error is what `errno` is to be. Until then `errno` is as it was,
/// whatever other green threads did meanwhile.
pub(crate) fn wait<F: Future>(future: F) -> Result<F::Output, c_int> {
    WAITS.fetch_add(1, Ordering::Relaxed);
    let errno = real::errno();
    let waited = lowlevel::wait(future);
    real::set_errno(errno);
    waited.map_err(|cancelled| {
        CANCELLED.fetch_add(1, Ordering::Relaxed);
        match cancelled.cause() {
            Cause::Limit => libc::ETIMEDOUT,
            _ => libc::ECANCELED,
        }
    })
}

/// Waits for a future, whatever happens to the green thread.
pub(crate) fn wait_shielded<F: Future>(future: F) -> F::Output {
    WAITS.fetch_add(1, Ordering::Relaxed);
    let errno = real::errno();
    let output = lowlevel::wait_shielded(future);
    real::set_errno(errno);
    output
}

/// What the functions of this crate did, in all OS threads together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Calls that suspended a green thread, or would have but for a kill.
    pub waits: u64,
    /// Those of them that ended with `ECANCELED` or `ETIMEDOUT`, as their green thread was killed
    /// or a limit passed.
    pub cancelled: u64,
    /// Calls that blocked the OS thread instead: [`blocked_calls`](crate::blocked_calls) says
    /// which.
    pub blocked: u64,
    /// Waits that cannot end, as what they wait for knows them by their OS thread: contended locks
    /// of a `parking_lot` that is not patched, and parking that nobody can end. They are reported,
    /// too.
    pub mistaken: u64,
}

/// Returns what the functions of this crate did so far.
///
/// # Examples
///
/// ```
/// eventlet_shim::monkey_patch();
/// let before = eventlet_shim::stats();
/// eventlet::run(eventlet::stackful(|| {
///     std::thread::sleep(std::time::Duration::from_millis(1));
/// }));
/// assert!(eventlet_shim::stats().waits > before.waits);
/// ```
pub fn stats() -> Stats {
    Stats {
        waits: WAITS.load(Ordering::Relaxed),
        cancelled: CANCELLED.load(Ordering::Relaxed),
        blocked: blocked::all(),
        mistaken: identity::mistaken(),
    }
}
