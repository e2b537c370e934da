//! Locks of C: each function on green stacks and off, and both at once.

#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::mem;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use eventlet::Block;
use libc::{
    CLOCK_MONOTONIC, CLOCK_REALTIME, EBUSY, EDEADLK, EINVAL, EPERM, ETIMEDOUT, c_int, clockid_t,
    pthread_cond_t, pthread_condattr_t, pthread_mutex_t, pthread_mutexattr_t, pthread_rwlock_t,
    sem_t, timespec,
};
use support::{MS, crowd, errno, green, run, run_paused, timed, turns};

const HOUR: Duration = Duration::from_secs(3600);

// Each takes what is there for good, so that all may be called.
unsafe extern "C" {
    safe fn pthread_mutex_init(mutex: Mutex, attributes: &pthread_mutexattr_t) -> c_int;
    safe fn pthread_mutexattr_init(attributes: &mut pthread_mutexattr_t) -> c_int;
    safe fn pthread_mutexattr_settype(attributes: &mut pthread_mutexattr_t, kind: c_int) -> c_int;
    safe fn pthread_mutexattr_setprotocol(
        attributes: &mut pthread_mutexattr_t,
        kind: c_int,
    ) -> c_int;
    safe fn pthread_mutexattr_setrobust(attributes: &mut pthread_mutexattr_t, kind: c_int)
    -> c_int;
    safe fn pthread_mutexattr_setpshared(
        attributes: &mut pthread_mutexattr_t,
        shared: c_int,
    ) -> c_int;
    safe fn pthread_mutex_lock(mutex: Mutex) -> c_int;
    safe fn pthread_mutex_trylock(mutex: Mutex) -> c_int;
    safe fn pthread_mutex_timedlock(mutex: Mutex, time: &timespec) -> c_int;
    safe fn pthread_mutex_clocklock(mutex: Mutex, clock: clockid_t, time: &timespec) -> c_int;
    safe fn pthread_mutex_unlock(mutex: Mutex) -> c_int;
    safe fn __pthread_mutex_lock(mutex: Mutex) -> c_int;
    safe fn __pthread_mutex_trylock(mutex: Mutex) -> c_int;
    safe fn __pthread_mutex_unlock(mutex: Mutex) -> c_int;

    safe fn pthread_cond_init(condition: Condition, attributes: &pthread_condattr_t) -> c_int;
    safe fn pthread_condattr_init(attributes: &mut pthread_condattr_t) -> c_int;
    safe fn pthread_condattr_setclock(
        attributes: &mut pthread_condattr_t,
        clock: clockid_t,
    ) -> c_int;
    safe fn pthread_cond_wait(condition: Condition, mutex: Mutex) -> c_int;
    safe fn pthread_cond_timedwait(condition: Condition, mutex: Mutex, time: &timespec) -> c_int;
    safe fn pthread_cond_clockwait(
        condition: Condition,
        mutex: Mutex,
        clock: clockid_t,
        time: &timespec,
    ) -> c_int;
    safe fn pthread_cond_signal(condition: Condition) -> c_int;
    safe fn pthread_cond_broadcast(condition: Condition) -> c_int;

    safe fn pthread_rwlock_rdlock(lock: Lock) -> c_int;
    safe fn pthread_rwlock_wrlock(lock: Lock) -> c_int;
    safe fn pthread_rwlock_timedrdlock(lock: Lock, time: &timespec) -> c_int;
    safe fn pthread_rwlock_timedwrlock(lock: Lock, time: &timespec) -> c_int;
    safe fn pthread_rwlock_clockrdlock(lock: Lock, clock: clockid_t, time: &timespec) -> c_int;
    safe fn pthread_rwlock_clockwrlock(lock: Lock, clock: clockid_t, time: &timespec) -> c_int;
    safe fn pthread_rwlock_unlock(lock: Lock) -> c_int;
    safe fn __pthread_rwlock_rdlock(lock: Lock) -> c_int;
    safe fn __pthread_rwlock_wrlock(lock: Lock) -> c_int;
    safe fn __pthread_rwlock_unlock(lock: Lock) -> c_int;

    safe fn pthread_once(control: Of<libc::pthread_once_t>, routine: extern "C" fn()) -> c_int;

    safe fn sem_init(semaphore: Semaphore, shared: c_int, count: u32) -> c_int;
    safe fn sem_wait(semaphore: Semaphore) -> c_int;
    safe fn sem_timedwait(semaphore: Semaphore, time: &timespec) -> c_int;
    safe fn sem_clockwait(semaphore: Semaphore, clock: clockid_t, time: &timespec) -> c_int;
    safe fn sem_post(semaphore: Semaphore) -> c_int;

    safe fn clock_gettime(clock: clockid_t, time: &mut timespec) -> c_int;
}

