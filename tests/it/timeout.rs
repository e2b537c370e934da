// eventlet tests/timeout_test.py and tests/timeout_with_statement_test.py at c8f903a3

use std::future::pending;
use std::io;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use eventlet::hubs::get_hub;
use eventlet::{Event, Exit, Queue, Semaphore, Timeout, is_timeout, sleep, spawn, with_timeout};
use tokio::time::Instant;

use crate::crowd::sharing;
use crate::support::{Log, ZERO, both_colours, idle, ms, panics_here};

both_colours! {
    // test_with_timeout
    fn a_limit_that_passes_is_the_error() {
        let start = Instant::now();
        let limit = Timeout::new(ms(10));
        assert_eq!(wait!(limit.run(sleep(ms(20)))), Err(limit));
        assert_eq!(start.elapsed(), ms(10));
    }

    // test_with_timeout
    fn what_is_in_time_gives_its_value_and_nothing_fires_later() {
        let limit = Timeout::new(ms(10));
        assert_eq!(wait!(limit.run(async { sleep(ms(5)).await; 7 })), Ok(7));
        assert_eq!(get_hub().timers(), 0);
        wait!(sleep(ms(20)));
    }

    fn a_limit_may_be_used_again_and_counts_anew() {
        let limit = Timeout::new(ms(10));
        for _ in 0..3 {
            assert_eq!(wait!(limit.run(sleep(ms(9)))), Ok(()));
        }
        assert_eq!(wait!(limit.run(sleep(ms(11)))), Err(limit));
    }

    // test_dummy_timer
    fn no_limit_never_passes() {
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        assert_eq!(wait!(Timeout::new(None).run(sleep(year))), Ok(()));
        assert_eq!(wait!(with_timeout(Duration::MAX, sleep(ms(1)))), Ok(()));
    }

    fn an_absurd_limit_never_passes() {
        let (semaphore, event) = (Semaphore::new(0), Event::new());
        let (queue, channel) = (Queue::new(None), Queue::new(0));
        for limit in [Duration::MAX, Duration::MAX / 2, Duration::from_nanos(u64::MAX)] {
            let helper = spawn(sharing!(semaphore, event, queue, channel => {
                let _armed = Timeout::new(limit).arm();
                wait!(sleep(ms(1)));
                semaphore.release();
                wait!(sleep(ms(1)));
                queue.put_nowait(1).unwrap();
                wait!(sleep(ms(1)));
                assert_eq!(channel.get_nowait(), Ok(2));
                wait!(sleep(ms(1)));
                event.send(3);
            }));
            assert!(wait!(semaphore.acquire_timeout(limit)));
            assert_eq!(wait!(queue.get_timeout(limit)), Ok(1));
            assert_eq!(wait!(channel.put_timeout(2, limit)), Ok(()));
            assert_eq!(wait!(event.wait_timeout(limit)).unwrap().unwrap(), 3);
            event.reset();
            wait!(helper).unwrap();
        }
    }

    fn a_limit_of_zero_gives_one_turn() {
        let zero = Timeout::new(ZERO);
        assert_eq!(wait!(zero.run(async { 1 })), Ok(1));
        assert_eq!(wait!(zero.run(pending::<()>())), Err(zero));
        assert_eq!(wait!(zero.run(sleep(ZERO))), Ok(()));
    }

    // test_nested_timeout, test_with_outer_timer
    fn the_earlier_limit_fires_whichever_is_outside() {
        for (outer, inner) in [(10, 20), (20, 10)] {
            let (outer, inner) = (Timeout::new(ms(outer)), Timeout::new(ms(inner)));
            let result = wait!(outer.run(inner.run(pending::<()>())));
            let expected = if outer.limit() < inner.limit() { Err(outer) } else { Ok(Err(inner)) };
            assert_eq!(result, expected);
        }
    }

    // test_nested_timeout
    fn of_equal_limits_the_outermost_fires() {
        let limits = [(); 4].map(|()| Timeout::new(ms(10)));
        let result = wait!(limits[0].run(async move {
            limits[1].run(limits[2].run(limits[3].run(pending::<()>()))).await
        }));
        assert_eq!(result, Err(limits[0]));
    }

    fn what_is_ready_at_once_never_has_the_clock_read() {
        let start = Instant::now();
        let limit = Timeout::new(ms(10));
        let result = wait!(limit.run(async {
            assert_eq!(with_timeout(ms(1), async { 7 }).await, Ok(7));
            // Its first poll moves the clock: the limit starts when that is over.
            tokio::time::advance(ms(5)).await;
            pending::<()>().await;
        }));
        assert_eq!((result, start.elapsed()), (Err(limit), ms(15)));
    }

    fn of_equal_limits_the_outermost_fires_however_long_the_first_poll_takes() {
        let start = Instant::now();
        let [outer, middle, inner] = [(); 3].map(|()| Timeout::new(ms(10)));
        let result = wait!(outer.run(middle.run(async {
            tokio::join!(biased; inner.run(pending::<()>()), tokio::time::advance(ms(5)))
        })));
        assert_eq!((result.map(|_| ()), start.elapsed()), (Err(outer), ms(10)));
    }

    fn of_limits_that_have_all_passed_the_earliest_fires() {
        // Everybody computes past all of them: only then does the clock get a look.
        for (outer, inner) in [(10, 20), (20, 10), (10, 10)] {
            let (outer, inner) = (Timeout::new(ms(outer)), Timeout::new(ms(inner)));
            let result = wait!(outer.run(inner.run(async {
                sleep(ZERO).await;
                tokio::time::advance(ms(100)).await;
                pending::<()>().await;
            })));
            let expected = if outer.limit() <= inner.limit() { Err(outer) } else { Ok(Err(inner)) };
            assert_eq!(result, expected);
        }
    }

    fn of_three_limits_that_have_all_passed_the_earliest_fires() {
        for [a, b, c] in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            let [outer, middle, inner] = [a, b, c].map(|length| Timeout::new(ms(length)));
            let result = wait!(outer.run(middle.run(inner.run(async {
                sleep(ZERO).await;
                tokio::time::advance(ms(100)).await;
                pending::<()>().await;
            }))));
            let expected = match (a, b) {
                (1, _) => Err(outer),
                (_, 1) => Ok(Err(middle)),
                _ => Ok(Ok(Err(inner))),
            };
            assert_eq!(result, expected, "{a} around {b} around {c}");
        }
    }

    // test_nested_timeout
    fn a_silent_limit_does_not_silence_the_one_around_it() {
        let outer = Timeout::new(ms(10));
        let result = wait!(outer.run(async { Timeout::new(ms(20)).run(pending::<()>()).await.ok() }));
        assert_eq!(result, Err(outer));
        assert_eq!(wait!(Timeout::new(ms(10)).run(pending::<()>())).ok(), None);
    }

    fn what_is_bounded_is_dropped_when_the_limit_passes() {
        let log = Log::new();
        let guard = log.at_drop("dropped");
        let result = wait!(with_timeout(ms(1), async move {
            let _guard = guard;
            pending::<()>().await;
        }));
        log.add("returned");
        assert!(result.is_err());
        assert_eq!(log.text(), "dropped returned");
    }

    fn an_item_on_its_way_to_what_timed_out_is_not_lost() {
        let queue = Queue::new(None);
        let getter = spawn({
            let queue = queue.clone();
            async move { with_timeout(ms(10), queue.get()).await }
        });
        wait!(sleep(ms(10)));
        // It was put at the very moment.
        queue.put_nowait("item").unwrap();
        match wait!(getter).unwrap() {
            Ok(item) => assert_eq!((item, queue.qsize()), ("item", 0)),
            Err(_) => assert_eq!(queue.get_nowait(), Ok("item")),
        }
    }

    fn a_permit_on_its_way_to_what_timed_out_is_not_lost() {
        let semaphore = Semaphore::new(0);
        let late = spawn({
            let semaphore = semaphore.clone();
            async move { with_timeout(ms(10), semaphore.acquire()).await.is_ok() }
        });
        let next = spawn({
            let semaphore = semaphore.clone();
            async move { semaphore.acquire().await }
        });
        wait!(sleep(ms(10)));
        semaphore.release();
        if wait!(late).unwrap() {
            semaphore.release();
        }
        assert!(wait!(next).is_ok());
        assert_eq!(semaphore.counter(), 0);
    }

    fn a_limit_does_not_touch_the_green_thread_that_is_waited_for() {
        let slow = spawn(green!({ wait!(sleep(ms(20))); 7 }));
        assert!(wait!(with_timeout(ms(10), slow.wait())).is_err());
        assert_eq!(wait!(slow).unwrap(), 7);
    }

    // test_cancellation, test_cancel_timer_inside_block
    fn an_armed_limit_that_is_dropped_in_time_does_nothing() {
        let limit = Timeout::start(ms(10));
        wait!(sleep(ms(5)));
        drop(limit);
        assert_eq!(get_hub().timers(), 0);
        wait!(sleep(ms(10)));
    }

    fn an_armed_limit_ends_its_green_thread_and_nobody_else() {
        let log = Log::new();
        let limit = Timeout::new(ms(10));
        let bounded = spawn({
            let guard = log.at_drop("dropped");
            green!({
                let _limit = limit.arm();
                let _guard = guard;
                wait!(pending::<()>());
            })
        });
        bounded.link({ let log = log.clone(); move |_| log.add("linked") });
        let other = spawn(green!({ wait!(sleep(ms(20))); }));
        let exit: Exit = wait!(bounded).unwrap_err();
        assert!(exit.is_timeout() && !exit.is_killed() && !exit.is_panic());
        assert_eq!(exit.downcast_ref(), Some(&limit));
        assert_eq!(log.text(), "dropped linked");
        assert!(wait!(other).is_ok());
    }

    // test_raising_custom_exception
    fn an_armed_limit_with_an_error_of_its_own_ends_with_that() {
        let bounded = spawn(green!({
            let _limit = Timeout::new(ms(1)).arm_with(io::Error::other("mine"));
            wait!(pending::<()>());
        }));
        let exit = wait!(bounded).unwrap_err();
        assert!(!exit.is_timeout());
        assert_eq!(exit.downcast_ref::<io::Error>().unwrap().to_string(), "mine");
    }

    fn a_limit_armed_for_ever_sets_no_timer() {
        let _limit = Timeout::start(None);
        assert_eq!(get_hub().timers(), 0);
        wait!(sleep(ms(1)));
    }

    fn an_armed_limit_of_one_that_ends_first_never_fires() {
        let quick = spawn(green!({ std::mem::forget(Timeout::start(ms(10))) }));
        assert!(wait!(quick).is_ok());
        // Its key is stale by then: whoever has the slot now is left alone.
        let next = spawn(green!({ wait!(sleep(ms(20))); }));
        assert!(wait!(next).is_ok());
        wait!(idle());
    }

    fn limits_in_a_hundred_green_threads_fire_each_in_its_own() {
        let gts: Vec<_> = (0..100_u64).map(|n| spawn(green!({
            let limit = Timeout::new(ms(10 + n % 7));
            let result = wait!(limit.run(sleep(ms(10 + n % 5))));
            assert_eq!(result.is_ok(), n % 5 <= n % 7, "{n}");
        }))).collect();
        for gt in gts {
            wait!(gt).unwrap();
        }
    }
}

