use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::thread;
use eventlet::{Exit, GreenThread};
use tokio::time::Instant;

use crate::run;

#[test]
fn test_run_basic() {
    run(|| {
        let text = Rc::new(String::from("not Send"));
        let clone = Rc::clone(&text);
        assert_eq!(thread::spawn(move || clone.len()).join().unwrap(), text.len());
    });
}

#[test]
fn test_join_panic() {
    run(|| {
        let payload = thread::spawn(|| panic!("static string")).join().unwrap_err();
        assert_eq!(*payload.downcast::<&'static str>().unwrap(), "static string");
        let payload = thread::spawn(|| std::panic::panic_any(7_u16)).join().unwrap_err();
        assert_eq!(*payload.downcast::<u16>().unwrap(), 7);
    });
}

#[test]
fn test_is_finished() {
    run(|| {
        let handle = thread::spawn(|| thread::sleep(Duration::from_secs(1)));
        assert!(!handle.is_finished());
        thread::sleep(Duration::from_secs(2));
        assert!(handle.is_finished());
        handle.join().unwrap();
    });
}

#[test]
fn joining_a_killed_one_gives_its_exit() {
    run(|| {
        let gt = GreenThread::from(thread::spawn(|| thread::sleep(Duration::MAX)));
        gt.kill();
        let payload = thread::JoinHandle::from(gt).join().unwrap_err();
        assert!(payload.downcast::<Exit>().unwrap().is_killed());
    });
}

#[test]
fn dropping_the_handle_leaves_it_running() {
    run(|| {
        let ran = Rc::new(RefCell::new(false));
        let inner = Rc::clone(&ran);
        drop(thread::spawn(move || *inner.borrow_mut() = true));
        thread::yield_now();
        assert!(*ran.borrow());
    });
}

#[test]
fn turns_go_round() {
    run(|| {
        let order = Rc::new(RefCell::new(String::new()));
        let start = |name| {
            let order = Rc::clone(&order);
            thread::spawn(move || {
                for _ in 0..3 {
                    order.borrow_mut().push(name);
                    thread::yield_now();
                }
            })
        };
        for handle in ['a', 'b', 'c'].map(start) {
            handle.join().unwrap();
        }
        assert_eq!(*order.borrow(), "abcabcabc");
    });
}

#[test]
fn sleep_takes_its_time() {
    run(|| {
        let start = Instant::now();
        thread::sleep(Duration::from_secs(3600));
        assert_eq!(start.elapsed(), Duration::from_secs(3600));
    });
}
