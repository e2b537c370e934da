//! Follows eventlet tests/greenthread_test.py at c8f903a3, and what eventlet was seen to do beyond
//! it.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use eventlet::greenthread::{GreenThread, Greenlet, spawn_after_local};
use eventlet::hubs::get_hub;
use eventlet::{Exit, getcurrent, kill, sleep, spawn, spawn_after, spawn_n};
use futures::FutureExt;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::support::*;

/// Eventlet runs its tests of `spawn` again for `spawn_after`.
const DELAYS: [Option<Duration>; 3] = [None, Some(ZERO), Some(Duration::from_millis(10))];

fn start<F: Future + 'static>(delay: Option<Duration>, future: F) -> GreenThread<F::Output> {
    match delay {
        None => spawn(future),
        Some(delay) => spawn_after(delay, future),
    }
}

/// Asserts that a green thread ended in a panic with these words.
fn assert_panicked<T: std::fmt::Debug>(result: Result<T, Exit>, words: &str) {
    let exit = result.unwrap_err();
    assert!(exit.is_panic(), "{exit}");
    assert!(exit.to_string().contains(words), "{exit}");
}

/// A future that is ready, and holds something until it is dropped.
struct Holder<T> {
    _held: T,
}

impl<T> Future for Holder<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// A handle that several green threads can await, each with a borrow of its own.
type Shared<T> = Rc<RefCell<GreenThread<T>>>;

fn poll_shared<T: 'static>(gt: &Shared<T>) -> impl Future<Output = Result<T, Exit>> + use<T> {
    let gt = Rc::clone(gt);
    poll_fn(move |cx| Pin::new(&mut *gt.borrow_mut()).poll(cx))
}

mod spawning {
    use super::*;

    both_colours! {
        /// test_simple
        fn wait_gives_the_value() {
            for delay in DELAYS {
                let gt = start(delay, green!({ 1 + 2 }));
                assert_eq!(wait!(gt.wait()).unwrap(), 3);
                assert!(gt.dead());
            }
        }

        /// test_n
        fn spawn_n_is_over_after_a_turn() {
            let log = Log::new();
            let greenlet = spawn_n({
                let log = log.clone();
                green!({ log.add("ran") })
            });
            assert!(!greenlet.dead());
            assert_eq!(log.text(), "");
            wait!(sleep(ZERO));
            assert!(greenlet.dead());
            assert_eq!(log.text(), "ran");
        }

        fn spawn_keeps_the_turn() {
            let gt = keeps_turn!(spawn(green!({})));
            let greenlet = keeps_turn!(spawn_n(green!({})));
            let later = keeps_turn!(spawn_after(ZERO, green!({})));
            assert!(!gt.dead() && !greenlet.dead() && !later.dead());
            wait!(gt).unwrap();
            wait!(later).unwrap();
        }

        fn two_thousand_start_in_the_order_of_their_spawns() {
            let seen = Rc::new(RefCell::new(Vec::new()));
            for i in 0..2000 {
                let seen = Rc::clone(&seen);
                spawn_n(green!({ seen.borrow_mut().push(i) }));
            }
            wait!(sleep(ZERO));
            assert_eq!(*seen.borrow(), (0..2000).collect::<Vec<_>>());
        }

        fn all_ways_to_spawn_stand_in_one_line() {
            let log = Log::new();
            let start = |name: &'static str| {
                let log = log.clone();
                green!({ log.add(name) })
            };
            let a = spawn_after(ZERO, start("a"));
            let b = spawn(start("b"));
            spawn_n(start("c"));
            let d = spawn_after_local(ZERO, start("d"));
            let e = spawn_after(ZERO, start("e"));
            let f = spawn(start("f"));
            wait!(sleep(ZERO));
            assert_eq!(log.text(), "a b c d e f");
            for gt in [a, b, d, e, f] {
                wait!(gt).unwrap();
            }
        }

        fn what_a_green_thread_spawns_comes_after_all_that_are_ready() {
            let log = Log::new();
            let gt = spawn({
                let log = log.clone();
                green!({
                    log.add("a");
                    let log = log.clone();
                    spawn_n(green!({ log.add("c") }));
                })
            });
            spawn_n({
                let log = log.clone();
                green!({ log.add("b") })
            });
            wait!(gt).unwrap();
            wait!(sleep(ZERO));
            assert_eq!(log.text(), "a b c");
        }

        fn dropping_the_handle_leaves_it_running() {
            let log = Log::new();
            let gt = spawn({
                let log = log.clone();
                green!({
                    wait!(sleep(ms(1)));
                    log.add("ran");
                })
            });
            drop(gt);
            wait!(sleep(ms(2)));
            assert_eq!(log.text(), "ran");
        }