// test_is_timeout_attribute
#[test]
fn is_timeout_knows_every_kind() {
    #[derive(Debug)]
    struct Wrapped(Timeout);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl std::error::Error for Wrapped {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let timeout = Timeout::new(ms(1));
    assert!(is_timeout(&timeout));
    assert!(is_timeout(&io::Error::from(timeout)));
    assert!(is_timeout(&io::Error::from(io::ErrorKind::TimedOut)));
    assert!(is_timeout(&Wrapped(timeout)));
    assert!(is_timeout(&io::Error::other(timeout)));
    assert!(is_timeout(&io::Error::other(Wrapped(timeout))));
    assert!(is_timeout(&io::Error::other(io::Error::from(timeout))));
    assert!(is_timeout(&RecvTimeoutError::Timeout));
    assert!(!is_timeout(&RecvTimeoutError::Disconnected));
    assert!(!is_timeout(&io::Error::other("no")));
    assert!(!is_timeout(&io::Error::from(io::ErrorKind::WouldBlock)));
    assert_eq!(io::Error::from(timeout).kind(), io::ErrorKind::TimedOut);
}

// test_repr
#[test]
fn a_limit_says_how_long_it_was() {
    assert_eq!(Timeout::new(ms(1500)).to_string(), "timed out after 1.5s");
    assert_eq!(Timeout::new(None).to_string(), "timed out");
    assert_eq!(format!("{:?}", Timeout::new(ms(10))), "Timeout(Some(10ms))");
}

#[test]
fn limits_are_told_apart_across_os_threads() {
    let make = || (0..100_000).map(|_| Timeout::new(None)).collect::<Vec<_>>();
    let threads = [(); 3].map(|()| std::thread::spawn(make));
    let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let distinct: std::collections::HashSet<_> = all.iter().copied().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn a_limit_without_a_hub_panics_in_the_caller_s_line() {
    let (cure, limit) = ("a time limit needs a hub", ms(1));
    panics_here!(cure, drop(with_timeout(limit, pending::<()>())));
    panics_here!(cure, drop(Timeout::new(limit).run(pending::<()>())));
    panics_here!(cure, drop(Semaphore::new(0).acquire_timeout(limit)));
    panics_here!(cure, drop(Event::<()>::new().wait_timeout(limit)));
    panics_here!(cure, drop(Queue::new(0).put_timeout(1, limit)));
    panics_here!(cure, drop(Queue::<()>::new(0).get_timeout(limit)));
}

#[cfg(feature = "stackful")]
mod run_blocking {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use eventlet::{Block, Event, stackful};

    use super::*;
    use crate::support::{last_panic, panics_here, run};

    fn on_a_stack(test: impl FnOnce() + 'static) {
        run(stackful(test));
    }

    #[test]
    fn the_function_is_unwound_in_place_and_no_hook_is_called() {
        on_a_stack(|| {
            let log = Log::new();
            let limit = Timeout::new(ms(10));
            last_panic();
            let result = limit.run_blocking(|| {
                let _guard = log.at_drop("dropped");
                sleep(ms(20)).block();
                log.add("never");
            });
            log.add("returned");
            assert_eq!(result, Err(limit));
            assert_eq!(log.text(), "dropped returned");
            assert!(last_panic().is_none() && !std::thread::panicking());
            // And the green thread goes on as ever.
            sleep(ms(20)).block();
            assert_eq!(get_hub().timers(), 0);
        });
    }

    #[test]
    fn a_function_in_time_returns_its_value() {
        on_a_stack(|| {
            let limit = Timeout::new(ms(10));
            assert_eq!(limit.run_blocking(|| 7), Ok(7));
            let twice = || (0..2).for_each(|_| sleep(ms(4)).block());
            assert_eq!(limit.run_blocking(twice), Ok(()));
            assert_eq!(Timeout::new(None).run_blocking(|| sleep(ms(99)).block()), Ok(()));
        });
    }

    #[test]
    fn the_limit_is_on_all_waits_together() {
        on_a_stack(|| {
            let start = Instant::now();
            let limit = Timeout::new(ms(10));
            let forever = || loop {
                sleep(ms(3)).block()
            };
            assert_eq!(limit.run_blocking(forever), Err(limit));
            assert_eq!(start.elapsed(), ms(10));
        });
    }

    #[test]
    fn limits_nest_in_every_order_and_with_those_of_futures() {
        on_a_stack(|| {
            for (outer, inner) in [(10, 20), (20, 10), (10, 10)] {
                let (outer, inner) = (Timeout::new(ms(outer)), Timeout::new(ms(inner)));
                let fires =
                    if outer.limit() <= inner.limit() { Err(outer) } else { Ok(Err(inner)) };
                let forever = || pending::<()>().block();
                assert_eq!(outer.run_blocking(|| inner.run_blocking(forever)), fires);
                let future = || inner.run(pending::<()>()).block();
                assert_eq!(outer.run_blocking(future), fires);
                let stack = stackful(move || inner.run_blocking(|| pending::<()>().block()));
                assert_eq!(outer.run(stack).block(), fires);
            }
        });
    }

    #[test]
    fn code_that_catches_the_unwind_meets_it_again() {
        on_a_stack(|| {
            let limit = Timeout::new(ms(10));
            let mut caught = 0;
            let result = limit.run_blocking(|| {
                for _ in 0..3 {
                    let swallow = catch_unwind(AssertUnwindSafe(|| sleep(ms(20)).block()));
                    caught += usize::from(swallow.is_err());
                }
                sleep(ms(20)).block();
            });
            assert_eq!((result, caught), (Err(limit), 3));
        });
    }

    #[test]
    fn a_panic_of_the_function_is_handed_on() {
        on_a_stack(|| {
            let run = || Timeout::new(ms(10)).run_blocking(|| panic!("oops"));
            let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
            assert_eq!(*payload.downcast::<&str>().unwrap(), "oops");
            assert_eq!(get_hub().timers(), 0);
        });
    }

    #[test]
    fn a_kill_is_no_timeout() {
        on_a_stack(|| {
            let log = Log::new();
            let victim = spawn(stackful({
                let log = log.clone();
                move || {
                    let _result = Timeout::new(ms(10)).run_blocking(|| {
                        let _guard = log.at_drop("dropped");
                        pending::<()>().block();
                    });
                    log.add("never");
                }
            }));
            sleep(ZERO).block();
            victim.kill();
            assert!(victim.block().unwrap_err().is_killed());
            assert_eq!(log.text(), "dropped");
        });
    }

    #[test]
    fn a_wait_for_an_event_is_bounded_and_the_event_stays_good() {
        on_a_stack(|| {
            let event = Event::new();
            let limit = Timeout::new(ms(1));
            assert!(limit.run_blocking(|| event.wait().block()).is_err());
            event.send(1);
            assert_eq!(limit.run_blocking(|| event.wait().block()).unwrap().unwrap(), 1);
        });
    }

    #[test]
    fn without_a_green_stack_it_panics_with_the_cure() {
        run(async {
            let limit = Timeout::new(ms(1));
            panics_here!("`run_blocking` needs a green stack", limit.run_blocking(|| ()));
        });
    }
}
