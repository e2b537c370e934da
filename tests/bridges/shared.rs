//! A queue between hubs and OS threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use eventlet::queue::{Empty, Full, SharedQueue};
use eventlet::{HubThread, sleep, spawn, wait_any, with_timeout};
use futures::StreamExt;
use futures::future::LocalBoxFuture;

use crate::support::{both_colours, ms, run_in_real_time};

both_colours! {
    fn items_come_in_order_and_putters_wait_for_room() {
        let queue = SharedQueue::new(2);
        let putter = queue.clone();
        let putter = spawn(green!({
            for n in 0..5 {
                wait!(putter.put(n));
            }
        }));
        wait!(sleep(ms(1)));
        assert!(queue.full() && queue.qsize() == 2 && !putter.dead());
        for n in 0..5 {
            assert_eq!(wait!(queue.get()), n);
        }
        wait!(putter).unwrap();
        assert!(queue.empty());
    }

    fn limits_give_items_back_and_take_none() {
        let queue = SharedQueue::new(1);
        assert_eq!(wait!(queue.get_timeout(ms(1))), Err(Empty));
        assert_eq!(wait!(queue.put_timeout('a', ms(1))), Ok(()));
        assert_eq!(wait!(queue.put_timeout('b', ms(1))), Err(Full('b')));
        assert_eq!(wait!(queue.get_timeout(ms(0))), Ok('a'));
        assert_eq!(wait!(queue.put_timeout('c', ms(0))), Ok(()));
    }

    fn a_limit_of_nothing_takes_what_is_there_however_often() {
        // More often than Tokio's budget for one poll allows.
        let queue = SharedQueue::new(None);
        for n in 0..1000 {
            assert_eq!(wait!(queue.put_timeout(n, ms(0))), Ok(()));
        }
        for n in 0..1000 {
            assert_eq!(wait!(queue.get_timeout(ms(0))), Ok(n));
        }
    }

    fn a_killed_getter_passes_its_item_on() {
        let queue = SharedQueue::new(1);
        let get = || {
            let queue = queue.clone();
            spawn(green!({ wait!(queue.get()) }))
        };
        let (first, second, third) = (get(), get(), get());
        wait!(sleep(ms(1)));
        second.kill();
        queue.put_nowait('a').unwrap();
        assert_eq!(queue.get_nowait(), Err(Empty), "somebody else's");
        first.kill();
        assert_eq!(wait!(third).unwrap(), 'a');
    }

    fn a_killed_putter_takes_its_item_along_unless_it_was_admitted() {
        let queue = SharedQueue::new(1);
        let put = |item: char| {
            let queue = queue.clone();
            spawn(green!({ wait!(queue.put(item)) }))
        };
        queue.put_nowait('a').unwrap();
        let (second, third, fourth) = (put('b'), put('c'), put('d'));
        wait!(sleep(ms(1)));
        third.kill();
        assert_eq!(queue.get_nowait(), Ok('a'));
        // The room is the second's, which has had no turn: it goes on to the fourth.
        assert_eq!(queue.put_nowait('e'), Err(Full('e')));
        second.kill();
        wait!(fourth).unwrap();
        assert_eq!((queue.get_nowait(), queue.get_nowait()), (Ok('d'), Err(Empty)));
    }

    fn a_stream_that_is_dropped_leaves_its_item() {
        let queue = SharedQueue::new(None);
        let mut stream = queue.stream();
        assert!(wait!(with_timeout(ms(1), stream.next())).is_err());
        queue.put_nowait('a').unwrap();
        drop(stream);
        assert_eq!(wait!(queue.get()), 'a');
    }
}

/// A hub whose green thread, of either colour, puts the numbers up to `count`.
fn producer(stackful: bool, queue: SharedQueue<usize>, count: usize) -> HubThread {
    let hub = HubThread::start();
    let _gt = hub.spawn(async move || match stackful {
        false => {
            for n in 0..count {
                queue.put(n).await;
            }
        }
        true => plainly(queue, count).await,
    });
    hub
}

#[cfg(feature = "stackful")]
async fn plainly(queue: SharedQueue<usize>, count: usize) {
    use eventlet::{Block, stackful};
    stackful(move || (0..count).for_each(|n| queue.put(n).block())).await;
}

#[cfg(not(feature = "stackful"))]
async fn plainly(queue: SharedQueue<usize>, count: usize) {
    for n in 0..count {
        queue.put(n).await;
    }
}

#[test]
fn hubs_of_both_colours_share_a_bounded_queue() {
    const COUNT: usize = 2_000;
    let queue = SharedQueue::new(3);
    let producers = [false, true].map(|stackful| producer(stackful, queue.clone(), COUNT));
    run_in_real_time(async move {
        let (mut sum, mut most) = (0, 0);
        for _ in 0..2 * COUNT {
            most = most.max(queue.qsize());
            sum += queue.get().await;
        }
        assert_eq!(sum, COUNT * (COUNT - 1));
        assert!(most <= 3, "{most} items were stored");
        assert!(queue.empty());
        drop(producers);
    });
}

#[test]
fn what_one_hub_puts_comes_in_its_order() {
    let queue = SharedQueue::new(7);
    let producer = producer(true, queue.clone(), 1_000);
    run_in_real_time(async move {
        assert!(queue.stream().take(1_000).collect::<Vec<_>>().await.into_iter().eq(0..1_000));
        drop(producer);
    });
}

