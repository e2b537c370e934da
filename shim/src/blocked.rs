//! Calls that block an OS thread although green threads share it: how many there were of each
//! function, and the hook that is told of each.
//!
//! Which function it is says the stack: the frame whose function is one of [`SYMBOLS`]. So no call
//! that does not block pays for it.
//!
//! # Invariants
//!
//! - **I1**: what the unwinder hands to [`look`] is a frame of this stack, and the [`Search`] that
//!   it was given.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use eventlet::lowlevel;

use crate::calls::SYMBOLS;
use crate::real;
use crate::spin::Spin;

static ALL: AtomicU64 = AtomicU64::new(0);

/// Of each function of [`SYMBOLS`].
static COUNTS: [AtomicU64; SYMBOLS.len()] = [const { AtomicU64::new(0) }; SYMBOLS.len()];

type Hook = Arc<dyn Fn(&Blocked) + Send + Sync>;

static HOOK: Spin<Option<Hook>> = Spin::new(None);
static IS_HOOKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether the hook runs: what it calls itself is not told.
    static TELLS: Cell<bool> = const { Cell::new(false) };
}

/// Why a call blocked its OS thread, where another would have suspended its green thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// It was made inside a poll, such as in an async fn, or in [`original`](crate::original).
    InPoll,
    /// Its green stack unwinds, by a panic or a kill.
    Unwinding,
    /// Its green stack is polled by something else than a hub.
    NoHub,
    /// An allocator made it, or the hub itself.
    AtWork,
    /// It was made in a signal handler.
    SignalHandler,
    /// Only libc or the kernel does what it asks for: signals that are not masked, a condition
    /// variable that processes share.
    Arguments,
}

impl Why {
    /// Says what to do about it.
    fn cure(self) -> &'static str {
        match self {
            Why::InPoll => {
                "inside a poll: await what eventlet or Tokio has for it, or run the closure with `stackful` or \
                 `tpool::execute`"
            }
            Why::Unwinding => "while its green stack unwinds: spawn what has to wait there",
            Why::NoHub => "on a green stack that no hub polls: spawn it",
            Why::AtWork => "by an allocator or the hub itself",
            Why::SignalHandler => "in a signal handler",
            Why::Arguments => {
                "with arguments that only the kernel understands: call it with `tpool::execute`"
            }
        }
    }
}

/// A call that blocked its OS thread, as [`set_blocking_hook`] tells it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Blocked {
    /// The name of the function, where it is known.
    pub function: Option<&'static str>,
    /// Why.
    pub why: Why,
    /// Who called it. The frames of this crate are on top.
    pub backtrace: Backtrace,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = self.function.unwrap_or("a function of libc");
        write!(f, "{function} blocks the OS thread, as it is called {}", self.why.cure())
    }
}

/// Sets what is told of calls that block an OS thread although green threads share it. The one
/// before is dropped.
///
/// It is called just before such a call, on whatever OS thread that is, with the caller's
/// backtrace. What it calls itself blocks, too. A panic in it is dropped. Calls of signal handlers,
/// of allocators and of the hub itself are counted only, by [`stats`](crate::stats).
///
/// While there is a hook, sleeps, locks, look-ups of names and waits for children are told, and
/// counted, also where they are made inside a poll. Descriptors are not, as there they are Tokio's:
/// `eventlet::debug::hub_blocking_detection` tells what blocks the hub for long, whatever it is.
///
/// # Examples
///
/// ```
/// use eventlet_shim::{Why, set_blocking_hook};
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// static SEEN: Mutex<Vec<(Option<&str>, Why)>> = Mutex::new(Vec::new());
///
/// eventlet_shim::monkey_patch();
/// set_blocking_hook(|blocked| SEEN.lock().unwrap().push((blocked.function, blocked.why)));
/// eventlet::run(async { std::thread::sleep(Duration::from_millis(1)) });
/// assert_eq!(SEEN.lock().unwrap()[0], (Some("clock_nanosleep"), Why::InPoll));
/// ```
pub fn set_blocking_hook(hook: impl Fn(&Blocked) + Send + Sync + 'static) {
    let hook: Hook = Arc::new(hook);
    let _old = HOOK.with(|place| place.replace(hook));
    IS_HOOKED.store(true, Ordering::Release);
}

