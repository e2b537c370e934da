//! Waits below C: they are cancelled, never unwound.

use std::cell::Cell;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use eventlet::lowlevel::{Cancelled, inside_poll, may_wait, wait};
use eventlet::{
    Block, Event, GreenThread, Queue, Timeout, getcurrent, sleep, spawn, stackful, with_timeout,
};

use crate::support::{
    Ear, Log, OnDrop, ZERO, idle, keeps_turn, ms, panics, panics_here, run, yields,
};

/// Runs a test on a green stack.
fn run_stackful(test: impl FnOnce() + 'static) {
    run(stackful(test));
}

/// A green thread with a stack of its own.
fn green<T: 'static>(closure: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    spawn(stackful(closure))
}

/// Calls a closure from a frame like those of C: an unwind that comes here aborts the process.
fn below_c<T>(closure: impl FnOnce() -> T) -> T {
    #[allow(improper_ctypes_definitions)]
    extern "C" fn c(call: &mut dyn FnMut()) {
        call();
    }
    let (mut closure, mut value) = (Some(closure), None);
    c(&mut || value = closure.take().map(|closure| closure()));
    value.expect("it was called")
}

/// Waits for ever below C, twice, and notes what came of it.
fn wait_twice(log: &Log) {
    let outcome = below_c(|| {
        let _guard = log.at_drop("guard");
        let cancelled = wait(pending::<()>()).is_err();
        log.add(if cancelled { "cancelled" } else { "?" });
        wait(pending::<()>())
    });
    assert!(outcome.is_err());
    log.add("out");
}

/// What a green thread does that [`wait_twice`] and then waits as all others do.
fn wait_twice_and_once(log: &Log) {
    let _outer = log.at_drop("outer");
    wait_twice(log);
    sleep(ZERO).block();
    log.add("went on");
}

const UNWOUND: &str = "cancelled guard out outer";

mod asking {
    use super::*;

    #[test]
    fn on_an_os_thread_and_in_stackless_green_threads() {
        assert_eq!((may_wait(), inside_poll()), (false, false));
        run(async {
            assert_eq!((may_wait(), inside_poll()), (false, true));
            let gt = spawn(async { (may_wait(), inside_poll()) });
            assert_eq!(gt.await.unwrap(), (false, true));
            let _guard = OnDrop(|| assert_eq!((may_wait(), inside_poll()), (false, true)));
        });
        assert_eq!((may_wait(), inside_poll()), (false, false));
    }

    #[test]
    fn on_green_stacks_and_in_what_is_polled_there() {
        run_stackful(|| {
            assert_eq!((may_wait(), inside_poll()), (true, false));
            let polled = async {
                sleep(ZERO).await;
                let here = (may_wait(), inside_poll());
                (here, stackful(|| (may_wait(), inside_poll())).await)
            };
            assert_eq!(polled.block(), ((false, true), (true, false)));
            assert_eq!((may_wait(), inside_poll()), (true, false));
        });
    }

    #[test]
    fn in_destructors() {
        run_stackful(|| {
            let seen = Rc::new(Cell::new(None));
            let look = |seen: &Rc<Cell<_>>| {
                let seen = Rc::clone(seen);
                OnDrop(move || {
                    let waited = wait(sleep(ZERO)).is_ok();
                    seen.set(Some((may_wait(), inside_poll(), waited)));
                })
            };
            let guard = look(&seen);
            drop(guard);
            assert_eq!(seen.take(), Some((true, false, true)));
            let guard = look(&seen);
            panics(move || {
                let _guard = guard;
                panic!("on purpose");
            });
            assert_eq!(seen.take(), Some((false, false, false)), "of one that panics");
            let guard = look(&seen);
            let victim = green(move || {
                let _guard = guard;
                pending::<()>().block();
            });
            idle().block();
            victim.kill();
            assert_eq!(seen.take(), Some((true, false, false)), "of one that is killed");
        });
    }
}

mod waiting {
    use super::*;

    #[test]
    fn it_waits_as_block_does() {
        run_stackful(|| {
            assert_eq!(keeps_turn!(below_c(|| wait(ready(1)))), Ok(1));
            assert_eq!(yields!(below_c(|| wait(sleep(ms(1))))), Ok(()));
            let gt = green(|| below_c(|| wait(async { sleep(ms(1)).await }).map(|()| 2)));
            assert_eq!(below_c(|| wait(gt)).unwrap().unwrap(), Ok(2));
        });
    }

