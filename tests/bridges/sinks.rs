//! Queues as sinks: back-pressure, order and kills.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use eventlet::queue::{LifoQueue, SharedQueue};
use eventlet::{Queue, sleep, spawn};
use futures::stream;
use futures::{Sink, SinkExt, StreamExt};

use crate::support::{both_colours, ms};

both_colours! {
    fn a_stream_is_read_no_faster_than_the_queue_is_emptied() {
        let (queue, read) = (Queue::new(2), Queue::new(None));
        let seen = read.clone();
        let numbers = stream::iter(0..10).inspect(move |n| seen.put_nowait(*n).unwrap());
        let forwarder = spawn(numbers.map(Ok).forward(queue.sink()));
        wait!(sleep(ms(1)));
        // Two are stored, one waits for room, and one is in the hands of `forward`.
        assert_eq!((queue.qsize(), queue.putting(), read.qsize()), (2, 1, 4));
        for n in 0..10 {
            assert_eq!(wait!(queue.get()), n);
        }
        wait!(forwarder).unwrap().unwrap();
    }

    fn what_was_admitted_stays_when_the_forwarder_is_killed() {
        for given in 0..4 {
            let queue = Queue::new(3);
            let forwarder = spawn(stream::iter(0..).map(Ok).forward(queue.sink()));
            wait!(sleep(ms(1)));
            for n in 0..given {
                assert_eq!(wait!(queue.get()), n);
            }
            // Its fourth item was admitted with the first `get`, and it had no turn since.
            forwarder.kill();
            let admitted = if given == 0 { 3 } else { 4 };
            assert_eq!(queue.putting(), 0);
            assert!((given..admitted).all(|n| queue.get_nowait() == Ok(n)));
            assert!(queue.empty());
        }
    }

    fn a_sink_stands_in_line_as_any_putter() {
        let queue = Queue::new(1);
        wait!(queue.put("first"));
        let send = |item: &'static str| {
            let mut sink = queue.sink();
            spawn(green!({ wait!(sink.send(item)).unwrap() }))
        };
        let (second, third) = (send("second"), send("third"));
        wait!(sleep(ms(1)));
        assert_eq!(queue.putting(), 2);
        for item in ["first", "second", "third"] {
            assert_eq!(wait!(queue.get()), item);
        }
        wait!(second).unwrap();
        wait!(third).unwrap();
    }

    fn a_sink_of_a_channel_meets_its_getter() {
        let channel = Queue::new(0);
        let sender = spawn(stream::iter(0..3).map(Ok).forward(channel.sink()));
        let got: Vec<i32> = wait!(channel.stream().take(3).collect());
        assert_eq!(got, [0, 1, 2]);
        wait!(sender).unwrap().unwrap();
    }

    fn the_order_of_the_queue_holds() {
        let stack = LifoQueue::new(None);
        wait!(stream::iter(0..3).map(Ok).forward(stack.sink())).unwrap();
        assert_eq!([wait!(stack.get()), wait!(stack.get()), wait!(stack.get())], [2, 1, 0]);
    }

    fn one_queue_is_poured_into_another_of_either_kind() {
        let (queue, shared) = (Queue::new(2), SharedQueue::new(2));
        let there = spawn(queue.stream().map(Ok).forward(shared.sink()));
        let producer = queue.clone();
        let producer = spawn(green!({
            for n in 0..20 {
                wait!(producer.put(n));
            }
        }));
        let got: Vec<i32> = wait!(shared.stream().take(20).collect());
        assert!(got.into_iter().eq(0..20));
        wait!(producer).unwrap();
        there.kill();
        assert_eq!((queue.getting(), queue.qsize(), shared.qsize()), (0, 0, 0));
    }
}

/// Polls a sink for its readiness, once.
fn is_ready(sink: &mut (impl Sink<u8, Error: std::fmt::Debug> + Unpin)) -> bool {
    let polled = sink.poll_ready_unpin(&mut Context::from_waker(Waker::noop()));
    polled.map(Result::unwrap) == Poll::Ready(())
}

#[test]
fn an_item_is_accepted_when_the_one_before_was_admitted() {
    let (queue, shared) = (Queue::new(1), SharedQueue::new(1));
    let (mut sink, mut same) = (queue.sink(), shared.sink());
    for n in 0..2 {
        assert!(is_ready(&mut sink) && is_ready(&mut same));
        sink.start_send_unpin(n).unwrap();
        same.start_send_unpin(n).unwrap();
    }
    assert!(!is_ready(&mut sink) && !is_ready(&mut same));
    assert_eq!((queue.get_nowait(), shared.get_nowait()), (Ok(0), Ok(0)));
    assert!(is_ready(&mut sink) && is_ready(&mut same));
    assert_eq!((queue.get_nowait(), shared.get_nowait()), (Ok(1), Ok(1)));
}

#[test]
#[should_panic = "poll_ready"]
fn an_item_too_early_is_refused() {
    let mut sink = pin!(Queue::new(0).sink());
    sink.start_send_unpin(1).unwrap();
    sink.start_send_unpin(2).unwrap();
}

#[test]
#[should_panic = "poll_ready"]
fn an_item_too_early_is_refused_by_a_shared_queue() {
    let mut sink = SharedQueue::new(1).sink();
    for n in 0..3 {
        sink.start_send_unpin(n).unwrap();
    }
}
