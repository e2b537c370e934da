//! The threads of C11.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use eventlet::Block;
use libc::{CLOCK_REALTIME, pthread_cond_t, pthread_mutex_t, pthread_once_t, pthread_t, timespec};

use crate::c::{Of, after, zeroed};
use crate::support::{MS, NEVER, crowd, green, run, run_paused, timed, turns};

const SUCCESS: c_int = 0;
const BUSY: c_int = 1;
const TIMED_OUT: c_int = 4;

const PLAIN: c_int = 0;
const RECURSIVE: c_int = 1;
const TIMED: c_int = 2;

const HOUR: Duration = Duration::from_secs(3600);

// Each takes what is there for good, so that all may be called.
unsafe extern "C" {
    safe fn mtx_init(mutex: Mutex, kind: c_int) -> c_int;
    safe fn mtx_lock(mutex: Mutex) -> c_int;
    safe fn mtx_timedlock(mutex: Mutex, time: &timespec) -> c_int;
    safe fn mtx_trylock(mutex: Mutex) -> c_int;
    safe fn mtx_unlock(mutex: Mutex) -> c_int;
    safe fn cnd_init(condition: Condition) -> c_int;
    safe fn cnd_wait(condition: Condition, mutex: Mutex) -> c_int;
    safe fn cnd_timedwait(condition: Condition, mutex: Mutex, time: &timespec) -> c_int;
    safe fn cnd_signal(condition: Condition) -> c_int;
    safe fn cnd_broadcast(condition: Condition) -> c_int;
    safe fn call_once(flag: Of<pthread_once_t>, routine: extern "C" fn());
    safe fn thrd_sleep(time: &timespec, left: Option<&mut timespec>) -> c_int;
    safe fn thrd_yield();
    safe fn thrd_create(
        thread: &mut pthread_t,
        routine: extern "C" fn(*mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn thrd_join(thread: pthread_t, result: *mut c_int) -> c_int;
}

type Mutex = Of<pthread_mutex_t>;
type Condition = Of<pthread_cond_t>;

fn mutex(kind: c_int) -> Mutex {
    let mutex = Of::new(zeroed());
    assert_eq!(mtx_init(mutex, kind), SUCCESS);
    mutex
}

fn condition() -> Condition {
    let condition = Of::new(zeroed());
    assert_eq!(cnd_init(condition), SUCCESS);
    condition
}

fn time_of(duration: Duration) -> timespec {
    timespec { tv_sec: duration.as_secs() as _, tv_nsec: duration.subsec_nanos().into() }
}

/// Starts an OS thread that ends after a while with this result.
fn start(result: usize) -> pthread_t {
    extern "C" fn routine(result: *mut c_void) -> c_int {
        assert_eq!(thrd_sleep(&time_of(10 * MS), None), 0);
        result.addr() as c_int
    }
    let mut thread = zeroed();
    assert_eq!(thrd_create(&mut thread, routine, ptr::without_provenance_mut(result)), SUCCESS);
    thread
}

#[test]
fn a_mutex_is_held_over_a_sleep() {
    for kind in [PLAIN, TIMED, RECURSIVE] {
        run(move || {
            let (mutex, count) = (mutex(kind), Rc::new(Cell::new(0)));
            let shared = count.clone();
            crowd(20, move |_| {
                assert_eq!(mtx_lock(mutex), SUCCESS);
                let before = shared.get();
                assert_eq!(thrd_sleep(&time_of(MS), None), 0);
                shared.set(before + 1);
                assert_eq!(mtx_unlock(mutex), SUCCESS);
            });
            assert_eq!(count.get(), 20);
        });
    }
}

#[test]
fn a_condition_variable_wakes_one_or_all() {
    run(|| {
        let (mutex, condition, woken) = (mutex(PLAIN), condition(), Rc::new(Cell::new(0)));
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let woken = woken.clone();
                green(move || {
                    assert_eq!(mtx_lock(mutex), SUCCESS);
                    assert_eq!(cnd_wait(condition, mutex), SUCCESS);
                    woken.set(woken.get() + 1);
                    assert_eq!(mtx_unlock(mutex), SUCCESS);
                })
            })
            .collect();
        assert_eq!(cnd_signal(condition), SUCCESS);
        turns(5);
        assert_eq!(woken.get(), 1);
        assert_eq!(cnd_broadcast(condition), SUCCESS);
        waiting.into_iter().for_each(|one| one.block().unwrap());
        assert_eq!(woken.get(), 10);
    });
}

