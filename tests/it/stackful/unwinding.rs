use super::*;

#[test]
fn what_a_killed_one_returns_in_spite_of_it_is_on_no_green_stack_when_it_is_dropped() {
    run_stackful(|| {
        let ear = Ear::open();
        let victim = green(|| {
            let _caught = catch_unwind(AssertUnwindSafe(|| pending::<()>().block()));
            OnDrop(|| sleep(ms(1)).block())
        });
        idle().block();
        victim.kill();
        let reported = ear.heard();
        assert!(reported.len() == 1, "{reported:?}");
        assert!(reported[0].contains("`.block()` needs a green stack"), "{reported:?}");
        sleep(ms(1)).block();
    });
}

#[test]
fn a_panic_crosses_to_whoever_waits() {
    run_stackful(|| {
        let log = Log::new();
        let guard = log.at_drop("dropped");
        let gt = green(move || {
            let _guard = guard;
            sleep(ZERO).block();
            panic!("oops");
        });
        let result: Result<(), _> = gt.block();
        let exit = result.unwrap_err();
        assert_eq!(exit.to_string(), "the green thread panicked: oops");
        assert_eq!(log.text(), "dropped");
    });
}

#[test]
fn a_kill_unwinds_the_whole_stack_without_the_panic_hook() {
    fn deep(log: Log, depth: usize) {
        let _guard = log.at_drop(depth);
        match depth {
            0 => pending::<()>().block(),
            _ => deep(log.clone(), depth - 1),
        }
    }
    run_stackful(|| {
        let log = Log::new();
        let gt = green({
            let log = log.clone();
            move || deep(log, 5)
        });
        sleep(ZERO).block();
        crate::support::last_panic();
        gt.kill();
        assert_eq!(log.text(), "0 1 2 3 4 5");
        assert!(crate::support::last_panic().is_none(), "a kill is no panic");
        assert!(!std::thread::panicking());
        assert!(gt.block().unwrap_err().is_killed());
    });
}

#[test]
fn code_that_catches_the_kill_meets_it_again_at_the_next_wait() {
    run_stackful(|| {
        let log = Log::new();
        let gt = green({
            let log = log.clone();
            move || {
                let _outer = log.at_drop("outer");
                for i in 0..3 {
                    let _inner = log.at_drop(format!("inner{i}"));
                    let caught = catch_unwind(AssertUnwindSafe(|| sleep(ms(100)).block()));
                    assert!(caught.is_err());
                    assert_eq!(ready(7).block(), 7, "what is ready is to be had");
                    log.add(format!("caught{i}"));
                }
                sleep(ZERO).block();
                log.add("never");
            }
        });
        sleep(ZERO).block();
        gt.kill();
        assert!(gt.dead());
        assert_eq!(log.text(), "caught0 inner0 caught1 inner1 caught2 inner2 outer");
        assert!(gt.block().unwrap_err().is_killed());
    });
}

#[test]
fn code_that_catches_the_kill_and_returns_has_ended_as_killed() {
    run_stackful(|| {
        let log = Log::new();
        let gt = green({
            let log = log.clone();
            move || {
                let caught = catch_unwind(AssertUnwindSafe(|| pending::<()>().block()));
                assert!(caught.is_err());
                log.at_drop("value")
            }
        });
        sleep(ZERO).block();
        gt.kill();
        assert_eq!(log.text(), "value", "its value came too late");
        assert!(gt.block().err().unwrap().is_killed());
    });
}

#[test]
fn a_panic_in_place_of_the_kill_is_reported_and_it_ends_as_killed() {
    run_stackful(|| {
        let ear = Ear::open();
        let gt = green(|| {
            let _ = catch_unwind(AssertUnwindSafe(|| pending::<()>().block()));
            panic!("instead");
        });
        sleep(ZERO).block();
        gt.kill();
        let result: Result<(), _> = gt.block();
        assert!(result.unwrap_err().is_killed());
        let heard = ear.heard();
        assert!(heard.len() == 1 && heard[0].contains("instead"), "{heard:?}");
    });
}

#[test]
fn a_destructor_may_have_what_is_ready_during_a_kill_and_nothing_else() {
    run_stackful(|| {
        let log = Log::new();
        let gt = green({
            let log = log.clone();
            move || {
                let _guard = OnDrop(move || {
                    assert!(std::thread::panicking());
                    log.add(ready(7).block());
                    let caught = catch_unwind(|| sleep(ms(1)).block());
                    let text = *caught.unwrap_err().downcast::<&str>().unwrap();
                    assert!(text.contains("cannot wait while its green stack unwinds"));
                    log.add("refused");
                });
                pending::<()>().block();
            }
        });
        let bystander = green(|| {
            for _ in 0..5 {
                assert!(!std::thread::panicking());
                sleep(ZERO).block();
            }
            "well"
        });
        sleep(ZERO).block();
        gt.kill();
        assert_eq!(log.text(), "7 refused");
        assert!(!std::thread::panicking());
        assert_eq!(bystander.block().unwrap(), "well");
        assert_eq!(get_hub().timers(), 0);
    });
}

