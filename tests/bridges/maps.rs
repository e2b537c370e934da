//! Maps and piles as streams.

use eventlet::queue::{LifoQueue, PriorityQueue};
use eventlet::{Exit, GreenPile, GreenPool, Queue, sleep, spawn, wait_all, with_timeout};
use futures::stream;
use futures::{Stream, StreamExt};

use crate::support::{both_colours, ms};

both_colours! {
    fn tuples_of_a_stream_are_spread() {
        let (queue, pool) = (Queue::new(None), GreenPool::new(10));
        let late = |n: u64, name: &'static str| green!({ wait!(sleep(ms(n))); name });
        let mut map = pool.starmap_stream(late, queue.stream());
        for pair in [(5, "a"), (1, "b")] {
            wait!(queue.put(pair));
        }
        assert_eq!(wait!(map.next()).unwrap().unwrap(), "a");
        assert_eq!(wait!(map.next()).unwrap().unwrap(), "b");
        assert!(wait!(with_timeout(ms(1), map.next())).is_err());
        assert_eq!((pool.free(), pool.waiting()), (10, 0));
        wait!(queue.put((1, "c")));
        assert_eq!(wait!(map.next()).unwrap().unwrap(), "c");
    }

    fn a_stream_of_tuples_ends() {
        let product = |a: u64, b: u64| green!({ a * b });
        let map = GreenPool::new(2).starmap_stream(product, stream::iter([(2, 3), (4, 5)]));
        let products: Result<Vec<u64>, Exit> = wait!(map.collect());
        assert_eq!(products.unwrap(), [6, 20]);
    }

    fn a_pile_knows_the_least_that_is_left() {
        let pile = GreenPile::new(4);
        assert_eq!(pile.size_hint(), (0, None));
        for n in 0..3 {
            wait!(pile.spawn(green!({ n })));
        }
        assert_eq!(pile.size_hint(), (3, None));
        let other = pile.clone();
        assert_eq!(pile.size_hint(), (0, None), "another handle may take them");
        assert_eq!(wait!(other.next()).unwrap().unwrap(), 0);
        drop(other);
        assert_eq!(pile.size_hint(), (2, None));
        assert_eq!(wait!(pile.map(Result::unwrap).collect::<Vec<i32>>()), [1, 2]);
    }

    fn all_results_come_in_the_order_of_their_green_threads() {
        let late = |n: u64| spawn(green!({ wait!(sleep(ms(10 - n))); 12 / n }));
        let results: Vec<_> = wait!(wait_all([3, 1, 2].map(late)));
        assert!(results.into_iter().map(Result::unwrap).eq([4, 12, 6]));
        let failed: Result<Vec<u64>, Exit> = wait!(wait_all([3, 0, 2].map(late)));
        assert!(failed.unwrap_err().is_panic());
        let nothing: Vec<Result<u64, Exit>> = wait!(wait_all([]));
        assert!(nothing.is_empty());
    }

    fn who_gives_up_waiting_for_all_ends_none() {
        let threads = [1, 2].map(|n| spawn(green!({ wait!(sleep(ms(n))); n })));
        let names = threads.each_ref().map(|thread| **thread);
        let all = wait_all::<Vec<_>, _>(threads);
        assert!(wait!(with_timeout(ms(0), all)).is_err());
        assert!(names.iter().all(|name| !name.dead()));
        wait!(sleep(ms(3)));
        assert!(names.iter().all(|name| name.dead()));
    }

    fn one_function_serves_queues_of_every_order() {
        async fn sorted(queue: &Queue<u32>) -> [u32; 3] {
            for n in [2, 3, 1] {
                queue.put(n).await;
            }
            [queue.get().await, queue.get().await, queue.get().await]
        }
        assert_eq!(wait!(sorted(&Queue::new(None))), [2, 3, 1]);
        assert_eq!(wait!(sorted(&PriorityQueue::new(None))), [1, 2, 3]);
        assert_eq!(wait!(sorted(&LifoQueue::new(None))), [1, 3, 2]);
    }
}

#[cfg(feature = "stackful")]
#[test]
fn an_iterator_that_waits_is_spread() {
    use eventlet::{Block, stackful};

    crate::support::run(stackful(|| {
        let slowly = [(1, 2), (3, 4)].into_iter().inspect(|_| sleep(ms(1)).block());
        let sum = |a: u64, b: u64| stackful(move || a + b);
        let map = GreenPool::new(2).starmap_stream(sum, stackful::stream(slowly));
        let sums: Result<Vec<u64>, Exit> = map.collect().block();
        assert_eq!(sums.unwrap(), [3, 7]);
    }));
}
