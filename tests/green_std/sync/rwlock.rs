use std::rc::Rc;

use eventlet::green::sync::{Arc, RwLock, RwLockWriteGuard, TryLockError, mpsc};
use eventlet::green::thread;
use eventlet::{Block, GreenThread};

use crate::support::{Dice, OnDrop, keeps_turn, panics_here};
use crate::{run, unwinds};

#[test]
fn smoke() {
    let lock = RwLock::new(());
    drop(lock.read().unwrap());
    drop(lock.write().unwrap());
    drop((lock.read().unwrap(), lock.read().unwrap()));
    drop(lock.write().unwrap());
}

#[test]
fn frob() {
    run(|| {
        let lock = Arc::new(RwLock::new(0));
        let (done, rx) = mpsc::channel::<()>();
        for seed in 0..10 {
            let (lock, done) = (Arc::clone(&lock), done.clone());
            thread::spawn(move || {
                let mut dice = Dice::new(seed + 1);
                for _ in 0..100 {
                    if dice.below(10) == 0 {
                        let mut writers = lock.write().unwrap();
                        *writers += 1;
                        thread::yield_now();
                        assert_eq!(*writers, 1);
                        *writers = 0;
                    } else {
                        let writers = lock.read().unwrap();
                        thread::yield_now();
                        assert_eq!(*writers, 0);
                    }
                }
                drop(done);
            });
        }
        drop(done);
        rx.recv().unwrap_err();
    });
}

/// Unwinds while having a lock.
fn spoil<T>(lock: &RwLock<T>, write: bool) {
    unwinds(|| {
        let _reader = (!write).then(|| lock.read().unwrap());
        let _writer = write.then(|| lock.write().unwrap());
        panic!("poisoned on purpose");
    });
}

#[test]
fn test_rw_arc_poison_wr_and_ww() {
    let lock = RwLock::new(1);
    spoil(&lock, true);
    assert!(lock.is_poisoned());
    assert!(lock.read().is_err() && lock.write().is_err());
    assert!(matches!(lock.try_read(), Err(TryLockError::Poisoned(_))));
    assert!(matches!(lock.try_write(), Err(TryLockError::Poisoned(_))));
    lock.clear_poison();
    assert!(lock.read().is_ok() && lock.write().is_ok());
}

#[test]
fn test_rw_arc_no_poison_rr_and_rw() {
    let lock = RwLock::new(1);
    spoil(&lock, false);
    assert!(lock.read().is_ok() && lock.write().is_ok());
}

#[test]
fn test_rw_arc() {
    run(|| {
        let lock = Arc::new(RwLock::new(0));
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || {
            for _ in 0..10 {
                let mut value = other.write().unwrap();
                let before = *value;
                *value = -1;
                thread::yield_now();
                *value = before + 1;
            }
        });
        let readers = [(); 5].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || assert!(*lock.read().unwrap() >= 0))
        });
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        writer.join().unwrap();
        assert_eq!(*lock.read().unwrap(), 10);
    });
}

#[test]
fn test_rw_arc_access_in_unwind() {
    let lock = RwLock::new(1);
    unwinds(|| {
        let _last = OnDrop(|| *lock.write().unwrap() += 1);
        panic!("the destructor locks");
    });
    assert_eq!(*lock.read().unwrap(), 2);
}

#[test]
fn test_rwlock_unsized() {
    let lock: &RwLock<[i32]> = &RwLock::new([1, 2, 3]);
    lock.write().unwrap()[0] = 4;
    assert_eq!(*lock.read().unwrap(), [4, 2, 3]);
}

#[test]
fn test_rwlock_try_write() {
    let lock = RwLock::new(0);
    let reader = lock.read().unwrap();
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    assert!(lock.try_read().is_ok());
    drop(reader);
    let _writer = lock.try_write().unwrap();
    assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)));
    assert_eq!(format!("{lock:?}"), "RwLock { data: <locked>, poisoned: false, .. }");
}

#[test]
fn into_inner_and_get_mut_with_and_without_poison() {
    let mut lock = RwLock::from(1);
    *lock.get_mut().unwrap() = 2;
    spoil(&lock, true);
    assert_eq!(**lock.get_mut().unwrap_err().get_ref(), 2);
    assert_eq!(lock.into_inner().unwrap_err().into_inner(), 2);
    assert_eq!(RwLock::new(3).into_inner().unwrap(), 3);
}

#[test]
fn downgrade_lets_readers_in_and_writers_wait() {
    run(|| {
        let lock = Arc::new(RwLock::new(1));
        let mut writer = lock.write().unwrap();
        *writer = 2;
        let other = Arc::clone(&lock);
        let next = thread::spawn(move || *other.write().unwrap() = 3);
        thread::yield_now();
        let reader = RwLockWriteGuard::downgrade(writer);
        assert_eq!(*reader, 2);
        thread::yield_now();
        assert_eq!(*reader, 2);
        drop(reader);
        next.join().unwrap();
        assert_eq!(*lock.read().unwrap(), 3);
    });
}

#[test]
fn a_writer_in_line_goes_before_later_readers() {
    run(|| {
        let lock = Rc::new(RwLock::new(0));
        let reader = lock.read().unwrap();
        let other = Rc::clone(&lock);
        let writer = thread::spawn(move || *other.write().unwrap() = 1);
        thread::yield_now();
        assert!(lock.try_read().is_err());
        drop(reader);
        assert_eq!(*lock.read().unwrap(), 1);
        writer.join().unwrap();
    });
}

#[test]
fn a_killed_writer_in_line_lets_the_readers_behind_it_in() {
    run(|| {
        let lock = Rc::new(RwLock::new(()));
        let reader = lock.read().unwrap();
        let other = Rc::clone(&lock);
        let writer = GreenThread::from(thread::spawn(move || drop(other.write().unwrap())));
        let other = Rc::clone(&lock);
        let second = thread::spawn(move || drop(other.read().unwrap()));
        thread::yield_now();
        writer.kill();
        second.join().unwrap();
        drop(reader);
        assert!(!lock.is_poisoned());
        drop(lock.try_write().unwrap());
        assert!(writer.block().unwrap_err().is_killed());
    });
}

#[test]
fn a_free_lock_keeps_the_turn_and_a_taken_one_needs_a_green_stack() {
    let lock = RwLock::new(());
    let writer = lock.write().unwrap();
    panics_here!("waits on a green stack", lock.read());
    panics_here!("waits on a green stack", lock.write());
    drop(writer);
    run(|| {
        let lock = RwLock::new(());
        keeps_turn!((0..1000).for_each(|_| drop((lock.read().unwrap(), lock.read().unwrap()))));
        keeps_turn!((0..1000).for_each(|_| drop(lock.write().unwrap())));
    });
}
