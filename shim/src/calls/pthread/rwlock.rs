//! Read-write locks. An unlock wakes all green threads that wait for it: readers share it, and the
//! others wait again.

use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::OnceLock;

use libc::{clockid_t, pthread_rwlock_t, pthread_rwlockattr_t, timespec};

use super::{Mark, Own, SHARED, Until, is_green, libc_own, may_suspend, pauses};
use crate::futex::{self, Word};

unsafe extern "C" {
    fn pthread_rwlockattr_setpshared(attributes: *mut pthread_rwlockattr_t, shared: c_int)
    -> c_int;
}

const WORDS: usize = size_of::<pthread_rwlock_t>() / 4;

/// Where libc marks one that processes share. `None` where that cannot be seen.
fn shared_mark() -> Option<Mark> {
    static MARK: OnceLock<Option<Mark>> = OnceLock::new();
    *MARK.get_or_init(|| {
        Mark::between(
            initialized(libc::PTHREAD_PROCESS_PRIVATE),
            initialized(libc::PTHREAD_PROCESS_SHARED),
        )
    })
}

/// Returns what a lock looks like after its initialization.
fn initialized(shared: c_int) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    // SAFETY: all zeroes is a value of it.
    let mut attributes: pthread_rwlockattr_t = unsafe { mem::zeroed() };
    // SAFETY: there is room for them.
    unsafe { libc::pthread_rwlockattr_init(&mut attributes) };
    // SAFETY: they are attributes.
    unsafe { pthread_rwlockattr_setpshared(&mut attributes, shared) };
    // SAFETY: there is room for it, and nobody uses it ever.
    unsafe { libc::pthread_rwlock_init(ptr::from_mut(&mut words).cast(), &attributes) };
    words
}

/// One of the two ways to take a lock.
struct Access {
    attempt: unsafe fn(*mut pthread_rwlock_t) -> c_int,
    own: Own<pthread_rwlock_t>,
}

const READ: Access = Access {
    attempt: libc_own::try_read_lock,
    own: Own {
        ever: libc_own::read_lock,
        timed: libc_own::timed_read_lock,
        clock: libc_own::clock_read_lock,
    },
};

const WRITE: Access = Access {
    attempt: libc_own::try_write_lock,
    own: Own {
        ever: libc_own::write_lock,
        timed: libc_own::timed_write_lock,
        clock: libc_own::clock_write_lock,
    },
};

impl Access {
    /// # Safety
    ///
    /// As `pthread_rwlock_clockrdlock`.
    unsafe fn take(&self, lock: *mut pthread_rwlock_t, until: Until) -> c_int {
        if is_green() {
            // SAFETY: the caller says so.
            let attempt = || unsafe { (self.attempt)(lock) };
            match attempt() {
                libc::EBUSY => {}
                error => return error,
            }
            // SAFETY: the caller says so.
            let deadline = unsafe { until.deadline() };
            if let Some(mut deadline) = deadline.filter(|_| may_suspend()) {
                // SAFETY: the caller says so.
                let shared = shared_mark().is_none_or(|mark| unsafe { mark.is_set(lock) });
                let mut pauses = pauses(SHARED);
                let pauses = || shared.then(&mut pauses);
                return futex::acquire(word(lock), &mut deadline, pauses, attempt);
            }
        }
        // SAFETY: the caller says so.
        unsafe { self.own.take(lock, until) }
    }
}

fn word(lock: *mut pthread_rwlock_t) -> Word {
    // SAFETY: nobody reads what is there: it is waited for by its address alone.
    unsafe { Word::at(lock.addr()) }
}

/// As `pthread_rwlock_rdlock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_rwlock_rdlock(
    lock: *mut pthread_rwlock_t,
) -> c_int {
    // SAFETY: I1.
    unsafe { READ.take(lock, Until::Ever) }
}

/// As `pthread_rwlock_wrlock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_rwlock_wrlock(
    lock: *mut pthread_rwlock_t,
) -> c_int {
    // SAFETY: I1.
    unsafe { WRITE.take(lock, Until::Ever) }
}

/// As `pthread_rwlock_timedrdlock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_rwlock_timedrdlock(
    lock: *mut pthread_rwlock_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { READ.take(lock, Until::Time(libc::CLOCK_REALTIME, time)) }
}

/// As `pthread_rwlock_timedwrlock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_rwlock_timedwrlock(
    lock: *mut pthread_rwlock_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { WRITE.take(lock, Until::Time(libc::CLOCK_REALTIME, time)) }
}

/// As `pthread_rwlock_clockrdlock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_rwlock_clockrdlock(
    lock: *mut pthread_rwlock_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { READ.take(lock, Until::Time(clock, time)) }
}

/// As `pthread_rwlock_clockwrlock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_rwlock_clockwrlock(
    lock: *mut pthread_rwlock_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { WRITE.take(lock, Until::Time(clock, time)) }
}

/// As `pthread_rwlock_unlock` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_rwlock_unlock(
    lock: *mut pthread_rwlock_t,
) -> c_int {
    // SAFETY: I1.
    let error = unsafe { libc_own::unlock_lock(lock) };
    if error == 0 {
        futex::unlocked(word(lock), usize::MAX);
    }
    error
}

aliases! {
    __pthread_rwlock_rdlock = pthread_rwlock_rdlock(lock: *mut pthread_rwlock_t) -> c_int;
    __pthread_rwlock_wrlock = pthread_rwlock_wrlock(lock: *mut pthread_rwlock_t) -> c_int;
    __pthread_rwlock_unlock = pthread_rwlock_unlock(lock: *mut pthread_rwlock_t) -> c_int;
}
