//! Follows eventlet tests/greenpool_test.py, class GreenPile and the tests of `imap` and `starmap`,
//! at c8f903a3, and what eventlet was seen to do beyond it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::iter::{from_fn, repeat_with, zip};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use eventlet::{
    Event, GreenPile, GreenPool, GreenThread, Semaphore, getcurrent, sleep, spawn, with_timeout,
};
use futures::{Stream, StreamExt};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crowd::*;
use crate::support::*;

/// Eventlet's `list(..)`, of a pile or a map.
macro_rules! list {
    ($results:expr) => {{
        let mut list = Vec::new();
        while let Some(result) = wait!($results.next()) {
            list.push(result.unwrap());
        }
        list
    }};
}

/// Polls a stream once.
async fn poll_once<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_next(cx))).await
}

mod pile {
    use super::*;

    both_colours! {
        /// test_pile
        fn results_come_in_the_order_of_spawning() {
            let pile = GreenPile::new(4);
            for n in 0..10_u64 {
                wait!(pile.spawn(green!({
                    wait!(sleep(ms(10 - n)));
                    n
                })));
            }
            assert_eq!(list!(pile), Vec::from_iter(0..10));
        }

        /// test_pile_spawn_times_out
        fn a_spawn_that_times_out_leaves_the_pile_as_it_was() {
            let pile = GreenPile::new(4);
            let job = |n: u64| green!({
                wait!(sleep(ms(10)));
                n
            });
            for n in 0..4 {
                keeps_turn!(wait!(pile.spawn(job(n))));
            }
            assert!(wait!(with_timeout(ZERO, pile.spawn(job(99)))).is_err());
            assert_eq!(pile.pool().waiting(), 0);
            for n in 4..10 {
                wait!(pile.spawn(job(n)));
            }
            assert_eq!(list!(pile), Vec::from_iter(0..10));
            assert!(keeps_turn!(wait!(pile.next())).is_none());
        }

        /// test_empty_pile
        fn an_empty_pile_has_no_results() {
            let pile = GreenPile::<()>::new(4);
            assert!(keeps_turn!(wait!(pile.next())).is_none());
        }

        /// test_constructing_from_pool
        fn two_piles_on_one_pool_do_not_mix() {
            let pool = GreenPool::new(2);
            let piles = [GreenPile::new(pool.clone()), GreenPile::new(pool.clone())];
            for (pile, unique) in piles.iter().zip([0, 100]) {
                spawn(sharing!(pile => {
                    for n in 0..10 {
                        wait!(pile.spawn(green!({
                            wait!(sleep(ms(10)));
                            n + unique
                        })));
                    }
                })).link(|result| assert!(result.is_ok()));
            }
            wait!(sleep(ZERO));
            let [first, second] = &piles;
            assert_eq!(list!(second), Vec::from_iter(100..110));
            assert_eq!(list!(first), Vec::from_iter(0..10));
        }

        /// test_ordering_5, test_ordering_50
        fn three_spawners_at_once_keep_their_order() {
            for concurrency in [5, 50] {
                let (pile, dice) = (GreenPile::new(concurrency), Rc::new(RefCell::new(Dice::new(7))));
                for unique in 0..3 {
                    _ = spawn(sharing!(pile, dice => {
                        for n in 0..300 {
                            wait!(pile.spawn(sharing!(dice => {
                                while dice.borrow_mut().below(2) == 0 {
                                    wait!(sleep(ms(1)));
                                }
                                let raises = dice.borrow_mut().below(5) == 0;
                                (unique, n, raises.then(panic_on_purpose))
                            })));
                        }
                    }));
                }
                wait!(sleep(ZERO));
                let (mut latest, mut failed) = ([-1; 3], 0);
                while let Some(result) = wait!(pile.next()) {
                    match result {
                        Ok((unique, n, _)) => {
                            assert!(latest[unique] < n);
                            latest[unique] = n;
                        }
                        Err(exit) => {
                            assert!(exit.is_panic());
                            failed += 1;
                        }
                    }
                }
                assert!(latest.iter().all(|&latest| latest > 280), "{latest:?}");
                assert!(failed > 90, "{failed}");
            }
        }

        fn a_job_that_fails_does_so_in_its_place() {
            let pile = GreenPile::new(4);
            for n in 0..4 {
                wait!(pile.spawn(green!({
                    match n {
                        1 => panic_on_purpose(),
                        2 => getcurrent().kill(),
                        _ => {}
                    }
                    wait!(sleep(ZERO));
                    n
                })));
            }
            assert_eq!(wait!(pile.next()).unwrap().unwrap(), 0);
            assert!(wait!(pile.next()).unwrap().unwrap_err().is_panic());
            assert!(wait!(pile.next()).unwrap().unwrap_err().is_killed());
            assert_eq!(wait!(pile.next()).unwrap().unwrap(), 3);
            assert!(wait!(pile.next()).is_none());
        }

        /// Eventlet loses the result, and ends one too early.
        fn a_next_that_is_timed_out_loses_no_result() {
            let pile = GreenPile::new(2);
            for n in 0..2 {
                wait!(pile.spawn(green!({
                    wait!(sleep(ms(10)));
                    n
                })));
            }
            for _ in 0..3 {
                assert!(wait!(with_timeout(ms(1), pile.next())).is_err());
            }
            assert_eq!(list!(pile), [0, 1]);
        }

        fn a_consumer_that_is_killed_leaves_its_result_to_the_next() {
            let (pile, event) = (GreenPile::new(2), Event::new());
            wait!(pile.spawn(sharing!(event => { wait!(event.wait()).unwrap() })));
            let consumers = [0, 1, 2].map(|_| {
                spawn(sharing!(pile => { wait!(pile.next()).map(Result::unwrap) }))
            });
            wait!(idle());
            consumers[0].kill();
            event.send("the only one");
            wait!(sleep(ZERO)); // The job has ended, and all consumers were woken.
            consumers[1].kill();
            let [_, _, third] = consumers;
            assert_eq!(wait!(third).unwrap(), Some("the only one"));
            assert!(wait!(pile.next()).is_none());
        }

        fn several_consumers_share_the_results() {
            let (pile, log) = (GreenPile::new(3), Log::new());
            let consumers: Vec<_> = (0..4)
                .map(|consumer| spawn(sharing!(pile, log => {
                    wait!(sleep(ZERO));
                    if consumer % 2 == 0 {
                        // As a stream, with a clone of its own.
                        let mut pile = pile;
                        while let Some(result) = wait!(StreamExt::next(&mut pile)) {
                            log.add(result.unwrap());
                        }
                    } else {
                        while let Some(result) = wait!(pile.next()) {
                            log.add(result.unwrap());
                        }
                    }
                })))
                .collect();
            for n in 0..9 {
                wait!(pile.spawn(green!({
                    wait!(sleep(ms(1)));
                    n
                })));
            }
            for consumer in consumers {
                wait!(consumer).unwrap();
            }
            assert_eq!(log.text(), "0 1 2 3 4 5 6 7 8");
        }

        /// Eventlet's consumer would end early when it has caught up.
        fn a_consumer_waits_while_a_spawner_waits_for_a_slot() {
            let (pool, event) = (GreenPool::new(1), Event::<()>::new());
            wait!(pool.spawn_n(sharing!(event => { wait!(event.wait()).unwrap() })));
            let pile = GreenPile::new(pool.clone());
            let spawner = spawn(sharing!(pile => { wait!(pile.spawn(green!({ "late" }))) }));
            let consumers =
                [0, 1].map(|_| spawn(sharing!(pile => { wait!(pile.next()).map(Result::unwrap) })));
            wait!(idle());
            assert!(!consumers[0].dead() && !consumers[1].dead());
            event.send(());
            let [first, second] = consumers;
            assert_eq!(wait!(first).unwrap(), Some("late"));
            assert_eq!(wait!(second).unwrap(), None);
            wait!(spawner).unwrap();
        }

        fn a_consumer_hears_that_the_spawner_gave_up() {
            let pile = GreenPile::<()>::new(0);
            let spawner = spawn(sharing!(pile => { wait!(pile.spawn(green!({}))) }));
            let consumers = [0, 1].map(|_| spawn(sharing!(pile => { wait!(pile.next()).is_none() })));
            wait!(idle());
            assert!(!consumers[0].dead());
            spawner.kill();
            for consumer in consumers {
                assert!(wait!(consumer).unwrap());
            }
        }

        fn a_pile_can_be_used_again_once_it_is_exhausted() {
            let pile = GreenPile::new(2);
            for round in 0..3 {
                for n in 0..3 {
                    wait!(pile.spawn(green!({ (round, n) })));
                }
                assert_eq!(list!(pile), [(round, 0), (round, 1), (round, 2)]);
                assert!(keeps_turn!(wait!(pile.next())).is_none());
            }
        }

        fn a_member_of_the_full_pool_may_use_the_pile() {
            let pool = GreenPool::new(1);
            let member = wait!(pool.spawn(sharing!(pool => {
                let pile = GreenPile::new(pool);
                for n in 0..3 {
                    wait!(pile.spawn(green!({
                        wait!(sleep(ZERO));
                        if n == 1 {
                            panic_on_purpose();
                        }
                        n
                    })));
                }
                assert_eq!(keeps_turn!(wait!(pile.next())).unwrap().unwrap(), 0);
                assert!(keeps_turn!(wait!(pile.next())).unwrap().unwrap_err().is_panic());
                assert_eq!(keeps_turn!(wait!(pile.next())).unwrap().unwrap(), 2);
                assert!(wait!(pile.next()).is_none());
            })));
            wait!(member).unwrap();
        }

        fn next_keeps_the_turn_when_the_job_has_ended() {
            let pile = GreenPile::new(2);
            wait!(pile.spawn(green!({ 1 })));
            wait!(pile.spawn(green!({ 2 })));
            assert_eq!(yields!(wait!(pile.next())).unwrap().unwrap(), 1);
            assert_eq!(keeps_turn!(wait!(pile.next())).unwrap().unwrap(), 2);
        }

        fn a_stream_that_stopped_waiting_holds_nothing_up() {
            let (pile, event) = (GreenPile::new(2), Event::<()>::new());
            wait!(pile.spawn(sharing!(event => { wait!(event.wait()).unwrap() })));
            let mut stream = pile.clone();
            assert!(wait!(poll_once(&mut stream)).is_pending());
            event.send(());
            assert!(wait!(pile.next()).unwrap().is_ok());
            assert!(matches!(wait!(poll_once(&mut stream)), Poll::Ready(None)));
        }

        fn dropping_a_pile_leaves_its_jobs_running() {
            let (pile, log) = (GreenPile::new(2), Log::new());
            let pool = pile.pool().clone();
            wait!(pile.spawn(sharing!(log => {
                wait!(sleep(ms(1)));
                log.add("ran");
            })));
            drop(pile);
            wait!(pool.waitall());
            assert_eq!(log.text(), "ran");
        }
    }

