//! Hubs: how they start, where they are refused, and what is left when they end.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use eventlet::hubs::get_hub;
use eventlet::runtime::Builder;
use eventlet::{
    Event, Exit, GreenPool, GreenThread, Queue, Semaphore, Timeout, getcurrent, local, run, sleep,
    spawn, spawn_after, spawn_after_local, spawn_n, with_timeout,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_local, yield_now};

use crate::support::{Ear, Log, OnDrop, ZERO, guarded, idle, ms, panics};

/// The runtimes that `local` is for.
fn runtimes() -> [tokio::runtime::Runtime; 2] {
    [
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ]
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

mod refusals {
    use super::*;
    use crate::support::panics_here;

    #[test]
    fn a_nested_run_panics_in_the_caller_s_line() {
        run(async {
            panics_here!("instead of a nested `run`", run(async {}));
            panics_here!("instead of a nested `run`", Builder::new().run(async {}));
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1, "no harm was done");
        });
    }

    #[test]
    fn run_inside_a_tokio_runtime_panics_in_the_caller_s_line() {
        for runtime in runtimes() {
            let _inside = runtime.enter();
            panics_here!("use `eventlet::local(..).await`", run(async {}));
        }
        for runtime in runtimes() {
            runtime.block_on(async { panics_here!("eventlet::local", run(async {})) });
        }
    }

    #[test]
    fn a_second_hub_on_an_os_thread_is_refused() {
        run(async {
            let second = spawn(local(async {}));
            let exit = second.await.unwrap_err();
            assert!(exit.to_string().contains("this OS thread runs a hub already"), "{exit}");
        });
        paused().block_on(async {
            local(async {
                let beside = tokio::task::LocalSet::new();
                let second = beside.run_until(async { spawn_local(local(async {})).await });
                let refused = second.await.unwrap_err();
                assert!(refused.to_string().contains("this OS thread runs a hub already"));
                assert_eq!(spawn(async { 1 }).await.unwrap(), 1, "no harm was done");
            })
            .await;
        });
    }

    #[test]
    fn whatever_needs_a_hub_says_so_in_the_caller_s_line() {
        let cure = "call it inside `eventlet::run(..)`";
        panics_here!(cure, drop(spawn(async {})));
        panics_here!(cure, spawn_n(async {}));
        panics_here!(cure, drop(spawn_after(ZERO, async {})));
        panics_here!(cure, drop(spawn_after(ms(1), async {})));
        panics_here!(cure, spawn_after_local(ms(1), async {}));
        panics_here!(cure, drop(sleep(ms(1))));
        panics_here!(cure, getcurrent());
        panics_here!(cure, get_hub());
        let tokio = paused();
        tokio.block_on(async { panics_here!(cure, spawn_n(async {})) });
    }

    #[test]
    fn a_tokio_task_beside_the_hub_is_no_green_thread() {
        run(async {
            let task = spawn_local(async {
                panics_here!("no green thread is running", getcurrent());
                panics_here!("no green thread is running", spawn_after_local(ZERO, async {}));
                // All else works there.
                sleep(ms(1)).await;
                spawn(async { 7 }).await.unwrap()
            });
            assert_eq!(task.await.unwrap(), 7);
        });
    }
}

mod several {
    use super::*;

    #[test]
    fn hubs_follow_each_other_on_one_os_thread() {
        let (kept, greenlet) = run(async {
            let kept = spawn(pending::<()>());
            let greenlet = spawn_n(pending::<()>());
            sleep(ZERO).await;
            (kept, greenlet)
        });
        assert!(kept.dead() && greenlet.dead());
        run(async move {
            let new: Vec<_> = (0..10).map(|_| spawn(pending::<()>())).collect();
            sleep(ZERO).await;
            greenlet.kill();
            kept.kill();
            kept.cancel();
            assert_eq!(get_hub().green_threads(), 11, "an old name names nobody new");
            assert!(kept.await.unwrap_err().is_killed(), "the first hub ended it");
            new.into_iter().for_each(|gt| gt.kill());
        });
        let mut builder = Builder::new();
        for _ in 0..2 {
            builder.run(async { spawn(async {}).await.unwrap() }).unwrap();
        }
    }