/// Something of C that is there for good.
#[repr(transparent)]
struct Of<T: 'static>(*mut T);

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
    fn new(value: T) -> Of<T> {
        Of(Box::leak(Box::new(value)))
    }
}

type Mutex = Of<pthread_mutex_t>;
type Condition = Of<pthread_cond_t>;
type Lock = Of<pthread_rwlock_t>;
type Semaphore = Of<sem_t>;

/// Returns what C initializes.
fn zeroed<T>() -> T {
    // SAFETY: it is asked for structures of C that are numbers.
    unsafe { mem::zeroed() }
}

impl Mutex {
    fn plain() -> Mutex {
        Of::new(libc::PTHREAD_MUTEX_INITIALIZER)
    }

    fn of_kind(kind: c_int) -> Mutex {
        Mutex::with(|attributes| pthread_mutexattr_settype(attributes, kind))
    }

    fn shared() -> Mutex {
        let shared = libc::PTHREAD_PROCESS_SHARED;
        Mutex::with(|attributes| pthread_mutexattr_setpshared(attributes, shared))
    }

    fn with(set: impl FnOnce(&mut pthread_mutexattr_t) -> c_int) -> Mutex {
        let (mutex, mut attributes) = (Mutex::plain(), zeroed());
        assert_eq!(pthread_mutexattr_init(&mut attributes), 0);
        assert_eq!(set(&mut attributes), 0);
        assert_eq!(pthread_mutex_init(mutex, &attributes), 0);
        mutex
    }

    fn lock(self) -> c_int {
        pthread_mutex_lock(self)
    }

    fn try_lock(self) -> c_int {
        pthread_mutex_trylock(self)
    }

    fn unlock(self) -> c_int {
        pthread_mutex_unlock(self)
    }
}

impl Condition {
    fn plain() -> Condition {
        Of::new(libc::PTHREAD_COND_INITIALIZER)
    }

    fn of_clock(clock: clockid_t) -> Condition {
        let (condition, mut attributes) = (Condition::plain(), zeroed());
        assert_eq!(pthread_condattr_init(&mut attributes), 0);
        assert_eq!(pthread_condattr_setclock(&mut attributes, clock), 0);
        assert_eq!(pthread_cond_init(condition, &attributes), 0);
        condition
    }

    fn wait(self, mutex: Mutex) -> c_int {
        pthread_cond_wait(self, mutex)
    }

    fn wait_until(self, mutex: Mutex, time: timespec) -> c_int {
        pthread_cond_timedwait(self, mutex, &time)
    }

    fn signal(self) {
        assert_eq!(pthread_cond_signal(self), 0);
    }

    fn broadcast(self) {
        assert_eq!(pthread_cond_broadcast(self), 0);
    }
}

impl Lock {
    fn unlocked() -> Lock {
        Of::new(libc::PTHREAD_RWLOCK_INITIALIZER)
    }

    fn read(self) {
        assert_eq!(pthread_rwlock_rdlock(self), 0);
    }

    fn write(self) {
        assert_eq!(pthread_rwlock_wrlock(self), 0);
    }

    fn unlock(self) {
        assert_eq!(pthread_rwlock_unlock(self), 0);
    }
}

impl Semaphore {
    fn with_count(count: u32) -> Semaphore {
        let semaphore = Of::new(zeroed());
        assert_eq!(sem_init(semaphore, 0, count), 0);
        semaphore
    }