    #[test]
    fn where_nothing_can_be_put_aside_it_panics_in_the_caller_s_line() {
        let cure = "ask `lowlevel::may_wait()` first";
        panics_here!(cure, wait(ready(1)));
        run(async move { panics_here!(cure, wait(ready(1))) });
        run_stackful(move || async { panics_here!(cure, wait(ready(1))) }.block());
    }

    #[test]
    fn a_limit_that_did_not_pass_leaves_no_trace() {
        run_stackful(|| {
            let limit = Timeout::new(ms(2));
            assert_eq!(limit.run_blocking(|| below_c(|| wait(sleep(ms(1))))), Ok(Ok(())));
            assert_eq!(wait(sleep(ms(5))), Ok(()));
        });
    }
}

mod ending {
    use super::*;

    #[test]
    fn a_killed_one_comes_out_of_c_and_is_unwound_from_its_next_wait() {
        run_stackful(|| {
            let log = Log::new();
            let same = log.clone();
            let victim = green(move || wait_twice_and_once(&same));
            sleep(ZERO).block();
            keeps_turn!(victim.kill());
            assert_eq!(log.text(), UNWOUND, "it had ended when the kill returned");
            assert!(victim.block().unwrap_err().is_killed());
        });
    }

    #[test]
    fn one_that_kills_itself() {
        run_stackful(|| {
            let log = Log::new();
            let same = log.clone();
            let victim = green(move || {
                getcurrent().kill();
                wait_twice_and_once(&same);
            });
            assert!(victim.block().unwrap_err().is_killed());
            assert_eq!(log.text(), UNWOUND);
        });
    }

    #[test]
    fn one_that_a_stackless_one_kills() {
        run(async {
            let log = Log::new();
            let same = log.clone();
            let victim = green(move || wait_twice_and_once(&same));
            idle().await;
            victim.throw("reason");
            assert_eq!(log.text(), UNWOUND);
            assert_eq!(victim.await.unwrap_err().error().unwrap().to_string(), "reason");
        });
    }

    #[test]
    fn one_that_never_waits_again_runs_to_its_end_and_what_it_returns_is_dropped() {
        run_stackful(|| {
            let log = Log::new();
            let same = log.clone();
            let victim = green(move || {
                wait_twice(&same);
                assert_eq!(ready(1).block(), 1, "what is ready is no wait");
                same.at_drop("dropped")
            });
            sleep(ZERO).block();
            victim.kill();
            assert_eq!(log.text(), "cancelled guard out dropped");
            assert!(victim.block().is_err());
        });
    }

    #[test]
    fn one_that_is_dropped_by_a_limit_around_its_future() {
        run_stackful(|| {
            let log = Log::new();
            let same = log.clone();
            let bounded = with_timeout(ms(1), stackful(move || wait_twice_and_once(&same)));
            assert!(bounded.block().is_err());
            assert_eq!(log.text(), UNWOUND);
        });
    }

    #[test]
    fn one_that_an_armed_limit_ends() {
        run_stackful(|| {
            let log = Log::new();
            let same = log.clone();
            let late = green(move || {
                let _armed = Timeout::start(ms(1));
                wait_twice_and_once(&same);
            });
            assert!(late.block().unwrap_err().is_timeout());
            assert_eq!(log.text(), UNWOUND);
        });
    }

    #[test]
    fn one_that_is_there_when_the_hub_ends() {
        let log = Log::new();
        let same = log.clone();
        eventlet::run(stackful(move || {
            let _left = green(move || wait_twice_and_once(&same));
            sleep(ZERO).block();
        }));
        assert_eq!(log.text(), UNWOUND);
    }

    #[test]
    fn one_within_another_that_is_killed() {
        run_stackful(|| {
            let log = Log::new();
            let same = log.clone();
            let outer = green(move || {
                let _outermost = same.at_drop("outermost");
                stackful(move || {
                    let _outer = same.at_drop("outer");
                    wait_twice(&same);
                })
                .block();
            });
            sleep(ZERO).block();
            outer.kill();
            assert_eq!(log.text(), "cancelled guard out outer outermost");
        });
    }

