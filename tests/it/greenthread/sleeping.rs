use super::*;

both_colours! {
    fn three_that_alternate_run_as_abcabcabc() {
        let log = Log::new();
        let gts = ["a", "b", "c"].map(|name| {
            let log = log.clone();
            spawn(green!({
                for _ in 0..3 {
                    log.add(name);
                    wait!(sleep(ZERO));
                }
            }))
        });
        for gt in gts {
            wait!(gt).unwrap();
        }
        assert_eq!(log.text(), "a b c a b c a b c");
    }

    fn sleep_always_gives_up_the_turn() {
        yields!(wait!(sleep(ZERO)));
        yields!(wait!(sleep(Duration::from_nanos(1))));
        yields!(wait!(sleep(ms(5))));
    }

    fn sleep_takes_as_long_as_it_says() {
        let start = Instant::now();
        wait!(sleep(ZERO));
        assert_eq!(start.elapsed(), ZERO);
        wait!(sleep(ms(7)));
        assert_eq!(start.elapsed(), ms(7));
        wait!(sleep(Duration::from_secs(3600)));
        assert_eq!(start.elapsed(), Duration::from_secs(3600) + ms(7));
    }

    fn the_clock_of_a_sleep_runs_from_the_call() {
        let start = Instant::now();
        let later = sleep(ms(10));
        wait!(sleep(ms(4)));
        wait!(later);
        assert_eq!(start.elapsed(), ms(10));
    }

    /// TestScheduleCall.test_ordering
    fn sleepers_wake_in_the_order_of_their_deadlines() {
        let log = Log::new();
        for (name, length) in [("c", 30), ("a", 10), ("b", 20)] {
            let log = log.clone();
            spawn_n(green!({
                wait!(sleep(ms(length)));
                log.add(name);
            }));
        }
        wait!(sleep(ms(40)));
        assert_eq!(log.text(), "a b c");
    }

    /// TestScheduleCall.test_ordering
    fn equal_deadlines_pass_in_the_order_of_the_calls() {
        let log = Log::new();
        let add = |name: String| {
            let log = log.clone();
            green!({ log.add(name) })
        };
        let mut gts = Vec::new();
        for i in 0..20 {
            gts.push(spawn_after(ms(10), add(i.to_string())));
        }
        wait!(sleep(ms(10)));
        log.add("main");
        wait!(sleep(ZERO));
        let expected = (0..20).map(|i| i.to_string() + " ").collect::<String>();
        assert_eq!(log.text(), expected + "main");
        for gt in gts {
            wait!(gt).unwrap();
        }
    }

    fn a_sleep_without_end_harms_nobody() {
        let forever = spawn(green!({ wait!(sleep(Duration::MAX)) }));
        let nearly = spawn(green!({ wait!(sleep(Duration::MAX / 4)) }));
        let later = spawn_after(Duration::MAX, green!({}));
        wait!(sleep(Duration::from_secs(300 * 24 * 3600)));
        assert!(!forever.dead() && !nearly.dead() && !later.dead());
        let start = Instant::now();
        wait!(sleep(ms(1)));
        assert_eq!(start.elapsed(), ms(1));
        forever.kill();
        nearly.kill();
        later.cancel();
    }

    fn a_sleep_that_is_dropped_leaves_no_timer() {
        let gt = spawn(green!({ wait!(sleep(ms(50))) }));
        wait!(sleep(ZERO));
        assert_eq!(get_hub().timers(), 1);
        gt.kill();
        assert_eq!(get_hub().timers(), 0);
        drop(sleep(ms(50)));
        assert_eq!(get_hub().timers(), 0);
    }

    fn a_sleep_polled_by_one_may_be_finished_by_another() {
        let sleeping = Rc::new(RefCell::new(sleep(ms(10))));
        let poll = |sleeping: &Rc<RefCell<eventlet::greenthread::Sleep>>| {
            let sleeping = Rc::clone(sleeping);
            poll_fn(move |cx| Pin::new(&mut *sleeping.borrow_mut()).poll(cx))
        };
        let first = {
            let sleeping = poll(&sleeping);
            spawn(green!({ wait!(sleeping) }))
        };
        wait!(sleep(ZERO));
        let second = {
            let sleeping = poll(&sleeping);
            spawn(green!({ wait!(sleeping) }))
        };
        wait!(sleep(ZERO));
        wait!(second).unwrap();
        assert!(!first.dead());
        first.kill();
    }
}