/// Returns the functions that blocked an OS thread, and how often, the most frequent first.
///
/// # Examples
///
/// ```
/// use eventlet::stackful;
/// use std::time::Duration;
///
/// struct Sleeps;
///
/// impl Drop for Sleeps {
///     fn drop(&mut self) {
///         std::thread::sleep(Duration::from_millis(1));
///     }
/// }
///
/// eventlet_shim::monkey_patch();
/// eventlet::run(stackful(|| {
///     let unwound = std::panic::catch_unwind(|| {
///         let _sleeps = Sleeps;
///         std::panic::resume_unwind(Box::new(()));
///     });
///     assert!(unwound.is_err());
/// }));
/// assert_eq!(eventlet_shim::blocked_calls()[0], ("clock_nanosleep", 1));
/// ```
pub fn blocked_calls() -> Vec<(&'static str, u64)> {
    let named = SYMBOLS.iter().map(|(name, ..)| name.to_str().unwrap_or_default());
    let counts = COUNTS.iter().map(|count| count.load(Ordering::Relaxed));
    let mut calls: Vec<_> = named.zip(counts).filter(|(_, count)| *count > 0).collect();
    calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    calls
}

/// Returns how many there were in all.
pub(crate) fn all() -> u64 {
    ALL.load(Ordering::Relaxed)
}

/// Returns whether there is a hook, which is told of calls inside polls, too.
#[inline]
pub(crate) fn is_hooked() -> bool {
    IS_HOOKED.load(Ordering::Relaxed)
}

/// Counts a call that blocks, and tells of it. `errno` is as it was.
#[cold]
pub(crate) fn note(why: Why) {
    // A handler may have interrupted the unwinder, and that takes a lock of C, which this crate may
    // have now.
    let is_quiet = matches!(why, Why::SignalHandler | Why::AtWork);
    let at = if is_quiet { None } else { called() };
    let function = at.and_then(|at| SYMBOLS[at].0.to_str().ok());
    if why == Why::InPoll && (function == Some("sched_yield") || TELLS.get()) {
        return;
    }
    ALL.fetch_add(1, Ordering::Relaxed);
    if let Some(at) = at {
        COUNTS[at].fetch_add(1, Ordering::Relaxed);
    }
    if is_hooked() && !is_quiet {
        let errno = real::errno();
        tell(function, why);
        real::set_errno(errno);
    }
}

fn tell(function: Option<&'static str>, why: Why) {
    let Some(hook) = HOOK.with(|hook| hook.clone()) else { return };
    if TELLS.replace(true) {
        return;
    }
    let told = catch_unwind(AssertUnwindSafe(|| {
        lowlevel::without_waiting(|| {
            hook(&Blocked { function, why, backtrace: Backtrace::force_capture() });
        });
    }));
    TELLS.set(false);
    if let Err(payload) = told {
        // Its destructor might panic again.
        mem::forget(payload);
    }
}

/// What [`look`] has found.
struct Search {
    /// Which of [`SYMBOLS`].
    at: Option<usize>,
    frames: usize,
}

/// Frames of this crate between a function and its note, at most.
const DEEPEST: usize = 32;

/// Returns which of [`SYMBOLS`] was called: where one calls another it is the outer. The unwinder
/// waits for locks of C, too: those waits are not looked at, as each would begin another search.
fn called() -> Option<usize> {
    let mut search = Search { at: None, frames: 0 };
    lowlevel::without_waiting(|| {
        // SAFETY: `look` is called with each frame, and with the search.
        unsafe { _Unwind_Backtrace(look, (&raw mut search).cast()) }
    });
    search.at
}

/// A frame, as the unwinder knows it.
enum Frame {}

const GO_ON: c_int = 0;
const STOP: c_int = 5;

unsafe extern "C" {
    fn _Unwind_Backtrace(
        each: unsafe extern "C" fn(*mut Frame, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(frame: *mut Frame) -> usize;
    fn _Unwind_FindEnclosingFunction(code: *mut c_void) -> *mut c_void;
}

unsafe extern "C" fn look(frame: *mut Frame, search: *mut c_void) -> c_int {
    // SAFETY: by I1.
    let search = unsafe { &mut *search.cast::<Search>() };
    // SAFETY: by I1.
    let returns_to = unsafe { _Unwind_GetIP(frame) };
    let call = ptr::without_provenance_mut(returns_to.wrapping_sub(1));
    // SAFETY: it looks an address up.
    let function = unsafe { _Unwind_FindEnclosingFunction(call) };
    search.frames += 1;
    match SYMBOLS.iter().position(|(_, _, ours)| ptr::addr_eq(*ours, function)) {
        Some(at) => search.at = Some(at),
        None if search.at.is_some() || search.frames > DEEPEST => return STOP,
        None => {}
    }
    GO_ON
}