#[test]
fn limits_and_sleeps_are_on_virtual_time() {
    run_paused(|| {
        let (mutex, own, condition) = (mutex(TIMED), mutex(TIMED), condition());
        let holder = green(move || mtx_lock(mutex));
        assert_eq!(holder.block().unwrap(), SUCCESS);
        let ((), took) = timed(|| {
            assert_eq!(mtx_trylock(mutex), BUSY);
            assert_eq!(mtx_timedlock(mutex, &after(CLOCK_REALTIME, HOUR)), TIMED_OUT);
            assert_eq!(mtx_lock(own), SUCCESS);
            assert_eq!(cnd_timedwait(condition, own, &after(CLOCK_REALTIME, HOUR)), TIMED_OUT);
            assert_eq!(mtx_trylock(own), BUSY, "it has the mutex again");
            assert_eq!(thrd_sleep(&time_of(HOUR), None), 0);
        });
        assert!(took < NEVER, "{took:?}");
        assert_eq!(thrd_sleep(&timespec { tv_sec: 0, tv_nsec: -1 }, None), -2);
    });
}

#[test]
fn a_sleep_is_killed() {
    run(|| {
        let seen = Rc::new(Cell::new(0));
        let noted = seen.clone();
        let victim = green(move || {
            noted.set(thrd_sleep(&time_of(HOUR), None));
            eventlet::sleep(MS).block();
        });
        victim.kill();
        assert_eq!(seen.get(), -2);
    });
}

#[test]
fn others_run_during_a_yield_and_a_join() {
    run(|| {
        let turn = Rc::new(Cell::new(false));
        let taken = turn.clone();
        let _other = eventlet::spawn(async move { taken.set(true) });
        thrd_yield();
        assert!(turn.get());
        let joined = crowd(5, |number| {
            let (thread, mut result) = (start(number), -1);
            // SAFETY: nobody else joins it, and there is room for the result.
            assert_eq!(unsafe { thrd_join(thread, &mut result) }, SUCCESS);
            result
        });
        assert_eq!(joined, [0, 1, 2, 3, 4]);
    });
}

#[test]
fn what_is_initialized_once_may_wait_meanwhile() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    extern "C" fn initialize() {
        assert_eq!(thrd_sleep(&time_of(5 * MS), None), 0);
        COUNT.fetch_add(1, Ordering::SeqCst);
    }
    let flag = Of::new(libc::PTHREAD_ONCE_INIT);
    run(move || {
        crowd(20, move |_| {
            call_once(flag, initialize);
            assert_eq!(COUNT.load(Ordering::SeqCst), 1);
        });
    });
}

#[test]
fn all_is_as_ever_on_an_os_thread() {
    eventlet_shim::monkey_patch();
    let (mutex, condition) = (mutex(RECURSIVE), condition());
    assert_eq!([mtx_lock(mutex), mtx_trylock(mutex), mtx_unlock(mutex)], [SUCCESS; 3]);
    let refused = std::thread::spawn(move || {
        [mtx_trylock(mutex), mtx_timedlock(mutex, &after(CLOCK_REALTIME, 2 * MS))]
    });
    assert_eq!(refused.join().unwrap(), [BUSY, TIMED_OUT]);
    let other = std::thread::spawn(move || {
        assert_eq!(mtx_lock(mutex), SUCCESS);
        cnd_broadcast(condition);
        mtx_unlock(mutex)
    });
    assert_eq!(cnd_wait(condition, mutex), SUCCESS);
    assert_eq!(other.join().unwrap(), SUCCESS);
    assert_eq!(cnd_timedwait(condition, mutex, &after(CLOCK_REALTIME, 2 * MS)), TIMED_OUT);
    // SAFETY: nobody else joins it.
    assert_eq!(unsafe { thrd_join(start(7), ptr::null_mut()) }, SUCCESS);
    thrd_yield();
}
