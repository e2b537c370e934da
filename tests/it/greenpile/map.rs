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
