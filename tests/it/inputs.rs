//! Maps whose inputs wait, collecting, and waiting for the first of several.

use std::cell::Cell;
use std::future::Pending;
use std::pin::Pin;
use std::rc::Rc;

use eventlet::{Event, Exit, GreenPile, GreenPool, Queue, sleep, spawn, wait_any, with_timeout};
use futures::stream::{self, FusedStream};
use futures::{Stream, StreamExt};

use crate::support::{ZERO, both_colours, keeps_turn, ms, panics_here};

both_colours! {
    fn results_come_while_an_input_is_waited_for() {
        let (queue, pool) = (Queue::new(None), GreenPool::new(10));
        let mut map = pool.imap_stream(|n| green!({ wait!(sleep(ms(n))); n }), queue.stream());
        for n in [5, 1] {
            wait!(queue.put(n));
        }
        assert_eq!(wait!(map.next()).unwrap().unwrap(), 5);
        assert_eq!(wait!(map.next()).unwrap().unwrap(), 1);
        // Whoever gives up leaves the input and the slots to others.
        assert!(wait!(with_timeout(ms(1), map.next())).is_err());
        assert_eq!((pool.free(), pool.waiting()), (10, 0));
        wait!(queue.put(3));
        assert_eq!(wait!(map.next()).unwrap().unwrap(), 3);
    }

    fn no_more_inputs_are_taken_than_there_are_slots_and_one() {
        let taken = Rc::new(Cell::new(0));
        let inputs = stream::iter(0..100).inspect({
            let taken = Rc::clone(&taken);
            move |_| taken.set(taken.get() + 1)
        });
        let mut map = GreenPool::new(3).imap_stream(|n| green!({ n }), inputs);
        assert_eq!(wait!(map.next()).unwrap().unwrap(), 0);
        assert!(taken.get() <= 4, "{} were taken", taken.get());
        let rest: Result<Vec<i32>, Exit> = wait!(map.collect());
        assert!(rest.unwrap().into_iter().eq(1..100));
    }

    fn a_stream_of_nothing_gives_nothing() {
        let map = GreenPool::new(2).imap_stream(|()| green!({}), stream::empty());
        let nothing: Vec<Result<(), Exit>> = keeps_turn!(wait!(map.collect()));
        assert!(nothing.is_empty());
    }

    fn all_results_are_collected_with_the_errors_in_their_places() {
        let pool = GreenPool::new(2);
        let map = pool.imap(|n| green!({ 12 / n }), [3, 0, 4]);
        let results: Vec<Result<i32, Exit>> = wait!(map.collect());
        assert!(matches!(&results[..], [Ok(4), Err(exit), Ok(3)] if exit.is_panic()));

        let pile = GreenPile::new(pool);
        for n in 1..=3 {
            wait!(pile.spawn(green!({ n })));
        }
        let (mut seen, taken) = (Vec::new(), wait!(pile.next()).unwrap().unwrap());
        wait!(pile.clone().for_each(|n| seen.push(n.unwrap())));
        assert_eq!((taken, seen), (1, vec![2, 3]));
        let nothing: Vec<Result<i32, Exit>> = wait!(pile.collect());
        assert!(nothing.is_empty());
    }

    fn a_map_knows_how_much_is_left_and_when_it_has_ended() {
        let mut map = GreenPool::new(2).imap(|n| green!({ n }), 0..5);
        assert_eq!((map.size_hint(), map.is_terminated()), ((5, Some(5)), false));
        wait!(map.next()).unwrap().unwrap();
        assert_eq!(map.size_hint(), (4, Some(4)));
        while wait!(map.next()).is_some() {}
        assert_eq!((map.size_hint(), map.is_terminated()), ((0, Some(0)), true));
        let map = GreenPool::new(2).imap_stream(|n| green!({ n }), stream::iter(0..5));
        assert_eq!(map.size_hint(), (5, Some(5)));
    }

    fn the_first_of_green_threads_is_waited_for() {
        let mut threads: Vec<_> = [3, 1, 2].map(|n| spawn(green!({ wait!(sleep(ms(n))); n }))).into();
        let (first, result) = wait!(wait_any(&mut threads));
        assert_eq!((first, result.unwrap()), (1, 1));
        drop(threads.remove(first));
        let (first, result) = wait!(wait_any(&mut threads));
        assert_eq!((first, result.unwrap()), (1, 2));
        assert_eq!(wait!(threads.remove(0)).unwrap(), 3);
    }

    fn the_others_lose_nothing() {
        let queues = [Queue::new(None), Queue::new(None)];
        let waiting = spawn({
            let queues = queues.clone();
            green!({ wait!(wait_any(queues.iter().map(|queue| queue.get()))) })
        });
        wait!(sleep(ZERO));
        wait!(queues[1].put("b"));
        wait!(queues[0].put("a"));
        // Both were handed over: one of them goes back into its queue.
        assert_eq!(wait!(waiting).unwrap(), (0, "a"));
        assert_eq!(keeps_turn!(wait!(queues[1].get())), "b");
        assert_eq!((queues[0].getting(), queues[1].getting()), (0, 0));
    }

    fn what_differs_is_boxed() {
        let (queue, event) = (Queue::<u8>::new(None), Event::<()>::new());
        let sent = event.clone();
        let _sender = spawn(green!({ sent.send(()) }));
        let any: [Pin<Box<dyn Future<Output = &str>>>; 2] = [
            Box::pin(async { queue.get().await; "item" }),
            Box::pin(async { event.wait().await.unwrap(); "event" }),
        ];
        assert_eq!(wait!(wait_any(any)), (1, "event"));
        assert_eq!(queue.getting(), 0);
    }

    fn nothing_cannot_be_waited_for() {
        panics_here!("given nothing to wait for", drop(wait_any(Vec::<Pending<()>>::new())));
    }
}

