//! Read-write locks.

use std::cell::Cell;
use std::rc::Rc;

use eventlet::Block;

use crate::c::{__pthread_rwlock_rdlock, __pthread_rwlock_unlock, __pthread_rwlock_wrlock, Lock};
use crate::support::{MS, crowd, green, run};

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
fn names_of_libc_itself_are_the_same() {
    run(|| {
        let lock = Lock::unlocked();
        lock.write();
        let other = green(move || {
            assert_eq!([__pthread_rwlock_wrlock(lock), __pthread_rwlock_unlock(lock)], [0; 2]);
            assert_eq!([__pthread_rwlock_rdlock(lock), __pthread_rwlock_unlock(lock)], [0; 2]);
        });
        assert!(!other.dead());
        lock.unlock();
        other.block().unwrap();
    });
}
