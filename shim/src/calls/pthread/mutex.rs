//! Mutexes.
//!
//! A recursive one, and one that checks errors, know who has them by the OS thread, which all green
//! threads of a hub are. So on green stacks they belong to a stack, in a table of this file: a
//! stack takes libc's when it has none of it yet, and gives it back when it has unlocked it as
//! often as it has locked it.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, Ordering};

use eventlet::lowlevel;
use libc::{clockid_t, pthread_mutex_t, timespec};

use super::{Own, SHARED, UNSEEN, Until, is_green, libc_own, may_suspend, pauses, word_of};
use crate::futex::{self, Word};
use crate::gate;
use crate::real::Call;
use crate::spin::Spin;

/// The word of a mutex with the OS thread that has it, and that with its kind. Initializers of C
/// have the kind there, so it is a part of the ABI.
const OWNER: usize = 2;
const KIND: usize = 4;

/// The bits of a kind.
const TYPE: u32 = 3;
const ADAPTIVE: u32 = libc::PTHREAD_MUTEX_ADAPTIVE_NP as u32;
const RECURSIVE: u32 = libc::PTHREAD_MUTEX_RECURSIVE as u32;
const CHECKS: u32 = libc::PTHREAD_MUTEX_ERRORCHECK as u32;
/// Robust, or with priorities that are inherited or protected.
const SPECIAL: u32 = 16 | 32 | 64;
const OF_PROCESSES: u32 = 128;

/// How a mutex is waited for on a green stack.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// In the table.
    Ours,
    /// In the table, and it belongs to a stack.
    OfStack { recursive: bool },
    /// It is tried again and again, as another process may have it.
    Shared,
    /// Inside libc, unless this OS thread has it.
    Adaptive,
    /// Inside libc.
    Theirs,
}

impl Kind {
    /// # Safety
    ///
    /// It is the address of a mutex.
    unsafe fn of(mutex: *mut pthread_mutex_t) -> Kind {
        // SAFETY: the caller says so.
        let kind = unsafe { word_of(mutex, KIND) };
        let of_processes = kind & OF_PROCESSES != 0;
        match kind & TYPE {
            _ if kind & SPECIAL != 0 => Kind::Theirs,
            RECURSIVE | CHECKS if of_processes => Kind::Theirs,
            RECURSIVE => Kind::OfStack { recursive: true },
            CHECKS => Kind::OfStack { recursive: false },
            _ if of_processes => Kind::Shared,
            ADAPTIVE => Kind::Adaptive,
            _ => Kind::Ours,
        }
    }
}

/// Returns whether this OS thread has a mutex, and so one of its green threads.
///
/// # Safety
///
/// It is the address of a mutex.
unsafe fn is_of_this_os_thread(mutex: *mut pthread_mutex_t) -> bool {
    // SAFETY: it has no arguments.
    let this = unsafe { Call::new(libc::SYS_gettid, []) }.make();
    // SAFETY: the caller says so.
    let owner = unsafe { word_of(mutex, OWNER) };
    owner == this as u32
}

/// Who has a mutex of a stack, and how often.
struct Owned {
    mutex: usize,
    stack: usize,
    depth: usize,
}

static OWNED: [Spin<Vec<Owned>>; 64] = [const { Spin::new(Vec::new()) }; 64];

fn owned_near(mutex: usize) -> &'static Spin<Vec<Owned>> {
    &OWNED[(mutex >> 3).wrapping_mul(0x9e37_79b9) % OWNED.len()]
}

/// The number of the stack that executes.
fn stack() -> usize {
    lowlevel::stack_id().map_or(0, usize::from)
}

/// Locks a mutex of a stack, if no other has it. `again` is what it comes to where the stack has
/// it, unless it is recursive.
///
/// # Safety
///
/// It is the address of a mutex.
unsafe fn try_of_stack(mutex: *mut pthread_mutex_t, recursive: bool, again: c_int) -> c_int {
    owned_near(mutex.addr()).with(|all| {
        match all.iter_mut().find(|owned| owned.mutex == mutex.addr()) {
            Some(owned) if owned.stack != stack() => return libc::EBUSY,
            Some(owned) if recursive => owned.depth += 1,
            Some(_) => return again,
            None => {
                // SAFETY: the caller says so.
                let error = unsafe { libc_own::try_mutex(mutex) };
                if error != 0 {
                    return error;
                }
                all.push(Owned { mutex: mutex.addr(), stack: stack(), depth: 1 });
            }
        }
        0
    })
}

