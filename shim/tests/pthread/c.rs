//! The functions of C that are tested, and what they take.

use std::mem;
use std::time::Duration;

use libc::{
    c_int, clockid_t, pthread_barrier_t, pthread_barrierattr_t, pthread_cond_t, pthread_condattr_t,
    pthread_mutex_t, pthread_mutexattr_t, pthread_once_t, pthread_rwlock_t, sem_t, timespec,
};

// Each takes what is there for good, so that all may be called.
unsafe extern "C" {
    pub(crate) safe fn pthread_mutex_init(mutex: Mutex, attributes: &pthread_mutexattr_t) -> c_int;
    pub(crate) safe fn pthread_mutexattr_init(attributes: &mut pthread_mutexattr_t) -> c_int;
    pub(crate) safe fn pthread_mutexattr_settype(
        attributes: &mut pthread_mutexattr_t,
        kind: c_int,
    ) -> c_int;
    pub(crate) safe fn pthread_mutexattr_setprotocol(
        attributes: &mut pthread_mutexattr_t,
        kind: c_int,
    ) -> c_int;
    pub(crate) safe fn pthread_mutexattr_setrobust(
        attributes: &mut pthread_mutexattr_t,
        kind: c_int,
    ) -> c_int;
    pub(crate) safe fn pthread_mutexattr_setpshared(
        attributes: &mut pthread_mutexattr_t,
        shared: c_int,
    ) -> c_int;
    pub(crate) safe fn pthread_mutex_lock(mutex: Mutex) -> c_int;
    pub(crate) safe fn pthread_mutex_trylock(mutex: Mutex) -> c_int;
    pub(crate) safe fn pthread_mutex_timedlock(mutex: Mutex, time: &timespec) -> c_int;
    pub(crate) safe fn pthread_mutex_clocklock(
        mutex: Mutex,
        clock: clockid_t,
        time: &timespec,
    ) -> c_int;
    pub(crate) safe fn pthread_mutex_unlock(mutex: Mutex) -> c_int;
    pub(crate) safe fn __pthread_mutex_lock(mutex: Mutex) -> c_int;
    pub(crate) safe fn __pthread_mutex_trylock(mutex: Mutex) -> c_int;
    pub(crate) safe fn __pthread_mutex_unlock(mutex: Mutex) -> c_int;

    pub(crate) safe fn pthread_cond_init(
        condition: Condition,
        attributes: &pthread_condattr_t,
    ) -> c_int;
    pub(crate) safe fn pthread_condattr_init(attributes: &mut pthread_condattr_t) -> c_int;
    pub(crate) safe fn pthread_condattr_setclock(
        attributes: &mut pthread_condattr_t,
        clock: clockid_t,
    ) -> c_int;
    pub(crate) safe fn pthread_cond_wait(condition: Condition, mutex: Mutex) -> c_int;
    pub(crate) safe fn pthread_cond_timedwait(
        condition: Condition,
        mutex: Mutex,
        time: &timespec,
    ) -> c_int;
    pub(crate) safe fn pthread_cond_clockwait(
        condition: Condition,
        mutex: Mutex,
        clock: clockid_t,
        time: &timespec,
    ) -> c_int;
    pub(crate) safe fn pthread_cond_signal(condition: Condition) -> c_int;
    pub(crate) safe fn pthread_cond_broadcast(condition: Condition) -> c_int;

    pub(crate) safe fn pthread_rwlock_rdlock(lock: Lock) -> c_int;
    pub(crate) safe fn pthread_rwlock_wrlock(lock: Lock) -> c_int;
    pub(crate) safe fn pthread_rwlock_timedrdlock(lock: Lock, time: &timespec) -> c_int;
    pub(crate) safe fn pthread_rwlock_timedwrlock(lock: Lock, time: &timespec) -> c_int;
    pub(crate) safe fn pthread_rwlock_clockrdlock(
        lock: Lock,
        clock: clockid_t,
        time: &timespec,
    ) -> c_int;
    pub(crate) safe fn pthread_rwlock_clockwrlock(
        lock: Lock,
        clock: clockid_t,
        time: &timespec,
    ) -> c_int;
    pub(crate) safe fn pthread_rwlock_unlock(lock: Lock) -> c_int;
    pub(crate) safe fn __pthread_rwlock_rdlock(lock: Lock) -> c_int;
    pub(crate) safe fn __pthread_rwlock_wrlock(lock: Lock) -> c_int;
    pub(crate) safe fn __pthread_rwlock_unlock(lock: Lock) -> c_int;

    pub(crate) safe fn pthread_once(control: Of<pthread_once_t>, routine: extern "C" fn())
    -> c_int;

    pub(crate) safe fn sem_init(semaphore: Semaphore, shared: c_int, count: u32) -> c_int;
    pub(crate) safe fn sem_wait(semaphore: Semaphore) -> c_int;
    pub(crate) safe fn sem_timedwait(semaphore: Semaphore, time: &timespec) -> c_int;
    pub(crate) safe fn sem_clockwait(
        semaphore: Semaphore,
        clock: clockid_t,
        time: &timespec,
    ) -> c_int;
    pub(crate) safe fn sem_post(semaphore: Semaphore) -> c_int;

    pub(crate) safe fn pthread_barrier_init(
        barrier: Barrier,
        attributes: &pthread_barrierattr_t,
        count: u32,
    ) -> c_int;
    pub(crate) safe fn pthread_barrierattr_init(attributes: &mut pthread_barrierattr_t) -> c_int;
    pub(crate) safe fn pthread_barrierattr_setpshared(
        attributes: &mut pthread_barrierattr_t,
        shared: c_int,
    ) -> c_int;
    pub(crate) safe fn pthread_barrier_wait(barrier: Barrier) -> c_int;
    pub(crate) safe fn pthread_barrier_destroy(barrier: Barrier) -> c_int;

    pub(crate) safe fn clock_gettime(clock: clockid_t, time: &mut timespec) -> c_int;
}