    #[test]
    fn every_os_thread_may_have_a_hub() {
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|i| {
                let barrier = std::sync::Arc::clone(&barrier);
                std::thread::spawn(move || {
                    run(async move {
                        barrier.wait();
                        let gts: Vec<_> = (0..100)
                            .map(|j| {
                                spawn(async move {
                                    sleep(ZERO).await;
                                    i * j
                                })
                            })
                            .collect();
                        let mut sum = 0;
                        for gt in gts {
                            sum += gt.await.unwrap();
                        }
                        barrier.wait();
                        assert_eq!(get_hub().green_threads(), 1);
                        sum
                    })
                })
            })
            .collect();
        for (i, thread) in threads.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), i * 4950);
        }
    }

    #[test]
    fn local_works_in_every_runtime() {
        for runtime in runtimes() {
            let value = runtime.block_on(guarded_local(async {
                let (sender, receiver) = oneshot::channel();
                // On a worker thread, or between the hub's polls.
                tokio::spawn(async move { sender.send(3).unwrap() });
                let gt = spawn(async {
                    sleep(ZERO).await;
                    4
                });
                spawn(async { sleep(ms(1)).await }).await.unwrap();
                receiver.await.unwrap() + gt.await.unwrap()
            }));
            assert_eq!(value, 7);
            let value = runtime.block_on(guarded_local(async { 8 }));
            assert_eq!(value, 8, "the place is free again");
        }
    }

    /// `local`, with the looks at the hub that all tests have.
    async fn guarded_local<T: 'static>(test: impl Future<Output = T> + 'static) -> T {
        let value = Rc::new(Cell::new(None));
        let test = {
            let value = Rc::clone(&value);
            async move { value.set(Some(test.await)) }
        };
        local(guarded(Box::pin(test), Duration::from_secs(60))).await;
        value.take().unwrap()
    }

    #[test]
    fn local_works_in_a_local_set_and_beside_other_tasks() {
        paused().block_on(async {
            let log = Log::new();
            let beside = log.clone();
            tokio::task::LocalSet::new()
                .run_until(async move {
                    let hub = spawn_local(local({
                        let log = log.clone();
                        async move {
                            sleep(ms(10)).await;
                            log.add("hub");
                            7
                        }
                    }));
                    let task = spawn_local(async move {
                        tokio::time::sleep(ms(5)).await;
                        beside.add("task");
                    });
                    task.await.unwrap();
                    assert_eq!(hub.await.unwrap(), 7);
                    assert_eq!(log.text(), "task hub");
                })
                .await;
        });
    }
}

mod endings {
    use super::*;

    /// Three green threads that wait, each for something else, and say so when they are dropped.
    fn park(log: &Log) -> [GreenThread<()>; 3] {
        let guards = ["timer", "never", "spinner"].map(|name| log.at_drop(name));
        let [timer, never, spinner] = guards;
        [
            spawn(async move {
                let _guard = timer;
                sleep(ms(1000)).await;
            }),
            spawn(async move {
                let _guard = never;
                pending().await
            }),
            spawn(async move {
                let _guard = spinner;
                loop {
                    sleep(ZERO).await;
                }
            }),
        ]
    }

    fn assert_all_dropped(log: &Log) {
        let text = log.text();
        let mut names: Vec<_> = text.split(' ').collect();
        names.sort_unstable();
        assert_eq!(names, ["never", "spinner", "timer"]);
    }

    #[test]
    fn a_clean_end_runs_the_destructors_of_those_who_wait() {
        let log = Log::new();
        let handles = run({
            let log = log.clone();
            async move {
                let handles = park(&log);
                sleep(ZERO).await;
                handles
            }
        });
        assert_all_dropped(&log);
        assert!(handles.iter().all(|gt| gt.dead()));
    }