/// Unlocks a mutex of a stack. `true` where it is free then.
///
/// # Safety
///
/// It is the address of a mutex.
unsafe fn unlock_of_stack(mutex: *mut pthread_mutex_t) -> Result<bool, c_int> {
    owned_near(mutex.addr()).with(|all| {
        if let Some(at) = all.iter().position(|owned| owned.mutex == mutex.addr()) {
            let owned = &mut all[at];
            if owned.stack != stack() {
                return Err(libc::EPERM);
            }
            owned.depth -= 1;
            if owned.depth > 0 {
                return Ok(false);
            }
            all.swap_remove(at);
        }
        // SAFETY: the caller says so.
        match unsafe { libc_own::unlock_mutex(mutex) } {
            0 => Ok(true),
            error => Err(error),
        }
    })
}

const OWN: Own<pthread_mutex_t> =
    Own { ever: libc_own::lock_mutex, timed: libc_own::timed_mutex, clock: libc_own::clock_mutex };

/// # Safety
///
/// As `pthread_mutex_clocklock`.
pub(super) unsafe fn lock(mutex: *mut pthread_mutex_t, until: Until) -> c_int {
    if !is_green() {
        // SAFETY: the caller says so.
        return unsafe { OWN.take(mutex, until) };
    }
    // SAFETY: the caller says so.
    let kind = unsafe { Kind::of(mutex) };
    // SAFETY: the caller says so.
    match unsafe { attempt(mutex, kind) } {
        libc::EBUSY => {}
        error => return error,
    }
    // SAFETY: the caller says so.
    unsafe { lock_busy(mutex, kind, until) }
}

/// Locks a mutex that another thread has.
///
/// # Safety
///
/// As `pthread_mutex_clocklock`.
unsafe fn lock_busy(mutex: *mut pthread_mutex_t, kind: Kind, until: Until) -> c_int {
    let inside = match kind {
        // SAFETY: the caller says so.
        Kind::Adaptive => unsafe { !is_of_this_os_thread(mutex) },
        other => other == Kind::Theirs,
    };
    // SAFETY: the caller says so.
    match unsafe { until.deadline() } {
        Some(_) if matches!(kind, Kind::Adaptive) && inside => gate::note_allocator(),
        Some(_) if inside => gate::note_blocked(),
        Some(mut deadline) if may_suspend() => {
            // SAFETY: the caller says so.
            let attempt = || unsafe { attempt(mutex, kind) };
            let (mut unseen, mut shared) = (pauses(UNSEEN), pauses(SHARED));
            let pauses = || match kind {
                Kind::Shared => Some(shared()),
                _ => is_unlocked_unseen(mutex).then(&mut unseen),
            };
            return futex::acquire(word(mutex), &mut deadline, pauses, attempt);
        }
        Some(_) if matches!(kind, Kind::OfStack { .. }) => {
            // SAFETY: the caller says so.
            return unsafe { lock_of_stack_at_once(mutex, until) };
        }
        _ => {}
    }
    // SAFETY: the caller says so.
    unsafe { OWN.take(mutex, until) }
}

/// Tries a mutex that is to be locked.
///
/// # Safety
///
/// It is the address of a mutex.
unsafe fn attempt(mutex: *mut pthread_mutex_t, kind: Kind) -> c_int {
    match kind {
        // SAFETY: the caller says so.
        Kind::OfStack { recursive } => unsafe { try_of_stack(mutex, recursive, libc::EDEADLK) },
        // SAFETY: the caller says so.
        _ => unsafe { libc_own::try_mutex(mutex) },
    }
}