    #[test]
    fn spawning_outside_a_hub_panics_in_the_callers_line() {
        let pile = GreenPile::new(1);
        panics_here!("hub", drop(pile.spawn(async {})));
    }
}

mod map {
    use super::*;

    /// Inputs that count how many were taken.
    fn counted(taken: &Rc<Cell<usize>>, inputs: usize) -> impl Iterator<Item = usize> + use<> {
        let taken = Rc::clone(taken);
        (0..inputs).inspect(move |n| taken.set(n + 1))
    }

    both_colours! {
        /// test_imap
        fn results_come_in_the_order_of_the_inputs() {
            let pool = GreenPool::new(4);
            let mut map = pool.imap(|n| green!({
                wait!(sleep(ms(10 - n)));
                n
            }), 0..10);
            assert_eq!(list!(map), Vec::from_iter(0..10));
            assert!(keeps_turn!(wait!(map.next())).is_none());
            assert_eq!(pool.free(), 4);
        }

        /// test_empty_imap
        fn without_inputs_there_are_no_results() {
            let pool = GreenPool::new(4);
            let mut map = pool.imap(|(): ()| green!({}), []);
            assert!(keeps_turn!(wait!(map.next())).is_none());
            assert!(keeps_turn!(wait!(map.next())).is_none());
        }

        fn that_there_are_no_more_inputs_needs_no_slot() {
            let pool = GreenPool::new(1);
            let member = wait!(pool.spawn(green!({ wait!(pending::<()>()) })));
            let mut empty = pool.imap(|(): ()| green!({}), []);
            assert!(keeps_turn!(wait!(empty.next())).is_none());
            member.kill();
            // Also after some: the slot went to somebody who keeps it.
            let mut map = pool.imap(|n| green!({ n }), [7]);
            assert_eq!(wait!(map.next()).unwrap().unwrap(), 7);
            let member = wait!(pool.spawn(green!({ wait!(pending::<()>()) })));
            assert!(keeps_turn!(wait!(map.next())).is_none());
            member.kill();
        }

        /// test_imap_multi_args, test_starmap, and test_imap_nonefunc, which is `zip` and an
        /// identity.
        fn tuples_of_inputs_can_be_spread() {
            let pool = GreenPool::new(4);
            let mut pairs = pool.starmap(|a, b| green!({
                wait!(sleep(ms(10)));
                (a, b)
            }), zip(0..10, 10..20));
            assert_eq!(list!(pairs), Vec::from_iter(zip(0..10, 10..20)));
            let mut singles = pool.starmap(|a| green!({ a }), (0..10).map(|a| (a,)));
            assert_eq!(list!(singles), Vec::from_iter(0..10));
            let mut sums = pool.starmap(
                |a, b, c, d, e, f| green!({ a + b + c + d + e + f }),
                [(1, 2, 3, 4, 5, 6)],
            );
            assert_eq!(list!(sums), [21]);
        }

        /// test_imap_raises
        fn a_job_that_fails_does_so_in_its_place_and_the_rest_comes() {
            let pool = GreenPool::new(4);
            let mut map = pool.imap(|n| green!({
                match n {
                    1 | 7 => panic_on_purpose(),
                    _ => wait!(sleep(ZERO)),
                }
                n
            }), 0..10);
            let mut results = Vec::new();
            while let Some(result) = wait!(map.next()) {
                results.push(result.map_err(|exit| assert!(exit.is_panic())).ok());
            }
            let expected = (0..10).map(|n| (n != 1 && n != 7).then_some(n));
            assert_eq!(results, Vec::from_iter(expected));
            assert_eq!(pool.free(), 4);
        }

        /// test_imap_50, test_imap_500; what is alive is counted, not every object.
        fn memory_is_constant() {
            for size in [50, 500] {
                let (pool, alive) = (GreenPool::new(size), Rc::new(()));
                let inputs = repeat_with({
                    let alive = Rc::clone(&alive);
                    move || Rc::clone(&alive)
                });
                let mut most = 0;
                let mut map = pool.imap(|input| green!({
                    wait!(sleep(ZERO));
                    input
                }), inputs.take(2000));
                while let Some(result) = wait!(map.next()) {
                    most = most.max(Rc::strong_count(&alive));
                    drop(result);
                }
                // Ours, the iterator's, the result's, and as many as there are slots.
                assert!(most <= size + 3, "{most} of {size}");
            }
        }

        fn nothing_starts_before_the_first_result_is_asked_for() {
            let (pool, taken) = (GreenPool::new(4), Rc::default());
            let mut map = pool.imap(|n| green!({ n }), counted(&taken, 10));
            wait!(idle());
            assert_eq!((taken.get(), pool.running()), (0, 0));
            assert_eq!(wait!(map.next()).unwrap().unwrap(), 0);
            assert_ne!(taken.get(), 0);
        }

        fn inputs_are_taken_at_most_as_far_ahead_as_there_are_slots() {
            for size in 1..5 {
                let (pool, consumed, furthest) = (GreenPool::new(size), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
                let inputs = (0..20).inspect({
                    let (consumed, furthest) = (Rc::clone(&consumed), Rc::clone(&furthest));
                    move |n| furthest.set(furthest.get().max(n + 1 - consumed.get()))
                });
                let mut map = pool.imap(|n| green!({
                    wait!(sleep(ms(n as u64 % 3)));
                    n
                }), inputs);
                while let Some(result) = wait!(map.next()) {
                    assert_eq!(result.unwrap(), consumed.get());
                    consumed.set(consumed.get() + 1);
                    wait!(idle());
                }
                assert_eq!((consumed.get(), furthest.get()), (20, size));
            }
        }

        /// Jobs that need each other: with fewer at a time they would wait for ever.
        fn as_many_run_at_a_time_as_there_are_slots() {
            let (pool, here, all_here) = (GreenPool::new(5), Rc::new(Cell::new(0)), Event::new());
            let mut map = pool.imap(|_| sharing!(here, all_here => {
                here.set(here.get() + 1);
                if here.get() == 5 {
                    all_here.send(());
                }
                wait!(all_here.wait()).unwrap();
            }), 0..5);
            assert_eq!(list!(map).len(), 5);
        }

        fn the_jobs_run_in_this_very_pool() {
            let (pool, event) = (GreenPool::new(3), Event::<()>::new());
            let mut map = pool.imap(|_| sharing!(event => { wait!(event.wait()).unwrap() }), 0..2);
            assert!(wait!(with_timeout(ms(1), map.next())).is_err());
            assert_eq!((pool.running(), pool.free(), pool.waiting()), (2, 1, 0));
            assert!(wait!(with_timeout(ms(1), pool.waitall())).is_err());
            event.send(());
            wait!(pool.waitall());
            assert_eq!(list!(map).len(), 2);
        }

        /// Eventlet's consumer waits for ever.
        fn inputs_that_panic_do_so_in_the_consumer() {
            let (pool, log) = (GreenPool::new(2), Log::new());
            let mut left = 3;
            let inputs = from_fn(move || {
                if left == 0 {
                    panic_on_purpose();
                }
                left -= 1;
                Some(left)
            });
            let consumer = spawn(sharing!(pool, log => {
                let mut map = pool.imap(|n| green!({ n }), inputs);
                loop {
                    let mut next = pin!(map.next());
                    let caught = poll_fn(|cx| {
                        match catch_unwind(AssertUnwindSafe(|| next.as_mut().poll(cx))) {
                            Ok(Poll::Pending) => Poll::Pending,
                            Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
                            Err(payload) => Poll::Ready(Err(payload.is::<OnPurpose>())),
                        }
                    });
                    match wait!(caught) {
                        Ok(Some(result)) => log.add(result.unwrap()),
                        Ok(None) => break,
                        Err(on_purpose) => {
                            assert!(on_purpose);
                            log.add("panic");
                        }
                    }
                }
            }));
            wait!(consumer).unwrap();
            // What had started is not lost, and the inputs have ended.
            assert_eq!(log.text(), "2 1 panic 0");
            assert_eq!((pool.free(), pool.running(), pool.waiting()), (2, 0, 0));
        }

        // One green thread at a time has it.
        #[allow(clippy::await_holding_refcell_ref)]
        fn a_next_that_is_timed_out_or_killed_loses_no_result() {
            let pool = GreenPool::new(2);
            let mut map = pool.imap(|n| green!({
                wait!(sleep(ms(10)));
                n
            }), 0..3);
            for _ in 0..3 {
                assert!(wait!(with_timeout(ms(1), map.next())).is_err());
            }
            assert_eq!(pool.waiting(), 0);
            let map = Rc::new(RefCell::new(map));
            let consumer = spawn(sharing!(map => {
                wait!(map.borrow_mut().next()).is_some()
            }));
            wait!(idle());
            consumer.kill();
            let mut map = Rc::into_inner(map).unwrap().into_inner();
            assert_eq!(list!(map), [0, 1, 2]);
        }

        /// A map that holds a slot for its next job while its consumer wants one would be a
        /// deadlock.
        fn a_consumer_may_spawn_into_the_pool_between_two_results() {
            for size in [1, 2] {
                let (pool, log) = (GreenPool::new(size), Log::new());
                let mut map = pool.imap(|n| green!({
                    wait!(sleep(ms(1)));
                    n
                }), 0..5);
                while let Some(result) = wait!(map.next()) {
                    let n = result.unwrap();
                    wait!(pool.spawn_n(sharing!(log => {
                        wait!(sleep(ms(1)));
                        log.add(n);
                    })));
                    assert_eq!(pool.waiting(), 0);
                }
                wait!(pool.waitall());
                assert_eq!(log.text(), "0 1 2 3 4");
            }
        }

        /// Somebody else keeps a slot, so that the map is in line whenever it gives a result.
        fn a_consumer_of_the_stream_may_spawn_too() {
            let pool = GreenPool::new(2);
            let keeps = wait!(pool.spawn(green!({ wait!(pending::<()>()) })));
            let mut map = pool.imap(|n| green!({
                wait!(sleep(ms(1)));
                n
            }), 0..3);
            for n in 0..3 {
                assert_eq!(wait!(StreamExt::next(&mut map)).unwrap().unwrap(), n);
                assert_eq!(pool.waiting(), 0);
                wait!(pool.spawn_n(green!({ wait!(sleep(ms(1))) })));
            }
            assert!(wait!(StreamExt::next(&mut map)).is_none());
            keeps.kill();
            wait!(pool.waitall());
        }

        fn a_consumer_that_stopped_in_the_middle_holds_no_slot() {
            let (pool, event) = (GreenPool::new(1), Event::<()>::new());
            let member = wait!(pool.spawn(sharing!(event => { wait!(event.wait()).unwrap() })));
            let mut map = pool.imap(|n| green!({ n }), 0..2);
            assert!(wait!(with_timeout(ms(1), map.next())).is_err());
            assert_eq!(pool.waiting(), 0);
            event.send(());
            wait!(member).unwrap();
            assert_eq!(pool.free(), 1);
            keeps_turn!(wait!(pool.spawn_n(green!({}))));
            assert_eq!(list!(map), [0, 1]);
        }

        fn a_stream_that_nobody_asks_keeps_its_place_until_it_is_asked_or_dropped() {
            for asked_again in [true, false] {
                let (pool, event) = (GreenPool::new(1), Event::<()>::new());
                let member = wait!(pool.spawn(sharing!(event => { wait!(event.wait()).unwrap() })));
                let mut map = pool.imap(|n| green!({ n }), 0..1);
                assert!(wait!(poll_once(&mut map)).is_pending());
                assert_eq!(pool.waiting(), 1);
                event.send(());
                wait!(member).unwrap();
                assert_eq!((pool.waiting(), pool.free()), (0, 0), "the slot was handed to it");
                if asked_again {
                    assert_eq!(list!(map), [0]);
                } else {
                    drop(map);
                }
                keeps_turn!(wait!(pool.waitall()));
                assert_eq!(pool.free(), 1);
            }
        }

        /// Killed when the slot it waits for was handed to it already.
        fn a_consumer_killed_with_a_slot_in_hand_passes_it_on() {
            let (pool, event) = (GreenPool::new(1), Event::<()>::new());
            let member = wait!(pool.spawn(sharing!(event => { wait!(event.wait()).unwrap() })));
            let consumer = spawn(sharing!(pool => {
                let mut map = pool.imap(|n| green!({ n }), 0..2);
                list!(map)
            }));
            let spawner = spawn(sharing!(pool => { wait!(pool.spawn_n(green!({}))) }));
            wait!(idle());
            assert_eq!(pool.waiting(), 2);
            member.kill();
            assert_eq!((pool.waiting(), pool.free()), (1, 0));
            consumer.kill();
            assert_eq!((pool.waiting(), pool.free()), (0, 0));
            wait!(spawner).unwrap();
            wait!(pool.waitall());
            assert_eq!(pool.free(), 1);
        }

        fn a_member_of_a_full_pool_maps_inside_itself() {
            let (pool, taken) = (GreenPool::new(1), Rc::default());
            let inputs = counted(&taken, 4);
            let member = wait!(pool.spawn(sharing!(pool, taken => {
                let mut map = pool.imap(|n| green!({
                    wait!(sleep(ms(1)));
                    if n == 1 {
                        panic_on_purpose();
                    }
                    n
                }), inputs);
                for n in 0..4 {
                    let result = yields!(wait!(map.next())).unwrap();
                    assert_eq!(taken.get(), n + 1);
                    assert_eq!(result.ok(), (n != 1).then_some(n));
                }
                assert!(keeps_turn!(wait!(map.next())).is_none());
                pool.running()
            })));
            assert_eq!(wait!(member).unwrap(), 1);
            wait!(pool.waitall());
            assert_eq!(pool.free(), 1);
        }

        fn all_members_of_a_pool_may_map_at_once() {
            let (pool, mut members) = (GreenPool::new(3), Vec::new());
            for _ in 0..3 {
                members.push(wait!(pool.spawn(sharing!(pool => {
                    let mut map = pool.imap(|n| green!({
                        wait!(sleep(ms(n % 3)));
                        n
                    }), 0..10);
                    list!(map)
                }))));
            }
            for member in members {
                assert_eq!(wait!(member).unwrap(), Vec::from_iter(0..10));
            }
        }

        fn a_map_inside_a_map() {
            let pool = GreenPool::new(2);
            let mut outer = pool.imap(|n| sharing!(pool => {
                let mut inner = pool.imap(|m| green!({
                    wait!(sleep(ZERO));
                    n * 10 + m
                }), 0..3);
                list!(inner)
            }), 0..4);
            let expected = (0..4).map(|n| vec![n * 10, n * 10 + 1, n * 10 + 2]);
            assert_eq!(list!(outer), Vec::from_iter(expected));
        }

        fn two_maps_on_one_pool_take_turns() {
            for size in [1, 2, 3] {
                let pool = GreenPool::new(size);
                let job = |n: u64| green!({
                    wait!(sleep(ms(1)));
                    n
                });
                let (mut first, mut second) = (pool.imap(job, 0..6), pool.imap(job, 100..106));
                for n in 0..6 {
                    assert_eq!(wait!(first.next()).unwrap().unwrap(), n);
                    assert_eq!(wait!(second.next()).unwrap().unwrap(), 100 + n);
                }
                assert!(wait!(second.next()).is_none());
                assert!(wait!(first.next()).is_none());
            }
        }

        fn dropping_a_map_leaves_its_jobs_running_and_takes_no_more_inputs() {
            let (pool, log, taken) = (GreenPool::new(2), Log::new(), Rc::default());
            let mut map = pool.imap(|n| sharing!(log => {
                wait!(sleep(ms(1)));
                log.add(n);
            }), counted(&taken, 100));
            wait!(map.next()).unwrap().unwrap();
            drop(map);
            let started = taken.get();
            wait!(pool.waitall());
            assert_eq!((taken.get(), pool.free(), pool.waiting()), (started, 2, 0));
            assert_eq!(log.text().split(' ').count(), started);
        }

        fn a_pool_that_grows_is_used_by_the_next_result() {
            let (pool, event) = (GreenPool::new(0), Event::<()>::new());
            let consumer = spawn(sharing!(pool, event => {
                let mut map = pool.imap(|n| sharing!(event => {
                    wait!(event.wait()).unwrap();
                    n
                }), 0..6);
                list!(map)
            }));
            wait!(idle());
            assert_eq!((pool.waiting(), pool.running()), (1, 0));
            pool.resize(1);
            wait!(idle());
            assert_eq!((pool.waiting(), pool.running()), (0, 1));
            pool.resize(3);
            event.send(());
            assert_eq!(wait!(consumer).unwrap(), Vec::from_iter(0..6));
        }

        /// The slot that came free is for others when the map may not start more.
        fn a_map_over_a_pool_that_shrank_holds_no_slot() {
            let (pool, needed) = (GreenPool::new(3), Event::new());
            let member = wait!(pool.spawn(green!({ wait!(sleep(ms(1))) })));
            let consumer = spawn(sharing!(pool, needed => {
                let mut map = pool.imap(|n| sharing!(needed => {
                    match n {
                        0 => wait!(needed.wait()).unwrap(),
                        _ => wait!(sleep(ms(2))),
                    }
                    n
                }), 0..4);
                list!(map)
            }));
            wait!(sleep(ZERO));
            wait!(sleep(ZERO));
            // It has two jobs, and is in line for its third.
            assert_eq!((pool.running(), pool.waiting()), (3, 1));
            pool.resize(2);
            wait!(member).unwrap();
            // Its first job waits for one that is behind it in line.
            let spawner = spawn(sharing!(pool, needed => {
                wait!(pool.spawn_n(sharing!(needed => { needed.send(()) })));
            }));
            wait!(spawner).unwrap();
            assert_eq!(wait!(consumer).unwrap(), [0, 1, 2, 3]);
            assert_eq!((pool.free(), pool.waiting()), (2, 0));
        }

        fn as_a_stream_it_gives_the_same() {
            let pool = GreenPool::new(2);
            let map = pool.imap(|n| green!({ n }), 0..5);
            let results: Vec<_> = wait!(map.map(Result::unwrap).collect());
            assert_eq!(results, [0, 1, 2, 3, 4]);
        }

        /// test_with_intpool; a semaphore is the pool of numbers.
        fn a_pool_may_be_bigger_than_what_its_members_need() {
            for (tokens, size, jobs) in [(4, 7, 7), (50, 75, 100), (10, 5, 100), (20, 50, 50)] {
                let (tokens, pool) = (Semaphore::new(tokens), GreenPool::new(size));
                for _ in 0..jobs {
                    wait!(pool.spawn_n(sharing!(tokens => {
                        let _token = wait!(tokens.permit());
                        wait!(sleep(ms(1)));
                    })));
                }
                wait!(pool.waitall());
                assert!(!tokens.locked());
            }
        }
    }
}

/// Who asks for a slot beside a map or for a pile, and has not got one yet.
#[derive(Clone, Default)]
struct Asking(Rc<Cell<usize>>);

impl Asking {
    fn one(&self) -> OnDrop<impl FnMut() + use<>> {
        self.0.set(self.0.get() + 1);
        let asking = Rc::clone(&self.0);
        OnDrop(move || asking.set(asking.get() - 1))
    }