    fn wait(self) {
        assert_eq!(sem_wait(self), 0);
    }

    fn post(self) {
        assert_eq!(sem_post(self), 0);
    }
}

/// What a clock will show after some time.
fn after(clock: clockid_t, duration: Duration) -> timespec {
    let mut time: timespec = zeroed();
    assert_eq!(clock_gettime(clock, &mut time), 0);
    let nanos = time.tv_nsec + i64::from(duration.subsec_nanos());
    time.tv_sec += duration.as_secs() as i64 + nanos / 1_000_000_000;
    time.tv_nsec = nanos % 1_000_000_000;
    time
}

/// Makes each call that waits until a time, for what is not to be had, and returns their errors.
fn late(
    mutex: Mutex,
    read: Lock,
    write: Lock,
    semaphore: Semaphore,
    limit: Duration,
) -> [c_int; 8] {
    let (real, steady) = (after(CLOCK_REALTIME, limit), after(CLOCK_MONOTONIC, limit));
    let failed = |result: c_int| if result == -1 { errno() } else { result };
    [
        pthread_mutex_timedlock(mutex, &real),
        pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &steady),
        pthread_rwlock_timedrdlock(write, &real),
        pthread_rwlock_timedwrlock(read, &real),
        pthread_rwlock_clockrdlock(write, CLOCK_MONOTONIC, &steady),
        pthread_rwlock_clockwrlock(read, CLOCK_MONOTONIC, &steady),
        failed(sem_timedwait(semaphore, &real)),
        failed(sem_clockwait(semaphore, CLOCK_MONOTONIC, &steady)),
    ]
}

/// Has another thread, of whatever kind, hold what [`late`] asks for.
fn held(hold: impl FnOnce(Box<dyn FnOnce() + Send>)) -> (Mutex, Lock, Lock, Semaphore) {
    let (mutex, read, write) = (Mutex::plain(), Lock::unlocked(), Lock::unlocked());
    hold(Box::new(move || {
        assert_eq!(mutex.lock(), 0);
        read.read();
        write.write();
    }));
    (mutex, read, write, Semaphore::with_count(0))
}

#[test]
fn all_is_as_ever_on_an_os_thread() {
    eventlet_shim::monkey_patch();
    let (mutex, read, write, semaphore) =
        held(|holds| std::thread::spawn(holds).join().expect("it takes what is free"));
    assert_eq!(late(mutex, read, write, semaphore, 2 * MS), [ETIMEDOUT; 8]);
    assert_eq!(mutex.try_lock(), EBUSY);
    semaphore.post();
    semaphore.wait();

    let (mutex, condition) = (Mutex::of_kind(libc::PTHREAD_MUTEX_RECURSIVE), Condition::plain());
    assert_eq!([mutex.lock(), mutex.lock(), mutex.unlock(), mutex.unlock()], [0; 4]);
    assert_eq!(mutex.unlock(), EPERM);
    assert_eq!(mutex.lock(), 0);
    let other = std::thread::spawn(move || {
        assert_eq!(mutex.lock(), 0);
        condition.signal();
        condition.broadcast();
        mutex.unlock()
    });
    assert_eq!(condition.wait(mutex), 0);
    assert_eq!(mutex.unlock(), 0);
    assert_eq!(other.join().unwrap(), 0);
    assert_eq!(mutex.lock(), 0);
    assert_eq!(condition.wait_until(mutex, after(CLOCK_REALTIME, 2 * MS)), ETIMEDOUT);
}