    #[test]
    fn nobody_has_another_turn_when_main_has_ended() {
        let log = Log::new();
        run({
            let log = log.clone();
            async move {
                spawn_n({
                    let log = log.clone();
                    async move {
                        log.add("first");
                        sleep(ZERO).await;
                        log.add("second");
                    }
                });
                sleep(ZERO).await;
                spawn_n(async move { log.add("late") });
            }
        });
        assert_eq!(log.text(), "first");
    }

    #[test]
    fn those_who_never_started_are_dropped_too() {
        let log = Log::new();
        run({
            let log = log.clone();
            async move { drop(park(&log)) }
        });
        assert_all_dropped(&log);
    }

    #[test]
    fn a_panic_of_main_is_handed_on_and_the_rest_is_dropped() {
        let log = Log::new();
        let panicked = panics(|| {
            run({
                let log = log.clone();
                async move {
                    let _handles = park(&log);
                    sleep(ZERO).await;
                    panic!("main is over");
                }
            })
        });
        assert_eq!(panicked.message, "main is over");
        assert_all_dropped(&log);
        run(async {});
    }

    #[test]
    fn the_payload_of_main_s_panic_is_handed_on_untouched() {
        let payload = catch_unwind(|| run(async { std::panic::panic_any(7_u8) })).unwrap_err();
        assert_eq!(*payload.downcast::<u8>().unwrap(), 7);
        let payload = catch_unwind(|| {
            paused().block_on(local(async { std::panic::panic_any(8_u8) }));
        });
        assert_eq!(*payload.unwrap_err().downcast::<u8>().unwrap(), 8);
    }

    #[test]
    fn a_main_that_kills_itself_ends_the_hub_with_words() {
        let panicked = panics(|| {
            run(async {
                getcurrent().kill();
                pending::<()>().await;
            })
        });
        assert!(panicked.message.contains("the main green thread has no value"), "{panicked:?}");
        assert!(panicked.message.contains("was killed"), "{panicked:?}");
    }

    /// Runs a hub whose main green thread never ends by itself.
    fn endless(start: impl FnOnce() + 'static) -> crate::support::Panicked {
        let hub = async move {
            start();
            pending::<()>().await;
        };
        panics(|| {
            paused().block_on(async {
                let _hangs = tokio::time::timeout(ms(1000), local(hub)).await;
            });
        })
    }

    #[test]
    fn a_main_that_another_ends_ends_the_hub_with_words() {
        let panicked = endless(|| {
            let main = getcurrent();
            spawn_n(async move { main.throw("enough") });
        });
        assert!(panicked.message.contains("the main green thread has no value"), "{panicked:?}");
        assert!(panicked.message.contains("enough"), "{panicked:?}");
    }

    #[test]
    fn nobody_has_another_turn_when_one_that_ended_main_has_ended() {
        let log = Log::new();
        let late = log.clone();
        endless(move || {
            let main = getcurrent();
            spawn_n(async move { main.kill() });
            spawn_n(async move { late.add("late") });
        });
        assert_eq!(log.text(), "");
    }

    #[test]
    fn a_main_that_a_tokio_task_ends_ends_the_hub_with_words() {
        let panicked = endless(|| {
            let main = getcurrent();
            spawn_local(async move { main.kill() });
        });
        assert!(panicked.message.contains("the main green thread has no value"), "{panicked:?}");
    }

    #[test]
    fn a_main_that_a_spinner_ends_ends_the_hub_soon() {
        let turns = Rc::new(Cell::new(0));
        let counts = Rc::clone(&turns);
        let panicked = endless(move || {
            let main = getcurrent();
            spawn_n(async move {
                sleep(ZERO).await;
                main.kill();
                for turn in 0..10_000 {
                    counts.set(turn);
                    sleep(ZERO).await;
                }
            });
        });
        assert!(panicked.message.contains("the main green thread has no value"), "{panicked:?}");
        assert!(turns.get() < 1000, "{} turns", turns.get());
    }