    /// Asserts that nobody else is in line, and that no slot is lost.
    fn compare(&self, pool: &GreenPool) {
        let served = pool.size() as isize - pool.free() - pool.running() as isize;
        assert_eq!(pool.waiting() as isize + served, self.0.get() as isize);
    }
}

mod map_trial {
    use super::*;

    #[derive(Clone, Debug)]
    struct Job {
        colour: Colour,
        nap: u64,
        panics: bool,
    }

    fn job() -> impl Strategy<Value = Job> {
        (colour(), 0_u64..4, prop::bool::weighted(0.2)).prop_map(|(colour, nap, panics)| Job {
            colour,
            nap,
            panics,
        })
    }

    impl Job {
        fn run(self, n: usize) -> impl Future<Output = usize> + use<> {
            self.colour.paint(async move {
                sleep(ms(self.nap)).await;
                if self.panics {
                    panic_on_purpose();
                }
                n
            })
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        /// Asks for a result, with so much patience.
        Next(u64),
        /// The consumer itself spawns.
        Spawn(Job, u64),
        /// Somebody else does.
        Other(Job),
        KillOther(usize),
        Resize(usize),
        Sleep(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            6 => (0_u64..6).prop_map(Op::Next),
            1 => (job(), 0_u64..6).prop_map(|(job, patience)| Op::Spawn(job, patience)),
            2 => job().prop_map(Op::Other),
            1 => (0_usize..64).prop_map(Op::KillOther),
            1 => (0_usize..4).prop_map(Op::Resize),
            1 => (0_u64..4).prop_map(Op::Sleep),
        ]
    }

