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