#[cfg(feature = "stackful")]
mod iterators_that_wait {
    use eventlet::{Block, Blocking, stackful};

    use super::*;
    use crate::support::{OnDrop, run};

    /// Gives a number each millisecond.
    fn slowly(numbers: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
        numbers.inspect(|_| sleep(ms(1)).block())
    }

    #[test]
    fn are_inputs_of_a_map() {
        run(stackful(|| {
            let map = GreenPool::new(2).imap_stream(
                |n| stackful(move || slowly(0..n).sum::<u64>()),
                stackful::stream(slowly(0..5)),
            );
            let sums: Result<Vec<u64>, Exit> = map.collect().block();
            assert_eq!(sums.unwrap(), [0, 0, 1, 3, 6]);
        }));
    }

    #[test]
    fn are_streams_in_async_code_and_go_back_and_forth() {
        run(async {
            let numbers: Vec<u64> = stackful::stream(slowly(0..3)).collect().await;
            assert_eq!(numbers, [0, 1, 2]);
        });
        run(stackful(|| {
            assert!(
                stackful::stream(stackful::stream(slowly(0..3)).blocking()).blocking().eq(0..3)
            );
        }));
    }

    #[test]
    fn are_unwound_with_their_stream_and_end_with_a_panic() {
        run(stackful(|| {
            let dropped = Rc::new(Cell::new(false));
            let guard = OnDrop({
                let dropped = Rc::clone(&dropped);
                move || dropped.set(true)
            });
            let mut stream = stackful::stream((0..3).inspect(move |_| {
                let _guard = &guard;
                sleep(ms(1)).block();
            }));
            assert_eq!(stream.next().block(), Some(0));
            assert!(with_timeout(ZERO, stream.next()).block().is_err());
            assert!(!dropped.get());
            drop(stream);
            assert!(dropped.get());

            let mut stream = stackful::stream((0..3).inspect(|n| assert_ne!(*n, 1, "oops")));
            assert_eq!(stream.next().block(), Some(0));
            let mut again = stream;
            let panicked = spawn(async move {
                let caught =
                    futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(again.next()));
                assert!(caught.await.is_err());
                again.next().await
            });
            assert_eq!(panicked.block().unwrap(), None);
        }));
    }
}