/// Something of C that is there for good.
#[repr(transparent)]
pub(crate) struct Of<T: 'static>(pub(crate) *mut T);

// SAFETY: what C has is for all threads.
unsafe impl<T> Send for Of<T> {}
// SAFETY: likewise.
unsafe impl<T> Sync for Of<T> {}

impl<T> Clone for Of<T> {
    fn clone(&self) -> Of<T> {
        *self
    }
}

impl<T> Copy for Of<T> {}

impl<T> Of<T> {
    pub(crate) fn new(value: T) -> Of<T> {
        Of(Box::leak(Box::new(value)))
    }
}

pub(crate) type Mutex = Of<pthread_mutex_t>;
pub(crate) type Condition = Of<pthread_cond_t>;
pub(crate) type Lock = Of<pthread_rwlock_t>;
pub(crate) type Semaphore = Of<sem_t>;
pub(crate) type Barrier = Of<pthread_barrier_t>;

/// Returns what C initializes.
pub(crate) fn zeroed<T>() -> T {
    // SAFETY: it is asked for structures of C that are numbers.
    unsafe { mem::zeroed() }
}

impl Mutex {
    pub(crate) fn plain() -> Mutex {
        Of::new(libc::PTHREAD_MUTEX_INITIALIZER)
    }

    pub(crate) fn of_kind(kind: c_int) -> Mutex {
        Mutex::with(|attributes| pthread_mutexattr_settype(attributes, kind))
    }

    pub(crate) fn shared() -> Mutex {
        let shared = libc::PTHREAD_PROCESS_SHARED;
        Mutex::with(|attributes| pthread_mutexattr_setpshared(attributes, shared))
    }

    pub(crate) fn with(set: impl FnOnce(&mut pthread_mutexattr_t) -> c_int) -> Mutex {
        let (mutex, mut attributes) = (Mutex::plain(), zeroed());
        assert_eq!(pthread_mutexattr_init(&mut attributes), 0);
        assert_eq!(set(&mut attributes), 0);
        assert_eq!(pthread_mutex_init(mutex, &attributes), 0);
        mutex
    }

