use super::*;

both_colours! {
    /// test_simple
    fn wait_gives_the_value() {
        for delay in DELAYS {
            let gt = start(delay, green!({ 1 + 2 }));
            assert_eq!(wait!(gt.wait()).unwrap(), 3);
            assert!(gt.dead());
        }
    }

    /// test_n
    fn spawn_n_is_over_after_a_turn() {
        let log = Log::new();
        let greenlet = spawn_n({
            let log = log.clone();
            green!({ log.add("ran") })
        });
        assert!(!greenlet.dead());
        assert_eq!(log.text(), "");
        wait!(sleep(ZERO));
        assert!(greenlet.dead());
        assert_eq!(log.text(), "ran");
    }

    fn spawn_keeps_the_turn() {
        let gt = keeps_turn!(spawn(green!({})));
        let greenlet = keeps_turn!(spawn_n(green!({})));
        let later = keeps_turn!(spawn_after(ZERO, green!({})));
        assert!(!gt.dead() && !greenlet.dead() && !later.dead());
        wait!(gt).unwrap();
        wait!(later).unwrap();
    }

    fn two_thousand_start_in_the_order_of_their_spawns() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        for i in 0..2000 {
            let seen = Rc::clone(&seen);
            spawn_n(green!({ seen.borrow_mut().push(i) }));
        }
        wait!(sleep(ZERO));
        assert_eq!(*seen.borrow(), (0..2000).collect::<Vec<_>>());
    }

    fn all_ways_to_spawn_stand_in_one_line() {
        let log = Log::new();
        let start = |name: &'static str| {
            let log = log.clone();
            green!({ log.add(name) })
        };
        let a = spawn_after(ZERO, start("a"));
        let b = spawn(start("b"));
        spawn_n(start("c"));
        let d = spawn_after_local(ZERO, start("d"));
        let e = spawn_after(ZERO, start("e"));
        let f = spawn(start("f"));
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "a b c d e f");
        for gt in [a, b, d, e, f] {
            wait!(gt).unwrap();
        }
    }

    fn what_a_green_thread_spawns_comes_after_all_that_are_ready() {
        let log = Log::new();
        let gt = spawn({
            let log = log.clone();
            green!({
                log.add("a");
                let log = log.clone();
                spawn_n(green!({ log.add("c") }));
            })
        });
        spawn_n({
            let log = log.clone();
            green!({ log.add("b") })
        });
        wait!(gt).unwrap();
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "a b c");
    }

    fn dropping_the_handle_leaves_it_running() {
        let log = Log::new();
        let gt = spawn({
            let log = log.clone();
            green!({
                wait!(sleep(ms(1)));
                log.add("ran");
            })
        });
        drop(gt);
        wait!(sleep(ms(2)));
        assert_eq!(log.text(), "ran");
    }

    fn each_has_a_number_of_its_own_and_knows_it() {
        let one = spawn(green!({ getcurrent() }));
        let two = spawn(green!({
            wait!(sleep(ZERO));
            getcurrent()
        }));
        assert_ne!(one.id(), two.id());
        assert_ne!(one.id(), getcurrent().id());
        let (one_greenlet, two_greenlet): (Greenlet, Greenlet) = (*one, *two);
        assert_eq!(wait!(one).unwrap(), one_greenlet);
        assert_eq!(wait!(two).unwrap(), two_greenlet);
    }

    fn the_number_of_an_ended_one_is_not_given_away() {
        let old = spawn(green!({}));
        wait!(old.wait()).unwrap();
        let new = spawn(green!({ wait!(pending::<()>()) }));
        assert!(old.dead() && !new.dead());
        old.kill();
        old.cancel();
        old.throw("late");
        assert!(!new.dead());
        wait!(sleep(ZERO));
        old.kill();
        assert!(!new.dead());
        new.kill();
    }

    fn a_panic_is_the_result_and_ends_nobody_else() {
        let bystander = spawn(green!({
            wait!(sleep(ms(5)));
            "well"
        }));
        let gt = spawn(green!({
            wait!(sleep(ms(1)));
            if true { panic!("oops") }
        }));
        assert_panicked(wait!(gt), "the green thread panicked: oops");
        assert_eq!(wait!(bystander).unwrap(), "well");
    }

    fn the_future_is_dropped_before_anybody_hears_of_its_end() {
        let log = Log::new();
        let gt = spawn({
            let log = log.clone();
            green!({
                let _guard = log.at_drop("dropped");
                wait!(sleep(ms(1)));
            })
        });
        gt.link({
            let log = log.clone();
            move |_| log.add("linked")
        });
        wait!(gt).unwrap();
        log.add("waited");
        assert_eq!(log.text(), "dropped linked waited");
    }

    fn what_a_future_holds_is_dropped_before_anybody_hears_of_its_end() {
        let log = Log::new();
        let gt = spawn(Holder { _held: log.at_drop("dropped") });
        gt.link({
            let log = log.clone();
            move |_| log.add("linked")
        });
        wait!(gt).unwrap();
        assert_eq!(log.text(), "dropped linked");
    }

    fn a_destructor_of_what_a_future_held_costs_nobody_the_value() {
        let ear = Ear::open();
        let panics = spawn(Holder { _held: OnDrop(|| panic!("in what it held")) });
        wait!(panics).unwrap();
        let heard = ear.heard();
        assert!(heard.len() == 1 && heard[0].contains("it panicked: in what it held"), "{heard:?}");
    }

    /// TestSpawnAfter.test_basic
    fn spawn_after_starts_when_its_time_has_come() {
        let start = Instant::now();
        let gt = spawn_after(ms(20), green!({ Instant::now() }));
        wait!(sleep(ms(19)));
        assert!(!gt.dead());
        assert_eq!(wait!(gt).unwrap() - start, ms(20));
    }

    /// TestSpawnAfterLocal.test_timer_fired
    fn spawn_after_local_runs_while_its_owner_lives() {
        let log = Log::new();
        let owner = spawn({
            let log = log.clone();
            green!({
                let inner = log.clone();
                let gt = spawn_after_local(ms(10), green!({ inner.add("fired") }));
                wait!(sleep(ms(20)));
                wait!(gt)
            })
        });
        wait!(sleep(ms(5)));
        assert_eq!(log.text(), "");
        wait!(owner).unwrap().unwrap();
        assert_eq!(log.text(), "fired");
    }

    /// TestSpawnAfterLocal.test_timer_cancelled_upon_greenlet_exit
    fn spawn_after_local_ends_as_killed_when_its_owner_has_ended() {
        let log = Log::new();
        let owner = spawn({
            let log = log.clone();
            green!({
                let inner = log.clone();
                (spawn_after_local(ms(10), green!({ inner.add("fired") })), log.at_drop(""))
            })
        });
        let (gt, _guard) = wait!(owner).unwrap();
        assert!(!gt.dead());
        wait!(sleep(ms(9)));
        assert!(!gt.dead());
        assert!(wait!(gt).unwrap_err().is_killed());
        assert_eq!(log.text(), "");
    }

    /// TestSpawnAfterLocal.test_spawn_is_not_cancelled
    fn spawn_and_spawn_after_outlive_their_spawner() {
        let log = Log::new();
        let owner = spawn({
            let log = log.clone();
            green!({
                let (one, two) = (log.clone(), log.clone());
                (spawn(green!({ one.add("spawn") })),
                 spawn_after(ms(10), green!({ two.add("spawn_after") })))
            })
        });
        let (now, later) = wait!(owner).unwrap();
        wait!(now).unwrap();
        wait!(later).unwrap();
        assert_eq!(log.text(), "spawn spawn_after");
    }
}
