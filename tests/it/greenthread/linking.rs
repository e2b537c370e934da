use super::*;

both_colours! {
    /// test_link
    fn links_run_in_order_before_any_waiter_resumes() {
        for delay in DELAYS {
            let log = Log::new();
            let gt = Rc::new(start(delay, green!({ 7 })));
            let waiter = {
                let (gt, log) = (Rc::clone(&gt), log.clone());
                spawn(green!({
                    wait!(gt.wait()).unwrap();
                    log.add("waiter");
                }))
            };
            if delay == Some(ms(10)) {
                wait!(sleep(ms(1)));
            }
            for name in ["a", "b", "c"] {
                let log = log.clone();
                keeps_turn!(gt.link(move |result| {
                    assert_eq!(*result.as_ref().unwrap(), 7);
                    log.add(name);
                }));
            }
            wait!(waiter).unwrap();
            assert_eq!(log.text(), "a b c waiter");
        }
    }

    /// test_link_after_exited
    fn a_link_on_an_ended_one_runs_at_once() {
        for delay in DELAYS {
            let log = Log::new();
            let gt = start(delay, green!({ 7 }));
            wait!(gt.wait()).unwrap();
            let link = keeps_turn!(gt.link({
                let log = log.clone();
                move |result| log.add(result.as_ref().unwrap())
            }));
            assert_eq!(log.text(), "7");
            assert!(!gt.unlink(link));
        }
    }

    fn a_link_panics_in_its_line_when_the_result_was_taken() {
        let mut gt = spawn(green!({ 7 }));
        assert_eq!(wait!(&mut gt).unwrap(), 7);
        panics_here!("was taken already, by awaiting its handle", gt.link(|_| ()));
        panics_here!("was taken already, by awaiting its handle", gt.wait());
    }

    /// test_link_relinks
    fn a_link_that_links_runs_the_inner_one_once() {
        for delay in DELAYS {
            let log = Log::new();
            let gt = Rc::new(start(delay, green!({ 7 })));
            gt.link({
                let (gt, log) = (Rc::downgrade(&gt), log.clone());
                move |_| {
                    log.add("outer");
                    let inner = log.clone();
                    gt.upgrade().unwrap().link(move |result| {
                        inner.add(format!("inner{}", result.as_ref().unwrap()));
                    });
                    log.add("after");
                }
            });
            wait!(gt.wait()).unwrap();
            assert_eq!(log.text(), "outer inner7 after");
        }
    }

    fn a_link_that_panics_is_reported_and_stops_no_other() {
        let ear = Ear::open();
        let log = Log::new();
        let gt = spawn(green!({ 7 }));
        gt.link(|_| panic!("in the link"));
        gt.link({
            let log = log.clone();
            move |_| log.add("second")
        });
        assert_eq!(wait!(gt.wait()).unwrap(), 7);
        gt.link(|_| panic!("in the late link"));
        assert_eq!(log.text(), "second");
        let heard = ear.heard();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(heard[0].contains("in the link") && heard[1].contains("in the late link"));
    }

    fn unlink_removes_that_link_and_no_other() {
        let log = Log::new();
        let gt = spawn(green!({}));
        let links = ["a", "b", "c"].map(|name| {
            let (log, guard) = (log.clone(), log.at_drop(format!("-{name}")));
            gt.link(move |_| {
                log.add(name);
                let _guard = &guard;
            })
        });
        assert!(gt.unlink(links[1]));
        assert_eq!(log.text(), "-b", "what it captured is dropped at once");
        assert!(!gt.unlink(links[1]));
        wait!(gt.wait()).unwrap();
        assert_eq!(log.text(), "-b a -a c -c");
        assert!(!gt.unlink(links[0]));
    }

    fn links_run_when_it_is_killed_and_when_it_panics() {
        let log = Log::new();
        let link = |name: &'static str| {
            let log = log.clone();
            move |result: &Result<(), Exit>| {
                let exit = result.as_ref().unwrap_err();
                log.add(format!("{name}:{}:{}", exit.is_killed(), exit.is_panic()));
            }
        };
        let killed = spawn(green!({ wait!(pending::<()>()) }));
        killed.link(link("killed"));
        let unstarted = spawn(green!({ wait!(pending::<()>()) }));
        unstarted.link(link("unstarted"));
        unstarted.kill();
        let panicked = spawn(green!({ if true { panic!("oops") } }));
        panicked.link(link("panicked"));
        wait!(sleep(ZERO));
        killed.kill();
        assert_eq!(log.text(), "unstarted:true:false panicked:false:true killed:true:false");
    }

    fn a_link_may_kill_spawn_and_link_elsewhere() {
        let log = Log::new();
        let other = spawn(green!({ wait!(pending::<()>()) }));
        other.link({
            let log = log.clone();
            move |_| log.add("other")
        });
        let gt = spawn(green!({}));
        gt.link({
            let log = log.clone();
            move |_| {
                other.kill();
                let log = log.clone();
                spawn_n(async move { log.add("spawned") });
            }
        });
        wait!(gt).unwrap();
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "other spawned");
    }

    fn a_link_that_ends_its_own_green_thread_finds_it_ended() {
        let gt = Rc::new(spawn(green!({ 7 })));
        gt.link({
            let gt = Rc::downgrade(&gt);
            move |_| {
                let gt = gt.upgrade().unwrap();
                assert!(gt.dead());
                gt.kill();
            }
        });
        assert_eq!(wait!(gt.wait()).unwrap(), 7);
    }
}