    pub(crate) fn lock(self) -> c_int {
        pthread_mutex_lock(self)
    }

    pub(crate) fn try_lock(self) -> c_int {
        pthread_mutex_trylock(self)
    }

    pub(crate) fn unlock(self) -> c_int {
        pthread_mutex_unlock(self)
    }
}

impl Condition {
    pub(crate) fn plain() -> Condition {
        Of::new(libc::PTHREAD_COND_INITIALIZER)
    }

    pub(crate) fn of_clock(clock: clockid_t) -> Condition {
        let (condition, mut attributes) = (Condition::plain(), zeroed());
        assert_eq!(pthread_condattr_init(&mut attributes), 0);
        assert_eq!(pthread_condattr_setclock(&mut attributes, clock), 0);
        assert_eq!(pthread_cond_init(condition, &attributes), 0);
        condition
    }

    pub(crate) fn wait(self, mutex: Mutex) -> c_int {
        pthread_cond_wait(self, mutex)
    }

    pub(crate) fn wait_until(self, mutex: Mutex, time: timespec) -> c_int {
        pthread_cond_timedwait(self, mutex, &time)
    }

    pub(crate) fn signal(self) {
        assert_eq!(pthread_cond_signal(self), 0);
    }

    pub(crate) fn broadcast(self) {
        assert_eq!(pthread_cond_broadcast(self), 0);
    }
}

impl Lock {
    pub(crate) fn unlocked() -> Lock {
        Of::new(libc::PTHREAD_RWLOCK_INITIALIZER)
    }

    pub(crate) fn read(self) {
        assert_eq!(pthread_rwlock_rdlock(self), 0);
    }

    pub(crate) fn write(self) {
        assert_eq!(pthread_rwlock_wrlock(self), 0);
    }

    pub(crate) fn unlock(self) {
        assert_eq!(pthread_rwlock_unlock(self), 0);
    }
}

impl Semaphore {
    pub(crate) fn with_count(count: u32) -> Semaphore {
        let semaphore = Of::new(zeroed());
        assert_eq!(sem_init(semaphore, 0, count), 0);
        semaphore
    }

    pub(crate) fn wait(self) {
        assert_eq!(sem_wait(self), 0);
    }

    pub(crate) fn post(self) {
        assert_eq!(sem_post(self), 0);
    }
}

impl Barrier {
    pub(crate) fn with_count(count: u32) -> Barrier {
        let barrier = Of::new(zeroed());
        barrier.init(count, libc::PTHREAD_PROCESS_PRIVATE);
        barrier
    }

    pub(crate) fn init(self, count: u32, shared: c_int) {
        let mut attributes = zeroed();
        assert_eq!(pthread_barrierattr_init(&mut attributes), 0);
        assert_eq!(pthread_barrierattr_setpshared(&mut attributes, shared), 0);
        assert_eq!(pthread_barrier_init(self, &attributes, count), 0);
    }

    /// Waits, and returns whether it is the one of its round that is told so.
    pub(crate) fn wait(self) -> bool {
        match pthread_barrier_wait(self) {
            libc::PTHREAD_BARRIER_SERIAL_THREAD => true,
            other => {
                assert_eq!(other, 0);
                false
            }
        }
    }

    pub(crate) fn destroy(self) {
        assert_eq!(pthread_barrier_destroy(self), 0);
    }
}

/// What a clock will show after some time.
pub(crate) fn after(clock: clockid_t, duration: Duration) -> timespec {
    let mut time: timespec = zeroed();
    assert_eq!(clock_gettime(clock, &mut time), 0);
    let nanos = time.tv_nsec + i64::from(duration.subsec_nanos());
    time.tv_sec += duration.as_secs() as i64 + nanos / 1_000_000_000;
    time.tv_nsec = nanos % 1_000_000_000;
    time
}