    async fn consume(pool: GreenPool, jobs: Vec<Job>, ops: Vec<Op>) -> Vec<GreenThread<()>> {
        let (taken, asking) = (Rc::new(Cell::new(0)), Asking::default());
        let inputs = {
            let taken = Rc::clone(&taken);
            jobs.clone().into_iter().enumerate().inspect(move |(n, _)| taken.set(n + 1))
        };
        let mut map = pool.starmap(|n, job: Job| job.run(n), inputs);
        let mut others: Vec<GreenThread<()>> = Vec::new();
        let (mut consumed, mut most) = (0, pool.size().max(1));
        let check = |consumed: &mut usize, result: Option<Result<usize, eventlet::Exit>>| {
            match (result, jobs.get(*consumed)) {
                (None, None) => return,
                (Some(Ok(n)), Some(job)) => assert!(n == *consumed && !job.panics),
                (Some(Err(exit)), Some(job)) => assert!(exit.is_panic() && job.panics),
                (result, job) => panic!("{result:?} of {job:?}"),
            }
            *consumed += 1;
        };
        for op in ops {
            match op {
                Op::Next(patience) => {
                    if let Ok(result) = with_timeout(ms(patience), map.next()).await {
                        check(&mut consumed, result);
                    }
                }
                Op::Spawn(job, patience) => {
                    let _ = with_timeout(ms(patience), pool.spawn(job.run(0))).await;
                }
                Op::Other(job) => {
                    let (pool, asking) = (pool.clone(), asking.clone());
                    others.push(job.colour.spawn(async move {
                        let one = asking.one();
                        let job = pool.spawn(job.run(0)).await;
                        drop(one);
                        _ = job.await;
                    }));
                }
                Op::KillOther(n) if !others.is_empty() => others[n % others.len()].kill(),
                Op::KillOther(_) => {}
                Op::Resize(size) => {
                    pool.resize(size);
                    most = most.max(size);
                }
                Op::Sleep(time) => sleep(ms(time)).await,
            }
            assert!(taken.get() <= consumed + most, "{} after {consumed}", taken.get());
            asking.compare(&pool);
        }
        pool.resize(pool.size().max(1));
        while let Some(result) = map.next().await {
            check(&mut consumed, Some(result));
        }
        assert_eq!(consumed, jobs.len());
        // A member makes room for the others when it ends.
        others
    }