    #[test]
    fn dropping_local_half_way_drops_every_green_thread() {
        for polls in 0..4 {
            let log = Log::new();
            paused().block_on(async {
                let mut hub = Box::pin(local({
                    let log = log.clone();
                    async move {
                        let _handles = park(&log);
                        pending::<()>().await;
                    }
                }));
                for _ in 0..polls {
                    let _ = futures::poll!(&mut hub);
                    yield_now().await;
                }
                drop(hub);
                if polls > 0 {
                    assert_all_dropped(&log);
                }
                assert_eq!(local(async { spawn(async { 7 }).await.unwrap() }).await, 7);
            });
        }
    }

    #[test]
    fn local_may_be_dropped_outside_the_runtime() {
        let log = Log::new();
        let runtime = paused();
        let mut hub = Box::pin(local({
            let log = log.clone();
            async move {
                let _handles = park(&log);
                pending::<()>().await;
            }
        }));
        runtime.block_on(async { assert!(futures::poll!(&mut hub).is_pending()) });
        drop(runtime);
        drop(hub);
        assert_all_dropped(&log);
        run(async {});
    }

    #[test]
    fn destructors_that_spawn_kill_and_sleep_during_the_end_are_harmless() {
        let log = Log::new();
        run({
            let log = log.clone();
            async move {
                let first = spawn({
                    let guard = log.at_drop("first");
                    async move {
                        let _guard = guard;
                        pending::<()>().await;
                    }
                });
                for _ in 0..3 {
                    let (log, first) = (log.clone(), *first);
                    spawn_n(async move {
                        let _guard = OnDrop(move || {
                            first.kill();
                            assert!(first.dead());
                            let never = log.at_drop("dropped");
                            let gt = spawn(async move {
                                let _never = never;
                                unreachable!("nothing starts any more")
                            });
                            let late = spawn_n(pending::<()>());
                            late.kill();
                            assert!(late.dead());
                            let killed = log.clone();
                            gt.link(move |result: &Result<(), Exit>| {
                                assert!(result.as_ref().unwrap_err().is_killed());
                                killed.add("killed");
                            });
                            let mut cx = Context::from_waker(Waker::noop());
                            let mut sleeping = sleep(ms(1));
                            assert!(Pin::new(&mut sleeping).poll(&mut cx).is_pending());
                            log.add("end");
                        });
                        pending::<()>().await;
                    });
                }
                sleep(ZERO).await;
            }
        });
        let text = log.text();
        let count = |word| text.split(' ').filter(|each| *each == word).count();
        let counts = ["first", "dropped", "killed", "end"].map(count);
        assert_eq!(counts, [1, 3, 3, 3], "{text}");
        run(async {});
    }

    /// Starts a worker, and another one whenever it ends, and counts them.
    fn supervise(started: &Rc<Cell<usize>>) {
        started.set(started.get() + 1);
        let started = Rc::clone(started);
        spawn(pending::<()>()).link(move |_| supervise(&started));
    }

    /// Spawns two of itself when it is dropped.
    struct Hydra(Rc<Cell<usize>>);