/// Locks a mutex that another stack or OS thread has, where this stack is not to be suspended.
/// Another stack of this OS thread would never unlock it.
///
/// # Safety
///
/// As `pthread_mutex_clocklock`.
unsafe fn lock_of_stack_at_once(mutex: *mut pthread_mutex_t, until: Until) -> c_int {
    // SAFETY: the caller says so.
    if unsafe { is_of_this_os_thread(mutex) } {
        return libc::EDEADLK;
    }
    // SAFETY: the caller says so.
    let error = unsafe { OWN.take(mutex, until) };
    if error == 0 {
        let owned = Owned { mutex: mutex.addr(), stack: stack(), depth: 1 };
        owned_near(mutex.addr()).with(|all| all.push(owned));
    }
    error
}

/// # Safety
///
/// As `pthread_mutex_unlock`.
pub(super) unsafe fn unlock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: the caller says so.
    let of_stack = is_green() && matches!(unsafe { Kind::of(mutex) }, Kind::OfStack { .. });
    let unlocked = if of_stack {
        // SAFETY: the caller says so.
        unsafe { unlock_of_stack(mutex) }
    } else {
        // SAFETY: the caller says so.
        match unsafe { libc_own::unlock_mutex(mutex) } {
            0 => Ok(true),
            error => Err(error),
        }
    };
    match unlocked {
        Ok(free) => {
            if free {
                futex::unlocked(word(mutex), 1);
            }
            0
        }
        Err(error) => error,
    }
}

fn word(mutex: *mut pthread_mutex_t) -> Word {
    // SAFETY: nobody reads what is there: it is waited for by its address alone.
    unsafe { Word::at(mutex.addr()) }
}

/// How many OS threads wait inside libc for a condition variable with one of these mutexes, which
/// they unlock there.
static UNLOCKED_UNSEEN: [AtomicU32; 64] = [const { AtomicU32::new(0) }; 64];

/// Says, until it is dropped, that a mutex is unlocked inside libc.
///
/// It counts itself, and has those look again who wait already; one who waits from now on has
/// counted itself before it reads the count.
pub(super) struct UnlocksUnseen(&'static AtomicU32);

impl UnlocksUnseen {
    pub(super) fn new(mutex: *mut pthread_mutex_t) -> UnlocksUnseen {
        let count = unlocked_unseen(mutex);
        count.fetch_add(1, Ordering::SeqCst);
        futex::wake(word(mutex), usize::MAX, !0);
        UnlocksUnseen(count)
    }
}

impl Drop for UnlocksUnseen {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn unlocked_unseen(mutex: *mut pthread_mutex_t) -> &'static AtomicU32 {
    &UNLOCKED_UNSEEN[(mutex.addr() >> 3).wrapping_mul(0x9e37_79b9) % UNLOCKED_UNSEEN.len()]
}

fn is_unlocked_unseen(mutex: *mut pthread_mutex_t) -> bool {
    unlocked_unseen(mutex).load(Ordering::SeqCst) > 0
}

/// As `pthread_mutex_lock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: I1.
    unsafe { lock(mutex, Until::Ever) }
}

/// As `pthread_mutex_timedlock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_mutex_timedlock(
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { lock(mutex, Until::Time(libc::CLOCK_REALTIME, time)) }
}

/// As `pthread_mutex_clocklock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_mutex_clocklock(
    mutex: *mut pthread_mutex_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { lock(mutex, Until::Time(clock, time)) }
}

/// As `pthread_mutex_trylock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_mutex_trylock(
    mutex: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: I1.
    match is_green().then(|| unsafe { Kind::of(mutex) }) {
        // SAFETY: I1.
        Some(Kind::OfStack { recursive }) => unsafe { try_of_stack(mutex, recursive, libc::EBUSY) },
        // SAFETY: I1.
        _ => unsafe { libc_own::try_mutex(mutex) },
    }
}

/// As `pthread_mutex_unlock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_mutex_unlock(
    mutex: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: I1.
    unsafe { unlock(mutex) }
}

aliases! {
    __pthread_mutex_lock = pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int;
    __pthread_mutex_trylock = pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> c_int;
    __pthread_mutex_unlock = pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int;
}
