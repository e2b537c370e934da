//! Channels that hold items: any number, or some.

use std::rc::Rc;
use std::time::Duration;

use eventlet::green::sync::mpsc::{
    self, Receiver, RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError, channel,
    sync_channel,
};
use eventlet::green::sync::{Arc, Mutex};
use eventlet::green::thread;
use eventlet::{Block, GreenThread};
use tokio::time::Instant;

use crate::support::{OnDrop, keeps_turn, ms, panics_here, yields};
use crate::{counter, run, unwinds};

#[test]
fn smoke() {
    let (tx, rx) = channel();
    tx.send(1).unwrap();
    assert_eq!(rx.recv().unwrap(), 1);
    let (tx, rx) = sync_channel(1);
    tx.send(1).unwrap();
    assert_eq!(rx.recv().unwrap(), 1);
}

#[test]
fn drop_full() {
    let (drops, seen) = counter();
    let item = move || {
        let drops = Rc::clone(&drops);
        OnDrop(move || drops.set(drops.get() + 1))
    };
    let (tx, rx) = channel();
    assert!(tx.send(item()).is_ok());
    drop(rx);
    assert_eq!(seen.get(), 1, "the receiver takes them with it");
    let (tx, rx) = sync_channel(1);
    assert!(tx.clone().send(item()).is_ok());
    drop(tx);
    assert_eq!(seen.get(), 1);
    drop(rx);
    assert_eq!(seen.get(), 2);
}

#[test]
fn smoke_threads() {
    run(|| {
        let (tx, rx) = channel();
        let sender = thread::spawn(move || tx.send(1).unwrap());
        assert_eq!(yields!(rx.recv()), Ok(1));
        sender.join().unwrap();
    });
}

#[test]
fn smoke_port_gone() {
    let (tx, rx) = channel();
    drop(rx);
    assert_eq!(tx.send(1), Err(SendError(1)));
    assert_eq!(tx.clone().send(1), Err(SendError(1)));
    let (tx, rx) = sync_channel(1);
    drop(rx);
    assert_eq!(tx.send(1), Err(SendError(1)));
    assert_eq!(tx.try_send(1), Err(TrySendError::Disconnected(1)));
}

#[test]
fn smoke_chan_gone() {
    let (tx, rx) = channel::<i32>();
    let other = tx.clone();
    drop(tx);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    drop(other);
    assert_eq!(rx.recv(), Err(RecvError));
}

#[test]
fn chan_gone_concurrent() {
    run(|| {
        let (tx, rx) = channel::<i32>();
        let sender = thread::spawn(move || {
            tx.send(1).unwrap();
            thread::yield_now();
            tx.send(2).unwrap();
        });
        assert_eq!(rx.into_iter().collect::<Vec<_>>(), [1, 2]);
        sender.join().unwrap();
    });
}

