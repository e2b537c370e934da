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
    let before = crate::support::worked();
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
    (crate::support::worked() - before) / green_threads
}

#[test]
fn the_end_takes_time_in_proportion_to_those_who_are_left() {
    let few = (0..5).map(|_| time_with(2_000)).min().unwrap();
    let many = (0..2).map(|_| time_with(200_000)).min().unwrap();
    // A hundred times as much where each looks at all. A machine that is busy has less in its
    // caches.
    assert!(many < 40 * few, "{few:?} each of 2,000, {many:?} of 200,000");
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
