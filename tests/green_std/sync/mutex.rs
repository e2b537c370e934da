use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::sync::{Arc, Condvar, Mutex, TryLockError};
use eventlet::green::thread;
use eventlet::{Block, Event, GreenThread, spawn};

use crate::support::{Log, OnDrop, keeps_turn, panics_here, yields};
use crate::{counter, run, unwinds};

#[test]
fn smoke() {
    let mutex = Mutex::new(());
    drop(mutex.lock().unwrap());
    drop(mutex.lock().unwrap());
}

#[test]
fn lots_and_lots() {
    run(|| {
        static COUNT: Mutex<u32> = Mutex::new(0);
        fn add() {
            for _ in 0..100 {
                let mut count = COUNT.lock().unwrap();
                let before = *count;
                thread::yield_now();
                *count = before + 1;
            }
        }
        let threads: Vec<_> = (0..10).map(|_| thread::spawn(add)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*COUNT.lock().unwrap(), 1000);
    });
}

#[test]
fn try_lock() {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock().unwrap();
    assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    drop(guard);
    *mutex.try_lock().unwrap() = ();
}

#[test]
fn into_inner() {
    assert_eq!(Mutex::new(Box::new(10)).into_inner().unwrap(), Box::new(10));
}

#[test]
fn into_inner_drop() {
    let (drops, seen) = counter();
    let mutex = Mutex::new(OnDrop(move || drops.set(drops.get() + 1)));
    let inner = mutex.into_inner().unwrap_or_else(|_| panic!("it is not poisoned"));
    assert_eq!(seen.get(), 0);
    drop(inner);
    assert_eq!(seen.get(), 1);
}

fn poisoned<T>(value: T) -> Mutex<T> {
    let mutex = Mutex::new(value);
    unwinds(|| {
        let _guard = mutex.lock().unwrap();
        panic!("poisoned on purpose");
    });
    mutex
}

#[test]
fn into_inner_poison() {
    assert_eq!(poisoned(10).into_inner().unwrap_err().into_inner(), 10);
}

#[test]
fn get_mut() {
    let mut mutex = Mutex::from(10);
    *mutex.get_mut().unwrap() = 20;
    assert_eq!(mutex.into_inner().unwrap(), 20);
}

#[test]
fn get_mut_poison() {
    assert_eq!(*poisoned(10).get_mut().unwrap_err().into_inner(), 10);
}

#[test]
fn mutex_arc_condvar() {
    run(|| {
        let packet = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&packet);
        let (lock, changed) = &*packet;
        let mut done = lock.lock().unwrap();
        let thread = thread::spawn(move || {
            let (lock, changed) = &*other;
            *lock.lock().unwrap() = true;
            changed.notify_one();
        });
        while !*done {
            done = changed.wait(done).unwrap();
        }
        drop(done);
        thread.join().unwrap();
    });
}

#[test]
fn arc_condvar_poison() {
    run(|| {
        let packet = Arc::new((Mutex::new(1), Condvar::new()));
        let other = Arc::clone(&packet);
        let (lock, changed) = &*packet;
        let guard = lock.lock().unwrap();
        let thread = thread::spawn(move || {
            let (lock, changed) = &*other;
            let _guard = lock.lock().unwrap();
            changed.notify_one();
            panic!("poisoned on purpose");
        });
        let poisoned = changed.wait(guard).unwrap_err();
        assert_eq!(*poisoned.into_inner(), 1);
        thread.join().unwrap_err();
    });
}

#[test]
fn mutex_arc_poison() {
    let mutex = poisoned(1);
    assert!(mutex.is_poisoned());
    assert_eq!(*mutex.lock().unwrap_err().into_inner(), 1);
    assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
    mutex.clear_poison();
    assert!(mutex.lock().is_ok() && mutex.try_lock().is_ok());
}

#[test]
fn mutex_arc_nested() {
    let inner = Arc::new(Mutex::new(1));
    let outer = Mutex::new(Arc::clone(&inner));
    let guard = outer.lock().unwrap();
    assert_eq!(*guard.lock().unwrap(), 1);
}

#[test]
fn mutex_arc_access_in_unwind() {
    let mutex = Mutex::new(1);
    unwinds(|| {
        let _last = OnDrop(|| *mutex.lock().unwrap() += 1);
        panic!("the destructor locks");
    });
    // And what began after the unwind was not interrupted by it.
    assert_eq!(*mutex.lock().unwrap(), 2);
}

#[test]
fn mutex_unsized() {
    let mutex: &Mutex<[i32]> = &Mutex::new([1, 2, 3]);
    mutex.lock().unwrap()[0] = 4;
    assert_eq!(*mutex.lock().unwrap(), [4, 2, 3]);
}

#[test]
fn it_shows_what_it_has() {
    fn shown(value: &dyn Debug) -> String {
        format!("{value:?}")
    }
    let mutex = Mutex::new(1);
    assert_eq!(shown(&mutex), "Mutex { data: 1, poisoned: false, .. }");
    let guard = mutex.lock().unwrap();
    assert_eq!(shown(&mutex), "Mutex { data: <locked>, poisoned: false, .. }");
    assert_eq!((shown(&guard), format!("{guard}")), ("1".to_owned(), "1".to_owned()));
    assert_eq!(shown(&poisoned(1)), "Mutex { data: 1, poisoned: true, .. }");
}