fn stress(channel: impl Fn() -> (Box<dyn Fn() -> Box<dyn Fn(u32)>>, Receiver<u32>) + 'static) {
    run(move || {
        let (sender, rx) = channel();
        let senders: Vec<_> = (0..8)
            .map(|_| {
                let send = sender();
                thread::spawn(move || (0..1000).for_each(send))
            })
            .collect();
        drop(sender);
        assert_eq!(rx.iter().sum::<u32>(), 8 * 1000 * 999 / 2);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

#[test]
fn stress_shared() {
    stress(|| {
        let (tx, rx) = channel();
        let sender = move || -> Box<dyn Fn(u32)> {
            let tx = tx.clone();
            Box::new(move |item| tx.send(item).unwrap())
        };
        (Box::new(sender), rx)
    });
    for bound in [0, 1, 3, usize::MAX] {
        stress(move || {
            let (tx, rx) = sync_channel(bound);
            let sender = move || -> Box<dyn Fn(u32)> {
                let tx = tx.clone();
                Box::new(move |item| tx.send(item).unwrap())
            };
            (Box::new(sender), rx)
        });
    }
}

#[test]
fn oneshot_multi_thread_send_close() {
    run(|| {
        let (tx, rx) = channel::<Box<i32>>();
        thread::spawn(move || drop(tx));
        assert_eq!(rx.recv(), Err(RecvError));
    });
}

#[test]
fn oneshot_single_thread_recv_timeout() {
    run(|| {
        let (tx, rx) = channel();
        tx.send(1).unwrap();
        assert_eq!(rx.recv_timeout(ms(10)), Ok(1));
        let start = Instant::now();
        assert_eq!(rx.recv_timeout(ms(10)), Err(RecvTimeoutError::Timeout));
        assert_eq!(start.elapsed(), ms(10));
        tx.send(2).unwrap();
        assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(2));
        assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        drop(tx);
        assert_eq!(rx.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Disconnected));
    });
}

#[test]
fn stress_recv_timeout_two_threads() {
    run(|| {
        let (tx, rx) = channel();
        thread::spawn(move || {
            for item in 0..100 {
                thread::sleep(ms(item % 7));
                tx.send(item).unwrap();
            }
        });
        let (mut received, mut timeouts) = (Vec::new(), 0);
        loop {
            match rx.recv_timeout(ms(3)) {
                Ok(item) => received.push(item),
                Err(RecvTimeoutError::Timeout) => timeouts += 1,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        assert_eq!(received, Vec::from_iter(0..100));
        assert!(timeouts > 40);
    });
}

#[test]
fn recv_a_lot() {
    let (tx, rx) = channel();
    (0..10_000).for_each(|_| tx.send(()).unwrap());
    (0..10_000).for_each(|_| rx.recv().unwrap());
}

#[test]
fn test_nested_recv_iter() {
    run(|| {
        let (tx, rx) = channel::<i32>();
        let (total_tx, total_rx) = channel();
        thread::spawn(move || total_tx.send(rx.iter().sum::<i32>()).unwrap());
        [3, 1, 2].into_iter().for_each(|item| tx.send(item).unwrap());
        drop(tx);
        assert_eq!(total_rx.recv(), Ok(6));
    });
}

#[test]
fn test_recv_iter_break() {
    run(|| {
        let (tx, rx) = channel::<i32>();
        let (count_tx, count_rx) = channel();
        thread::spawn(move || {
            let count = rx.iter().take_while(|item| *item < 10).count();
            count_tx.send(count).unwrap();
        });
        [2, 2, 2, 10].into_iter().for_each(|item| tx.send(item).unwrap());
        assert_eq!(count_rx.recv(), Ok(3));
        assert_eq!(tx.send(2), Err(SendError(2)));
    });
}

#[test]
fn test_recv_try_iter() {
    run(|| {
        let (ask, asked) = channel();
        let (tx, rx) = channel();
        thread::spawn(move || {
            for item in 0..6 {
                asked.recv().unwrap();
                tx.send(item).unwrap();
            }
        });
        let mut received = Vec::new();
        while received.len() < 6 {
            let _gone = ask.send(());
            thread::yield_now();
            received.extend(rx.try_iter());
        }
        assert_eq!(received, [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn test_recv_into_iter_owned_and_borrowed() {
    let (tx, rx) = channel();
    [1, 2].into_iter().for_each(|item| tx.send(item).unwrap());
    drop(tx);
    let mut iter = (&rx).into_iter();
    assert_eq!(iter.next(), Some(1));
    let mut iter = rx.into_iter();
    assert_eq!((iter.next(), iter.next()), (Some(2), None));
}

#[test]
fn try_recv_states() {
    run(|| {
        let (tx, rx) = channel();
        let (go, gone) = channel::<()>();
        let sender = thread::spawn(move || {
            gone.recv().unwrap();
            tx.send(1).unwrap();
            gone.recv().unwrap();
        });
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        go.send(()).unwrap();
        thread::yield_now();
        assert_eq!(rx.try_recv(), Ok(1));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        go.send(()).unwrap();
        sender.join().unwrap();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn sync_send_waits_for_room() {
    run(|| {
        let (tx, rx) = sync_channel(2);
        keeps_turn!([1, 2].map(|item| tx.send(item).unwrap()));
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
        let sender = thread::spawn(move || tx.send(3));
        thread::yield_now();
        assert!(!sender.is_finished());
        assert_eq!(rx.recv(), Ok(1));
        sender.join().unwrap().unwrap();
        assert_eq!(rx.into_iter().collect::<Vec<_>>(), [2, 3]);
    });
}

#[test]
fn sync_send_gets_its_item_back_when_the_receiver_goes() {
    run(|| {
        let (tx, rx) = sync_channel(1);
        tx.send(1).unwrap();
        let sender = thread::spawn(move || tx.send(2));
        thread::yield_now();
        drop(rx);
        assert_eq!(sender.join().unwrap(), Err(SendError(2)));
    });
}

#[test]
fn try_send_never_overtakes_who_waits() {
    run(|| {
        let (tx, rx) = sync_channel(1);
        tx.send(1).unwrap();
        let other = tx.clone();
        let sender = thread::spawn(move || other.send(2).unwrap());
        thread::yield_now();
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
        sender.join().unwrap();
        assert_eq!(rx.recv(), Ok(2));
    });
}

#[test]
fn a_pool_of_workers_shares_a_receiver_behind_a_lock() {
    run(|| {
        let (jobs, rx) = channel::<Box<dyn FnOnce() -> u32 + Send>>();
        let (results, sum) = channel();
        let rx = Arc::new(Mutex::new(rx));
        for _ in 0..4 {
            let (rx, results) = (Arc::clone(&rx), results.clone());
            thread::spawn(move || {
                loop {
                    let job = rx.lock().unwrap().recv();
                    let Ok(job) = job else { break };
                    results.send(job()).unwrap();
                }
            });
        }
        drop(results);
        for number in 0..100 {
            jobs.send(Box::new(move || {
                thread::yield_now();
                number
            }))
            .unwrap();
        }
        drop(jobs);
        assert_eq!(sum.iter().sum::<u32>(), 4950);
    });
}

#[test]
fn several_receivers_stand_in_line_and_a_killed_one_leaves_it() {
    run(|| {
        let (tx, rx) = channel();
        let rx = Rc::new(rx);
        let [first, second] = [(); 2].map(|()| {
            let rx = Rc::clone(&rx);
            GreenThread::from(thread::spawn(move || rx.recv()))
        });
        thread::yield_now();
        tx.send(1).unwrap();
        // It is on its way to the first.
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        first.kill();
        assert_eq!(second.block().unwrap(), Ok(1));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        tx.send(2).unwrap();
        assert_eq!(rx.try_recv(), Ok(2));
        assert!(first.block().is_err());
    });
}

#[test]
fn where_nobody_can_wait_what_is_there_is_received_and_more_panics() {
    let (tx, rx) = sync_channel(1);
    tx.send(1).unwrap();
    panics_here!("waits on a green stack", tx.send(2));
    assert_eq!(rx.recv(), Ok(1));
    panics_here!("waits on a green stack", rx.recv());
}

#[test]
fn while_a_stack_unwinds_nobody_waits() {
    run(|| {
        let (tx, rx) = sync_channel(1);
        unwinds(|| {
            let _last = OnDrop(|| {
                assert_eq!(rx.recv(), Err(RecvError));
                assert_eq!(rx.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Timeout));
                assert_eq!(tx.send(1), Ok(()));
                assert_eq!(tx.send(2), Err(SendError(2)));
                assert_eq!(rx.recv(), Ok(1));
            });
            panic!("the destructor receives");
        });
    });
}

#[test]
fn ends_are_send_and_work_between_hubs() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    let (tx, rx) = mpsc::sync_channel(0);
    is_send_and_sync(&tx);
    let there = std::thread::spawn(move || {
        eventlet::run(eventlet::stackful(move || {
            (0..100).for_each(|item| tx.send(item).unwrap());
        }));
    });
    let received = eventlet::run(eventlet::stackful(move || rx.iter().collect::<Vec<u32>>()));
    there.join().unwrap();
    assert_eq!(received, Vec::from_iter(0..100));
}
