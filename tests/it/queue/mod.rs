//! Follows eventlet tests/queue_test.py at c8f903a3, and what eventlet was seen to do beyond it.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use eventlet::hubs::get_hub;
use eventlet::queue::{Empty, Full, LifoQueue, LightQueue, PriorityQueue, Queue};
use eventlet::{Event, GreenThread, sleep, spawn, spawn_n, with_timeout};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crowd::*;
use crate::support::*;

mod trial;

both_colours! {
    fn an_absurd_size_is_a_size() {
        let queue = Queue::new(usize::MAX);
        keeps_turn!(wait!(queue.put(1)));
        queue.resize(0);
        assert!(queue.full());
        queue.resize(usize::MAX);
        keeps_turn!(wait!(queue.put(2)));
        assert_eq!([queue.get_nowait(), queue.get_nowait()], [Ok(1), Ok(2)]);
    }

    fn a_stream_gives_the_items_in_order_and_waits_for_more() {
        let queue = Queue::new(1);
        let putter = spawn({
            let queue = queue.clone();
            green!({
                for n in 0..5 {
                    wait!(queue.put(n));
                }
            })
        });
        let items = wait!(futures::StreamExt::collect::<Vec<_>>(futures::StreamExt::take(queue.stream(), 5)));
        assert_eq!(items, [0, 1, 2, 3, 4]);
        wait!(putter).unwrap();
    }

    fn a_stream_that_is_dropped_leaves_its_item_to_the_next() {
        let queue = Queue::new(None);
        let mut stream = queue.stream();
        let polled = futures::FutureExt::now_or_never(futures::StreamExt::next(&mut stream));
        assert_eq!((polled, queue.getting()), (None, 1));
        queue.put_nowait(7).unwrap();
        assert_eq!(queue.qsize(), 0, "it was handed to the stream");
        drop(stream);
        assert_eq!(queue.get_nowait(), Ok(7));
    }

    /// test_send_first
    fn what_was_put_can_be_got() {
        let queue = Queue::new(None);
        keeps_turn!(wait!(queue.put("hi")));
        assert_eq!(keeps_turn!(wait!(queue.get())), "hi");
    }

    /// test_send_last
    fn a_getter_waits_for_what_is_put_later() {
        let queue = Queue::new(None);
        let getter = spawn(sharing!(queue => { wait!(with_timeout(ms(100), queue.get())).unwrap() }));
        wait!(sleep(ZERO));
        wait!(sleep(ZERO));
        keeps_turn!(wait!(queue.put("hi2")));
        assert_eq!(wait!(getter).unwrap(), "hi2");
    }

    /// test_getting_before_sending
    fn getting_before_sending() {
        let queue = Queue::new(None);
        let putter = spawn(sharing!(queue => { wait!(queue.put("sent")) }));
        assert_eq!(yields!(wait!(queue.get())), "sent");
        wait!(putter).unwrap();
    }

    /// test_max_size
    fn a_full_queue_makes_putters_wait_until_a_get_and_one_turn() {
        let (queue, log) = (Queue::new(2), Log::new());
        let putter = spawn(sharing!(queue, log => {
            for item in ["a", "b", "c"] {
                wait!(queue.put(item));
                log.add(item);
            }
        }));
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "a b");
        assert_eq!((queue.qsize(), queue.putting(), queue.full()), (2, 1, true));
        assert_eq!(keeps_turn!(wait!(queue.get())), "a");
        assert_eq!(log.text(), "a b");
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "a b c");
        assert_eq!(wait!(queue.get()), "b");
        assert_eq!(wait!(queue.get()), "c");
        wait!(putter).unwrap();
    }

    /// test_zero_max_size
    fn a_channel_makes_the_putter_wait_for_a_getter() {
        let (channel, sent) = (Queue::new(0), Event::new());
        let putter = spawn(sharing!(channel, sent => {
            wait!(channel.put("hi"));
            sent.send("done");
        }));
        wait!(idle());
        assert!(!sent.ready());
        let getter = spawn(sharing!(channel => { wait!(channel.get()) }));
        assert_eq!(wait!(getter).unwrap(), "hi");
        assert_eq!(wait!(sent.wait()).unwrap(), "done");
        wait!(putter).unwrap();
    }

    /// test_resize_up, test_resize_to_Unlimited
    fn resizing_up_releases_a_putter_within_a_turn() {
        for size in [Some(1), None] {
            let queue = Queue::new(0);
            let putter = spawn(sharing!(queue => { wait!(queue.put("hi")) }));
            wait!(idle());
            assert!(!putter.dead());
            keeps_turn!(queue.resize(size));
            assert!(!putter.dead());
            wait!(sleep(ZERO));
            assert!(putter.dead());
            assert_eq!((queue.maxsize(), queue.qsize()), (size, 1));
        }
    }

    /// test_resize_down
    fn resizing_down_keeps_what_is_stored_and_blocks_putters() {
        let queue = Queue::new(5);
        (0..5).for_each(|item| queue.put_nowait(item).unwrap());
        queue.resize(1);
        wait!(sleep(ZERO));
        assert_eq!(queue.qsize(), 5);
        let putter = spawn(sharing!(queue => { wait!(queue.put(5)) }));
        for item in 0..4 {
            wait!(idle());
            assert!(!putter.dead());
            assert_eq!(wait!(queue.get()), item);
        }
        assert!(!putter.dead());
        assert_eq!(wait!(queue.get()), 4);
        wait!(sleep(ZERO));
        assert!(putter.dead());
        assert_eq!(wait!(queue.get()), 5);
    }

    /// test_multiple_waiters; the order is ours.
    fn waiting_getters_are_served_in_the_order_they_came() {
        let queue = Queue::new(None);
        let getters: Vec<_> = (0..4)
            .map(|_| spawn(sharing!(queue => { wait!(queue.get()) })))
            .collect();
        wait!(idle());
        assert_eq!(queue.getting(), 4);
        (1..=4).for_each(|item| keeps_turn!(queue.put_nowait(item).unwrap()));
        assert_eq!((queue.getting(), queue.qsize()), (0, 0));
        for (item, getter) in (1..).zip(getters) {
            assert_eq!(wait!(getter).unwrap(), item);
        }
    }

    fn waiting_putters_are_admitted_in_the_order_they_came() {
        let (queue, log) = (Queue::new(1), Log::new());
        let putters: Vec<_> = (0..4)
            .map(|item| spawn(sharing!(queue, log => {
                wait!(queue.put(item));
                log.add(item);
            })))
            .collect();
        wait!(idle());
        assert_eq!(queue.putting(), 3);
        for item in 0..4 {
            assert_eq!(wait!(queue.get()), item);
        }
        for putter in putters {
            wait!(putter).unwrap();
        }
        assert_eq!(log.text(), "0 1 2 3");
    }

    /// test_waiters_that_cancel
    fn a_getter_that_timed_out_takes_nothing() {
        let queue = Queue::new(None);
        assert_eq!(yields!(wait!(queue.get_timeout(ms(1)))), Err(Empty));
        assert_eq!(queue.getting(), 0);
        wait!(queue.put("hi"));
        assert_eq!(wait!(queue.get()), "hi");
    }

    /// test_two_waiters_one_dies
    fn of_two_getters_the_one_that_times_out_loses_nothing() {
        let queue = Queue::new(None);
        let dying = spawn(sharing!(queue => { wait!(queue.get_timeout(ms(1))) }));
        let waiting = spawn(sharing!(queue => { wait!(queue.get()) }));
        wait!(sleep(ms(2)));
        wait!(queue.put("hi"));
        assert_eq!(wait!(dying).unwrap(), Err(Empty));
        assert_eq!(wait!(waiting).unwrap(), "hi");
    }

    fn a_getter_killed_with_its_item_in_hand_passes_it_on() {
        let queue = Queue::new(None);
        let getters = [0, 1, 2].map(|_| spawn(sharing!(queue => { wait!(queue.get()) })));
        wait!(idle());
        wait!(queue.put("hi"));
        let [dying, killed_too, waiting] = getters;
        dying.kill();
        killed_too.kill();
        assert_eq!(queue.get_nowait(), Err(Empty));
        assert_eq!(wait!(waiting).unwrap(), "hi");
        assert!(wait!(dying).unwrap_err().is_killed());
        assert_eq!(queue.unfinished_tasks(), 1);
    }

    /// test_two_bogus_waiters
    fn two_getters_that_die_leave_the_item() {
        let queue = Queue::new(None);
        let getters = [0, 1].map(|_| spawn(sharing!(queue => { wait!(queue.get()) })));
        wait!(sleep(ZERO));
        wait!(queue.put("sent"));
        wait!(queue.put("later"));
        getters.iter().for_each(|getter| getter.kill());
        // The one whose item came first may well have died last: it goes back in front.
        let mut got = [wait!(queue.get()), wait!(queue.get())];
        got.sort();
        assert_eq!(got, ["later", "sent"]);
        assert_eq!(queue.unfinished_tasks(), 2);
    }

    /// What eventlet was seen to do: the item of the very turn in which the time is up is not lost.
    fn an_item_and_a_timeout_in_one_turn() {
        for item_first in [true, false] {
            let queue = Queue::new(None);
            let put = || {
                spawn_n(sharing!(queue => {
                    wait!(sleep(ms(1)));
                    queue.put_nowait("just").unwrap();
                }))
            };
            if item_first {
                put();
            }
            let getter = spawn(sharing!(queue => { wait!(queue.get_timeout(ms(1))) }));
            if !item_first {
                put();
            }
            let got = wait!(getter).unwrap();
            assert_eq!(got.is_ok(), item_first);
            wait!(idle());
            assert_eq!(got.or_else(|Empty| queue.get_nowait()), Ok("just"));
            assert!(queue.empty());
        }
    }

    fn room_and_a_timeout_in_one_turn() {
        for room_first in [true, false] {
            let queue = Queue::new(1);
            queue.put_nowait("before").unwrap();
            let get = || {
                spawn_n(sharing!(queue => {
                    wait!(sleep(ms(1)));
                    assert_eq!(queue.get_nowait(), Ok("before"));
                }))
            };
            if room_first {
                get();
            }
            let putter = spawn(sharing!(queue => { wait!(queue.put_timeout("just", ms(1))) }));
            if !room_first {
                get();
            }
            let put = wait!(putter).unwrap();
            wait!(idle());
            match put {
                Ok(()) => assert_eq!((room_first, queue.get_nowait()), (true, Ok("just"))),
                Err(full) => {
                    assert_eq!((room_first, full.into_inner()), (false, "just"));
                    assert!(queue.empty());
                }
            }
        }
    }

    /// test_waiting
    fn getting_counts_those_who_wait() {
        let queue = Queue::new(None);
        let getter = spawn(sharing!(queue => { wait!(queue.get()) }));
        assert_eq!(queue.getting(), 0);
        wait!(sleep(ZERO));
        assert_eq!(queue.getting(), 1);
        wait!(queue.put("hi"));
        wait!(sleep(ZERO));
        assert_eq!(queue.getting(), 0);
        assert_eq!(wait!(getter).unwrap(), "hi");
    }

    /// test_channel_send; the getter comes first, as it was chosen first.
    fn channel_send() {
        let (channel, log) = (Queue::new(0), Log::new());
        let getter = spawn(sharing!(channel, log => {
            log.add(wait!(channel.get()));
            log.add(wait!(channel.get()));
        }));
        log.add("sending");
        yields!(wait!(channel.put("hello")));
        log.add("sent_hello");
        wait!(channel.put("world"));
        log.add("sent_world");
        wait!(getter).unwrap();
        // Eventlet has the getter log before its putter goes on; here a waiting getter is handed
        // its item without the putter giving up its turn, so the last word is the getter's.
        assert_eq!(log.text(), "sending hello sent_hello sent_world world");
    }

    /// test_channel_wait
    fn channel_wait() {
        let (channel, log) = (Queue::new(0), Log::new());
        let putter = spawn(sharing!(channel, log => {
            log.add("sending_hello");
            wait!(channel.put("hello"));
            log.add("sending_world");
            wait!(channel.put("world"));
            log.add("sent_world");
        }));
        log.add("waiting");
        log.add(wait!(channel.get()));
        log.add(wait!(channel.get()));
        let text = log.text();
        assert!(text.starts_with("waiting sending_hello"), "{text}");
        assert_eq!(text.replace(" sent_world", ""), "waiting sending_hello sending_world hello world");
        wait!(putter).unwrap();
        assert!(log.text().contains("sent_world"));
    }

    /// test_channel_waiters; the order is ours.
    fn a_channel_serves_three_getters_in_order() {
        let channel = Queue::new(0);
        let getters = [0, 1, 2].map(|_| spawn(sharing!(channel => { wait!(channel.get()) })));
        wait!(sleep(ZERO));
        assert_eq!(channel.getting(), 3);
        let putters = [1, 2, 3].map(|item| spawn(sharing!(channel => { wait!(channel.put(item)) })));
        for putter in putters {
            wait!(putter).unwrap();
        }
        assert_eq!(channel.getting(), 0);
        for (item, getter) in (1..).zip(getters) {
            assert_eq!(wait!(getter).unwrap(), item);
        }
    }

    /// test_channel_sender_timing_out
    fn a_putter_that_times_out_takes_its_item_back() {
        let channel = Queue::new(0);
        let full = yields!(wait!(channel.put_timeout("hi", ms(1)))).unwrap_err();
        assert_eq!(full.into_inner(), "hi");
        assert_eq!(channel.get_nowait(), Err(Empty));
        assert_eq!(channel.putting(), 0);
    }

    fn a_putter_that_is_killed_takes_its_item_along_unless_it_was_admitted() {
        let queue = Queue::new(1);
        let item = Rc::new(());
        wait!(queue.put(Rc::clone(&item)));
        let [admitted, waiting] =
            [0, 1].map(|_| spawn(sharing!(queue, item => { wait!(queue.put(item)) })));
        wait!(idle());
        assert_eq!((Rc::strong_count(&item), queue.putting()), (4, 2));
        drop(queue.get_nowait());
        admitted.kill();
        waiting.kill();
        assert_eq!((Rc::strong_count(&item), queue.putting(), queue.qsize()), (2, 0, 1));
        assert_eq!(queue.unfinished_tasks(), 2);
    }

    /// test_zero_length_queue_nonblocking_put
    fn killed_getters_of_a_channel_lose_no_item() {
        let channel = Queue::new(0);
        let getters: Vec<_> = (0..20)
            .map(|_| spawn(sharing!(channel => { wait!(channel.get()) })))
            .collect();
        wait!(idle());
        assert_eq!(channel.getting(), 20);
        // Every other is ended in the turn in which the items come, before it and after it was
        // chosen.
        for item in 0..10 {
            getters[2 * item].throw("away with it");
            channel.put_nowait(item).unwrap();
        }
        for (i, getter) in getters.into_iter().enumerate() {
            let got = wait!(getter);
            match i % 2 {
                0 => assert_eq!(got.unwrap_err().error().unwrap().to_string(), "away with it"),
                _ => assert_eq!(got.unwrap(), i / 2),
            }
        }
    }

    /// test_put_nowait_simple, test_get_nowait_simple
    fn put_nowait_and_get_nowait_do_not_wait() {
        let queue = Queue::new(1);
        assert_eq!(keeps_turn!(queue.put_nowait(2)), Ok(()));
        assert_eq!(keeps_turn!(queue.put_nowait(3)), Err(Full(3)));
        assert_eq!(keeps_turn!(queue.get_nowait()), Ok(2));
        assert_eq!(keeps_turn!(queue.get_nowait()), Err(Empty));
    }

    /// test_get_nowait_unlock
    fn get_nowait_takes_from_a_waiting_putter_of_a_channel() {
        let channel = Queue::new(0);
        let putter = spawn(sharing!(channel => { wait!(channel.put(5)) }));
        assert!(channel.empty() && channel.full());
        wait!(sleep(ZERO));
        assert!(channel.empty() && channel.full());
        assert_eq!(keeps_turn!(channel.get_nowait()), Ok(5));
        assert!(channel.empty() && channel.full());
        assert!(!putter.dead());
        wait!(sleep(ZERO));
        assert!(putter.dead());
    }

    /// test_put_nowait_unlock
    fn put_nowait_gives_to_a_waiting_getter_of_a_channel() {
        let channel = Queue::new(0);
        let getter = spawn(sharing!(channel => { wait!(channel.get()) }));
        wait!(sleep(ZERO));
        assert!(channel.empty() && channel.full());
        assert_eq!(keeps_turn!(channel.put_nowait(10)), Ok(()));
        assert!(channel.empty() && channel.full());
        assert_eq!(channel.put_nowait(11), Err(Full(11)));
        assert_eq!(wait!(getter).unwrap(), 10);
    }

    /// test_wait_except: a panic instead of a KeyboardInterrupt, which stays with the getter.
    fn a_getter_that_panics_once_woken_disturbs_nobody() {
        let queue = Queue::new(None);
        let getter = spawn(sharing!(queue => {
            wait!(queue.get());
            panic_on_purpose();
        }));
        wait!(sleep(ZERO));
        keeps_turn!(wait!(queue.put(())));
        wait!(sleep(ZERO));
        assert!(wait!(getter).unwrap_err().is_panic());
        assert_eq!((queue.qsize(), queue.getting()), (0, 0));
    }

    fn nobody_overtakes_a_getter_that_was_served() {
        let queue = Queue::new(None);
        let getter = spawn(sharing!(queue => { wait!(queue.get()) }));
        wait!(idle());
        queue.put_nowait("first").unwrap();
        assert_eq!(queue.get_nowait(), Err(Empty));
        let late = spawn(sharing!(queue => { wait!(queue.get()) }));
        queue.put_nowait("second").unwrap();
        assert_eq!(wait!(late).unwrap(), "second");
        assert_eq!(wait!(getter).unwrap(), "first");
    }

    fn nobody_overtakes_a_putter_that_waits() {
        let queue = Queue::new(1);
        queue.put_nowait("first").unwrap();
        let putter = spawn(sharing!(queue => { wait!(queue.put("second")) }));
        wait!(idle());
        assert_eq!(queue.get_nowait(), Ok("first"));
        assert_eq!(queue.put_nowait("third"), Err(Full("third")));
        assert_eq!(wait!(queue.get()), "second");
        wait!(putter).unwrap();
    }

    /// test_task_done
    fn a_hand_over_counts_as_an_unfinished_task() {
        let channel = Queue::new(0);
        let item = Rc::new(());
        let putter = spawn(sharing!(channel, item => { wait!(channel.put(item)) }));
        assert!(Rc::ptr_eq(&wait!(channel.get()), &item));
        assert_eq!(channel.unfinished_tasks(), 1);
        keeps_turn!(channel.task_done());
        assert_eq!(channel.unfinished_tasks(), 0);
        wait!(putter).unwrap();
        panics_here!("more often", channel.task_done());
    }

    /// test_join_doesnt_block_when_queue_is_already_empty
    fn join_does_not_wait_for_a_queue_that_was_never_used() {
        keeps_turn!(wait!(Queue::<()>::new(None).join()));
    }

    fn join_waits_for_the_last_task_and_not_for_later_items() {
        let (queue, log) = (Queue::new(None), Log::new());
        (0..3).for_each(|item| queue.put_nowait(item).unwrap());
        let joiners = ["one", "two", "killed"].map(|name| {
            spawn(sharing!(queue, log => {
                wait!(queue.join());
                log.add(name);
            }))
        });
        for _ in 0..3 {
            wait!(idle());
            assert_eq!(log.text(), "");
            wait!(queue.get());
            queue.task_done();
        }
        queue.put_nowait(3).unwrap();
        joiners[2].kill();
        assert_eq!(log.text(), "");
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "one two");
        assert!(wait!(with_timeout(ms(1), queue.join())).is_err());
    }

    fn priorities_and_stacks() {
        let (lowest, latest) = (PriorityQueue::new(2), LifoQueue::new(2));
        let putters = [
            spawn(sharing!(lowest => {
                for item in [3, 1, 2] {
                    wait!(lowest.put(item));
                }
            })),
            spawn(sharing!(latest => {
                for item in [3, 1, 2] {
                    wait!(latest.put(item));
                }
            })),
        ];
        wait!(idle());
        assert_eq!((lowest.putting(), latest.putting()), (1, 1));
        for expected in [(1, 1), (2, 2), (3, 3)] {
            assert_eq!((wait!(lowest.get()), wait!(latest.get())), expected);
        }
        for putter in putters {
            wait!(putter).unwrap();
        }
    }

    fn a_limit_that_did_not_pass_leaves_no_timer() {
        let queue = LightQueue::new(1);
        let getter = spawn(sharing!(queue => { wait!(queue.get_timeout(ms(1000))) }));
        wait!(idle());
        let timers = get_hub().timers();
        wait!(queue.put_timeout("hi", ms(1000))).unwrap();
        assert_eq!(wait!(getter).unwrap(), Ok("hi"));
        assert_eq!(get_hub().timers(), timers - 1);
    }

    fn a_limit_of_zero_gives_what_can_be_had_at_once() {
        let queue = LightQueue::new(1);
        assert_eq!(keeps_turn!(wait!(queue.put_timeout("hi", ZERO))), Ok(()));
        assert_eq!(wait!(queue.put_timeout("ho", ZERO)), Err(Full("ho")));
        assert_eq!(keeps_turn!(wait!(queue.get_timeout(ZERO))), Ok("hi"));
        assert_eq!(wait!(queue.get_timeout(ZERO)), Err(Empty));
        assert_eq!((queue.getting(), queue.putting()), (0, 0));
    }
}
