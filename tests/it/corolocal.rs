//! Follows the Locals of eventlet tests/thread_test.py at c8f903a3, and the laws of
//! `thread_local!`.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

use eventlet::corolocal::{Local, get_ident};
use eventlet::runtime::Builder;
use eventlet::{GreenPool, getcurrent, kill, sleep, spawn, spawn_n};

use crate::support::*;

static COUNTER: Local<Cell<u32>> = Local::new(|| Cell::new(0));

fn count() -> u32 {
    COUNTER.with(|counter| {
        counter.set(counter.get() + 1);
        counter.get()
    })
}

/// Does something when it is dropped.
type Noise = OnDrop<Box<dyn FnMut()>>;

/// A local whose values add a line to the log when they are dropped.
fn noisy(log: &Log, what: &'static str) -> Local<Noise, impl Fn() -> Noise + Clone + use<>> {
    let log = log.clone();
    Local::new(move || log.at_drop(what))
}

/// Asks a local for its value, which is made thereby.
fn touch<T: 'static, F: Fn() -> T>(local: &Local<T, F>) {
    local.with(|_| ());
}

both_colours! {
    /// test_assignment, test_calling_methods
    fn each_green_thread_has_its_own_value() {
        assert_eq!((count(), count()), (1, 2));
        let other = spawn(green!({
            let first = count();
            wait!(sleep(ZERO));
            (first, count())
        }));
        wait!(sleep(ZERO));
        assert_eq!(count(), 3);
        assert_eq!(wait!(other).unwrap(), (1, 2));
        assert_eq!(count(), 4);
    }

    /// test_calls_init
    fn the_value_is_made_when_it_is_first_asked_for() {
        let made = Rc::new(RefCell::new(Vec::new()));
        let local = Local::new({
            let made = Rc::clone(&made);
            move || made.borrow_mut().push(getcurrent().id())
        });
        let gt = spawn({
            let local = local.clone();
            green!({
                touch(&local);
                touch(&local);
            })
        });
        let id = gt.id();
        wait!(gt).unwrap();
        assert_eq!(*made.borrow(), [id]);
        touch(&local);
        assert_eq!(*made.borrow(), [id, getcurrent().id()]);
    }

    /// test_no_leaking
    fn values_go_with_their_green_threads() {
        let value = Rc::new(());
        let local = Rc::new(Local::new({
            let value = Rc::clone(&value);
            move || Rc::clone(&value)
        }));
        let kept = Rc::strong_count(&value);
        touch(&*local);
        let pool = GreenPool::default();
        for _ in 0..100 {
            let local = Rc::clone(&local);
            wait!(pool.spawn_n(green!({
                touch(&*local);
                wait!(sleep(ZERO));
            })));
        }
        wait!(sleep(ZERO));
        assert_eq!(Rc::strong_count(&value), kept + 101);
        wait!(pool.waitall());
        drop(pool);
        assert_eq!(Rc::strong_count(&value), kept + 1);
    }

    fn a_spawned_green_thread_inherits_nothing() {
        count();
        let outer = spawn(green!({
            count();
            let inner = spawn(green!({ count() }));
            wait!(inner).unwrap()
        }));
        assert_eq!(wait!(outer).unwrap(), 1);
    }

    fn values_are_dropped_after_destructors_and_links_and_before_waiters() {
        let log = Log::new();
        let (one, two) = (noisy(&log, "one"), noisy(&log, "two"));
        let gt = spawn({
            let (log, one, two) = (log.clone(), one.clone(), two.clone());
            green!({
                let _last = log.at_drop("stack");
                touch(&one);
                touch(&two);
            })
        });
        gt.link({
            let log = log.clone();
            move |_| log.add("link")
        });
        wait!(gt.wait()).unwrap();
        log.add("waiter");
        assert_eq!(log.text(), "stack link two one waiter");
    }

    fn a_kill_drops_the_values_before_it_returns() {
        let log = Log::new();
        let local = noisy(&log, "local");
        let victim = spawn({
            let (log, local) = (log.clone(), local.clone());
            green!({
                let _last = log.at_drop("stack");
                touch(&local);
                wait!(pending::<()>());
            })
        });
        wait!(sleep(ZERO));
        kill(&victim);
        log.add("killed");
        assert_eq!(log.text(), "stack local killed");
    }

    fn a_panic_drops_the_values_too() {
        let log = Log::new();
        let local = noisy(&log, "local");
        let gt = spawn(green!({
            touch(&local);
            panic!("oops");
        }));
        assert!(wait!(gt).unwrap_err().is_panic());
        assert_eq!(log.text(), "local");
    }

    fn destructors_and_links_of_a_killed_green_thread_find_its_values() {
        let (log, seen) = (Log::new(), Log::new());
        let victim = spawn({
            let seen = seen.clone();
            green!({
                let _last = OnDrop(|| seen.add(format_args!("stack:{}", count())));
                count();
                wait!(pending::<()>());
            })
        });
        victim.link({
            let seen = seen.clone();
            move |_| seen.add(format_args!("link:{}", count()))
        });
        wait!(sleep(ZERO));
        victim.kill();
        assert_eq!(seen.text(), "stack:2 link:3");
        assert_eq!(log.text(), "");
    }

    fn a_value_made_while_its_green_thread_ends_is_dropped_as_well() {
        let log = Log::new();
        let local = noisy(&log, "local");
        let victim = spawn({
            let local = local.clone();
            green!({
                let _last = OnDrop(|| touch(&local));
                wait!(pending::<()>());
            })
        });
        victim.link({
            let log = log.clone();
            move |_| log.add("link")
        });
        wait!(sleep(ZERO));
        victim.kill();
        assert_eq!(log.text(), "link local");
    }

    fn destructors_may_use_what_is_left_and_what_is_new() {
        let log = Log::new();
        let new = noisy(&log, "new");
        let curious = Local::new({
            let (log, new) = (log.clone(), new.clone());
            move || {
                let (log, new) = (log.clone(), new.clone());
                OnDrop(move || {
                    log.add(format_args!("left:{}", count()));
                    touch(&new);
                })
            }
        });
        let gt = spawn(green!({
            count();
            touch(&curious);
        }));
        wait!(gt).unwrap();
        assert_eq!(log.text(), "left:2 new");
    }

    fn what_is_gone_does_not_come_back() {
        let (log, ear) = (Log::new(), Ear::open());
        static LATE: Local<Cell<u32>> = Local::new(|| Cell::new(7));
        // Made first, so dropped last: the other one is gone by then.
        let careful = Local::new({
            let log = log.clone();
            move || {
                let log = log.clone();
                OnDrop(move || {
                    log.add(format_args!("{:?}", LATE.try_with(Cell::get)));
                    LATE.with(Cell::get);
                })
            }
        });
        let gt = spawn({
            let careful = careful.clone();
            green!({
                touch(&careful);
                touch(&LATE);
            })
        });
        wait!(gt).unwrap();
        assert_eq!(log.text(), "None");
        let heard = ear.heard().join("\n");
        assert!(heard.contains("local") && heard.contains("dropped already"), "{heard}");
        assert_eq!(LATE.with(Cell::get), 7, "but only of that green thread");
    }

    fn a_destructor_that_panics_stops_no_other() {
        let (log, ear) = (Log::new(), Ear::open());
        let quiet = noisy(&log, "quiet");
        let loud = Local::new(|| OnDrop(|| panic!("a loud destructor")));
        let gt = spawn({
            let (quiet, loud) = (quiet.clone(), loud.clone());
            green!({
                touch(&quiet);
                touch(&loud);
                "value"
            })
        });
        assert_eq!(wait!(gt).unwrap(), "value");
        assert_eq!(log.text(), "quiet");
        assert!(ear.heard().join("\n").contains("a loud destructor"));
    }

    fn a_destructor_may_spawn_and_kill() {
        let log = Log::new();
        let local = noisy(&log, "other's");
        let busy = Local::new({
            let (log, local) = (log.clone(), local.clone());
            move || {
                let (log, local) = (log.clone(), local.clone());
                OnDrop(move || {
                    let other = spawn_n({
                        let local = local.clone();
                        async move {
                            touch(&local);
                            pending::<()>().await
                        }
                    });
                    log.add(format_args!("before:{}", count()));
                    other.kill();
                    log.add(format_args!("after:{}", count()));
                })
            }
        });
        let gt = spawn(green!({ touch(&busy) }));
        wait!(gt).unwrap();
        assert_eq!(log.text(), "before:1 after:2");
    }

    fn an_init_may_use_other_locals_and_even_its_own() {
        static OWN: Local<u32> = Local::new(|| match count() {
            1 => 10 * OWN.with(|inner| *inner),
            count => count,
        });
        // The inner one was first, and stays.
        assert_eq!(OWN.with(|value| *value), 2);
        assert_eq!(OWN.with(|value| *value), 2);
        assert_eq!(count(), 3);
    }

    fn clones_name_the_same_values() {
        let local = Local::new(|| Cell::new(1));
        let same = local.clone();
        same.with(|value| value.set(2));
        assert_eq!(local.with(Cell::get), 2);
        let other = Local::new(|| Cell::new(1));
        assert_eq!(other.with(Cell::get), 1);
    }

    fn a_job_that_its_spawner_runs_in_place_shares_its_values() {
        let pool = GreenPool::new(1);
        let same = pool.clone();
        let member = wait!(pool.spawn(green!({
            count();
            let inner = wait!(same.spawn(green!({ count() })));
            wait!(inner).unwrap()
        })));
        assert_eq!(wait!(member).unwrap(), 2);
    }

    /// test_ident: not in eventlet's tests
    fn get_ident_is_the_number_of_the_green_thread() {
        let gt = spawn(green!({ get_ident() }));
        let id = gt.id();
        assert_eq!(wait!(gt).unwrap(), id);
        assert_eq!(get_ident(), getcurrent().id());
        assert_ne!(get_ident(), id);
    }

    fn debug_shows_the_value_and_makes_none() {
        let local = Local::new(|| Cell::new(5));
        assert_eq!(format!("{local:?}"), "Local { .. }");
        touch(&local);
        assert_eq!(format!("{local:?}"), "Local(Cell { value: 5 })");
    }
}

