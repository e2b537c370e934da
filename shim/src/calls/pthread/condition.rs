//! Condition variables: green threads wait in the table, OS threads inside libc. A signal goes to
//! the green threads first.

use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::OnceLock;

use libc::{clockid_t, pthread_cond_t, pthread_condattr_t, pthread_mutex_t, timespec};

use super::mutex::{self, UnlocksUnseen};
use super::{Mark, Until, is_green, late, libc_own, may_suspend};
use crate::areas::{self, Area};
use crate::clock::Deadline;
use crate::futex::{self, Place, Waited, Word};
use crate::gate;

unsafe extern "C" {
    fn pthread_condattr_setclock(attributes: *mut pthread_condattr_t, clock: clockid_t) -> c_int;
    fn pthread_condattr_setpshared(attributes: *mut pthread_condattr_t, shared: c_int) -> c_int;
}

/// What libc marks in a condition variable.
#[derive(Clone, Copy)]
struct Marks {
    monotonic: Mark,
    shared: Mark,
}

const WORDS: usize = size_of::<pthread_cond_t>() / 4;

impl Marks {
    /// Looks where libc has them, in condition variables that it initializes. `None` where that
    /// cannot be seen.
    fn get() -> Option<Marks> {
        static MARKS: OnceLock<Option<Marks>> = OnceLock::new();
        *MARKS.get_or_init(|| {
            let plain = initialized(|_| 0);
            // SAFETY: they are attributes.
            let monotonic = initialized(|attributes| unsafe {
                pthread_condattr_setclock(attributes, libc::CLOCK_MONOTONIC)
            });
            // SAFETY: they are attributes.
            let shared = initialized(|attributes| unsafe {
                pthread_condattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED)
            });
            let monotonic = Mark::between(plain, monotonic)?;
            Some(Marks { monotonic, shared: Mark::between(plain, shared)? })
        })
    }
}

/// Returns what a condition variable looks like after its initialization.
fn initialized(set: impl FnOnce(*mut pthread_condattr_t) -> c_int) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    // SAFETY: all zeroes is a value of it.
    let mut attributes: pthread_condattr_t = unsafe { mem::zeroed() };
    // SAFETY: there is room for them.
    unsafe { libc::pthread_condattr_init(&mut attributes) };
    set(&mut attributes);
    // SAFETY: there is room for it, and nobody waits for it ever.
    unsafe { libc::pthread_cond_init(ptr::from_mut(&mut words).cast(), &attributes) };
    words
}

/// Returns the clock by which the limits of a condition variable are. `None` where green threads do
/// not wait for it: processes share it.
///
/// # Safety
///
/// It is the address of a condition variable.
unsafe fn clock_of(condition: *mut pthread_cond_t) -> Option<clockid_t> {
    let marks = Marks::get()?;
    // SAFETY: the caller says so.
    if unsafe { marks.shared.is_set(condition) } {
        return None;
    }
    // SAFETY: the caller says so.
    let monotonic = unsafe { marks.monotonic.is_set(condition) };
    Some(if monotonic { libc::CLOCK_MONOTONIC } else { libc::CLOCK_REALTIME })
}

/// How long a call waits.
#[derive(Clone, Copy)]
enum Limit {
    None,
    /// By the condition variable's own clock.
    Own(*const timespec),
    By(clockid_t, *const timespec),
}

impl Limit {
    fn until(self, own: clockid_t) -> Until {
        match self {
            Limit::None => Until::Ever,
            Limit::Own(time) => Until::Time(own, time),
            Limit::By(clock, time) => Until::Time(clock, time),
        }
    }
}

/// # Safety
///
/// As `pthread_cond_clockwait`.
unsafe fn wait(condition: *mut pthread_cond_t, mutex: *mut pthread_mutex_t, limit: Limit) -> c_int {
    if is_green() {
        // SAFETY: the caller says so.
        if let Some(mut deadline) = unsafe { green_deadline(condition, limit) } {
            // SAFETY: the caller says so.
            return unsafe { wait_green(condition, mutex, &mut deadline) };
        }
    }
    let _unlocks = areas::is_patched(Area::Thread).then(|| UnlocksUnseen::new(mutex));
    match limit {
        // SAFETY: the caller says so.
        Limit::None => unsafe { libc_own::wait(condition, mutex) },
        // SAFETY: the caller says so.
        Limit::Own(time) => unsafe { libc_own::timed_wait(condition, mutex, time) },
        // SAFETY: the caller says so.
        Limit::By(clock, time) => unsafe { libc_own::clock_wait(condition, mutex, clock, time) },
    }
}

/// Returns until when to wait greenly, if at all.
///
/// # Safety
///
/// As `pthread_cond_clockwait`.
unsafe fn green_deadline(condition: *mut pthread_cond_t, limit: Limit) -> Option<Deadline> {
    // SAFETY: the caller says so.
    let Some(clock) = (unsafe { clock_of(condition) }) else {
        gate::note_blocked();
        return None;
    };
    // SAFETY: the caller says so.
    let deadline = unsafe { limit.until(clock).deadline() }?;
    may_suspend().then_some(deadline)
}

/// # Safety
///
/// As `pthread_cond_wait`.
unsafe fn wait_green(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    deadline: &mut Deadline,
) -> c_int {
    // Before the mutex is unlocked: a signal from then on is for this one, too.
    let place = Place::new(word(condition));
    // SAFETY: the caller says so.
    match unsafe { mutex::unlock(mutex) } {
        0 => {}
        error => return error,
    }
    let waited = place.wait(deadline, Deadline::default());
    // SAFETY: the caller says so.
    match unsafe { mutex::lock(mutex, Until::Ever) } {
        0 => late(waited == Waited::Late),
        error => error,
    }
}

fn word(condition: *mut pthread_cond_t) -> Word {
    // SAFETY: nobody reads what is there: it is waited for by its address alone.
    unsafe { Word::at(condition.addr()) }
}

/// As `pthread_cond_wait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_cond_wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: I1.
    unsafe { wait(condition, mutex, Limit::None) }
}

/// As `pthread_cond_timedwait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_cond_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { wait(condition, mutex, Limit::Own(time)) }
}

/// As `pthread_cond_clockwait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_cond_clockwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { wait(condition, mutex, Limit::By(clock, time)) }
}

/// As `pthread_cond_signal` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_cond_signal(
    condition: *mut pthread_cond_t,
) -> c_int {
    if futex::wake(word(condition), 1, !0) > 0 {
        return 0;
    }
    // SAFETY: I1.
    unsafe { libc_own::signal(condition) }
}

/// As `pthread_cond_broadcast` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_cond_broadcast(
    condition: *mut pthread_cond_t,
) -> c_int {
    futex::wake(word(condition), usize::MAX, !0);
    // SAFETY: I1.
    unsafe { libc_own::broadcast(condition) }
}