    proptest! {
        #[test]
        fn maps_lose_double_and_overtake_nothing(
            size in 0_usize..4,
            member in any::<bool>(),
            colour in colour(),
            jobs in vec(job(), 0..20),
            ops in vec(op(), 0..60),
        ) {
            run(async move {
                let pool = GreenPool::new(if member { size.max(1) } else { size });
                let consumer = colour.paint(consume(pool.clone(), jobs, ops));
                let consumer = match member {
                    true => pool.spawn(consumer).await,
                    false => spawn(consumer),
                };
                match consumer.await {
                    Ok(others) => all_ended(others).await,
                    Err(exit) => resume_unwind(exit.into_panic().unwrap()),
                }
                pool.waitall().await;
                assert_eq!((pool.running(), pool.waiting()), (0, 0));
                assert_eq!(pool.free(), pool.size() as isize);
            });
        }
    }
}

mod pile_trial {
    use super::*;

    #[derive(Clone, Debug)]
    enum Op {
        /// Somebody spawns a job that naps and may panic, with so much patience.
        Spawn(Colour, Colour, u64, bool, Option<u64>),
        /// Somebody takes so many results, with so much patience, as a stream or one by one.
        Take(Colour, usize, Option<u64>, bool),
        /// Somebody is killed.
        Kill(usize),
        Resize(usize),
        Sleep(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        let patience = || proptest::option::weighted(0.4, 0_u64..4);
        prop_oneof![
            5 => (colour(), colour(), 0_u64..4, prop::bool::weighted(0.2), patience())
                .prop_map(|(spawner, job, nap, panics, patience)| {
                    Op::Spawn(spawner, job, nap, panics, patience)
                }),
            3 => (colour(), 1_usize..4, patience(), any::<bool>())
                .prop_map(|(colour, results, patience, stream)| {
                    Op::Take(colour, results, patience, stream)
                }),
            2 => (0_usize..64).prop_map(Op::Kill),
            1 => (0_usize..4).prop_map(Op::Resize),
            4 => Just(Op::Sleep(0)),
            1 => (1_u64..4).prop_map(Op::Sleep),
        ]
    }

