//! Green stacks: when they switch, how they unwind, what happens to those beside them.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::{pending, poll_fn, ready};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use eventlet::hubs::get_hub;
use eventlet::runtime::Builder;
use eventlet::{Block, Blocking, getcurrent, local, sleep, spawn, spawn_n};
use futures::stream;

use crate::support::{
    Ear, Log, OnDrop, ZERO, idle, in_a_process_of_its_own, keeps_turn, ms, panics, panics_here,
    run, yields,
};

/// Runs a test on a green stack.
fn run_stackful(test: impl FnOnce() + 'static) {
    run(eventlet::stackful(test));
}

/// A green thread with a stack of its own.
fn green<T: 'static>(closure: impl FnOnce() -> T + 'static) -> eventlet::GreenThread<T> {
    spawn(eventlet::stackful(closure))
}

mod blocking {
    use super::*;

    #[test]
    fn block_on_what_is_ready_keeps_the_turn() {
        run_stackful(|| {
            assert_eq!(keeps_turn!(ready(1).block()), 1);
            assert_eq!(keeps_turn!(async { 2 }.block()), 2);
            let (sender, receiver) = tokio::sync::oneshot::channel();
            sender.send(3).unwrap();
            assert_eq!(keeps_turn!(receiver.block()).unwrap(), 3);
            yields!(sleep(ZERO).block());
        });
    }

    #[test]
    fn a_green_stack_can_wait_for_another_within_it() {
        run_stackful(|| {
            let log = Log::new();
            let logs = [log.clone(), log.clone()];
            let value = eventlet::stackful(move || {
                let [log, inner] = logs;
                log.add("second");
                sleep(ms(1)).block();
                let value = eventlet::stackful(move || {
                    inner.add("third");
                    sleep(ms(1)).block();
                    let gt = green(|| 1);
                    gt.block().unwrap() + 1
                })
                .block();
                sleep(ZERO).block();
                log.add("second");
                value + 1
            })
            .block();
            sleep(ZERO).block();
            log.add("first");
            assert_eq!((value, log.text().as_str()), (3, "second third second first"));
        });
    }

    #[test]
    fn green_stacks_can_be_joined_and_raced_within_one() {
        run_stackful(|| {
            let log = Log::new();
            let each = |name: &'static str, turns: usize| {
                let log = log.clone();
                eventlet::stackful(move || {
                    let _guard = log.at_drop(format!("-{name}"));
                    for _ in 0..turns {
                        log.add(name);
                        sleep(ZERO).block();
                    }
                    name
                })
            };
            let (a, b, c) = (each("a", 2), each("b", 2), each("c", 9));
            let joined = async {
                tokio::select! {
                    biased;
                    joined = futures::future::join(a, b) => joined,
                    _ = c => unreachable!("it takes longer"),
                }
            };
            assert_eq!(joined.block(), ("a", "b"));
            assert_eq!(log.text(), "a b c a b c -a -b -c");
        });
    }

    #[test]
    fn block_where_nothing_can_be_put_aside_panics_in_the_caller_s_line() {
        let cure = "wait with `.await`, or run the closure with `spawn(stackful(closure))`";
        panics_here!(cure, ready(1).block());
        panics_here!(cure, stream::iter([1]).blocking().next());
        run(async move { panics_here!(cure, ready(1).block()) });
        run_stackful(move || {
            async { panics_here!(cure, ready(1).block()) }.block();
            async {
                sleep(ZERO).await;
                panics_here!(cure, sleep(ZERO).block());
            }
            .block();
            assert_eq!(ready(1).block(), 1, "it works again");
            let gt = spawn(async move { panics_here!(cure, ready(1).block()) });
            gt.block().unwrap();
            let nested = async {
                let inner = eventlet::stackful(|| sleep(ms(1)).block());
                inner.await;
                panics_here!(cure, ready(1).block());
            };
            nested.block();
        });
    }

    #[test]
    fn a_panic_inside_a_future_comes_out_of_block() {
        run_stackful(|| {
            let panicked = panics(|| {
                async {
                    sleep(ZERO).await;
                    panic!("in the future")
                }
                .block()
            });
            assert_eq!(panicked.message, "in the future");
            let panicked = panics(|| eventlet::stackful(|| panic!("on the stack")).block());
            assert_eq!(panicked.message, "on the stack");
            sleep(ZERO).block();
        });
    }

    #[test]
    fn what_borrows_from_the_stack_can_be_waited_for() {
        run_stackful(|| {
            let mut total = 0;
            for i in 0..10 {
                let total = &mut total;
                async move {
                    sleep(ZERO).await;
                    *total += i;
                }
                .block();
            }
            assert_eq!(total, 45);
        });
    }

    #[test]
    fn a_stream_is_an_iterator() {
        run_stackful(|| {
            let slow = stream::unfold(0, |i| async move {
                sleep(ms(1)).await;
                (i < 5).then_some((i, i + 1))
            });
            let mut slow = slow.blocking();
            assert_eq!(yields!(slow.next()), Some(0));
            assert_eq!(slow.by_ref().take(2).collect::<Vec<_>>(), [1, 2]);
            assert_eq!(slow.sum::<i32>(), 7);
            let mut quick = stream::iter([1]).blocking();
            assert_eq!(keeps_turn!(quick.next()), Some(1));
            assert_eq!(keeps_turn!(quick.next()), None);
        });
    }

    #[test]
    fn an_item_that_was_not_handed_out_stays_in_the_stream() {
        run_stackful(|| {
            let (sender, receiver) = tokio::sync::mpsc::channel(4);
            let receiver = Rc::new(RefCell::new(receiver));
            let gt = green({
                let receiver = Rc::clone(&receiver);
                move || {
                    let mut items =
                        stream::poll_fn(|cx| receiver.borrow_mut().poll_recv(cx)).blocking();
                    items.next()
                }
            });
            sleep(ZERO).block();
            gt.kill();
            sender.try_send(7).unwrap();
            assert_eq!(receiver.borrow_mut().try_recv(), Ok(7));
        });
    }
}