    impl Drop for Hydra {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            for _ in 0..2 {
                let head = Hydra(Rc::clone(&self.0));
                spawn_n(async move {
                    let _head = head;
                    pending::<()>().await;
                });
            }
        }
    }

    #[test]
    fn a_supervisor_does_not_keep_its_hub_from_ending() {
        let started = Rc::new(Cell::new(0));
        let ear = Ear::open();
        run({
            let started = Rc::clone(&started);
            async move {
                supervise(&started);
                sleep(ZERO).await;
                assert_eq!(started.get(), 1);
            }
        });
        assert_eq!(started.get(), 10, "the first, eight more, and one that is forgotten");
        let heard = ear.heard();
        assert!(
            heard.len() == 1 && heard[0].contains("the last of them, 1, were forgotten"),
            "{heard:?}"
        );
        run(async {});
    }

    #[test]
    fn nor_do_destructors_that_spawn() {
        let dropped = Rc::new(Cell::new(0));
        run({
            let hydra = Hydra(Rc::clone(&dropped));
            async move {
                spawn_n(async move {
                    let _hydra = hydra;
                    pending::<()>().await;
                });
                sleep(ZERO).await;
            }
        });
        assert_eq!(dropped.get(), (1 << 9) - 1, "the first, and eight generations");
        run(async {});
    }

    #[cfg(feature = "stackful")]
    #[test]
    fn nor_do_destructors_on_green_stacks() {
        let dropped = Rc::new(Cell::new(0));
        run({
            let hydra = Hydra(Rc::clone(&dropped));
            eventlet::stackful(move || {
                spawn_n(eventlet::stackful(move || {
                    let _hydra = hydra;
                    eventlet::Block::block(pending::<()>());
                }));
                eventlet::Block::block(sleep(ZERO));
            })
        });
        assert_eq!(dropped.get(), (1 << 9) - 1);
        run(async {});
    }

    #[test]
    fn a_hub_that_stands_beside_a_runtime_ends_as_well() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let started = Rc::new(Cell::new(0));
        let supervisor = Rc::clone(&started);
        runtime.block_on(local(async move { supervise(&supervisor) }));
        assert_eq!(started.get(), 10);
    }

    /// Returns how long a hub with so many green threads takes for each, from its start to its end.
    fn time_with(green_threads: u32) -> Duration {
        let drops = Rc::new(Cell::new(0));
        let start = std::time::Instant::now();
        run({
            let drops = Rc::clone(&drops);
            async move {
                for _ in 0..green_threads {
                    let drops = Rc::clone(&drops);
                    let guard = OnDrop(move || drops.set(drops.get() + 1));
                    spawn_n(async move { drop(guard) });
                }
            }
        });
        assert_eq!(drops.get(), green_threads);
        start.elapsed() / green_threads
    }

    #[test]
    fn the_end_takes_time_in_proportion_to_those_who_are_left() {
        let few = (0..5).map(|_| time_with(2_000)).min().unwrap();
        let many = (0..2).map(|_| time_with(200_000)).min().unwrap();
        // A hundred times as much where each looks at all.
        assert!(many < 15 * few, "{few:?} each of 2,000, {many:?} of 200,000");
    }

    #[test]
    fn links_run_and_waiters_beside_the_hub_wake_when_it_ends() {
        paused().block_on(async {
            let log = Log::new();
            let gt = local({
                let log = log.clone();
                async move {
                    let gt = spawn(pending::<()>());
                    gt.link(move |result| {
                        assert!(result.as_ref().unwrap_err().is_killed());
                        log.add("linked");
                    });
                    sleep(ZERO).await;
                    gt
                }
            })
            .await;
            assert_eq!(log.text(), "linked");
            assert!(gt.await.unwrap_err().is_killed());
        });
    }

    #[test]
    fn a_destructor_that_panics_during_the_end_stops_nobody() {
        let log = Log::new();
        run({
            let log = log.clone();
            async move {
                for i in 0..3 {
                    let log = log.clone();
                    spawn_n(async move {
                        let _guard = OnDrop(move || {
                            log.add(i);
                            panic!("in a destructor");
                        });
                        pending::<()>().await;
                    });
                }
                sleep(ZERO).await;
            }
        });
        assert_eq!(log.text().len(), "0 1 2".len());
    }

    #[test]
    fn a_waker_that_outlives_its_hub_wakes_nobody() {
        let waker = run(async {
            let gt = spawn(std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone())));
            gt.await.unwrap()
        });
        waker.wake_by_ref();
        run(async move {
            let woken = Rc::new(Cell::new(0));
            let counts = Rc::clone(&woken);
            let gt = spawn(std::future::poll_fn(move |_| {
                counts.set(counts.get() + 1);
                Poll::<()>::Pending
            }));
            sleep(ZERO).await;
            waker.wake_by_ref();
            std::thread::spawn(move || waker.wake()).join().unwrap();
            for _ in 0..3 {
                sleep(ZERO).await;
            }
            assert_eq!(woken.get(), 1);
            gt.kill();
        });
    }
}

mod tokio_inside {
    use super::*;
    use crate::support::{both_colours, run_in_real_time};

    tokio::task_local! {
        static NAME: &'static str;
    }

