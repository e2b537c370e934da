//! Follows eventlet tests/greenpool_test.py, class GreenPool, at c8f903a3, and what eventlet was
//! seen to do beyond it. `imap` and `starmap` are in `greenpile.rs`, as in the source.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::pending;
use std::rc::Rc;

use eventlet::greenthread::spawn_after_local;
use eventlet::runtime::Builder;
use eventlet::{
    Event, GreenPool, GreenThread, Greenlet, Semaphore, getcurrent, sleep, spawn, with_timeout,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crowd::*;
use crate::support::*;

mod trial;

/// Eventlet's `assert_pool_has_free`: so many can be spawned at once, and then nobody.
macro_rules! assert_has_free {
    ($pool:expr, $free:expr) => {{
        let (pool, event) = (&$pool, Event::<()>::new());
        assert_eq!(pool.free(), $free);
        for _ in 0..$free {
            keeps_turn!(wait!(pool.spawn_n(sharing!(event => { _ = wait!(event.wait()) }))));
        }
        assert_eq!(pool.free(), 0);
        assert!(wait!(with_timeout(ZERO, pool.spawn_n(green!({})))).is_err());
        assert_eq!(pool.waiting(), 0);
        event.send(());
        wait!(sleep(ZERO));
        wait!(sleep(ZERO));
        assert_eq!(pool.free(), $free);
    }};
}

both_colours! {
    /// test_spawn
    fn each_handle_gives_the_result_of_its_job() {
        let (pool, mut handles) = (GreenPool::new(4), Vec::new());
        for n in 0..10 {
            handles.push(wait!(pool.spawn(green!({
                wait!(sleep(ms(10)));
                n
            }))));
        }
        for (n, handle) in handles.into_iter().enumerate() {
            assert_eq!(wait!(handle).unwrap(), n);
        }
    }

    fn jobs_and_their_results_may_be_big() {
        let (pool, big) = (GreenPool::new(1), [7_u8; 4096]);
        let outer = wait!(pool.spawn(sharing!(pool => {
            let inline = wait!(pool.spawn(green!({ big })));
            assert_eq!(wait!(inline).unwrap(), big);
            wait!(sleep(ZERO));
            big
        })));
        assert_eq!(wait!(outer).unwrap(), big);
    }

    /// test_spawn_n
    fn members_that_sleep_alike_end_in_order_and_waitall_waits_for_them() {
        let (pool, log) = (GreenPool::new(4), Log::new());
        for n in 0..10 {
            wait!(pool.spawn_n(sharing!(log => {
                wait!(sleep(ms(10)));
                log.add(n);
            })));
            assert!(pool.running() <= 4);
        }
        yields!(wait!(pool.waitall()));
        assert_eq!(log.text(), "0 1 2 3 4 5 6 7 8 9");
        assert_eq!((pool.running(), pool.free()), (0, 4));
    }

    /// test_waiting
    fn waiting_counts_blocked_spawners() {
        let (pool, done) = (GreenPool::new(1), Event::<()>::new());
        let mut spawners = Vec::new();
        assert_eq!(pool.running(), 0);
        for waiting in 0..3 {
            spawners.push(spawn(sharing!(pool, done => {
                let job = wait!(pool.spawn(sharing!(done => { _ = wait!(done.wait()) })));
                wait!(job).unwrap();
            })));
            wait!(sleep(ZERO));
            assert_eq!((pool.waiting(), pool.running()), (waiting, 1));
        }
        done.send(());
        for spawner in spawners {
            wait!(spawner).unwrap();
        }
        assert_eq!((pool.waiting(), pool.running(), pool.free()), (0, 0, 1));
    }

    /// test_multiple_coros
    fn a_member_may_wait_for_a_later_one() {
        let (pool, event, log) = (GreenPool::new(2), Event::new(), Log::new());
        let consumer = wait!(pool.spawn(sharing!(event, log => {
            log.add("cons1");
            wait!(event.wait()).unwrap();
            log.add("cons2");
        })));
        wait!(pool.spawn_n(sharing!(event, log => {
            log.add("prod");
            event.send(());
        })));
        wait!(consumer).unwrap();
        assert_eq!(log.text(), "cons1 prod cons2");
    }

    /// test_timer_cancel
    fn what_a_member_leaves_for_later_dies_with_it() {
        let (pool, log) = (GreenPool::new(2), Log::new());
        let member = wait!(pool.spawn(sharing!(log => {
            Some(spawn_after_local(ZERO, sharing!(log => { log.add("fired") })))
        })));
        let orphan = wait!(member).unwrap().unwrap();
        assert!(wait!(orphan).unwrap_err().is_killed());
        assert_eq!(log.text(), "");
    }

    /// test_reentrant
    fn a_member_of_a_full_pool_runs_what_it_spawns() {
        let pool = GreenPool::new(1);
        let outer = wait!(pool.spawn(sharing!(pool => {
            let job = yields!(wait!(pool.spawn(sharing!(pool => {
                assert_eq!((pool.running(), pool.free()), (1, 0));
                wait!(sleep(ms(1)));
                "reenter"
            }))));
            assert!(job.dead());
            keeps_turn!(wait!(job)).unwrap()
        })));
        assert_eq!(wait!(outer).unwrap(), "reenter");

        let event = Event::new();
        wait!(pool.spawn_n(sharing!(pool, event => {
            wait!(pool.spawn_n(green!({})));
            event.send("done");
        })));
        assert_eq!(wait!(event.wait()).unwrap(), "done");
        wait!(pool.waitall());
        assert_has_free!(pool, 1);
    }

    /// test_resize
    fn a_smaller_pool_starts_nobody_until_enough_have_ended() {
        let (pool, event) = (GreenPool::new(2), Event::<()>::new());
        for _ in 0..2 {
            wait!(pool.spawn_n(sharing!(event => { _ = wait!(event.wait()) })));
        }
        assert_eq!((pool.free(), pool.running()), (0, 2));
        keeps_turn!(pool.resize(1));
        assert_eq!((pool.free(), pool.running()), (-1, 2));
        event.send(());
        wait!(sleep(ZERO));
        assert_eq!((pool.free(), pool.running()), (1, 0));
        assert_has_free!(pool, 1);
        pool.resize(2);
        assert_eq!((pool.free(), pool.running()), (2, 0));
        assert_has_free!(pool, 2);
    }

    /// test_pool_smash; a semaphore is the pool of tokens.
    fn a_member_that_times_out_elsewhere_harms_neither_side() {
        let (pool, tokens) = (GreenPool::new(1), Semaphore::new(0));
        let first = wait!(pool.spawn(sharing!(tokens => { wait!(tokens.acquire_timeout(ZERO)) })));
        assert!(!wait!(first).unwrap());
        let sender = spawn(sharing!(tokens => { tokens.release() }));
        let second = wait!(pool.spawn(green!({ "resumed" })));
        assert_eq!(wait!(second).unwrap(), "resumed");
        assert!(tokens.try_acquire());
        wait!(sender).unwrap();
    }

    /// test_spawn_n_2
    fn spawning_yields_only_when_the_pool_is_full() {
        let (pool, log) = (GreenPool::new(2), Log::new());
        let job = |n: u8| sharing!(log => { log.add(n) });
        assert_eq!(pool.free(), 2);
        let handle = keeps_turn!(wait!(pool.spawn(job(1))));
        assert_eq!(pool.free(), 1);
        wait!(handle).unwrap();
        assert_eq!((log.text().as_str(), pool.free()), ("1", 2));

        keeps_turn!(wait!(pool.spawn_n(job(2))));
        assert_eq!((log.text().as_str(), pool.free()), ("1", 1));
        keeps_turn!(wait!(pool.spawn_n(job(3))));
        assert_eq!((log.text().as_str(), pool.free()), ("1", 0));
        yields!(wait!(pool.spawn_n(job(4))));
        assert_eq!(log.text(), "1 2 3");
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "1 2 3 4");
    }

    /// test_exceptions
    fn a_member_frees_its_slot_however_it_ends() {
        let pool = GreenPool::new(2);
        for watched in [true, false] {
            for panics in [true, false] {
                let job = green!({
                    match panics {
                        true => panic_on_purpose(),
                        false => getcurrent().kill(),
                    }
                    wait!(pending::<()>());
                });
                match watched {
                    true => drop(wait!(pool.spawn(job))),
                    false => wait!(pool.spawn_n(job)),
                }
                assert_eq!(pool.free(), 1);
                wait!(pool.waitall());
                assert_has_free!(pool, 2);
            }
        }
    }

    /// test_waitall_on_nothing
    fn waitall_on_nothing_keeps_the_turn() {
        keeps_turn!(wait!(GreenPool::default().waitall()));
        keeps_turn!(wait!(GreenPool::new(0).waitall()));
    }

    fn a_waitall_from_outside_panics_inside_a_member() {
        let pool: &'static GreenPool = Box::leak(Box::new(GreenPool::new(2)));
        let line = line!() + 1;
        let outside = pool.waitall();
        let member = wait!(pool.spawn(green!({ wait!(outside) })));
        let exit = wait!(member).unwrap_err();
        assert!(exit.is_panic());
        let words = exit.to_string();
        let place = format!("{}:{line}:", file!());
        assert!(words.contains("would wait for itself") && words.contains(&place), "{words}");
        // Nobody is left in its line, and the pool goes on.
        keeps_turn!(wait!(pool.waitall()));
    }

    fn an_absurd_size_is_a_size() {
        let pool = GreenPool::new(usize::MAX);
        let members = [wait!(pool.spawn(green!({ 1 }))), wait!(pool.spawn(green!({ 2 })))];
        assert_eq!((pool.size(), pool.running()), (usize::MAX, 2));
        pool.resize(0);
        assert_eq!(pool.free(), -2);
        pool.resize(usize::MAX);
        wait!(pool.waitall());
        assert_eq!(pool.free(), isize::MAX);
        for (member, value) in members.into_iter().zip(1..) {
            assert_eq!(wait!(member).unwrap(), value);
        }
        let mut doubled = pool.imap(|n| green!({ n * 2 }), 1..=2);
        assert_eq!(wait!(doubled.next()).unwrap().unwrap(), 2);
    }

    /// test_recursive_waitall
    fn waitall_inside_a_member_panics() {
        let pool = GreenPool::new(1);
        let member = wait!(pool.spawn(sharing!(pool => {
            panics_here!("wait for itself", pool.waitall());
            // Also inside what it runs itself, for the pool is full.
            let inline = wait!(pool.spawn(sharing!(pool => {
                panics_here!("wait for itself", pool.waitall());
            })));
            wait!(inline).unwrap();
            // Another pool's, and what it starts by plain `spawn`, are none of it.
            wait!(GreenPool::new(1).waitall());
            let stranger = spawn(sharing!(pool => { wait!(with_timeout(ms(1), pool.waitall())).is_err() }));
            assert!(wait!(stranger).unwrap());
        })));
        wait!(member).unwrap();
        wait!(pool.waitall());
    }

    /// test_greenpool_type_check: what is left of it.
    fn a_pool_of_none_starts_nobody_until_it_is_resized() {
        let pool = GreenPool::new(0);
        assert!(wait!(with_timeout(ms(1), pool.spawn_n(green!({})))).is_err());
        assert_eq!((pool.free(), pool.waiting(), pool.running()), (0, 0, 0));
        let spawner = spawn(sharing!(pool => {
            let job = wait!(pool.spawn(green!({ "at last" })));
            wait!(job).unwrap()
        }));
        wait!(idle());
        assert_eq!(pool.waiting(), 1);
        pool.resize(1);
        assert_eq!(wait!(spawner).unwrap(), "at last");
    }

    /// Eventlet's wakes nobody, and counts wrong.
    fn resizing_up_wakes_blocked_spawners() {
        let (pool, event, log) = (GreenPool::new(1), Event::<()>::new(), Log::new());
        wait!(pool.spawn_n(sharing!(event => { _ = wait!(event.wait()) })));
        let spawners: Vec<_> = (0..5)
            .map(|n| spawn(sharing!(pool, event, log => {
                wait!(pool.spawn_n(sharing!(event => { _ = wait!(event.wait()) })));
                log.add(n);
            })))
            .collect();
        wait!(idle());
        assert_eq!((pool.waiting(), pool.running(), pool.free()), (5, 1, 0));
        keeps_turn!(pool.resize(4));
        // Those slots are theirs already.
        assert_eq!((pool.waiting(), pool.running(), pool.free()), (2, 1, 0));
        wait!(sleep(ZERO));
        assert_eq!((pool.waiting(), pool.running(), log.text().as_str()), (2, 4, "0 1 2"));
        pool.resize(7);
        wait!(sleep(ZERO));
        assert_eq!((pool.waiting(), pool.running(), pool.free()), (0, 6, 1));
        keeps_turn!(wait!(pool.spawn_n(green!({}))));
        event.send(());
        wait!(pool.waitall());
        assert_eq!(pool.free(), 7);
        assert!(spawners.iter().all(|spawner| spawner.dead()));
    }

    fn resizing_below_what_runs_counts_below_zero() {
        let (pool, event) = (GreenPool::new(3), Event::<()>::new());
        for _ in 0..3 {
            wait!(pool.spawn_n(sharing!(event => { _ = wait!(event.wait()) })));
        }
        let spawner = spawn(sharing!(pool => { wait!(pool.spawn_n(green!({}))) }));
        wait!(idle());
        pool.resize(0);
        assert_eq!((pool.free(), pool.running(), pool.waiting()), (-3, 3, 1));
        pool.resize(2);
        assert_eq!((pool.free(), pool.running(), pool.waiting()), (-1, 3, 1));
        event.send(());
        wait!(spawner).unwrap();
        wait!(pool.waitall());
        assert_eq!((pool.free(), pool.running(), pool.waiting()), (2, 0, 0));
    }

    fn a_member_killed_before_it_started_frees_its_slot() {
        let (pool, victim) = (GreenPool::new(1), Rc::new(Cell::new(None::<Greenlet>)));
        let spawner = spawn(sharing!(pool => { wait!(pool.spawn_n(green!({}))) }));
        let killer = spawn(sharing!(pool, victim => {
            assert_eq!((pool.free(), pool.waiting()), (0, 1));
            keeps_turn!(victim.get().unwrap().kill());
            // The slot is the spawner's.
            assert_eq!((pool.free(), pool.waiting(), pool.running()), (0, 0, 0));
        }));
        let never = wait!(pool.spawn(green!({ unreachable!("it was killed") })));
        victim.set(Some(*never));
        wait!(killer).unwrap();
        wait!(pool.waitall());
        assert_eq!((pool.free(), pool.running()), (1, 0));
        wait!(spawner).unwrap();
        assert!(wait!(never).map(|(): ()| ()).unwrap_err().is_killed());
    }

    /// Eventlet lets it escape from `spawn`.
    fn a_job_run_inside_its_spawner_panics_into_its_handle() {
        let pool = GreenPool::new(1);
        let outer = wait!(pool.spawn(sharing!(pool => {
            let job = wait!(pool.spawn(green!({ panic_on_purpose() })));
            let exit = wait!(job).unwrap_err();
            assert!(exit.into_panic().unwrap().is::<OnPurpose>());
            let ear = Ear::open();
            wait!(pool.spawn_n(green!({
                wait!(sleep(ZERO));
                panic_on_purpose();
            })));
            assert_eq!(ear.heard().len(), 1, "a panic that nobody can see is reported, once");
            "goes on"
        })));
        assert_eq!(wait!(outer).unwrap(), "goes on");
        assert_has_free!(pool, 1);
    }

    fn a_member_killed_while_it_runs_a_job_ends_with_it() {
        let (pool, log) = (GreenPool::new(1), Log::new());
        let outer = wait!(pool.spawn(sharing!(pool, log => {
            let _outer = log.at_drop("outer");
            wait!(pool.spawn_n(sharing!(log => {
                let _inner = log.at_drop("inner");
                wait!(pending::<()>());
            })));
        })));
        wait!(idle());
        outer.kill();
        assert_eq!(log.text(), "inner outer");
        assert_has_free!(pool, 1);
    }

    fn recursion_deeper_than_the_pool_does_not_deadlock() {
        fn tree(pool: GreenPool, log: Log, depth: u32) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
            Box::pin(green!({
                log.add(depth);
                for _ in 0..if depth == 0 { 0 } else { 2 } {
                    let (inner, inner_log) = (pool.clone(), log.clone());
                    wait!(pool.spawn_n(tree(inner, inner_log, depth - 1)));
                }
            }))
        }
        let (pool, log) = (GreenPool::new(3), Log::new());
        wait!(pool.spawn_n(tree(pool.clone(), log.clone(), 5)));
        wait!(pool.waitall());
        assert_eq!(log.text().split(' ').count(), 63);
        assert_has_free!(pool, 3);
    }

    fn what_a_member_starts_with_plain_spawn_is_no_member() {
        let pool = GreenPool::new(1);
        let member = wait!(pool.spawn(sharing!(pool => {
            let child = spawn(sharing!(pool => { wait!(pool.spawn_n(green!({}))) }));
            wait!(idle());
            assert_eq!((child.dead(), pool.waiting()), (false, 1));
            Some(child)
        })));
        let child = wait!(member).unwrap().unwrap();
        wait!(child).unwrap();
        wait!(pool.waitall());
    }

    fn blocked_spawners_come_through_in_the_order_they_came() {
        let (pool, log) = (GreenPool::new(1), Log::new());
        let event = Event::<()>::new();
        wait!(pool.spawn_n(sharing!(event => { _ = wait!(event.wait()) })));
        let spawners: Vec<_> = (0..4)
            .map(|n| spawn(sharing!(pool, log => {
                wait!(pool.spawn_n(sharing!(log => { log.add(n) })));
            })))
            .collect();
        wait!(idle());
        spawners[1].kill();
        event.send(());
        wait!(sleep(ZERO));
        // The slot was handed to the first: a newcomer waits behind those who wait.
        assert_eq!(pool.free(), 0);
        wait!(pool.spawn_n(sharing!(log => { log.add("late") })));
        wait!(pool.waitall());
        assert_eq!(log.text(), "0 2 3 late");
    }

    fn a_spawner_killed_with_a_slot_in_hand_passes_it_on() {
        let (pool, event, log) = (GreenPool::new(1), Event::<()>::new(), Log::new());
        let member = wait!(pool.spawn(sharing!(event => { _ = wait!(event.wait()) })));
        let spawners = ["killed", "comes"].map(|name| {
            spawn(sharing!(pool, log => {
                wait!(pool.spawn_n(sharing!(log => { log.add(name) })));
            }))
        });
        wait!(idle());
        member.kill();
        spawners[0].kill();
        assert_eq!((pool.free(), pool.waiting()), (0, 0));
        wait!(pool.waitall());
        assert_eq!(log.text(), "comes");
        assert_eq!(pool.free(), 1);
    }

    fn the_slot_is_free_before_anybody_hears_of_the_end() {
        let pool = GreenPool::new(1);
        let seen = Rc::new(Cell::new(-1));
        let job = wait!(pool.spawn(green!({ wait!(sleep(ms(1))) })));
        job.link({
            let (pool, seen) = (pool.clone(), Rc::clone(&seen));
            move |_| seen.set(pool.free())
        });
        wait!(job).unwrap();
        assert_eq!((seen.get(), pool.free(), pool.running()), (1, 1, 0));
    }

    fn a_destructor_that_panics_frees_the_slot() {
        let (pool, ear) = (GreenPool::new(1), Ear::open());
        let job = wait!(pool.spawn(green!({
            let _panics = OnDrop(|| if !std::thread::panicking() { panic_on_purpose() });
            wait!(pending::<()>());
        })));
        wait!(idle());
        job.kill();
        drop(ear);
        assert_has_free!(pool, 1);
    }

    fn waitall_waits_for_what_members_spawn_meanwhile() {
        let (pool, log) = (GreenPool::new(2), Log::new());
        wait!(pool.spawn_n(sharing!(pool, log => {
            wait!(sleep(ms(1)));
            wait!(pool.spawn_n(sharing!(log => {
                wait!(sleep(ms(1)));
                log.add("grandchild");
            })));
            log.add("child");
        })));
        wait!(pool.waitall());
        assert_eq!(log.text(), "child grandchild");
    }

    /// Eventlet's `waitall` also goes by the balance of its semaphore, not by who runs.
    fn waitall_waits_for_those_who_wait_for_a_slot() {
        let (pool, log) = (GreenPool::new(1), Log::new());
        let spawner = spawn(sharing!(pool, log => {
            for n in 0..3 {
                wait!(pool.spawn_n(sharing!(log => {
                    wait!(sleep(ms(1)));
                    log.add(n);
                })));
            }
        }));
        wait!(sleep(ZERO));
        assert_eq!((pool.running(), pool.waiting()), (1, 1));
        wait!(pool.waitall());
        assert_eq!((pool.running(), log.text().as_str()), (0, "0 1 2"));
        wait!(spawner).unwrap();
    }

    fn waitall_ends_when_the_last_spawner_is_killed_with_a_slot_in_hand() {
        let pool = GreenPool::new(1);
        let member = wait!(pool.spawn(green!({ wait!(pending::<()>()) })));
        let spawner = spawn(sharing!(pool => { wait!(pool.spawn_n(green!({ unreachable!() }))) }));
        let waiters = [0, 1].map(|_| spawn(sharing!(pool => { wait!(pool.waitall()) })));
        wait!(idle());
        member.kill();
        spawner.kill();
        assert_eq!((pool.free(), pool.running()), (1, 0));
        for waiter in waiters {
            wait!(waiter).unwrap();
        }
    }

    fn a_killed_waitall_concerns_nobody() {
        let (pool, event) = (GreenPool::new(1), Event::<()>::new());
        wait!(pool.spawn_n(sharing!(event => { _ = wait!(event.wait()) })));
        let waiters = [0, 1].map(|_| spawn(sharing!(pool => { wait!(pool.waitall()) })));
        assert!(wait!(with_timeout(ms(1), pool.waitall())).is_err());
        waiters[0].kill();
        event.send(());
        let [_, second] = waiters;
        wait!(second).unwrap();
    }

    fn clones_name_the_same_pool() {
        let pool = GreenPool::new(2);
        let same = pool.clone();
        wait!(pool.spawn_n(green!({})));
        assert_eq!((same.running(), same.free(), same.size()), (1, 1, 2));
        same.resize(1);
        assert_eq!(pool.size(), 1);
        wait!(same.waitall());
    }
}

#[test]
fn spawning_outside_a_hub_panics_in_the_callers_line() {
    let pool = GreenPool::new(1);
    panics_here!("hub", drop(pool.spawn(async {})));
    panics_here!("hub", drop(pool.spawn_n(async {})));
    assert_eq!((pool.free(), pool.running()), (1, 0));
}

/// Eventlet never gives the slot back: `spawn_n` there frees it at the end of a run, which never
/// came.
#[test]
fn members_that_the_hub_ended_before_they_started_freed_their_slots() {
    let pool = GreenPool::new(2);
    run_and_leave({
        let pool = pool.clone();
        async move {
            pool.spawn_n(async { unreachable!("the hub had ended") }).await;
            drop(pool.spawn(async { unreachable!("the hub had ended") }).await);
            assert_eq!((pool.free(), pool.running()), (0, 2));
        }
    });
    assert_eq!((pool.free(), pool.running()), (2, 0));
}

/// Runs a test that leaves green threads behind on purpose.
fn run_and_leave(test: impl Future<Output = ()> + 'static) {
    Builder::new().start_paused(true).run(test).unwrap();
}