#[test]
fn limits_are_on_virtual_time() {
    run_paused(|| {
        let (mutex, read, write, semaphore) = held(|holds| green(holds).block().unwrap());
        let ((), took) = timed(|| {
            assert_eq!(late(mutex, read, write, semaphore, HOUR), [ETIMEDOUT; 8]);
            let own = Mutex::plain();
            assert_eq!(own.lock(), 0);
            for clock in [CLOCK_REALTIME, CLOCK_MONOTONIC] {
                let condition = Condition::of_clock(clock);
                assert_eq!(condition.wait_until(own, after(clock, HOUR)), ETIMEDOUT);
                assert_eq!(own.try_lock(), EBUSY, "it has the mutex again");
            }
            let (condition, time) = (Condition::plain(), after(CLOCK_MONOTONIC, HOUR));
            let waited = pthread_cond_clockwait(condition, own, CLOCK_MONOTONIC, &time);
            assert_eq!(waited, ETIMEDOUT);
        });
        assert!(took < Duration::from_secs(20), "{took:?}");
        let past = timespec { tv_sec: -1, tv_nsec: 0 };
        let none = timespec { tv_sec: 1, tv_nsec: 2_000_000_000 };
        assert_eq!(pthread_mutex_timedlock(mutex, &past), ETIMEDOUT);
        assert_eq!(pthread_mutex_timedlock(mutex, &none), EINVAL);
    });
}

#[test]
fn a_mutex_is_held_over_a_sleep_by_fifty() {
    let kinds = [
        Mutex::plain as fn() -> Mutex,
        || Mutex::of_kind(libc::PTHREAD_MUTEX_ADAPTIVE_NP),
        || Mutex::of_kind(libc::PTHREAD_MUTEX_ERRORCHECK),
        || Mutex::of_kind(libc::PTHREAD_MUTEX_RECURSIVE),
        Mutex::shared,
    ];
    for kind in kinds {
        run(move || {
            let (mutex, count, beats) = (kind(), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let seen = beats.clone();
            let beat = green(move || {
                loop {
                    seen.set(seen.get() + 1);
                    eventlet::sleep(MS).block();
                }
            });
            let shared = count.clone();
            crowd(50, move |_| {
                assert_eq!(mutex.lock(), 0);
                let before = shared.get();
                std::thread::sleep(MS);
                shared.set(before + 1);
                assert_eq!(mutex.unlock(), 0);
            });
            beat.kill();
            assert_eq!(count.get(), 50);
            assert!(beats.get() >= 25, "the hub stood still: {}", beats.get());
            assert_eq!(mutex.try_lock(), 0, "it is free");
        });
    }
}

#[test]
fn a_recursive_mutex_belongs_to_one_green_thread() {
    run(|| {
        let mutex = Mutex::of_kind(libc::PTHREAD_MUTEX_RECURSIVE);
        let holder = green(move || {
            assert_eq!([mutex.lock(), mutex.lock(), mutex.try_lock()], [0; 3]);
            std::thread::sleep(10 * MS);
            assert_eq!([mutex.unlock(), mutex.unlock()], [0; 2]);
            std::thread::sleep(10 * MS);
            assert_eq!(mutex.unlock(), 0);
        });
        assert_eq!([mutex.try_lock(), mutex.unlock()], [EBUSY, EPERM]);
        let (error, took) = timed(|| mutex.lock());
        assert_eq!(error, 0);
        assert!(holder.dead() && took >= 19 * MS, "{took:?}");
        let other = std::thread::spawn(move || mutex.try_lock()).join().unwrap();
        assert_eq!([other, mutex.unlock(), mutex.unlock()], [EBUSY, 0, EPERM]);
        let other = std::thread::spawn(move || [mutex.lock(), mutex.unlock()]).join().unwrap();
        assert_eq!(other, [0, 0]);
    });
}

#[test]
fn a_mutex_that_checks_errors_tells_its_green_thread() {
    run(|| {
        let mutex = Mutex::of_kind(libc::PTHREAD_MUTEX_ERRORCHECK);
        assert_eq!([mutex.lock(), mutex.lock(), mutex.try_lock()], [0, EDEADLK, EBUSY]);
        let other = green(move || [mutex.try_lock(), mutex.unlock(), mutex.lock(), mutex.unlock()]);
        assert_eq!([mutex.unlock(), mutex.unlock()], [0, EPERM]);
        assert_eq!(other.block().unwrap(), [EBUSY, EPERM, 0, 0]);
    });
}

#[test]
fn a_condition_variable_wakes_one_or_all() {
    run(|| {
        let (mutex, condition) = (Mutex::plain(), Condition::plain());
        let woken = Rc::new(Cell::new(0));
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let woken = woken.clone();
                green(move || {
                    assert_eq!(mutex.lock(), 0);
                    assert_eq!(condition.wait(mutex), 0);
                    woken.set(woken.get() + 1);
                    assert_eq!(mutex.unlock(), 0);
                })
            })
            .collect();
        condition.signal();
        turns(5);
        assert_eq!(woken.get(), 1);
        condition.broadcast();
        waiting.into_iter().for_each(|one| one.block().unwrap());
        assert_eq!(woken.get(), 10);
    });
}