    both_colours! {
        fn tokio_tasks_run_beside_green_threads() {
            let (sender, mut receiver) = mpsc::channel(1);
            let other = sender.clone();
            let task = tokio::spawn(async move { sender.send("spawn").await.unwrap() });
            let local = spawn_local(async move { other.send("spawn_local").await.unwrap() });
            assert_eq!(wait!(receiver.recv()), Some("spawn"));
            assert_eq!(wait!(receiver.recv()), Some("spawn_local"));
            assert_eq!(wait!(receiver.recv()), None);
            wait!(task).unwrap();
            wait!(local).unwrap();
        }

        fn a_join_set_works() {
            let gt = spawn(green!({
                let mut set = JoinSet::new();
                for i in 0..10 {
                    set.spawn_local(async move {
                        yield_now().await;
                        i
                    });
                }
                let mut sum = 0;
                while let Some(value) = wait!(set.join_next()) {
                    sum += value.unwrap();
                }
                sum
            }));
            assert_eq!(wait!(gt).unwrap(), 45);
        }

        fn task_locals_belong_to_their_scope() {
            let names = ["one", "two"].map(|name| {
                spawn(NAME.scope(name, green!({
                    let before = NAME.get();
                    wait!(sleep(ZERO));
                    (before, NAME.get())
                })))
            });
            let [one, two] = names;
            assert_eq!(wait!(one).unwrap(), ("one", "one"));
            assert_eq!(wait!(two).unwrap(), ("two", "two"));
            assert!(NAME.try_with(|_| ()).is_err());
        }

        fn tokio_s_timers_wake_green_threads() {
            let start = tokio::time::Instant::now();
            wait!(tokio::time::sleep(ms(5)));
            assert_eq!(start.elapsed(), ms(5));
            let late = wait!(tokio::time::timeout(ms(5), green!({ wait!(sleep(ms(10))) })));
            assert!(late.is_err());
            assert_eq!(start.elapsed(), ms(10));
            wait!(idle());
            assert_eq!(get_hub().timers(), 0);
        }

        fn a_green_thread_that_was_aborted_in_a_tokio_task_is_let_go() {
            let gt = spawn(green!({
                wait!(sleep(ms(10)));
                7
            }));
            let gt = Rc::new(gt);
            let task = spawn_local({
                let gt = Rc::clone(&gt);
                async move { gt.wait().await }
            });
            wait!(sleep(ms(1)));
            task.abort();
            assert!(wait!(task).unwrap_err().is_cancelled());
            assert_eq!(wait!(gt.wait()).unwrap(), 7);
        }

        fn the_blocking_pool_wakes_green_threads() {
            let gt = spawn(green!({
                let jobs: Vec<_> = (0..20).map(|i| tokio::task::spawn_blocking(move || i)).collect();
                let mut sum = 0;
                for job in jobs {
                    sum += wait!(job).unwrap();
                }
                sum
            }));
            assert_eq!(wait!(gt).unwrap(), 190);
        }
    }

    #[test]
    fn a_channel_fed_by_another_os_thread_loses_nothing() {
        run_in_real_time(async {
            let (sender, mut receiver) = mpsc::channel(4);
            let feeder = std::thread::spawn(move || {
                for i in 0..2000 {
                    sender.blocking_send(i).unwrap();
                }
            });
            let gt = spawn(async move {
                let mut seen = Vec::new();
                while let Some(i) = receiver.recv().await {
                    seen.push(i);
                }
                seen
            });
            assert_eq!(gt.await.unwrap(), (0..2000).collect::<Vec<_>>());
            feeder.join().unwrap();
        });
    }

    #[test]
    fn a_spent_budget_moves_the_hub_on_and_nobody_is_passed_over() {
        run_in_real_time(async {
            // Each has far more ready than one poll's budget of 128.
            let seen = Rc::new(RefCell::new(Vec::new()));
            let gts: Vec<_> = (0..3)
                .map(|name| {
                    let seen = Rc::clone(&seen);
                    let (sender, mut receiver) = mpsc::unbounded_channel();
                    (0..1000).for_each(|i| sender.send(i).unwrap());
                    drop(sender);
                    spawn(async move {
                        while receiver.recv().await.is_some() {
                            seen.borrow_mut().push(name);
                        }
                    })
                })
                .collect();
            for gt in gts {
                gt.await.unwrap();
            }
            let seen = seen.borrow();
            assert_eq!(seen.len(), 3000);
            let longest = seen.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap();
            assert!(longest <= 128 * 2, "one had {longest} turns' worth in a row");
        });
    }

