//! Locks of C: mutexes, condition variables, read-write locks, semaphores and barriers.
//!
//! libc's own are what they were: each is tried by libc's function that does not wait, and only the
//! wait is ours, in the table of [`futex`](crate::futex). OS threads still wait inside libc, and an
//! unlock wakes waiters of both kinds. A wait for a lock has no error to give, so it is shielded.
//!
//! An allocator may be built on locks of C, and what interrupts it must not come into it again. Its
//! mutexes are adaptive ones, as jemalloc's are, and these are waited for inside libc.
//!
//! | file | what it holds |
//! |---|---|
//! | `libc_own` | libc's functions |
//! | `mutex` | mutexes; which green stack has a recursive one |
//! | `condition` | condition variables |
//! | `once` | what is initialized once |
//! | `rwlock` | read-write locks |
//! | `semaphore` | semaphores, which signal handlers may post |
//! | `barrier` | barriers |
//! | `c11` | the names that C11 has for mutexes, condition variables and threads |

pub(super) mod barrier;
pub(super) mod c11;
pub(super) mod condition;
mod libc_own;
pub(super) mod mutex;
pub(super) mod once;
pub(super) mod rwlock;
pub(super) mod semaphore;

use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{clockid_t, timespec};

use super::time::{duration_of, now};
use crate::areas::Area;
use crate::clock::{self, Deadline};
use crate::gate;

/// Returns whether a call is made on a green stack whose locks are ours.
#[inline]
fn is_green() -> bool {
    gate::is_on_stack(Area::Thread)
}

/// Returns whether the green thread may be suspended until it has a lock. Where not, the call
/// blocks the OS thread, and is counted.
fn may_suspend() -> bool {
    // A stack that unwinds is not suspended.
    !gate::is_unwinding() && gate::may_suspend()
}

/// Until when a call waits: always a time of a clock.
#[derive(Clone, Copy)]
enum Until {
    Ever,
    Time(clockid_t, *const timespec),
}

impl Until {
    /// Returns when that is. `None` where it is no time, or long ago: libc knows what to say then.
    ///
    /// # Safety
    ///
    /// It points to a time.
    unsafe fn deadline(self) -> Option<Deadline> {
        let Until::Time(clock, time) = self else { return Some(Deadline::default()) };
        // SAFETY: the caller says so.
        let time = duration_of(unsafe { time.as_ref() }?)?;
        let known = [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC].contains(&clock);
        known.then(|| now(clock)).flatten().map(|now| Deadline::after(time.saturating_sub(now)))
    }
}

/// libc's functions that take something and wait for it: without a limit, until a time of the clock
/// that shows the date, and until a time of another clock.
struct Own<T> {
    ever: unsafe fn(*mut T) -> c_int,
    timed: unsafe fn(*mut T, *const timespec) -> c_int,
    clock: unsafe fn(*mut T, clockid_t, *const timespec) -> c_int,
}

impl<T> Own<T> {
    /// Takes it inside libc.
    ///
    /// # Safety
    ///
    /// As that function of libc.
    unsafe fn take(&self, from: *mut T, until: Until) -> c_int {
        match until {
            // SAFETY: the caller says so.
            Until::Ever => unsafe { (self.ever)(from) },
            // SAFETY: the caller says so.
            Until::Time(libc::CLOCK_REALTIME, time) => unsafe { (self.timed)(from, time) },
            // SAFETY: the caller says so.
            Until::Time(clock, time) => unsafe { (self.clock)(from, clock, time) },
        }
    }
}

/// How long to wait before a lock is tried again that others unlock without a word, each time
/// longer, up to `most`.
fn pauses(most: Duration) -> impl FnMut() -> Duration {
    let mut count = 0;
    move || {
        count += 1;
        clock::pause(count - 1, most)
    }
}

/// The longest pause before a lock is tried again that an OS thread unlocks inside libc.
const UNSEEN: Duration = Duration::from_millis(8);

/// The longest pause before a lock is tried again that another process may unlock.
const SHARED: Duration = Duration::from_millis(50);

/// A bit that an initializer of libc's sets in a structure of `N` words.
#[derive(Clone, Copy)]
struct Mark {
    word: usize,
    bits: u32,
}

impl Mark {
    /// Finds the bits by which two structures differ. `None` where that is not in one word.
    fn between<const N: usize>(without: [u32; N], with: [u32; N]) -> Option<Mark> {
        let mut differ = (0..N).filter(|word| without[*word] != with[*word]);
        let word = differ.next().filter(|_| differ.next().is_none())?;
        Some(Mark { word, bits: without[word] ^ with[word] })
    }

    /// Returns whether it is set.
    ///
    /// # Safety
    ///
    /// It is the address of such a structure.
    unsafe fn is_set<T>(self, structure: *const T) -> bool {
        // SAFETY: the caller says so.
        unsafe { word_of(structure, self.word) & self.bits != 0 }
    }
}

/// Reads a word of a structure of libc's.
///
/// # Safety
///
/// It is the address of one that has so many.
unsafe fn word_of<T>(structure: *const T, word: usize) -> u32 {
    debug_assert!((word + 1) * 4 <= size_of::<T>());
    // SAFETY: the caller says so.
    let word = unsafe { structure.cast::<AtomicU32>().add(word) };
    // SAFETY: the caller says so. Others may write to it.
    unsafe { &*word }.load(Ordering::Relaxed)
}

/// Returns the error of a wait: none, or that its time is over.
fn late(is_late: bool) -> c_int {
    if is_late { libc::ETIMEDOUT } else { 0 }
}
