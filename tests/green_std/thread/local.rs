use std::cell::{Cell, RefCell};

use eventlet::green::sync::mpsc;
use eventlet::green::{thread, thread_local};
use eventlet::{Block, spawn};

use crate::run;
use crate::support::{OnDrop, panics_here};

#[test]
fn smoke_no_dtor() {
    thread_local!(static FOO: Cell<i32> = const { Cell::new(1) });
    run(|| {
        FOO.with(|foo| assert_eq!(foo.get(), 1));
        FOO.set(2);
        let other = thread::spawn(|| {
            assert_eq!(FOO.get(), 1);
            FOO.replace(7)
        });
        assert_eq!(other.join().unwrap(), 1);
        assert_eq!((FOO.take(), FOO.get()), (2, 0));
    });
}

#[test]
fn states_and_dtors() {
    struct Foo(mpsc::Sender<bool>);

    impl Drop for Foo {
        fn drop(&mut self) {
            let gone = FOO.try_with(|_| ()).is_err();
            self.0.send(gone).unwrap();
        }
    }

    thread_local! {
        static FOO: RefCell<Option<Foo>> = RefCell::new(None);
    }

    run(|| {
        let (tx, rx) = mpsc::channel();
        thread::spawn(move || {
            assert!(FOO.try_with(|_| ()).is_ok());
            FOO.set(Some(Foo(tx)));
        })
        .join()
        .unwrap();
        assert_eq!(rx.try_recv(), Ok(true), "it went with its green thread");
    });
}

#[test]
fn a_value_per_green_thread_of_either_colour() {
    thread_local! {
        static NUMBERS: RefCell<Vec<i32>> = RefCell::new(vec![0]);
        /// Unused.
        #[allow(dead_code)]
        pub(crate) static OTHER: u8 = 1
    }

    run(|| {
        NUMBERS.with_borrow_mut(|numbers| numbers.push(1));
        spawn(async { NUMBERS.with_borrow(|numbers| assert_eq!(*numbers, [0])) }).block().unwrap();
        thread::spawn(|| assert_eq!(NUMBERS.replace(vec![]), [0])).join().unwrap();
        assert_eq!(NUMBERS.take(), [0, 1]);
        NUMBERS.with_borrow(|numbers| assert!(numbers.is_empty()));
    });
}

#[test]
fn dtors_may_use_what_is_left() {
    type Callback = Box<dyn FnMut()>;

    thread_local! {
        static FIRST: Cell<i32> = const { Cell::new(1) };
        static LAST: RefCell<Option<OnDrop<Callback>>> = RefCell::new(None);
    }

    run(|| {
        let (tx, rx) = mpsc::channel();
        let ends = thread::spawn(move || {
            FIRST.set(5);
            LAST.set(Some(OnDrop(Box::new(move || tx.send(FIRST.get()).unwrap()))));
        });
        ends.join().unwrap();
        assert_eq!(rx.recv(), Ok(5));
    });
}

#[test]
fn outside_green_threads_there_is_none() {
    thread_local!(static FOO: Cell<i32> = const { Cell::new(1) });
    let error = FOO.try_with(Cell::get).unwrap_err();
    assert!(error.to_string().contains("no green thread"));
    panics_here!("needs a hub", FOO.get());
}