    #[derive(Clone)]
    struct Trial {
        pile: GreenPile<usize>,
        asking: Asking,
        /// The jobs that were spawned and whose result nobody has taken, in order.
        spawned: Rc<RefCell<VecDeque<(usize, bool)>>>,
    }

    impl Trial {
        async fn spawner(
            self,
            n: usize,
            colour: Colour,
            nap: u64,
            panics: bool,
            patience: Option<u64>,
        ) {
            let one = self.asking.one();
            let job = colour.paint(async move {
                sleep(ms(nap)).await;
                if panics {
                    panic_on_purpose();
                }
                n
            });
            let spawned = with_timeout(patience.map(ms), self.pile.spawn(job)).await;
            drop(one);
            if spawned.is_ok() {
                self.spawned.borrow_mut().push_back((n, panics));
            }
        }

        fn check(&self, result: Option<Result<usize, eventlet::Exit>>) {
            let expected = match &result {
                Some(_) => self.spawned.borrow_mut().pop_front(),
                None => {
                    assert_eq!((self.asking.0.get(), self.spawned.borrow().len()), (0, 0));
                    return;
                }
            };
            match (result, expected) {
                (Some(Ok(n)), Some((expected, false))) => assert_eq!(n, expected),
                (Some(Err(exit)), Some((_, true))) => assert!(exit.is_panic()),
                (result, expected) => panic!("{result:?} instead of {expected:?}"),
            }
        }