mod unwinding {
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
}

mod futures_of_stacks {
    use super::*;

    #[test]
    fn one_that_is_never_polled_takes_no_stack_and_drops_its_closure() {
        let log = Log::new();
        let guard = log.at_drop("dropped");
        drop(eventlet::stackful(move || drop(guard)).stack_size(usize::MAX));
        assert_eq!(log.text(), "dropped");
    }

    #[test]
    fn one_works_without_a_hub_and_without_tokio() {
        let mut future = Box::pin(eventlet::stackful(|| {
            let mut turns = 0;
            poll_fn(move |_| {
                turns += 1;
                if turns < 3 { Poll::Pending } else { Poll::Ready(turns) }
            })
            .block()
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(3));
        let panicked = panics(|| future.as_mut().poll(&mut cx));
        assert!(panicked.message.contains("polled after it had ended"));
    }

    #[test]
    fn one_that_panicked_has_ended() {
        let mut future = Box::pin(eventlet::stackful(|| panic!("oops")));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(panics(|| future.as_mut().poll(&mut cx)).message, "oops");
        let again = panics(|| future.as_mut().poll(&mut cx));
        assert!(again.message.contains("was polled after it had ended"), "{again:?}");
    }

    #[test]
    fn one_stays_where_it_is_while_its_owner_moves() {
        let mut future = Box::pin(eventlet::stackful(|| {
            let values: Vec<u64> = (0..10).collect();
            let borrowed = &values;
            let mut waited = false;
            poll_fn(|_| {
                if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .block();
            borrowed.iter().sum::<u64>()
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        let mut moved = future;
        assert_eq!(moved.as_mut().poll(&mut cx), Poll::Ready(45));
    }

    #[test]
    fn a_tokio_task_can_run_one() {
        run(async {
            let task = tokio::task::spawn_local(eventlet::stackful(|| {
                sleep(ms(1)).block();
                tokio::time::sleep(ms(1)).block();
                let gt = spawn(async { 7 });
                gt.block().unwrap()
            }));
            assert_eq!(task.await.unwrap(), 7);
            let log = Log::new();
            let guard = log.at_drop("dropped");
            let task = tokio::task::spawn_local(eventlet::stackful(move || {
                let _guard = guard;
                sleep(ms(100)).block();
            }));
            idle().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!(log.text(), "dropped");
        });
    }

    #[test]
    fn a_hub_can_live_on_a_green_stack() {
        let tokio =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let value = tokio.unwrap().block_on(eventlet::stackful(|| {
            let log = Log::new();
            let value = local({
                let log = log.clone();
                async move {
                    let guard = log.at_drop("dropped");
                    drop(green(move || {
                        let _guard = guard;
                        pending::<()>().block();
                    }));
                    sleep(ms(1)).await;
                    green(|| {
                        sleep(ms(1)).block();
                        7
                    })
                    .await
                    .unwrap()
                }
            })
            .block();
            assert_eq!(log.text(), "dropped");
            value
        }));
        assert_eq!(value, 7);
    }

    #[test]
    fn one_that_is_forgotten_leaks_and_harms_nobody() {
        run_stackful(|| {
            let log = Log::new();
            for _ in 0..3 {
                let guard = log.at_drop("dropped");
                let mut forgotten = Box::pin(eventlet::stackful(move || {
                    let _guard = guard;
                    sleep(ms(5)).block();
                    unreachable!("nobody polls it again");
                }));
                async { assert!(futures::poll!(&mut forgotten).is_pending()) }.block();
                std::mem::forget(forgotten);
            }
            // The timers wake this green thread, in vain.
            sleep(ms(10)).block();
            green(|| sleep(ms(1)).block()).block().unwrap();
            assert_eq!(log.text(), "");
        });
    }

    #[test]
    fn two_drivers_of_one_stack_take_turns() {
        run(async {
            let shared = Rc::new(RefCell::new(Box::pin(eventlet::stackful(|| {
                for _ in 0..10 {
                    sleep(ms(1)).block();
                }
                7
            }))));
            let drive = || {
                let shared = Rc::clone(&shared);
                poll_fn(move |cx| shared.borrow_mut().as_mut().poll(cx))
            };
            let first = tokio::time::timeout(ms(5), drive()).await;
            assert!(first.is_err());
            let rest = drive();
            let second = green(move || rest.block());
            assert_eq!(second.await.unwrap(), 7);
        });
    }
}

mod stacks {
    use super::*;

    /// Uses so many bytes of stack, and not many more. Returns how deep that went.
    fn use_up(bytes: usize) -> usize {
        fn down_to(end: usize) -> usize {
            let frame = black_box([1_u8; 512]);
            if here() < end { usize::from(frame[0]) } else { down_to(end) + usize::from(frame[1]) }
        }
        down_to(here() - bytes)
    }

    /// Returns where the stack is that this is called on.
    #[inline(never)]
    fn here() -> usize {
        let local = 0_u8;
        std::ptr::from_ref(black_box(&local)).addr()
    }

    #[test]
    fn the_default_stack_has_its_256_kib() {
        run_stackful(|| {
            green(|| {
                use_up(200 * 1024);
                sleep(ZERO).block();
                use_up(200 * 1024)
            })
            .block()
            .unwrap();
        });
    }

    #[test]
    fn a_green_thread_may_ask_for_more() {
        run_stackful(|| {
            let deep = eventlet::stackful(|| use_up(7 * 1024 * 1024)).stack_size(8 * 1024 * 1024);
            assert!(spawn(deep).block().unwrap() > 1000);
        });
    }

    #[test]
    fn a_hub_may_give_more_to_everybody() {
        let used = Builder::new().stack_size(8 * 1024 * 1024).run(async {
            let outer = green(|| {
                let inner = eventlet::stackful(|| use_up(7 * 1024 * 1024)).block();
                inner + use_up(7 * 1024 * 1024)
            });
            outer.await.unwrap()
        });
        assert!(used.unwrap() > 2000);
    }

    #[test]
    fn a_stack_that_is_deep_may_be_unwound() {
        fn deep(depth: usize, drops: Rc<Cell<usize>>) {
            let _guard = OnDrop({
                let drops = Rc::clone(&drops);
                move || drops.set(drops.get() + 1)
            });
            match depth {
                0 => pending::<()>().block(),
                _ => deep(depth - 1, drops),
            }
        }
        run_stackful(|| {
            let drops = Rc::new(Cell::new(0));
            let gt = green({
                let drops = Rc::clone(&drops);
                move || deep(300, drops)
            });
            sleep(ZERO).block();
            gt.kill();
            assert_eq!(drops.get(), 301);
        });
    }

    #[test]
    fn a_stack_nobody_can_have_ends_its_green_thread_with_words() {
        let absurd = [
            usize::MAX,
            usize::MAX - 1,
            usize::MAX - 4096,
            isize::MAX as usize,
            isize::MAX as usize - 4096,
            isize::MAX as usize / 2 + 1,
            isize::MAX as usize / 2,
            isize::MAX as usize / 4,
            1 << 60,
            1 << 48,
        ];
        run_stackful(move || {
            for bytes in absurd {
                let log = Log::new();
                let guard = log.at_drop("closure");
                let gt = spawn(eventlet::stackful(move || drop(guard)).stack_size(bytes));
                let linked = log.clone();
                gt.link(move |result| linked.add(result.is_err()));
                let exit = gt.block().unwrap_err();
                let text = exit.error().expect("an error, not a panic").to_string();
                assert!(text.contains(&format!("a green stack of {bytes} bytes")), "{text}");
                assert!(text.contains("vm.max_map_count"), "{text}");
                assert!(exit.downcast_ref::<std::io::Error>().is_some());
                assert_eq!(log.text(), "closure true");
                assert_eq!(green(|| 1).block().unwrap(), 1, "the program goes on");
            }
        });
    }

    #[test]
    fn a_stack_nobody_can_have_ends_whoever_waits_for_it_within() {
        run_stackful(|| {
            let log = Log::new();
            let guard = log.at_drop("outer");
            let gt = green(move || {
                let _guard = guard;
                eventlet::stackful(|| ()).stack_size(usize::MAX).block();
            });
            assert!(gt.block().unwrap_err().error().is_some());
            let stackless = spawn(async { eventlet::stackful(|| ()).stack_size(usize::MAX).await });
            assert!(stackless.block().unwrap_err().error().is_some());
            assert_eq!(log.text(), "outer");
            assert_eq!(keeps_turn!(ready(1).block()), 1);
        });
    }

    #[test]
    fn a_stack_is_used_again() {
        run_stackful(|| {
            let mut places = HashSet::new();
            for i in 0..5000 {
                let gt = green(move || {
                    if i % 3 == 0 {
                        sleep(ZERO).block();
                    }
                    if i % 7 == 0 {
                        pending::<()>().block();
                    }
                    here()
                });
                match i % 7 {
                    0 => {
                        sleep(ZERO).block();
                        gt.kill();
                    }
                    _ => _ = places.insert(gt.block().unwrap() / (256 * 1024)),
                }
            }
            assert!(places.len() <= 2, "{} stacks for one at a time", places.len());
        });
    }

    #[test]
    fn a_stack_of_another_size_is_not_mistaken_for_the_right_one() {
        run_stackful(|| {
            for _ in 0..20 {
                let small = spawn(eventlet::stackful(|| use_up(8 * 1024)).stack_size(64 * 1024));
                small.block().unwrap();
                let large = eventlet::stackful(|| use_up(900 * 1024)).stack_size(1024 * 1024);
                spawn(large).block().unwrap();
            }
        });
    }

    #[test]
    fn ten_thousand_that_wait_can_be_killed_at_once() {
        run(async {
            let drops = Rc::new(Cell::new(0));
            let gts: Vec<_> = (0..10_000)
                .map(|_| {
                    let drops = Rc::clone(&drops);
                    green(move || {
                        let _guard = OnDrop(|| drops.set(drops.get() + 1));
                        pending::<()>().block();
                    })
                })
                .collect();
            idle().await;
            assert_eq!(get_hub().green_threads(), 10_001);
            gts.iter().for_each(|gt| gt.kill());
            assert_eq!(drops.get(), 10_000);
            assert_eq!(get_hub().green_threads(), 1);
            assert_eq!(green(|| 1).await.unwrap(), 1);
        });
    }

    #[test]
    fn the_memory_of_five_thousand_stacks_is_given_back() {
        let (passed, text) = in_a_process_of_its_own("stackful::stacks::alone_memory");
        assert!(passed, "{text}");
    }

    #[test]
    #[ignore = "measures its process: `the_memory_of_five_thousand_stacks_is_given_back` runs it"]
    fn alone_memory() {
        fn resident_kib() -> u64 {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        }
        /// Returns what there was before it, and while the stacks were in use.
        fn round() -> (u64, u64) {
            let before = resident_kib();
            let in_use = async {
                for _ in 0..5_000 {
                    drop(green(|| pending::<()>().block()));
                }
                sleep(ZERO).await;
                resident_kib()
            };
            (before, Builder::new().run(in_use).unwrap())
        }
        let (before, in_use) = round();
        assert!(in_use > before + 20_000, "of {in_use} KiB five thousand stacks take a page each");
        let first = resident_kib();
        for _ in 0..4 {
            round();
        }
        let last = resident_kib();
        assert!(last < first + 4_000, "{first} KiB grew to {last} KiB");
        eventlet::stackful::trim_stacks();
        let last = resident_kib();
        assert!(
            last < before + 4_000,
            "of {before} KiB before and {in_use} KiB in use {last} KiB are kept"
        );
    }
}

mod call {
    use eventlet::debug::green_threads;
    use eventlet::{GreenPool, Queue, stackful, with_timeout};

    use super::*;

    fn sum(numbers: Queue<u32>, count: usize) -> u32 {
        (0..count).map(|_| numbers.get().block()).sum()
    }

    #[test]
    fn is_good_wherever_a_future_is() {
        run(stackful(|| {
            let numbers = Queue::new(None);
            let first = spawn(stackful::call(sum, (numbers.clone(), 2)));
            let pool = GreenPool::new(2);
            let second = pool.spawn(stackful::call(sum, (numbers.clone(), 1))).block();
            for n in [1, 2, 3] {
                numbers.put(n).block();
            }
            assert_eq!((first.block().unwrap(), second.block().unwrap()), (3, 3));
            let limited = with_timeout(ms(1), stackful::call(sum, (numbers.clone(), 1)));
            assert!(limited.block().is_err());
            assert_eq!(stackful::call(|| 7, ()).block(), 7);
        }));
    }

    #[test]
    fn has_its_stack_where_it_is_written() {
        run(stackful(|| {
            let line = line!() + 1;
            let gt = spawn(stackful::call(sum, (Queue::new(1), 1)));
            idle().block();
            let made_at = green_threads()[1].parked_stacks()[0].made_at;
            assert_eq!((made_at.file(), made_at.line()), (file!(), line));
            gt.kill();
        }));
    }
}