#[test]
fn readers_share_a_lock_and_a_writer_has_it_alone() {
    run(|| {
        let (lock, value) = (Lock::unlocked(), Rc::new(Cell::new(0)));
        let (readers, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (written, read_at_once) = (value.clone(), most.clone());
        crowd(40, move |number| match number % 4 {
            0 => {
                lock.write();
                let before = value.get();
                std::thread::sleep(MS);
                value.set(before + 1);
                lock.unlock();
            }
            _ => {
                lock.read();
                readers.set(readers.get() + 1);
                most.set(most.get().max(readers.get()));
                let before = value.get();
                std::thread::sleep(MS);
                assert_eq!(value.get(), before);
                readers.set(readers.get() - 1);
                lock.unlock();
            }
        });
        assert_eq!(written.get(), 10);
        assert!(read_at_once.get() > 1);
    });
}

#[test]
fn semaphores_let_so_many_in() {
    run(|| {
        let (semaphore, inside) = (Semaphore::with_count(3), Rc::new(Cell::new(0)));
        crowd(30, move |_| {
            semaphore.wait();
            inside.set(inside.get() + 1);
            assert!(inside.get() <= 3);
            std::thread::sleep(MS);
            inside.set(inside.get() - 1);
            semaphore.post();
        });
    });
}

#[test]
fn a_signal_handler_posts() {
    static POSTS: AtomicU32 = AtomicU32::new(0);
    static SEMAPHORE: OnceLock<Semaphore> = OnceLock::new();
    extern "C" fn post(_: c_int) {
        POSTS.fetch_add(1, Ordering::SeqCst);
        SEMAPHORE.get().expect("it is there").post();
    }
    run(|| {
        let semaphore = *SEMAPHORE.get_or_init(|| Semaphore::with_count(0));
        // SAFETY: the handler does what one may.
        unsafe { libc::signal(libc::SIGUSR2, post as extern "C" fn(c_int) as usize) };
        // SAFETY: it has no arguments.
        let this = unsafe { libc::pthread_self() };
        let signals = std::thread::spawn(move || {
            for _ in 0..200 {
                let before = POSTS.load(Ordering::SeqCst);
                // SAFETY: that thread runs this test, which joins us.
                unsafe { libc::pthread_kill(this, libc::SIGUSR2) };
                while POSTS.load(Ordering::SeqCst) == before {
                    std::thread::yield_now();
                }
            }
        });
        let waiting: Vec<_> =
            (0..4).map(|_| green(move || (0..50).for_each(|_| semaphore.wait()))).collect();
        // The hub's own code is interrupted, and so is that of green threads.
        while !signals.is_finished() {
            turns(1);
        }
        waiting.into_iter().for_each(|one| one.block().unwrap());
        signals.join().unwrap();
    });
}

#[test]
fn what_an_os_thread_unlocks_inside_libc_is_seen() {
    run(|| {
        let (mutex, condition) = (Mutex::plain(), Condition::plain());
        let (holds, ready) = (Semaphore::with_count(0), Rc::new(AtomicBool::new(false)));
        let other = std::thread::spawn(move || {
            assert_eq!(mutex.lock(), 0);
            holds.post();
            std::thread::sleep(20 * MS);
            assert_eq!(condition.wait(mutex), 0);
            assert_eq!(mutex.unlock(), 0);
        });
        holds.wait();
        let seen = ready.clone();
        let waiting = green(move || {
            assert_eq!(mutex.lock(), 0);
            seen.store(true, Ordering::SeqCst);
            assert_eq!(mutex.unlock(), 0);
            condition.signal();
        });
        assert!(!ready.load(Ordering::SeqCst));
        waiting.block().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn one_that_is_killed_while_it_waits_goes_on_with_the_lock() {
    struct Ends(Rc<Cell<bool>>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    run(|| {
        let (mutex, ended) = (Mutex::plain(), Rc::new(Cell::new(false)));
        let ends = Ends(ended.clone());
        assert_eq!(mutex.lock(), 0);
        let victim = green(move || {
            let _ends = ends;
            assert_eq!(mutex.lock(), 0);
            assert_eq!(mutex.unlock(), 0);
            eventlet::sleep(MS).block();
            unreachable!("it was killed");
        });
        let ((), took) = timed(|| victim.kill());
        assert!(victim.dead() && took < 500 * MS, "{took:?}");
        assert!(!ended.get(), "it waits for its lock");
        assert_eq!(mutex.unlock(), 0);
        turns(5);
        assert!(ended.get());
        assert_eq!(mutex.try_lock(), 0);
    });
}

#[test]
fn one_that_is_killed_with_a_recursive_mutex_can_unlock_it() {
    run(|| {
        let (owned, other) = (Mutex::of_kind(libc::PTHREAD_MUTEX_RECURSIVE), Mutex::plain());
        assert_eq!(other.lock(), 0);
        let victim = green(move || {
            assert_eq!([owned.lock(), other.lock(), owned.lock()], [0; 3]);
            assert_eq!([owned.unlock(), owned.unlock(), other.unlock()], [0; 3]);
        });
        victim.kill();
        assert_eq!([owned.try_lock(), other.unlock(), owned.lock()], [EBUSY, 0, 0]);
    });
}

#[test]
fn names_of_libc_itself_are_the_same() {
    run(|| {
        let (mutex, lock) = (Mutex::plain(), Lock::unlocked());
        assert_eq!(mutex.lock(), 0);
        lock.write();
        let other = green(move || {
            assert_eq!(__pthread_mutex_trylock(mutex), EBUSY);
            assert_eq!([__pthread_mutex_lock(mutex), __pthread_mutex_unlock(mutex)], [0; 2]);
            assert_eq!([__pthread_rwlock_wrlock(lock), __pthread_rwlock_unlock(lock)], [0; 2]);
            assert_eq!([__pthread_rwlock_rdlock(lock), __pthread_rwlock_unlock(lock)], [0; 2]);
        });
        assert!(!other.dead());
        assert_eq!(mutex.unlock(), 0);
        lock.unlock();
        other.block().unwrap();
    });
}

#[test]
fn what_is_initialized_once_may_wait_meanwhile() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    extern "C" fn initialize() {
        std::thread::sleep(5 * MS);
        COUNT.fetch_add(1, Ordering::SeqCst);
    }
    let control = Of::new(libc::PTHREAD_ONCE_INIT);
    let initialized = move || {
        assert_eq!(pthread_once(control, initialize), 0);
        assert_eq!(COUNT.load(Ordering::SeqCst), 1);
    };
    let other = std::thread::spawn(move || {
        std::thread::sleep(3 * MS);
        initialized();
    });
    run(move || drop(crowd(20, move |_| initialized())));
    other.join().unwrap();
}

#[test]
fn what_an_allocator_may_have_made_is_waited_for_inside_libc() {
    run(|| {
        let (mutex, holds) =
            (Mutex::of_kind(libc::PTHREAD_MUTEX_ADAPTIVE_NP), Semaphore::with_count(0));
        let other = std::thread::spawn(move || {
            assert_eq!(mutex.lock(), 0);
            holds.post();
            std::thread::sleep(20 * MS);
            mutex.unlock()
        });
        holds.wait();
        let ran = Rc::new(Cell::new(false));
        let runs = ran.clone();
        let _beside = eventlet::spawn(async move { runs.set(true) });
        assert_eq!(mutex.lock(), 0);
        assert!(!ran.get(), "nobody ran meanwhile");
        assert_eq!((mutex.unlock(), other.join().unwrap()), (0, 0));
    });
}

#[test]
fn special_mutexes_are_as_ever() {
    const ROBUST: c_int = 1;
    const INHERITS: c_int = 1;
    run(|| {
        let robust = Mutex::with(|attributes| pthread_mutexattr_setrobust(attributes, ROBUST));
        let inherits =
            Mutex::with(|attributes| pthread_mutexattr_setprotocol(attributes, INHERITS));
        for mutex in [robust, inherits] {
            assert_eq!([mutex.lock(), mutex.try_lock(), mutex.unlock()], [0, EBUSY, 0]);
        }
        let died = std::thread::spawn(move || robust.lock()).join().unwrap();
        assert_eq!([died, robust.lock()], [0, libc::EOWNERDEAD]);
    });
}

#[test]
fn a_destructor_that_unwinds_takes_locks_without_a_wait() {
    struct Locks(Mutex);
    impl Drop for Locks {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            assert_eq!([self.0.lock(), self.0.lock()], [0; 2]);
            assert_eq!([self.0.unlock(), self.0.unlock()], [0; 2]);
        }
    }
    run(|| {
        let mutex = Mutex::of_kind(libc::PTHREAD_MUTEX_RECURSIVE);
        let panics = green(move || {
            let _locks = Locks(mutex);
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(panics.block().is_err());
        assert_eq!(mutex.try_lock(), 0);
    });
}

/// A queue of C's: its count is what the mutex guards.
#[derive(Clone, Copy)]
struct Queue {
    mutex: Mutex,
    condition: Condition,
    count: Counter,
}

/// A number that is read and written under a lock of C.
#[derive(Clone, Copy)]
struct Counter(Of<i64>);

impl Counter {
    fn new() -> Counter {
        Counter(Of::new(0))
    }

    /// Adds to it, and returns it.
    fn add(self, other: i64) -> i64 {
        // SAFETY: the lock lets one in at a time.
        let number = unsafe { &mut *(self.0).0 };
        *number += other;
        *number
    }
}

impl Queue {
    fn new() -> Queue {
        Queue { mutex: Mutex::plain(), condition: Condition::plain(), count: Counter::new() }
    }

    fn put(self) {
        assert_eq!(self.mutex.lock(), 0);
        self.count.add(1);
        assert_eq!(self.mutex.unlock(), 0);
        self.condition.signal();
    }

    fn get(self) {
        assert_eq!(self.mutex.lock(), 0);
        while self.count.add(0) == 0 {
            assert_eq!(self.condition.wait(self.mutex), 0);
        }
        self.count.add(-1);
        assert_eq!(self.mutex.unlock(), 0);
    }
}

#[test]
fn no_wakeup_is_lost_between_hubs_and_os_threads() {
    const ROUNDS: usize = 50_000;
    const GREEN: usize = 10;
    let (there, back, lock, semaphore) =
        (Queue::new(), Queue::new(), Lock::unlocked(), Semaphore::with_count(1));
    let counted = Counter::new();
    let count = move || {
        semaphore.wait();
        counted.add(1);
        semaphore.post();
    };
    let shares = move |round: usize| {
        if round % 8 == 0 {
            lock.write()
        } else {
            lock.read()
        }
        lock.unlock();
    };
    // One OS thread answers inside libc, one on a hub of its own.
    let answers = move |rounds: usize| {
        for round in 0..rounds {
            there.get();
            shares(round);
            count();
            back.put();
        }
    };
    let plain = std::thread::spawn(move || answers(ROUNDS / 2));
    let hub = std::thread::spawn(move || {
        run(move || drop(crowd(GREEN, move |_| answers(ROUNDS / 2 / GREEN))));
    });
    run(move || {
        crowd(GREEN, move |_| {
            for round in 0..ROUNDS / GREEN {
                there.put();
                shares(round);
                count();
                back.get();
            }
        });
    });
    plain.join().unwrap();
    hub.join().unwrap();
    assert_eq!([there.count.add(0), back.count.add(0)], [0, 0]);
    assert_eq!(counted.add(0), 2 * ROUNDS as i64);
}