#[test]
fn no_item_is_lost_to_kills_and_limits_on_several_hubs() {
    const COUNT: usize = 3_000;
    let (queue, got) = (SharedQueue::new(2), Arc::new(AtomicUsize::new(0)));
    let consumers = [(); 2].map(|()| HubThread::start());
    // Getters that give up again and again, and others that are killed while they wait.
    let waverers = consumers.each_ref().map(|hub| {
        let (queue, got) = (queue.clone(), Arc::clone(&got));
        hub.spawn(async move || {
            loop {
                let mut get = std::pin::pin!(queue.get());
                if with_timeout(ms(0), get.as_mut()).await.is_ok() {
                    got.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
    });
    let (shared, counter) = (queue.clone(), Arc::clone(&got));
    let doomed = move |hub: &HubThread| {
        let (queue, got) = (shared.clone(), Arc::clone(&counter));
        hub.spawn(async move || {
            loop {
                queue.get().await;
                got.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    run_in_real_time({
        let queue = queue.clone();
        async move {
            for n in 0..COUNT {
                let victim = doomed(&consumers[n % 2]);
                queue.put(n).await;
                victim.kill();
            }
            drop(waverers);
            for hub in consumers {
                hub.shutdown().await;
            }
        }
    });
    let mut left = 0;
    while queue.get_nowait().is_ok() {
        left += 1;
    }
    assert_eq!(got.load(Ordering::SeqCst) + left, COUNT);
    assert_eq!((queue.put_nowait(1), queue.put_nowait(2)), (Ok(()), Ok(())), "room was lost");
}

#[test]
fn a_hub_that_ends_passes_on_what_was_about_to_be_its() {
    let queue = SharedQueue::new(1);
    let getter = |hub: &HubThread| {
        let queue = queue.clone();
        hub.spawn(async move || queue.get().await)
    };
    let (ends, stays) = (HubThread::start(), HubThread::start());
    let first = getter(&ends);
    ends.spawn(async || sleep(ms(1)).await).join().unwrap();
    let second = getter(&stays);
    stays.spawn(async || sleep(ms(1)).await).join().unwrap();
    ends.shutdown().join();
    assert!(first.join().unwrap_err().is_killed());
    queue.blocking_put("for the other");
    assert_eq!(second.join().unwrap(), "for the other");

    // The same with those who wait for room.
    queue.blocking_put("full");
    let putter = |hub: &HubThread, item| {
        let queue = queue.clone();
        hub.spawn(async move || queue.put(item).await)
    };
    let (ends, stays) = (HubThread::start(), HubThread::start());
    let first = putter(&ends, "goes with its hub");
    ends.spawn(async || sleep(ms(1)).await).join().unwrap();
    let second = putter(&stays, "stays");
    stays.spawn(async || sleep(ms(1)).await).join().unwrap();
    ends.shutdown().join();
    assert!(first.join().unwrap_err().is_killed());
    assert_eq!([queue.blocking_get(), queue.blocking_get()], ["full", "stays"]);
    second.join().unwrap();
}

#[test]
fn whoever_waits_for_the_queue_and_the_hub_hears_of_its_end() {
    run_in_real_time(async {
        let (hub, queue) = (HubThread::start(), SharedQueue::<u8>::new(1));
        let putter = queue.clone();
        let worker = hub.spawn(async move || {
            putter.put(1).await;
            std::future::pending::<()>().await;
        });
        let ended = async move { worker.await.map(|()| 0).map_err(|exit| exit.is_killed()) };
        let mut ended = std::pin::pin!(ended);
        let mut seen = Vec::new();
        for _ in 0..2 {
            let item = async { Ok(queue.get().await) };
            let either: [LocalBoxFuture<'_, Result<u8, bool>>; 2] =
                [Box::pin(item), Box::pin(ended.as_mut())];
            seen.push(wait_any(either).await.1);
            let _shut_down = hub.shutdown();
        }
        assert_eq!(seen, [Ok(1), Err(true)]);
    });
}

#[test]
fn os_threads_block_and_tokios_tasks_wait() {
    let (there, back) = (SharedQueue::new(1), SharedQueue::new(1));
    let echo = thread::spawn({
        let (there, back) = (there.clone(), back.clone());
        move || {
            for _ in 0..100 {
                back.blocking_put(there.blocking_get() + 1);
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let task = runtime.spawn(async move {
        for n in 0..100 {
            there.put(n).await;
            assert_eq!(back.get().await, n + 1);
        }
    });
    runtime.block_on(task).unwrap();
    echo.join().unwrap();
}

#[test]
fn a_hub_is_not_blocked() {
    run_in_real_time(async {
        let queue = SharedQueue::<u8>::new(1);
        let blocked = spawn(async move { queue.blocking_get() });
        assert!(blocked.await.unwrap_err().is_panic());
    });
}

#[test]
#[should_panic = "one item at the least"]
fn it_is_no_channel() {
    SharedQueue::<u8>::new(0);
}

#[test]
fn it_crosses_threads() {
    fn crosses<T: Send + Sync + Clone>(_: &T) {}
    fn may_be_sent<T: Send>(_: &T) {}
    let queue = SharedQueue::new(1);
    crosses(&queue);
    may_be_sent(&queue.put(1));
    may_be_sent(&queue.get());
    may_be_sent(&queue.stream());
    may_be_sent(&queue.sink());
}
