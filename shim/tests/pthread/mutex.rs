//! Mutexes.

use std::cell::Cell;
use std::rc::Rc;

use eventlet::Block;
use libc::{EBUSY, EDEADLK, EPERM, c_int};

use crate::c::{
    __pthread_mutex_lock, __pthread_mutex_trylock, __pthread_mutex_unlock, Mutex, Semaphore,
    pthread_mutexattr_setprotocol, pthread_mutexattr_setrobust,
};
use crate::support::{MS, NEVER, crowd, green, run, timed, turns};

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
        let (mutex, go) = (Mutex::of_kind(libc::PTHREAD_MUTEX_RECURSIVE), Semaphore::with_count(0));
        let holder = green(move || {
            assert_eq!([mutex.lock(), mutex.lock(), mutex.try_lock()], [0; 3]);
            go.wait();
            assert_eq!([mutex.unlock(), mutex.unlock()], [0; 2]);
            go.wait();
            assert_eq!(mutex.unlock(), 0);
        });
        assert_eq!([mutex.try_lock(), mutex.unlock()], [EBUSY, EPERM]);
        let waiting = green(move || [mutex.lock(), mutex.unlock()]);
        go.post();
        turns(5);
        assert_eq!((mutex.try_lock(), waiting.dead()), (EBUSY, false), "unlocked twice of thrice");
        go.post();
        assert_eq!(waiting.block().unwrap(), [0, 0]);
        assert_eq!((mutex.lock(), holder.dead()), (0, true));
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
        assert!(victim.dead() && took < NEVER, "{took:?}");
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

#[test]
fn names_of_libc_itself_are_the_same() {
    run(|| {
        let mutex = Mutex::plain();
        assert_eq!(mutex.lock(), 0);
        let other = green(move || {
            assert_eq!(__pthread_mutex_trylock(mutex), EBUSY);
            assert_eq!([__pthread_mutex_lock(mutex), __pthread_mutex_unlock(mutex)], [0; 2]);
        });
        assert!(!other.dead());
        assert_eq!(mutex.unlock(), 0);
        other.block().unwrap();
    });
}
