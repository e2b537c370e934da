//! `Once`, `OnceLock` and `LazyLock`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::sync::{Arc, LazyLock, Once, OnceLock, mpsc};
use eventlet::green::thread;
use eventlet::{Block, GreenThread};

use crate::support::{keeps_turn, panics_here};
use crate::{counter, run, unwinds};

#[test]
fn smoke_once() {
    static ONCE: Once = Once::new();
    let calls = Cell::new(0);
    ONCE.call_once(|| calls.set(calls.get() + 1));
    ONCE.call_once(|| calls.set(calls.get() + 1));
    assert_eq!(calls.get(), 1);
}

#[test]
fn stampede_once() {
    run(|| {
        let (tx, rx) = mpsc::channel();
        let (once, (calls, seen)) = (Rc::new(Once::new()), counter());
        for _ in 0..10 {
            let (tx, once, calls) = (tx.clone(), Rc::clone(&once), Rc::clone(&calls));
            thread::spawn(move || {
                once.call_once(|| {
                    thread::yield_now();
                    calls.set(calls.get() + 1);
                });
                assert_eq!(calls.get(), 1);
                tx.send(()).unwrap();
            });
        }
        drop(tx);
        assert_eq!(rx.iter().count(), 10);
        assert_eq!(seen.get(), 1);
    });
}

#[test]
fn poison_bad() {
    static ONCE: Once = Once::new();
    unwinds(|| ONCE.call_once(|| panic!("poisoned on purpose")));
    panics_here!("is poisoned", ONCE.call_once(|| {}));
    // It stays so while each attempt fails.
    unwinds(|| ONCE.call_once_force(|_| panic!("poisoned on purpose")));
    let mut called = false;
    ONCE.call_once_force(|state| {
        called = true;
        assert!(state.is_poisoned());
    });
    assert!(called && ONCE.is_completed());
    ONCE.call_once(|| unreachable!("it was done"));
}

#[test]
fn wait_for_force_to_finish() {
    run(|| {
        let once = Rc::new(Once::new());
        unwinds(|| once.call_once(|| panic!("poisoned on purpose")));
        let (other, inside) = (Rc::clone(&once), Rc::new(Cell::new(false)));
        let finished = Rc::clone(&inside);
        let forces = thread::spawn(move || {
            other.call_once_force(|state| {
                assert!(state.is_poisoned());
                thread::yield_now();
                inside.set(true);
            });
        });
        thread::yield_now();
        // Poisoned still, but somebody mends it: who comes now waits, and finds it done.
        once.call_once_force(|_| unreachable!("it was done"));
        assert!(finished.get());
        forces.join().unwrap();
    });
}

#[test]
fn a_kill_inside_poisons_a_once_and_leaves_a_once_lock_empty() {
    run(|| {
        let (once, cell) = (Rc::new(Once::new()), Rc::new(OnceLock::new()));
        let inside = (Rc::clone(&once), Rc::clone(&cell));
        let first = GreenThread::from(thread::spawn(move || {
            inside.0.call_once(|| thread::sleep(Duration::MAX))
        }));
        let second = GreenThread::from(thread::spawn(move || {
            inside.1.get_or_init(|| {
                thread::sleep(Duration::MAX);
                1
            });
        }));
        let third = Rc::clone(&cell);
        let third = thread::spawn(move || *third.get_or_init(|| 2));
        thread::yield_now();
        first.kill();
        second.kill();
        panics_here!("is poisoned", once.call_once(|| {}));
        assert_eq!((third.join().unwrap(), cell.get()), (2, Some(&2)));
        assert!(first.block().is_err() && second.block().is_err());
    });
}

#[test]
fn sync_once_cell() {
    run(|| {
        static CELL: OnceLock<i32> = OnceLock::new();
        assert!(CELL.get().is_none());
        thread::spawn(|| assert_eq!(*CELL.get_or_init(|| 92), 92)).join().unwrap();
        assert_eq!(*keeps_turn!(CELL.get_or_init(|| panic!("it is set"))), 92);
    });
}

#[test]
fn sync_once_cell_get_mut_drop_clone_eq_from_and_into_inner() {
    let mut cell = OnceLock::new();
    assert!(cell.get_mut().is_none());
    assert_eq!((cell.set(90), cell.set(91)), (Ok(()), Err(91)));
    *cell.get_mut().unwrap() += 2;
    assert_eq!(cell, cell.clone());
    assert_eq!(cell, OnceLock::from(92));
    assert_ne!(cell, OnceLock::default());
    assert_eq!(format!("{cell:?}"), "OnceLock(92)");
    assert_eq!(cell.clone().into_inner(), Some(92));
    assert_eq!((cell.take(), cell.get()), (Some(92), None));

    let (drops, seen) = counter();
    let dropped = OnceLock::new();
    let guard = crate::support::OnDrop(move || drops.set(drops.get() + 1));
    assert!(dropped.set(guard).is_ok());
    drop(dropped);
    assert_eq!(seen.get(), 1);
}

#[test]
fn sync_once_cell_does_not_get_poisoned() {
    let cell = OnceLock::new();
    unwinds(|| {
        cell.get_or_init(|| panic!("not yet"));
    });
    assert_eq!(cell.get(), None);
    assert_eq!(*cell.get_or_init(|| 1), 1);
}

#[test]
fn setting_waits_for_who_makes_a_value() {
    run(|| {
        let cell = Rc::new(OnceLock::new());
        let other = Rc::clone(&cell);
        let makes = thread::spawn(move || {
            other.get_or_init(|| {
                thread::yield_now();
                1
            });
        });
        thread::yield_now();
        assert_eq!(cell.set(2), Err(2));
        makes.join().unwrap();
    });
}

#[test]
fn sync_lazy_new() {
    run(|| {
        let (calls, seen) = counter();
        let lazy = Rc::new(LazyLock::new(move || {
            thread::yield_now();
            calls.set(calls.get() + 1);
            92
        }));
        assert_eq!(format!("{lazy:?}"), "LazyLock(<uninit>)");
        let others = [(); 5].map(|()| {
            let lazy = Rc::clone(&lazy);
            thread::spawn(move || **lazy + 1)
        });
        assert!(others.into_iter().all(|other| other.join().unwrap() == 93));
        assert_eq!((seen.get(), **lazy), (1, 92));
        assert_eq!(format!("{lazy:?}"), "LazyLock(92)");
    });
}

#[test]
fn static_sync_lazy() {
    static XS: LazyLock<Arc<Vec<i32>>> = LazyLock::new(|| Arc::new(vec![1, 2, 3]));
    run(|| {
        thread::spawn(|| assert_eq!(XS.len(), 3)).join().unwrap();
        assert_eq!(XS[..], [1, 2, 3]);
    });
    assert_eq!(*LazyLock::<u8>::default(), 0);
}

#[test]
fn lazy_poisoning() {
    let lazy: LazyLock<String> = LazyLock::new(|| panic!("there is no value"));
    for _ in 0..2 {
        unwinds(|| {
            let _never = lazy.len();
        });
    }
    panics_here!("is poisoned", lazy.len());
}