    #[test]
    fn one_that_waits_below_c_for_another_that_does() {
        run_stackful(|| {
            let log = Log::new();
            let same = log.clone();
            let outer = green(move || {
                let inner = same.clone();
                let nested = stackful(move || wait_twice_and_once(&inner));
                assert!(below_c(|| wait(nested)).is_err());
                same.add("outermost");
                sleep(ZERO).block();
                same.add("went on");
            });
            sleep(ZERO).block();
            outer.kill();
            assert_eq!(log.text(), format!("{UNWOUND} outermost"));
        });
    }

    #[test]
    fn one_that_panics_instead_is_reported_and_its_killer_goes_on() {
        run_stackful(|| {
            let ear = Ear::open();
            let victim = green(|| {
                let _cancelled = below_c(|| wait(pending::<()>()));
                panic!("on purpose");
            });
            sleep(ZERO).block();
            victim.kill();
            let reported = ear.heard();
            assert!(reported.len() == 1 && reported[0].contains("on purpose"), "{reported:?}");
        });
    }

    #[test]
    fn one_that_catches_the_unwind_is_cancelled_all_the_same() {
        run_stackful(|| {
            let log = Log::new();
            let same = log.clone();
            let victim = green(move || {
                let caught = catch_unwind(AssertUnwindSafe(|| wait_twice_and_once(&same)));
                same.add(if caught.is_err() { "caught" } else { "?" });
                wait_twice_and_once(&same);
            });
            sleep(ZERO).block();
            victim.kill();
            assert_eq!(log.text(), format!("{UNWOUND} caught {UNWOUND}"));
        });
    }

    #[test]
    fn nothing_is_lost_on_the_way_to_one() {
        run_stackful(|| {
            let queue = Queue::new(None);
            let items = queue.clone();
            let victim = green(move || below_c(|| wait(items.get())).is_err());
            sleep(ZERO).block();
            queue.put_nowait(7).unwrap();
            victim.kill();
            assert_eq!(queue.get_nowait().unwrap(), 7);
        });
    }

    #[test]
    fn what_it_does_on_its_way_out_wakes_others() {
        run_stackful(|| {
            let done = Event::new();
            let same = done.clone();
            let victim = green(move || same.send(below_c(|| wait(pending::<()>())).is_err()));
            sleep(ZERO).block();
            victim.kill();
            assert!(done.wait().block().unwrap());
        });
    }
}

mod limits {
    use super::*;

    #[test]
    fn one_that_passes_cancels_and_then_unwinds_to_its_scope() {
        run_stackful(|| {
            let log = Log::new();
            let limit = Timeout::new(ms(1));
            assert_eq!(limit.run_blocking(|| wait_twice_and_once(&log)), Err(limit));
            assert_eq!(log.text(), UNWOUND);
            assert_eq!(wait(sleep(ms(1))), Ok(()), "it is over");
        });
    }

    #[test]
    fn what_is_ready_counts_and_so_does_a_function_that_returns() {
        run_stackful(|| {
            let limit = Timeout::new(ms(1));
            let function = || {
                let first = wait(pending::<()>());
                (first.is_err(), keeps_turn!(wait(sleep(ZERO))).is_err(), wait(ready(3)))
            };
            assert_eq!(limit.run_blocking(|| below_c(function)), Ok((true, true, Ok(3))));
        });
    }

    #[test]
    fn of_two_the_earlier_takes_effect() {
        run_stackful(|| {
            for (first, second) in [(1, 5), (5, 1), (3, 3)] {
                let (outer, inner) = (Timeout::new(ms(first)), Timeout::new(ms(second)));
                let log = Log::new();
                let late = outer.run_blocking(|| inner.run_blocking(|| wait_twice_and_once(&log)));
                let expected = if first <= second { Err(outer) } else { Ok(Err(inner)) };
                assert_eq!(late, expected);
                assert_eq!(log.text(), UNWOUND);
            }
        });
    }

    #[test]
    fn one_around_the_future_that_is_waited_for_is_its_own() {
        run_stackful(|| {
            let limit = Timeout::new(ms(1));
            assert_eq!(below_c(|| wait(limit.run(pending::<()>()))), Ok(Err(limit)));
            assert_eq!(wait(sleep(ms(1))), Ok(()));
        });
    }
}

#[test]
fn it_says_what_it_is() {
    run_stackful(|| {
        let limit = Timeout::new(ms(1));
        let cancelled: Cancelled =
            limit.run_blocking(|| wait(pending::<()>()).unwrap_err()).unwrap();
        assert_eq!(cancelled.to_string(), "the wait was cancelled");
    });
}
