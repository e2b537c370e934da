use std::time::Duration;

use eventlet::green::sync::mpsc;
use eventlet::green::thread;
use eventlet::{Block, GreenThread, Timeout, spawn};
use tokio::time::Instant;

use crate::support::{OnDrop, keeps_turn, ms, panics_here, run_in_real_time, yields};
use crate::{run, unwinds};

#[test]
fn test_park_unpark_before() {
    run(|| {
        for _ in 0..10 {
            thread::current().unpark();
            keeps_turn!(thread::park());
        }
    });
}

#[test]
fn test_park_unpark_called_other_thread() {
    run(|| {
        for _ in 0..10 {
            let parked = thread::current();
            let other = thread::spawn(move || {
                thread::yield_now();
                parked.unpark();
            });
            yields!(thread::park());
            other.join().unwrap();
        }
    });
}

#[test]
fn any_number_of_unparks_ends_one_park() {
    run(|| {
        (0..3).for_each(|_| thread::current().unpark());
        thread::park();
        let start = Instant::now();
        thread::park_timeout(ms(10));
        assert_eq!(start.elapsed(), ms(10));
    });
}

#[test]
fn test_park_timeout_unpark_before() {
    run(|| {
        thread::current().unpark();
        keeps_turn!(thread::park_timeout(Duration::MAX));
    });
}

#[test]
fn test_park_timeout_unpark_not_called() {
    run(|| {
        let start = Instant::now();
        thread::park_timeout(ms(10));
        assert_eq!(start.elapsed(), ms(10));
    });
}

#[test]
fn test_park_timeout_unpark_called_other_thread() {
    run(|| {
        let parked = thread::current();
        let other = thread::spawn(move || parked.unpark());
        thread::park_timeout(Duration::MAX);
        other.join().unwrap();
    });
}

#[test]
fn unpark_reaches_from_another_os_thread() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    run_in_real_time(eventlet::stackful(|| {
        let parked = thread::current();
        is_send_and_sync(&parked);
        let other = std::thread::spawn(move || parked.unpark());
        thread::park();
        other.join().unwrap();
    }));
}

#[test]
fn an_unpark_on_its_way_is_kept_when_a_limit_ends_the_wait() {
    run(|| {
        let parked = thread::current();
        let other = thread::spawn(move || {
            thread::sleep(ms(5));
            parked.unpark();
        });
        let limit = Timeout::new(ms(2));
        assert_eq!(limit.run_blocking(thread::park), Err(limit));
        thread::park();
        other.join().unwrap();
    });
}

#[test]
fn a_parked_one_can_be_killed() {
    run(|| {
        let gt = GreenThread::from(thread::spawn(thread::park));
        thread::yield_now();
        gt.kill();
        assert!(gt.block().unwrap_err().is_killed());
    });
}

#[test]
fn where_nobody_can_wait_it_panics_and_a_limit_has_passed_at_once() {
    run(|| {
        spawn(async { panics_here!("waits on a green stack", thread::park()) }).block().unwrap();
        let (tx, rx) = mpsc::channel();
        unwinds(|| {
            let _last = OnDrop(|| {
                thread::park_timeout(Duration::MAX);
                panics_here!("while its green stack unwinds", thread::park());
                thread::current().unpark();
                thread::park();
                tx.send(()).unwrap();
            });
            panic!("the destructor parks");
        });
        rx.try_recv().unwrap();
    });
}
