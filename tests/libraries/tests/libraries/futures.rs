//! Combinators of the `futures` crate.

use std::pin::pin;
use std::time::Duration;

use eventlet::{Block, Blocking, sleep, stackful};
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, abortable, join_all, select, try_join};
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, SinkExt, StreamExt};

use crate::support::{green, run};

/// Sleeps for so many milliseconds, on a green stack, and returns them.
fn slow(milliseconds: u64) -> impl Future<Output = u64> {
    stackful(move || {
        sleep(Duration::from_millis(milliseconds)).block();
        milliseconds
    })
}

#[test]
fn all_the_first_and_the_failed() {
    run(|| {
        assert_eq!(join_all([slow(3), slow(1), slow(2)]).block(), [3, 1, 2]);
        match select(pin!(slow(10_000)), pin!(slow(1))).block() {
            Either::Right((value, _)) => assert_eq!(value, 1),
            Either::Left(_) => panic!("the slow one came first"),
        }
        let failed = try_join(slow(10_000).map(Ok), slow(1).map(Err::<(), _>)).block();
        assert_eq!(failed, Err(1));
        assert_eq!(slow(1).then(slow).map(|value| value + 1).block(), 2);
    });
}

#[test]
fn streams_are_gone_through() {
    run(|| {
        let unordered: FuturesUnordered<_> = [30, 1, 15].into_iter().map(slow).collect();
        assert_eq!(unordered.blocking().collect::<Vec<_>>(), [1, 15, 30]);
        let ordered = stream::iter([9, 1, 5]).map(slow).buffered(2);
        assert_eq!(ordered.blocking().collect::<Vec<_>>(), [9, 1, 5]);
        let chunks = stream::iter(1..=5).ready_chunks(2);
        assert_eq!(chunks.blocking().map(|chunk| chunk.len()).collect::<Vec<_>>(), [2, 2, 1]);
    });
}

#[test]
fn what_is_shared_is_waited_for_by_many_and_what_is_aborted_by_none() {
    run(|| {
        let shared = slow(1).shared();
        let waiting = [1, 2, 3].map(|_| shared.clone()).map(|same| green(|| same.block()));
        assert_eq!(waiting.map(|gt| gt.block().unwrap()), [1, 1, 1]);
        let (task, handle) = abortable(slow(10_000));
        let aborted = green(|| task.block().is_err());
        sleep(Duration::ZERO).block();
        handle.abort();
        assert!(aborted.block().unwrap());
    });
}

#[test]
fn channels_and_sinks() {
    run(|| {
        let (mut sender, receiver) = mpsc::channel(1);
        let (done, ended) = oneshot::channel();
        let sending = green(move || {
            for item in 0..100 {
                sender.send(item).block().unwrap();
            }
            done.send("done").unwrap();
        });
        assert_eq!(receiver.blocking().sum::<u32>(), 4950);
        assert_eq!(ended.block(), Ok("done"));
        sending.block().unwrap();
    });
}
