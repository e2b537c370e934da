use super::*;

both_colours! {
    fn wait_may_be_called_any_number_of_times() {
        let gt = spawn(green!({ String::from("done") }));
        yields!(wait!(gt.wait()).unwrap());
        for _ in 0..3 {
            assert_eq!(keeps_turn!(wait!(gt.wait())).unwrap(), "done");
        }
        assert_eq!(keeps_turn!(wait!(gt)).unwrap(), "done");
    }

    fn all_who_wait_resume_in_the_order_in_which_they_came() {
        let log = Log::new();
        let gt = Rc::new(spawn(green!({
            wait!(sleep(ms(5)));
            7
        })));
        for i in 0..10 {
            let (gt, log) = (Rc::clone(&gt), log.clone());
            spawn_n(green!({
                assert_eq!(wait!(gt.wait()).unwrap(), 7);
                log.add(i);
            }));
        }
        wait!(gt.wait()).unwrap();
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "0 1 2 3 4 5 6 7 8 9");
    }

    fn a_waiter_that_gives_up_takes_nothing_with_it() {
        let gt = Rc::new(spawn(green!({
            wait!(sleep(ms(10)));
            7
        })));
        let waiters: Vec<_> = (0..3).map(|_| {
            let gt = Rc::clone(&gt);
            spawn(green!({ wait!(gt.wait()) }))
        }).collect();
        let limit = tokio::time::timeout(ms(5), gt.wait());
        assert!(wait!(limit).is_err());
        waiters[1].kill();
        for (i, waiter) in waiters.into_iter().enumerate() {
            match wait!(waiter) {
                Ok(result) => assert_eq!(result.unwrap(), 7),
                Err(exit) => assert!(i == 1 && exit.is_killed()),
            }
        }
        assert_eq!(wait!(gt.wait()).unwrap(), 7);
    }

    fn a_waiter_killed_after_it_was_woken_takes_nothing_with_it() {
        let gt = Rc::new(spawn(green!({
            wait!(sleep(ms(1)));
            String::from("once")
        })));
        let shared: Rc<Cell<Option<GreenThread<()>>>> = Rc::default();
        gt.link({
            let shared = Rc::clone(&shared);
            // Runs after this: by then the waiter below is ready to resume.
            move |_| _ = spawn_n(async move { shared.take().unwrap().kill() })
        });
        let killed = {
            let gt = Rc::clone(&gt);
            spawn(green!({ wait!(gt.wait()).map(drop).unwrap_or_default() }))
        };
        let greenlet = *killed;
        shared.set(Some(killed));
        wait!(sleep(ms(2)));
        assert!(greenlet.dead());
        assert_eq!(wait!(gt.wait()).unwrap(), "once");
    }

    fn the_handle_can_be_raced_and_kept() {
        let mut gt = spawn(green!({
            wait!(sleep(ms(10)));
            Box::new(7)
        }));
        let raced = wait!(async {
            tokio::select! {
                _ = &mut gt => "ended",
                _ = sleep(ms(5)) => "slept",
            }
        });
        assert_eq!(raced, "slept");
        let raced = wait!(async {
            tokio::select! {
                result = &mut gt => result.unwrap(),
                _ = sleep(ms(50)) => unreachable!("it takes five"),
            }
        });
        assert_eq!(*raced, 7);
        assert_eq!(get_hub().timers(), 0);
    }

    fn handles_can_be_joined() {
        let a = spawn(green!({ wait!(sleep(ms(2))); "a" }));
        let b = spawn(green!({ wait!(sleep(ms(1))); "b" }));
        let (a, b) = wait!(async { tokio::join!(a, b) });
        assert_eq!((a.unwrap(), b.unwrap()), ("a", "b"));
        let all = (0..5).map(|i| spawn(green!({ i })));
        let all = wait!(futures::future::try_join_all(all)).unwrap();
        assert_eq!(all, [0, 1, 2, 3, 4]);
    }

    fn a_result_that_was_taken_is_not_to_be_had_again() {
        let mut gt = spawn(green!({ 7 }));
        assert_eq!(wait!(&mut gt).unwrap(), 7);
        let again = spawn(green!({
            let gt = gt;
            wait!(gt.wait())
        }));
        assert_panicked(wait!(again), "was taken already, by awaiting its handle");
    }

    fn two_who_await_one_handle_get_one_result() {
        let gt: Shared<i32> = Rc::new(RefCell::new(spawn(green!({
            wait!(sleep(ms(1)));
            7
        }))));
        let takers = [0, 1].map(|_| {
            let take = poll_shared(&gt);
            spawn(green!({ wait!(take) }))
        });
        let [one, two] = takers;
        // They share one place in the line, which the second holds.
        assert_eq!(wait!(two).unwrap().unwrap(), 7);
        assert!(!one.dead());
        one.kill();
    }

    fn waiting_for_oneself_panics_in_its_line() {
        let slot: Rc<Cell<Option<Rc<GreenThread<()>>>>> = Rc::default();
        let gt = Rc::new(spawn({
            let slot = Rc::clone(&slot);
            green!({
                let me = slot.take().unwrap();
                panics_here!("waits for its own end", me.wait());
            })
        }));
        slot.set(Some(Rc::clone(&gt)));
        wait!(gt.wait()).unwrap();
    }

    fn awaiting_oneself_panics() {
        let slot: Rc<Cell<Option<GreenThread<()>>>> = Rc::default();
        let gt = spawn({
            let slot = Rc::clone(&slot);
            green!({
                let me = slot.take().unwrap();
                let _ = wait!(me);
            })
        });
        let outside = spawn(green!({}));
        let (greenlet, log) = (*gt, Log::new());
        gt.link({
            let log = log.clone();
            move |result| log.add(result.as_ref().unwrap_err())
        });
        slot.set(Some(gt));
        wait!(outside).unwrap();
        assert!(greenlet.dead());
        assert!(log.text().contains("waits for its own end"), "{}", log.text());
    }

    /// What destructors and links do comes after the end.
    fn a_destructor_may_wait_for_its_own_green_thread() {
        let slot: Rc<Cell<Option<Rc<GreenThread<i32>>>>> = Rc::default();
        let log = Log::new();
        let gt = Rc::new(spawn(green!({ 7 })));
        gt.link({
            let (slot, log) = (Rc::clone(&slot), log.clone());
            move |_| {
                let me = slot.take().unwrap();
                log.add(me.wait().now_or_never().unwrap().unwrap());
            }
        });
        slot.set(Some(Rc::clone(&gt)));
        wait!(gt.wait()).unwrap();
        assert_eq!(log.text(), "7");
    }

    fn a_panic_that_nobody_hears_of_is_reported_once() {
        let ear = Ear::open();
        drop(spawn(green!({ if true { panic!("unheard one") } })));
        spawn_n(green!({ if true { panic!("unheard two") } }));
        let kept = spawn(green!({ if true { panic!("unheard three") } }));
        wait!(sleep(ZERO));
        let heard = ear.heard();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(heard[0].contains("that nobody waited for: the green thread panicked: unheard one"));
        assert!(heard[1].starts_with(&format!("in a green thread spawned at {}:", file!())));
        assert!(heard[1].ends_with(": the green thread panicked: unheard two"));
        drop(kept);
        let heard = ear.heard();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(heard[0].contains("unheard three"));
    }

    fn a_panic_that_somebody_hears_of_is_not_reported() {
        let ear = Ear::open();
        let panics = || spawn(green!({ if true { panic!("heard") } }));
        let waited = panics();
        assert!(wait!(waited.wait()).unwrap_err().is_panic());
        drop(waited);
        assert!(wait!(panics()).unwrap_err().is_panic());
        let linked = panics();
        linked.link(|result| assert!(result.as_ref().unwrap_err().is_panic()));
        drop(linked);
        wait!(sleep(ZERO));
        assert_eq!(ear.heard(), [""; 0]);
    }

    fn whoever_is_ended_from_outside_is_not_reported() {
        let ear = Ear::open();
        let killed = spawn(green!({ wait!(pending::<()>()) }));
        let thrown = spawn(green!({ wait!(pending::<()>()) }));
        wait!(sleep(ZERO));
        killed.kill();
        thrown.throw("an error");
        drop((killed, thrown));
        assert_eq!(ear.heard(), [""; 0]);
    }

    fn the_payload_of_a_panic_can_be_had() {
        let gt = spawn(green!({ if true { std::panic::panic_any(7_u8) } }));
        let first = wait!(gt.wait()).unwrap_err();
        assert_eq!(first.to_string(), "the green thread panicked");
        assert_eq!(*first.into_panic().unwrap().downcast::<u8>().unwrap(), 7);
        assert!(wait!(gt).unwrap_err().is_panic());
    }
}