#[cfg(feature = "stackful")]
mod on_a_green_stack {
    use super::*;
    use eventlet::{Block, stackful};

    #[test]
    fn an_init_may_wait() {
        run(stackful(|| {
            static SLOW: Local<u64> = Local::new(|| {
                sleep(ms(1)).block();
                get_ident()
            });
            let one = spawn(stackful(|| SLOW.with(|id| *id)));
            let two = spawn(stackful(|| SLOW.with(|id| *id)));
            let ids = (one.id(), two.id());
            assert_eq!((one.block().unwrap(), two.block().unwrap()), ids);
        }));
    }

    #[test]
    fn a_kill_inside_with_drops_the_value_after_the_stack() {
        run(stackful(|| {
            let log = Log::new();
            let local = noisy(&log, "local");
            let victim = spawn_n({
                let (log, local) = (log.clone(), local.clone());
                stackful(move || {
                    local.with(|_| {
                        let _last = log.at_drop("stack");
                        pending::<()>().block();
                    });
                })
            });
            sleep(ZERO).block();
            victim.kill();
            assert_eq!(log.text(), "stack local");
        }));
    }

    #[test]
    fn a_kill_while_the_value_is_made_leaves_none() {
        run(stackful(|| {
            let log = Log::new();
            let stuck = Local::new({
                let log = log.clone();
                move || {
                    let _made = log.at_drop("half made");
                    pending::<()>().block();
                }
            });
            let victim = spawn_n({
                let stuck = stuck.clone();
                stackful(move || touch(&stuck))
            });
            sleep(ZERO).block();
            victim.kill();
            assert_eq!(log.text(), "half made");
        }));
    }
}