#[test]
fn it_is_send_and_sync_and_safe_to_unwind_past() {
    fn asserts<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    asserts::<Mutex<std::cell::Cell<u32>>>();
}

#[test]
fn a_free_lock_keeps_the_turn_and_a_taken_one_gives_it() {
    run(|| {
        let mutex = Rc::new(Mutex::new(()));
        // More often than Tokio's budget has units.
        keeps_turn!((0..1000).for_each(|_| drop(mutex.lock().unwrap())));
        let owner = Rc::clone(&mutex);
        let owner = thread::spawn(move || {
            let _guard = owner.lock().unwrap();
            thread::yield_now();
        });
        thread::yield_now();
        yields!(drop(mutex.lock().unwrap()));
        owner.join().unwrap();
    });
}

#[test]
fn nobody_overtakes() {
    run(|| {
        let (mutex, log) = (Rc::new(Mutex::new(())), Log::new());
        let guard = mutex.lock().unwrap();
        let threads: Vec<_> = (0..5)
            .map(|number| {
                let (mutex, log) = (Rc::clone(&mutex), log.clone());
                thread::spawn(move || {
                    let _guard = mutex.lock().unwrap();
                    log.add(number);
                })
            })
            .collect();
        thread::yield_now();
        drop(guard);
        // It is free by now for the first in line only.
        assert!(mutex.try_lock().is_err());
        drop(mutex.lock().unwrap());
        log.add("last");
        assert_eq!(log.text(), "0 1 2 3 4 last");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_kill_poisons_and_frees_it() {
    run(|| {
        let mutex = Arc::new(Mutex::new(()));
        let other = Arc::clone(&mutex);
        let owner = GreenThread::from(thread::spawn(move || {
            let _guard = other.lock().unwrap();
            thread::sleep(Duration::MAX);
        }));
        thread::yield_now();
        assert!(mutex.try_lock().is_err());
        owner.kill();
        assert!(mutex.is_poisoned());
        assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
    });
}

#[test]
fn a_lock_on_its_way_to_a_killed_one_goes_to_the_next() {
    run(|| {
        let mutex = Rc::new(Mutex::new(()));
        let guard = mutex.lock().unwrap();
        let waiting = [(); 2].map(|()| {
            let mutex = Rc::clone(&mutex);
            GreenThread::from(thread::spawn(move || drop(mutex.lock().unwrap())))
        });
        thread::yield_now();
        drop(guard);
        waiting[0].kill();
        let [_, second] = waiting;
        second.block().unwrap();
        assert!(!mutex.is_poisoned());
        drop(mutex.try_lock().unwrap());
    });
}

#[test]
fn where_nobody_can_wait_a_free_lock_is_taken_and_a_taken_one_panics() {
    let mutex = Mutex::new(());
    let guard = mutex.lock().unwrap();
    panics_here!("waits on a green stack", mutex.lock());
    drop(guard);
    run(|| {
        let mutex = Rc::new(Mutex::new(1));
        let inside = Rc::clone(&mutex);
        spawn(async move { *inside.lock().unwrap() += 1 }).block().unwrap();
        let guard = mutex.lock().unwrap();
        let inside = Rc::clone(&mutex);
        spawn(async move { panics_here!("waits on a green stack", inside.lock()) })
            .block()
            .unwrap();
        drop(guard);
    });
}

#[test]
fn while_a_stack_unwinds_a_taken_lock_panics_with_words() {
    run(|| {
        let mutex = Rc::new(Mutex::new(()));
        let (go, other) = (Event::new(), Rc::clone(&mutex));
        let owner = thread::spawn({
            let go = go.clone();
            move || {
                let _guard = other.lock().unwrap();
                go.wait().block().unwrap();
            }
        });
        thread::yield_now();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _last = OnDrop(|| panics_here!("while its green stack unwinds", mutex.lock()));
            panic!("the destructor would like to wait");
        }));
        caught.unwrap_err();
        go.send(());
        owner.join().unwrap();
        drop(mutex.try_lock().unwrap());
    });
}

#[test]
fn several_hubs_share_one() {
    static COUNT: Mutex<u32> = Mutex::new(0);
    let hubs = [(); 3].map(|()| {
        std::thread::spawn(|| {
            eventlet::run(eventlet::stackful(|| {
                let threads = [(); 20].map(|()| {
                    thread::spawn(|| {
                        for _ in 0..20 {
                            let mut count = COUNT.lock().unwrap();
                            let before = *count;
                            thread::yield_now();
                            *count = before + 1;
                        }
                    })
                });
                threads.into_iter().for_each(|thread| thread.join().unwrap());
            }));
        })
    });
    hubs.into_iter().for_each(|hub| hub.join().unwrap());
    assert_eq!(*COUNT.lock().unwrap(), 3 * 20 * 20);
}