        fn each_has_a_number_of_its_own_and_knows_it() {
            let one = spawn(green!({ getcurrent() }));
            let two = spawn(green!({
                wait!(sleep(ZERO));
                getcurrent()
            }));
            assert_ne!(one.id(), two.id());
            assert_ne!(one.id(), getcurrent().id());
            let (one_greenlet, two_greenlet): (Greenlet, Greenlet) = (*one, *two);
            assert_eq!(wait!(one).unwrap(), one_greenlet);
            assert_eq!(wait!(two).unwrap(), two_greenlet);
        }

        fn the_number_of_an_ended_one_is_not_given_away() {
            let old = spawn(green!({}));
            wait!(old.wait()).unwrap();
            let new = spawn(green!({ wait!(pending::<()>()) }));
            assert!(old.dead() && !new.dead());
            old.kill();
            old.cancel();
            old.throw("late");
            assert!(!new.dead());
            wait!(sleep(ZERO));
            old.kill();
            assert!(!new.dead());
            new.kill();
        }

        fn a_panic_is_the_result_and_ends_nobody_else() {
            let bystander = spawn(green!({
                wait!(sleep(ms(5)));
                "well"
            }));
            let gt = spawn(green!({
                wait!(sleep(ms(1)));
                if true { panic!("oops") }
            }));
            assert_panicked(wait!(gt), "the green thread panicked: oops");
            assert_eq!(wait!(bystander).unwrap(), "well");
        }

        fn the_future_is_dropped_before_anybody_hears_of_its_end() {
            let log = Log::new();
            let gt = spawn({
                let log = log.clone();
                green!({
                    let _guard = log.at_drop("dropped");
                    wait!(sleep(ms(1)));
                })
            });
            gt.link({
                let log = log.clone();
                move |_| log.add("linked")
            });
            wait!(gt).unwrap();
            log.add("waited");
            assert_eq!(log.text(), "dropped linked waited");
        }

        fn what_a_future_holds_is_dropped_before_anybody_hears_of_its_end() {
            let log = Log::new();
            let gt = spawn(Holder { _held: log.at_drop("dropped") });
            gt.link({
                let log = log.clone();
                move |_| log.add("linked")
            });
            wait!(gt).unwrap();
            assert_eq!(log.text(), "dropped linked");
        }

        fn a_destructor_of_what_a_future_held_costs_nobody_the_value() {
            let ear = Ear::open();
            let panics = spawn(Holder { _held: OnDrop(|| panic!("in what it held")) });
            wait!(panics).unwrap();
            let heard = ear.heard();
            assert!(heard.len() == 1 && heard[0].contains("it panicked: in what it held"), "{heard:?}");
        }

        /// TestSpawnAfter.test_basic
        fn spawn_after_starts_when_its_time_has_come() {
            let start = Instant::now();
            let gt = spawn_after(ms(20), green!({ Instant::now() }));
            wait!(sleep(ms(19)));
            assert!(!gt.dead());
            assert_eq!(wait!(gt).unwrap() - start, ms(20));
        }

        /// TestSpawnAfterLocal.test_timer_fired
        fn spawn_after_local_runs_while_its_owner_lives() {
            let log = Log::new();
            let owner = spawn({
                let log = log.clone();
                green!({
                    let inner = log.clone();
                    let gt = spawn_after_local(ms(10), green!({ inner.add("fired") }));
                    wait!(sleep(ms(20)));
                    wait!(gt)
                })
            });
            wait!(sleep(ms(5)));
            assert_eq!(log.text(), "");
            wait!(owner).unwrap().unwrap();
            assert_eq!(log.text(), "fired");
        }

        /// TestSpawnAfterLocal.test_timer_cancelled_upon_greenlet_exit
        fn spawn_after_local_ends_as_killed_when_its_owner_has_ended() {
            let log = Log::new();
            let owner = spawn({
                let log = log.clone();
                green!({
                    let inner = log.clone();
                    (spawn_after_local(ms(10), green!({ inner.add("fired") })), log.at_drop(""))
                })
            });
            let (gt, _guard) = wait!(owner).unwrap();
            assert!(!gt.dead());
            wait!(sleep(ms(9)));
            assert!(!gt.dead());
            assert!(wait!(gt).unwrap_err().is_killed());
            assert_eq!(log.text(), "");
        }

        /// TestSpawnAfterLocal.test_spawn_is_not_cancelled
        fn spawn_and_spawn_after_outlive_their_spawner() {
            let log = Log::new();
            let owner = spawn({
                let log = log.clone();
                green!({
                    let (one, two) = (log.clone(), log.clone());
                    (spawn(green!({ one.add("spawn") })),
                     spawn_after(ms(10), green!({ two.add("spawn_after") })))
                })
            });
            let (now, later) = wait!(owner).unwrap();
            wait!(now).unwrap();
            wait!(later).unwrap();
            assert_eq!(log.text(), "spawn spawn_after");
        }
    }
}

mod sleeping {
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
}

mod killing {
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
}

mod linking {
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
}

mod waiting {
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
}