#[test]
fn a_destructor_may_have_what_is_ready_during_a_panic_and_nothing_else() {
    run_stackful(|| {
        let log = Log::new();
        let gt = green({
            let log = log.clone();
            move || {
                let _guard = OnDrop(move || {
                    log.add(ready(7).block());
                    assert!(catch_unwind(|| sleep(ms(1)).block()).is_err());
                    let mut items = stream::pending::<()>().blocking();
                    assert!(catch_unwind(AssertUnwindSafe(|| items.next())).is_err());
                    let nested = eventlet::stackful(|| sleep(ZERO).block());
                    assert!(catch_unwind(AssertUnwindSafe(|| nested.block())).is_err());
                    let nested = eventlet::stackful(|| ready(8).block());
                    log.add(nested.block());
                });
                panic!("oops");
            }
        });
        let result: Result<(), _> = gt.block();
        assert!(result.unwrap_err().to_string().contains("oops"));
        assert_eq!(log.text(), "7 8");
        assert!(!std::thread::panicking());
    });
}

#[test]
fn nobody_runs_while_another_unwinds() {
    run_stackful(|| {
        let log = Log::new();
        let others = [(); 3].map(|()| {
            let log = log.clone();
            spawn_n(eventlet::stackful(move || {
                loop {
                    assert!(!std::thread::panicking());
                    log.add("other");
                    sleep(ZERO).block();
                }
            }))
        });
        for by_panic in [false, true] {
            let gt = green({
                let log = log.clone();
                move || {
                    let _guard = OnDrop(move || {
                        log.add("<");
                        for _ in 0..3 {
                            let _ = catch_unwind(|| sleep(ZERO).block());
                            let _ = catch_unwind(|| tokio::task::yield_now().block());
                        }
                        log.add(">");
                    });
                    sleep(ZERO).block();
                    if by_panic {
                        panic!("oops");
                    }
                    pending::<()>().block();
                }
            });
            for _ in 0..3 {
                sleep(ZERO).block();
            }
            gt.kill();
            assert!(gt.block().is_err());
        }
        assert_eq!(log.text().matches("< >").count(), 2, "{}", log.text());
        assert!(log.text().matches("other").count() >= 9);
        others.iter().for_each(eventlet::Greenlet::kill);
    });
}

#[test]
fn panicking_is_false_for_those_who_wait_while_one_panics() {
    run_stackful(|| {
        let log = Log::new();
        let parked = green({
            let log = log.clone();
            move || {
                sleep(ms(5)).block();
                assert!(!std::thread::panicking());
                let lock = std::sync::Mutex::new(());
                drop(lock.lock().unwrap());
                assert!(!lock.is_poisoned());
                log.add("parked");
            }
        });
        for _ in 0..3 {
            let gt = green(|| {
                sleep(ms(1)).block();
                panic!("oops");
            });
            let result: Result<(), _> = gt.block();
            assert!(result.unwrap_err().is_panic());
            assert!(!std::thread::panicking());
        }
        parked.block().unwrap();
        assert_eq!(log.text(), "parked");
    });
}

#[test]
fn a_panicking_green_stack_may_kill_others_of_both_colours() {
    run_stackful(|| {
        let log = Log::new();
        let guard = log.at_drop("stackful");
        let stackful = green(move || {
            let _guard = guard;
            pending::<()>().block();
        });
        let guard = log.at_drop("stackless");
        let stackless = spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        sleep(ZERO).block();
        let names = [*stackful, *stackless];
        let gt = green({
            let log = log.clone();
            move || {
                let _guard = OnDrop(move || {
                    names.iter().for_each(eventlet::Greenlet::kill);
                    log.add("killed");
                });
                panic!("oops");
            }
        });
        let result: Result<(), _> = gt.block();
        assert!(result.unwrap_err().is_panic());
        assert_eq!(log.text(), "stackful stackless killed");
        assert!(stackful.block().unwrap_err().is_killed());
        assert!(stackless.block().unwrap_err().is_killed());
    });
}

#[test]
fn a_kill_during_a_kill_during_a_kill_comes_back_to_each() {
    run_stackful(|| {
        let log = Log::new();
        let mut next = None::<eventlet::Greenlet>;
        for i in 0..20 {
            let (log, victim) = (log.clone(), next);
            next = Some(spawn_n(eventlet::stackful(move || {
                let _after = log.at_drop(format!("{i}"));
                let _guard = OnDrop(move || {
                    if let Some(victim) = victim {
                        victim.kill();
                        assert!(victim.dead());
                    }
                    assert_eq!(ready(1).block(), 1, "this stack is the current one again");
                });
                pending::<()>().block();
            })));
        }
        sleep(ZERO).block();
        next.unwrap().kill();
        assert_eq!(log.text(), (0..20).map(|i| i.to_string()).collect::<Vec<_>>().join(" "));
        assert_eq!(keeps_turn!(ready(1).block()), 1);
        yields!(sleep(ZERO).block());
    });
}

