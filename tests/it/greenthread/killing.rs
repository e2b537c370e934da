use super::*;

both_colours! {
    /// test_kill, test_kill_meth, test_kill_n
    fn kill_before_the_start_means_it_never_runs() {
        let log = Log::new();
        for delay in DELAYS {
            for by_method in [true, false] {
                let ran = log.clone();
                let gt = start(delay, green!({ ran.add("ran") }));
                if by_method { gt.kill() } else { kill(&gt) }
                assert!(gt.dead());
                assert!(wait!(gt.wait()).unwrap_err().is_killed());
                gt.kill();
                assert!(gt.dead());
                assert!(wait!(gt).unwrap_err().is_killed());
            }
        }
        let ran = log.clone();
        let greenlet = spawn_n(green!({ ran.add("ran") }));
        kill(&greenlet);
        assert!(greenlet.dead());
        greenlet.kill();
        wait!(sleep(ms(20)));
        assert_eq!(log.text(), "");
    }

    fn what_never_started_is_dropped() {
        let log = Log::new();
        let guard = log.at_drop("dropped");
        let gt = spawn(green!({ drop(guard) }));
        gt.kill();
        assert_eq!(log.text(), "dropped");
    }

    fn kill_has_ended_its_victim_when_it_returns() {
        let log = Log::new();
        let gt = spawn({
            let log = log.clone();
            green!({
                let _one = log.at_drop("one");
                let _two = log.at_drop("two");
                wait!(pending::<()>());
                log.add("never");
            })
        });
        gt.link({
            let log = log.clone();
            move |result| {
                assert!(result.as_ref().unwrap_err().is_killed());
                log.add("linked");
            }
        });
        wait!(sleep(ZERO));
        keeps_turn!(gt.kill());
        log.add("returned");
        assert!(gt.dead());
        assert_eq!(log.text(), "two one linked returned");
        assert!(wait!(gt).unwrap_err().is_killed());
    }

    fn those_who_wait_for_the_victim_resume_later_in_order() {
        let log = Log::new();
        let gt = Rc::new(spawn(green!({ wait!(pending::<()>()) })));
        for name in ["a", "b"] {
            let (gt, log) = (Rc::clone(&gt), log.clone());
            spawn_n(green!({
                assert!(wait!(gt.wait()).unwrap_err().is_killed());
                log.add(name);
            }));
        }
        wait!(sleep(ZERO));
        gt.kill();
        log.add("killed");
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "killed a b");
    }

    fn kill_reaches_one_that_is_ready_to_run() {
        let log = Log::new();
        let gt = spawn({
            let log = log.clone();
            green!({
                wait!(sleep(ZERO));
                log.add("never");
            })
        });
        let killer = spawn(green!({ gt.kill(); gt }));
        let gt = wait!(killer).unwrap();
        wait!(sleep(ZERO));
        assert!(wait!(gt).unwrap_err().is_killed());
        assert_eq!(log.text(), "");
    }

    fn kill_reaches_one_that_sleeps() {
        let gt = spawn(green!({ wait!(sleep(ms(100))) }));
        wait!(sleep(ms(1)));
        assert_eq!(get_hub().timers(), 1);
        gt.kill();
        assert_eq!(get_hub().timers(), 0);
        assert!(wait!(gt).unwrap_err().is_killed());
    }

    fn kill_reaches_one_that_waits_for_another_and_spares_the_other() {
        let worker = Rc::new(spawn(green!({
            wait!(sleep(ms(10)));
            5
        })));
        let gt = {
            let worker = Rc::clone(&worker);
            spawn(green!({ wait!(worker.wait()) }))
        };
        wait!(sleep(ms(1)));
        gt.kill();
        assert!(wait!(gt).unwrap_err().is_killed());
        assert_eq!(wait!(worker.wait()).unwrap(), 5);
    }

    fn kill_reaches_one_that_waits_for_io() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let gt = spawn(green!({
            let mut near = near;
            let mut buffer = [0; 8];
            wait!(near.read(&mut buffer)).unwrap()
        }));
        wait!(sleep(ZERO));
        gt.kill();
        assert!(wait!(gt).unwrap_err().is_killed());
        let mut buffer = [0; 8];
        assert_eq!(wait!(far.read(&mut buffer)).unwrap(), 0, "the socket was closed");
    }

    fn kill_reaches_one_that_waits_for_another_os_thread() {
        let (value, receiver) = oneshot::channel::<u8>();
        let (go, gone) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            gone.recv().unwrap();
            value.send(1)
        });
        let gt = spawn(green!({ wait!(receiver) }));
        wait!(sleep(ZERO));
        gt.kill();
        go.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), Err(1), "nobody receives any more");
        assert!(wait!(gt).unwrap_err().is_killed());
    }

    fn kill_reaches_what_is_nested_under_join_and_select() {
        let log = Log::new();
        let joins = spawn({
            let log = log.clone();
            green!({
                let _outer = log.at_drop("outer");
                let inner = |name: &'static str| {
                    let log = log.clone();
                    green!({
                        let _inner = log.at_drop(name);
                        wait!(pending::<()>());
                    })
                };
                let (a, b, c) = (inner("a"), inner("b"), inner("c"));
                wait!(async move {
                    tokio::select! {
                        _ = async { tokio::join!(a, b) } => {}
                        _ = c => {}
                    }
                });
            })
        });
        wait!(sleep(ZERO));
        joins.kill();
        let text = log.text();
        let mut dropped: Vec<_> = text.split(' ').collect();
        assert_eq!(dropped.pop(), Some("outer"));
        dropped.sort_unstable();
        assert_eq!(dropped, ["a", "b", "c"]);
        assert!(wait!(joins).unwrap_err().is_killed());
    }

    fn a_self_kill_takes_effect_at_the_next_wait() {
        let log = Log::new();
        let gt = spawn({
            let log = log.clone();
            green!({
                let _guard = log.at_drop("dropped");
                getcurrent().kill();
                log.add("still");
                wait!(async {});
                assert!(!getcurrent().dead());
                log.add("here");
                wait!(sleep(ZERO));
                log.add("never");
            })
        });
        let late = spawn({
            let log = log.clone();
            green!({ log.add("next") })
        });
        wait!(late).unwrap();
        assert_eq!(log.text(), "still here dropped next");
        assert!(wait!(gt).unwrap_err().is_killed());
    }

    fn a_self_kill_that_is_followed_by_no_wait_changes_nothing() {
        let gt = spawn(green!({
            getcurrent().kill();
            7
        }));
        assert_eq!(wait!(gt).unwrap(), 7);
        let next = spawn(green!({
            wait!(sleep(ZERO));
            8
        }));
        assert_eq!(wait!(next).unwrap(), 8, "the kill was meant for another");
    }

    fn a_panic_after_a_self_kill_is_a_panic() {
        let gt = spawn(green!({
            getcurrent().kill();
            if true { panic!("after all") }
        }));
        assert_panicked(wait!(gt), "after all");
        let next = spawn(green!({ wait!(sleep(ZERO)) }));
        wait!(next).unwrap();
    }

    fn the_first_reason_of_a_self_kill_stands() {
        let gt = spawn(green!({
            getcurrent().throw("first");
            getcurrent().kill();
            wait!(sleep(ZERO));
        }));
        assert_eq!(wait!(gt).unwrap_err().error().unwrap().to_string(), "first");
    }

    fn a_destructor_may_kill_another() {
        let log = Log::new();
        let second = spawn({
            let log = log.clone();
            green!({
                let _guard = log.at_drop("second");
                wait!(pending::<()>());
            })
        });
        let greenlet = *second;
        let first = spawn({
            let log = log.clone();
            green!({
                let _guard = OnDrop(move || {
                    log.add("first");
                    greenlet.kill();
                    assert!(greenlet.dead());
                    log.add("killed");
                });
                wait!(pending::<()>());
            })
        });
        wait!(sleep(ZERO));
        first.kill();
        assert_eq!(log.text(), "first second killed");
        assert!(wait!(second).unwrap_err().is_killed());
    }

    fn the_current_green_thread_is_the_one_whose_code_runs() {
        let main = getcurrent();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let victim = spawn({
            let seen = Rc::clone(&seen);
            green!({
                let _guard = OnDrop(move || seen.borrow_mut().push(getcurrent()));
                wait!(pending::<()>());
            })
        });
        let name = *victim;
        let killer = spawn({
            let seen = Rc::clone(&seen);
            green!({
                let me = getcurrent();
                wait!(sleep(ZERO));
                assert_eq!(getcurrent(), me);
                victim.link({
                    let seen = Rc::clone(&seen);
                    move |_| seen.borrow_mut().push(getcurrent())
                });
                victim.kill();
                assert_eq!(getcurrent(), me);
            })
        });
        wait!(killer).unwrap();
        assert_eq!(getcurrent(), main);
        assert_eq!(*seen.borrow(), [name, name]);
    }

    fn a_destructor_may_kill_its_own_green_thread_again() {
        let gt = spawn(green!({
            let me = getcurrent();
            let _guard = OnDrop(move || {
                assert!(me.dead());
                me.throw("again");
            });
            wait!(pending::<()>());
        }));
        wait!(sleep(ZERO));
        gt.kill();
        assert!(wait!(gt).unwrap_err().is_killed());
    }

    fn a_victim_whose_destructor_kills_the_killer_ends_both() {
        let log = Log::new();
        let killer = Rc::new(Cell::new(None::<Greenlet>));
        let victim = spawn({
            let (log, killer) = (log.clone(), Rc::clone(&killer));
            green!({
                let _guard = OnDrop(move || {
                    log.add("victim");
                    killer.get().unwrap().kill();
                });
                wait!(pending::<()>());
            })
        });
        wait!(sleep(ZERO));
        let gt = spawn({
            let log = log.clone();
            green!({
                let _guard = log.at_drop("dropped");
                victim.kill();
                assert!(victim.dead());
                log.add("killer");
                wait!(sleep(ZERO));
                log.add("never");
            })
        });
        killer.set(Some(*gt));
        assert!(wait!(gt).unwrap_err().is_killed());
        assert_eq!(log.text(), "victim killer dropped");
    }

    fn a_victim_of_a_victim_of_a_victim_ends_in_one_call() {
        let log = Log::new();
        let mut next = spawn_n(green!({ wait!(pending::<()>()) }));
        for i in 0..50 {
            let (log, victim) = (log.clone(), next);
            next = spawn_n(green!({
                let _guard = OnDrop(move || {
                    victim.kill();
                    log.add(i);
                });
                wait!(pending::<()>());
            }));
        }
        wait!(sleep(ZERO));
        assert_eq!(get_hub().green_threads(), 52);
        next.kill();
        assert_eq!(get_hub().green_threads(), 1);
        assert_eq!(log.text().split(' ').count(), 50);
    }

    fn a_chain_of_kills_of_any_length_fits_on_the_stack() {
        let dropped = Rc::new(Cell::new(0));
        let mut next = None::<Greenlet>;
        for _ in 0..10_000 {
            let (dropped, victim) = (Rc::clone(&dropped), next);
            // Stackless all of them: those with stacks need none of ours.
            next = Some(spawn_n(async move {
                let _guard = OnDrop(move || {
                    dropped.set(dropped.get() + 1);
                    if let Some(victim) = victim {
                        victim.kill();
                    }
                });
                pending::<()>().await;
            }));
        }
        wait!(sleep(ZERO));
        next.unwrap().kill();
        assert_eq!((dropped.get(), get_hub().green_threads()), (10_000, 1));
    }

    fn a_destructor_may_spawn() {
        let log = Log::new();
        let gt = spawn({
            let log = log.clone();
            green!({
                let _guard = OnDrop(move || {
                    let log = log.clone();
                    spawn_n(async move { log.add("spawned") });
                });
                wait!(pending::<()>());
            })
        });
        wait!(sleep(ZERO));
        gt.kill();
        assert_eq!(log.text(), "");
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "spawned");
    }

    fn a_destructor_that_panics_is_reported_and_ends_nobody_else() {
        let ear = Ear::open();
        let gt = spawn(green!({
            let _guard = OnDrop(|| {
                if !std::thread::panicking() { panic!("in the destructor") }
            });
            wait!(pending::<()>());
        }));
        wait!(sleep(ZERO));
        // On a stack that is unwound the panic would be a second one, which ends the process.
        gt.kill();
        assert!(wait!(gt).unwrap_err().is_killed());
        let heard = ear.heard();
        assert!(heard.len() <= 1 && heard.iter().all(|one| one.contains("in the destructor")));
    }

    fn a_value_that_nobody_wants_may_panic_when_it_is_dropped() {
        let ear = Ear::open();
        drop(spawn(green!({ OnDrop(|| panic!("in the value")) })));
        spawn_n(green!({ OnDrop(|| panic!("in the value")) }));
        let bystander = spawn(green!({
            wait!(sleep(ms(1)));
            "well"
        }));
        assert_eq!(wait!(bystander).unwrap(), "well");
        let heard = ear.heard();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(heard.iter().all(|one| one.contains("in the value")), "{heard:?}");
    }

    /// TestSpawnAfter.test_cancel, test_cancel_already_started, test_kill_already_started
    fn cancel_only_acts_before_the_start() {
        for delay in DELAYS {
            let early = start(delay, green!({ 22 }));
            keeps_turn!(early.cancel());
            assert!(early.dead());
            assert!(wait!(early).unwrap_err().is_killed());

            let late = start(delay, green!({
                wait!(sleep(ms(20)));
                22
            }));
            wait!(sleep(ms(15)));
            late.cancel();
            assert!(!late.dead());
            assert_eq!(wait!(late.wait()).unwrap(), 22);
            late.cancel();
            assert_eq!(wait!(late).unwrap(), 22);

            let killed = start(delay, green!({
                wait!(sleep(ms(20)));
                22
            }));
            wait!(sleep(ms(15)));
            killed.kill();
            assert!(killed.dead());
            assert!(wait!(killed).unwrap_err().is_killed());
        }
        assert_eq!(get_hub().timers(), 0);
    }

    fn throw_ends_it_with_the_error() {
        for turns in 0..2 {
            let gt = spawn(green!({ wait!(pending::<()>()) }));
            for _ in 0..turns {
                wait!(sleep(ZERO));
            }
            keeps_turn!(gt.throw(io::Error::from(io::ErrorKind::TimedOut)));
            assert!(gt.dead());
            gt.throw("too late");
            gt.kill();
            let exit = wait!(gt.wait()).unwrap_err();
            assert_eq!(
                exit.downcast_ref::<io::Error>().unwrap().kind(),
                io::ErrorKind::TimedOut
            );
            assert!(!exit.is_killed() && !exit.is_panic());
            assert!(wait!(gt).unwrap_err().error().is_some());
        }
    }

    fn whoever_ends_after_its_result_keeps_its_result() {
        let gt = spawn(green!({ 1 }));
        wait!(sleep(ZERO));
        gt.kill();
        gt.throw("late");
        gt.cancel();
        assert_eq!(wait!(gt).unwrap(), 1);
    }
}
