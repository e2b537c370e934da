//! Channels that hold nothing.

use std::rc::Rc;

use eventlet::green::sync::mpsc::{
    RecvTimeoutError, SendError, TryRecvError, TrySendError, sync_channel,
};
use eventlet::green::thread;
use eventlet::{Block, GreenThread};

use crate::support::{OnDrop, keeps_turn, ms, yields};
use crate::{counter, run};

#[test]
fn send1() {
    run(|| {
        let (tx, rx) = sync_channel(0);
        let receiver = thread::spawn(move || rx.recv());
        assert_eq!(yields!(tx.send(1)), Ok(()));
        assert_eq!(receiver.join().unwrap(), Ok(1));
    });
}

#[test]
fn a_sender_goes_on_when_its_item_is_taken_and_not_before() {
    run(|| {
        let (tx, rx) = sync_channel(0);
        let sender = thread::spawn(move || tx.send(1));
        thread::yield_now();
        thread::yield_now();
        assert!(!sender.is_finished());
        assert_eq!(keeps_turn!(rx.try_recv()), Ok(1));
        sender.join().unwrap().unwrap();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn a_sender_that_finds_the_receiver_waiting_goes_on_at_once() {
    run(|| {
        let (tx, rx) = sync_channel(0);
        let receiver = thread::spawn(move || (rx.recv(), rx));
        thread::yield_now();
        assert_eq!(keeps_turn!(tx.send(1)), Ok(()));
        // The one who waited is served.
        assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
        let (received, _rx) = receiver.join().unwrap();
        assert_eq!(received, Ok(1));
    });
}

#[test]
fn send2_and_send3() {
    run(|| {
        let (tx, rx) = sync_channel(0);
        let waiting = [1, 2].map(|item| {
            let tx = tx.clone();
            thread::spawn(move || tx.send(item))
        });
        thread::yield_now();
        drop(rx);
        let answers = waiting.map(|sender| sender.join().unwrap());
        assert_eq!(answers, [Err(SendError(1)), Err(SendError(2))]);
        assert_eq!(tx.send(3), Err(SendError(3)));
    });
}

#[test]
fn try_send1_2_and_4() {
    run(|| {
        let (tx, rx) = sync_channel(0);
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        let receiver = thread::spawn(move || rx.recv());
        thread::yield_now();
        assert_eq!(tx.try_send(2), Ok(()));
        assert_eq!(receiver.join().unwrap(), Ok(2));
        assert_eq!(tx.try_send(3), Err(TrySendError::Disconnected(3)));
    });
}

#[test]
fn a_receiver_that_gave_up_is_found_by_nobody() {
    run(|| {
        let (tx, rx) = sync_channel(0);
        assert_eq!(rx.recv_timeout(ms(1)), Err(RecvTimeoutError::Timeout));
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        let rx = Rc::new(rx);
        let other = Rc::clone(&rx);
        let receiver = GreenThread::from(thread::spawn(move || other.recv()));
        thread::yield_now();
        receiver.kill();
        assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
        assert!(receiver.block().is_err());
    });
}

#[test]
fn an_item_for_a_receiver_that_is_killed_goes_to_the_next() {
    run(|| {
        let (tx, rx) = sync_channel(0);
        let rx = Rc::new(rx);
        let other = Rc::clone(&rx);
        let receiver = GreenThread::from(thread::spawn(move || other.recv()));
        thread::yield_now();
        tx.send(1).unwrap();
        receiver.kill();
        assert_eq!(rx.recv(), Ok(1));
        assert!(receiver.block().is_err());
    });
}

#[test]
fn a_killed_sender_has_not_sent() {
    run(|| {
        let (tx, rx) = sync_channel(0);
        let (drops, seen) = counter();
        let other = tx.clone();
        let sender = GreenThread::from(thread::spawn(move || {
            let item = OnDrop(move || drops.set(drops.get() + 1));
            assert!(other.send(Some(item)).is_ok());
        }));
        thread::yield_now();
        sender.kill();
        assert_eq!(seen.get(), 1, "the item went with the stack");
        assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
        let next = thread::spawn(move || assert!(tx.send(None).is_ok()));
        assert!(matches!(rx.recv(), Ok(None)));
        next.join().unwrap();
        assert!(sender.block().is_err());
    });
}

#[test]
fn questions_and_answers_take_turns() {
    run(|| {
        let (ask, questions) = sync_channel(0);
        let (answer, answers) = sync_channel(0);
        let server = thread::spawn(move || {
            questions.iter().for_each(|question: u32| answer.send(question + 1).unwrap());
        });
        for question in 0..100 {
            ask.send(question).unwrap();
            assert_eq!(answers.recv(), Ok(question + 1));
        }
        drop(ask);
        server.join().unwrap();
    });
}
