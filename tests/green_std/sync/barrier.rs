use eventlet::green::sync::{Arc, Barrier, mpsc};
use eventlet::green::thread;
use eventlet::{Block, GreenThread};

use crate::run;
use crate::support::{keeps_turn, panics_here};

#[test]
fn test_barrier() {
    run(|| {
        const N: usize = 10;
        let barrier = Arc::new(Barrier::new(N));
        for _ in 0..3 {
            let (tx, rx) = mpsc::channel();
            for _ in 0..N - 1 {
                let (barrier, tx) = (Arc::clone(&barrier), tx.clone());
                thread::spawn(move || tx.send(barrier.wait().is_leader()).unwrap());
            }
            drop(tx);
            thread::yield_now();
            assert!(rx.try_recv().is_err(), "all wait for the last");
            let leaders = usize::from(keeps_turn!(barrier.wait()).is_leader());
            assert_eq!(leaders + rx.iter().filter(|leader| *leader).count(), 1);
        }
    });
}

#[test]
fn who_is_killed_is_not_counted() {
    run(|| {
        let barrier = Arc::new(Barrier::new(3));
        let comes = |_| {
            let barrier = Arc::clone(&barrier);
            GreenThread::from(thread::spawn(move || barrier.wait().is_leader()))
        };
        let mut waiting: Vec<_> = (0..2).map(comes).collect();
        thread::yield_now();
        waiting.remove(0).kill();
        waiting.push(comes(2));
        thread::yield_now();
        assert!(!waiting[0].dead() && !waiting[1].dead());
        assert!(barrier.wait().is_leader());
        waiting.into_iter().for_each(|waiting| assert!(!waiting.block().unwrap()));
    });
}

#[test]
fn who_is_killed_after_all_were_there_is_not_missed_in_the_next_round() {
    run(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = Arc::clone(&barrier);
        let waiting = GreenThread::from(thread::spawn(move || other.wait().is_leader()));
        thread::yield_now();
        barrier.wait();
        waiting.kill();
        let other = Arc::clone(&barrier);
        let next = thread::spawn(move || other.wait().is_leader());
        thread::yield_now();
        assert!(!next.is_finished());
        assert!(barrier.wait().is_leader());
        assert!(!next.join().unwrap());
    });
}

#[test]
fn one_for_none_stops_nobody_and_others_need_a_green_stack() {
    assert!(Barrier::new(0).wait().is_leader());
    assert_eq!(format!("{:?}", Barrier::new(1).wait()), "BarrierWaitResult { is_leader: true }");
    let barrier = Barrier::new(2);
    panics_here!("waits on a green stack", barrier.wait());
    // And who could not wait is not counted.
    panics_here!("waits on a green stack", barrier.wait());
}
