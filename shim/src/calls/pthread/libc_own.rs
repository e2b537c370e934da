//! libc's functions, behind those of this crate. They are looked for when the program starts, as
//! one of them may be called by a signal handler.

use std::ffi::{c_int, c_uint};

use libc::{
    clockid_t, pthread_barrier_t as Barrier, pthread_barrierattr_t, pthread_cond_t as Condition,
    pthread_mutex_t as Mutex, pthread_once_t, pthread_rwlock_t as Lock, sem_t as Semaphore,
    timespec,
};

use crate::real::{self, Next};

/// Defines functions that call libc's of another name, and return `$missing` where it has none.
macro_rules! functions {
    ($all:ident, $missing:expr, $next:path: $(
        $name:ident = $real:literal ($($argument:ident: $type:ty),*);
    )*) => {
        $(
            /// # Safety
            ///
            /// As libc's.
            #[inline]
            pub(super) unsafe fn $name($($argument: $type),*) -> c_int {
                // SAFETY: it is the function of that name, which has this type.
                let function = unsafe {
                    $name::NEXT.get::<unsafe extern "C" fn($($type),*) -> c_int>()
                };
                match function {
                    // SAFETY: the caller says so.
                    Some(function) => unsafe { function($($argument),*) },
                    None => $missing,
                }
            }

            mod $name {
                pub(super) static NEXT: crate::real::Next = $next($real);
            }
        )*

        static $all: &[&Next] = &[$(&$name::NEXT),*];
    };
}

functions! { LOCKS, libc::ENOSYS, crate::real::Next::new:
    lock_mutex = c"pthread_mutex_lock" (mutex: *mut Mutex);
    try_mutex = c"pthread_mutex_trylock" (mutex: *mut Mutex);
    timed_mutex = c"pthread_mutex_timedlock" (mutex: *mut Mutex, time: *const timespec);
    clock_mutex = c"pthread_mutex_clocklock" (mutex: *mut Mutex, clock: clockid_t, time: *const timespec);
    unlock_mutex = c"pthread_mutex_unlock" (mutex: *mut Mutex);
    once = c"pthread_once" (control: *mut pthread_once_t, routine: extern "C" fn());
    clock_wait = c"pthread_cond_clockwait" (condition: *mut Condition, mutex: *mut Mutex, clock: clockid_t, time: *const timespec);
    read_lock = c"pthread_rwlock_rdlock" (lock: *mut Lock);
    try_read_lock = c"pthread_rwlock_tryrdlock" (lock: *mut Lock);
    timed_read_lock = c"pthread_rwlock_timedrdlock" (lock: *mut Lock, time: *const timespec);
    clock_read_lock = c"pthread_rwlock_clockrdlock" (lock: *mut Lock, clock: clockid_t, time: *const timespec);
    write_lock = c"pthread_rwlock_wrlock" (lock: *mut Lock);
    try_write_lock = c"pthread_rwlock_trywrlock" (lock: *mut Lock);
    timed_write_lock = c"pthread_rwlock_timedwrlock" (lock: *mut Lock, time: *const timespec);
    clock_write_lock = c"pthread_rwlock_clockwrlock" (lock: *mut Lock, clock: clockid_t, time: *const timespec);
    unlock_lock = c"pthread_rwlock_unlock" (lock: *mut Lock);
    init_barrier = c"pthread_barrier_init" (barrier: *mut Barrier, attributes: *const pthread_barrierattr_t, count: c_uint);
    wait_barrier = c"pthread_barrier_wait" (barrier: *mut Barrier);
}

functions! { CONDITIONS, libc::ENOSYS, crate::real::Next::newer:
    wait = c"pthread_cond_wait" (condition: *mut Condition, mutex: *mut Mutex);
    timed_wait = c"pthread_cond_timedwait" (condition: *mut Condition, mutex: *mut Mutex, time: *const timespec);
    signal = c"pthread_cond_signal" (condition: *mut Condition);
    broadcast = c"pthread_cond_broadcast" (condition: *mut Condition);
}

functions! { SEMAPHORES, no_semaphore(), crate::real::Next::new:
    wait_semaphore = c"sem_wait" (semaphore: *mut Semaphore);
    try_semaphore = c"sem_trywait" (semaphore: *mut Semaphore);
    timed_semaphore = c"sem_timedwait" (semaphore: *mut Semaphore, time: *const timespec);
    clock_semaphore = c"sem_clockwait" (semaphore: *mut Semaphore, clock: clockid_t, time: *const timespec);
    post_semaphore = c"sem_post" (semaphore: *mut Semaphore);
}

fn no_semaphore() -> c_int {
    real::set_errno(libc::ENOSYS);
    -1
}

/// Looks all of them up before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = look_all_up;

extern "C" fn look_all_up() {
    for next in [LOCKS, CONDITIONS, SEMAPHORES].into_iter().flatten() {
        next.look_up();
    }
}