    #[test]
    fn the_options_of_a_builder_reach_the_runtime() {
        let name = Builder::new().thread_name("here").max_blocking_threads(1).run(async {
            let job = || std::thread::current().name().map(str::to_owned);
            tokio::task::spawn_blocking(job).await.unwrap()
        });
        assert_eq!(name.unwrap().as_deref(), Some("here"));
        let refused = catch_unwind(AssertUnwindSafe(|| {
            Builder::new().max_blocking_threads(0);
        }));
        assert!(refused.is_err());
    }
}

/// What was made in one hub is good in the next one of the same OS thread, or says why not.
mod next_hub {
    use super::*;

    /// Polls a future once in a hub, which ends then.
    fn begun<F: Future + Unpin + 'static>(make: impl FnOnce() -> F + 'static) -> F {
        run(async move {
            let mut future = make();
            assert!(futures::poll!(&mut future).is_pending());
            future
        })
    }

    /// Waits in a hub, and asserts that it takes no longer than it should.
    fn ends<F: Future + 'static>(future: F) -> F::Output {
        Builder::new().run(guarded(future, Duration::from_secs(20))).unwrap()
    }

    async fn guarded<F: Future>(future: F, limit: Duration) -> F::Output {
        tokio::time::timeout(limit, future).await.expect("it hangs")
    }

    #[test]
    fn a_sleep_ends() {
        let start = Instant::now();
        ends(run(async { sleep(ms(5)) }));
        assert!(start.elapsed() >= ms(5));
        ends(begun(|| sleep(ms(5))));
        ends(begun(|| sleep(ZERO)));
    }

    #[test]
    fn a_sleep_keeps_its_moment() {
        let nap = run(async { sleep(Duration::from_secs(60)) });
        Builder::new()
            .start_paused(true)
            .run(async move {
                let start = tokio::time::Instant::now();
                nap.await;
                assert!(start.elapsed() <= Duration::from_secs(60));
                assert!(start.elapsed() >= Duration::from_secs(50));
            })
            .unwrap();
    }

    #[test]
    fn a_limit_passes() {
        assert!(ends(run(async { with_timeout(ms(5), pending::<()>()) })).is_err());
        assert!(ends(begun(|| Box::pin(with_timeout(ms(5), pending::<()>())))).is_err());
        assert_eq!(ends(begun(|| Box::pin(with_timeout(ms(60_000), sleep(ms(5)))))), Ok(()));
    }

    #[test]
    fn an_armed_limit_concerns_nobody() {
        let armed = run(async { Timeout::start(ms(1)) });
        ends(async move {
            sleep(ms(5)).await;
            drop(armed);
        });
    }

    #[test]
    fn a_queue_an_event_and_a_semaphore_serve_those_who_wait() {
        let queue = Queue::new(1);
        let getter = begun({
            let queue = queue.clone();
            || Box::pin(async move { queue.get().await })
        });
        let other = queue.clone();
        ends(async move {
            spawn_n(async move { other.put(7).await });
            assert_eq!(getter.await, 7);
        });

        let event = Event::new();
        let waiter = begun({
            let event = event.clone();
            || Box::pin(async move { event.wait().await })
        });
        ends(async move {
            event.send(7);
            assert_eq!(waiter.await.unwrap(), 7);
        });

        let semaphore = Rc::new(Semaphore::new(0));
        let waiter = begun({
            let semaphore = Rc::clone(&semaphore);
            || Box::pin(async move { semaphore.acquire().await })
        });
        ends(async move {
            semaphore.release();
            waiter.await;
        });
    }

    #[test]
    fn a_green_thread_of_the_last_hub_has_ended() {
        let parked = run(async { spawn(pending::<()>()) });
        let delayed = run(async { spawn_after(ms(1), async {}) });
        let waiter = begun(|| Box::pin(spawn(pending::<()>())));
        assert!(parked.dead() && delayed.dead());
        ends(async move {
            parked.kill();
            for ended in [parked.await, delayed.await, waiter.await] {
                assert!(ended.unwrap_err().is_killed());
            }
        });
    }

    #[test]
    fn a_pool_has_all_its_slots() {
        let pool = run(async {
            let pool = GreenPool::new(2);
            pool.spawn_n(pending::<()>()).await;
            pool.spawn_n(pending::<()>()).await;
            pool
        });
        assert_eq!((pool.free(), pool.running()), (2, 0));
        ends(async move {
            assert_eq!(pool.spawn(async { 7 }).await.await.unwrap(), 7);
            pool.waitall().await;
        });
    }

    #[cfg(feature = "stackful")]
    #[test]
    fn a_stack_that_has_started_goes_on() {
        use eventlet::{Block, stackful};

        let half = begun(|| {
            Box::pin(stackful(|| {
                sleep(ms(5)).block();
                sleep(ms(5)).block();
                7
            }))
        });
        assert_eq!(ends(half), 7);
    }

    #[cfg(feature = "stackful")]
    #[test]
    fn a_socket_says_that_its_hub_has_ended() {
        use std::io::Read;

        use eventlet::green::net::{TcpListener, TcpStream};
        use eventlet::stackful;

        let (mut client, _conn) = run(stackful(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (client, listener.accept().unwrap().0)
        }));
        let error = ends(stackful(move || client.read(&mut [0]).unwrap_err()));
        assert!(error.to_string().contains("shutdown"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_descriptor_that_was_waited_for_can_be_waited_for() {
        use std::io::Write;
        use std::os::unix::net::UnixStream;

        use eventlet::hubs::{Interest, trampoline};

        let (here, mut there) = UnixStream::pair().unwrap();
        let here = Rc::new(here);
        let same = Rc::clone(&here);
        let old = begun(|| Box::pin(trampoline(same, Interest::Read, None)));
        ends(async move {
            let new = spawn(trampoline(here, Interest::Read, None));
            sleep(ZERO).await;
            there.write_all(b"x").unwrap();
            new.await.unwrap().unwrap();
            let gone = old.await.unwrap_err().to_string();
            assert!(gone.contains("shutdown"), "{gone}");
        });
    }
}

/// Calls that nothing can interrupt, and a hub that ends.
mod left_behind {
    use super::*;
    use crate::support::Ear;

    #[test]
    fn what_blocks_is_waited_for_within_the_limit() {
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let ear = Ear::open();
        Builder::new()
            .shutdown_timeout(ms(20))
            .run(async move {
                tokio::task::spawn_blocking(move || {
                    begun.send(()).unwrap();
                    let _disconnected = ended.recv();
                });
                has_begun.recv().unwrap();
            })
            .unwrap();
        let words =
            "the hub has ended, and what was given to Tokio's `spawn_blocking` goes on without it";
        assert_eq!(ear.heard(), [words]);
        drop(end);
    }

    #[test]
    fn what_ends_in_time_is_no_matter() {
        let ear = Ear::open();
        let (done, is_done) = std::sync::mpsc::channel();
        run(async move {
            tokio::task::spawn_blocking(move || done.send(()).unwrap());
        });
        // Either it never began, or it was waited for.
        let _ended = is_done.try_recv();
        assert!(ear.heard().is_empty());
    }

    #[test]
    fn a_panic_of_main_waits_no_longer() {
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let panicked = panics(|| {
            Builder::new().shutdown_timeout(ms(20)).run(async move {
                tokio::task::spawn_blocking(move || {
                    begun.send(()).unwrap();
                    let _disconnected = ended.recv();
                });
                has_begun.recv().unwrap();
                panic!("oops");
            })
        });
        assert_eq!(panicked.message, "oops");
        drop(end);
    }
}