        async fn consumer(self, results: usize, patience: Option<u64>, stream: bool) {
            let mut pile = self.pile.clone();
            let patience = patience.map(ms);
            for _ in 0..results {
                let result = match stream {
                    true => with_timeout(patience, StreamExt::next(&mut pile)).await,
                    false => with_timeout(patience, pile.next()).await,
                };
                // Nobody runs between the taking and this.
                if let Ok(result) = result {
                    self.check(result);
                }
            }
        }

        async fn apply(self, ops: Vec<Op>) {
            let mut others: Vec<GreenThread<()>> = Vec::new();
            for (n, op) in ops.into_iter().enumerate() {
                match op {
                    Op::Spawn(colour, job, nap, panics, patience) => {
                        others.push(
                            colour.spawn(self.clone().spawner(n, job, nap, panics, patience)),
                        );
                    }
                    Op::Take(colour, results, patience, stream) => {
                        others.push(colour.spawn(self.clone().consumer(results, patience, stream)));
                    }
                    Op::Kill(n) if !others.is_empty() => others[n % others.len()].kill(),
                    Op::Kill(_) => {}
                    Op::Resize(size) => self.pile.pool().resize(size),
                    Op::Sleep(time) => sleep(ms(time)).await,
                }
                self.asking.compare(self.pile.pool());
            }
            let pool = self.pile.pool();
            pool.resize(pool.size().max(1));
            all_ended(others).await;
            while let Some(result) = self.pile.next().await {
                self.check(Some(result));
            }
            self.check(None);
            assert_eq!((pool.running(), pool.waiting()), (0, 0));
            assert_eq!(pool.free(), pool.size() as isize);
        }
    }

    proptest! {
        #[test]
        fn piles_lose_double_and_overtake_nothing(
            size in 0_usize..4,
            ops in vec(op(), 0..100),
        ) {
            let trial = Trial {
                pile: GreenPile::new(size),
                asking: Asking::default(),
                spawned: Rc::default(),
            };
            run(trial.apply(ops));
        }
    }
}