#[test]
fn a_chain_of_kills_fits_on_the_smallest_stack() {
    run_stackful(|| {
        let mut next = None::<eventlet::Greenlet>;
        for _ in 0..100 {
            let victim = next;
            next = Some(spawn_n(async move {
                let _guard = OnDrop(move || victim.iter().for_each(|victim| victim.kill()));
                pending::<()>().await;
            }));
        }
        sleep(ZERO).block();
        let killer = eventlet::stackful(move || next.unwrap().kill());
        spawn(killer.stack_size(64 * 1024)).block().unwrap();
        assert_eq!(get_hub().green_threads(), 1);
    });
}

#[test]
fn a_kill_reaches_green_stacks_within_green_stacks() {
    run_stackful(|| {
        let log = Log::new();
        let gt = green({
            let log = log.clone();
            move || {
                let _outer = log.at_drop("outer");
                let log = log.clone();
                eventlet::stackful(move || {
                    let _middle = log.at_drop("middle");
                    let log = log.clone();
                    async move {
                        let _future = log.at_drop("future");
                        let guard = log.at_drop("inner");
                        eventlet::stackful(move || {
                            let _guard = guard;
                            sleep(ms(100)).block();
                        })
                        .await;
                    }
                    .block();
                })
                .block();
            }
        });
        sleep(ZERO).block();
        gt.kill();
        assert_eq!(log.text(), "inner future middle outer");
        assert_eq!(get_hub().timers(), 0);
    });
}

#[test]
fn a_stack_within_a_stack_may_kill_its_own_green_thread() {
    run_stackful(|| {
        let log = Log::new();
        let gt = green({
            let log = log.clone();
            move || {
                let _outer = log.at_drop("outer");
                let log = log.clone();
                eventlet::stackful(move || {
                    let _inner = log.at_drop("inner");
                    getcurrent().kill();
                    log.add("still");
                    sleep(ZERO).block();
                    log.add("never");
                })
                .block();
                unreachable!("it was killed");
            }
        });
        let result: Result<(), _> = gt.block();
        assert!(result.unwrap_err().is_killed());
        assert_eq!(log.text(), "still inner outer");
    });
}

#[test]
fn what_is_polled_during_a_kill_gets_a_waker_that_wakes_nobody() {
    run_stackful(|| {
        let log = Log::new();
        let gt = green({
            let log = log.clone();
            move || {
                let _guard = OnDrop(move || {
                    // Not `will_wake`, which may not know a waker of another crate again in a
                    // release build.
                    let nobody = Waker::noop().data();
                    let ask = poll_fn(|cx| Poll::Ready(cx.waker().data() == nobody));
                    log.add(ask.block());
                });
                pending::<()>().block();
            }
        });
        sleep(ZERO).block();
        gt.kill();
        assert_eq!(log.text(), "true");
    });
}

#[test]
fn a_panic_in_place_of_an_unwind_does_not_reach_whoever_drops_the_stack() {
    run_stackful(|| {
        let ear = Ear::open();
        let stubborn = eventlet::stackful(|| {
            let _ = catch_unwind(AssertUnwindSafe(|| pending::<()>().block()));
            panic!("instead");
        });
        let limited = tokio::time::timeout(ms(5), stubborn);
        let result: Result<(), _> = limited.block();
        assert!(result.is_err());
        let heard = ear.heard();
        assert!(heard.len() == 1 && heard[0].contains("instead"), "{heard:?}");
    });
}

#[test]
fn a_timeout_drops_what_is_on_the_stack() {
    run_stackful(|| {
        let log = Log::new();
        let guard = log.at_drop("dropped");
        let slow = eventlet::stackful(move || {
            let _guard = guard;
            sleep(ms(100)).block();
        });
        let limited = tokio::time::timeout(ms(5), slow);
        assert!(limited.block().is_err());
        assert_eq!(log.text(), "dropped");
        assert_eq!(get_hub().timers(), 0);
    });
}

#[test]
fn a_link_of_a_stackful_one_runs_when_it_is_killed_from_a_green_stack() {
    run_stackful(|| {
        let log = Log::new();
        let gt = green(|| pending::<()>().block());
        gt.link({
            let log = log.clone();
            move |_| log.add("linked")
        });
        sleep(ZERO).block();
        gt.kill();
        assert_eq!(log.text(), "linked");
    });
}