#[test]
fn outside_green_threads_it_panics_in_the_callers_line() {
    panics_here!("needs a hub", COUNTER.with(Cell::get));
    panics_here!("needs a hub", get_ident());
    assert_eq!(COUNTER.try_with(Cell::get), None);
    run(async {
        let beside = tokio::task::spawn_local(async {
            panics_here!("no green thread is running", COUNTER.with(Cell::get));
            assert_eq!(COUNTER.try_with(Cell::get), None);
        });
        beside.await.unwrap();
    });
}

#[test]
fn a_hub_that_ends_drops_the_values_of_all() {
    let log = Log::new();
    Builder::new()
        .run({
            let log = log.clone();
            async move {
                let (main, other) = (noisy(&log, "main"), noisy(&log, "other"));
                touch(&main);
                spawn_n(async move {
                    touch(&other);
                    pending::<()>().await;
                });
                sleep(ZERO).await;
            }
        })
        .unwrap();
    assert_eq!(log.text(), "main other");
}

#[test]
fn hubs_one_after_the_other_and_side_by_side_have_their_own_values() {
    run(async { assert_eq!(count(), 1) });
    run(async { assert_eq!(count(), 1) });
    let threads: Vec<_> =
        (0..4).map(|_| std::thread::spawn(|| run(async { assert_eq!(count(), 1) }))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
