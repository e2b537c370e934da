//! Follows eventlet tests/dagpool_test.py at c8f903a3, and the defects of its DAGPool.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::future::pending;
use std::rc::Rc;

use eventlet::dagpool::{Collision, DAGPool, PropagateError, SpawnError};
use eventlet::{Event, Timeout, sleep, spawn, spawn_n};
use futures::StreamExt;
use proptest::collection::{btree_map, hash_set};
use proptest::prelude::*;

use crate::support::*;

type Pool = DAGPool<&'static str, &'static str>;

fn empty() -> Pool {
    DAGPool::default()
}

fn one_two_three() -> DAGPool<&'static str, u32> {
    DAGPool::new([("a", 1), ("b", 2), ("c", 3)])
}

fn collision<T: std::fmt::Debug>(key: T) -> SpawnError<T> {
    SpawnError::Collision(Collision(key))
}

/// The error of a key in an error around it.
fn inner<'a>(error: &'a PropagateError<&'static str>) -> &'a PropagateError<&'static str> {
    error.exc.downcast_ref().unwrap()
}

/// Spawns eventlet's `observe`: a green thread that logs what it gets, waits for an event and
/// returns its value.
macro_rules! observe {
    ($pool:expr, $key:expr, $depends:expr, $log:expr, $event:expr) => {{
        let (log, event) = ($log.clone(), $event.clone());
        let spawned = $pool.spawn($key, $depends, move |key, mut results| {
            green!({
                while let Some(result) = wait!(results.next()) {
                    log.add(format_args!("{key}<{}", result?.0));
                }
                let value = wait!(event.wait()).unwrap();
                log.add(format_args!("{key}!"));
                Ok(value)
            })
        });
        spawned.unwrap()
    }};
}

/// Spawns eventlet's `consumer`: a green thread that takes all it depends on.
macro_rules! consume {
    ($pool:expr, $key:expr, $depends:expr) => {{
        let spawned = $pool.spawn($key, $depends, move |_, mut results| {
            green!({
                while let Some(result) = wait!(results.next()) {
                    result?;
                }
                Ok("consumed")
            })
        });
        spawned.unwrap()
    }};
}

/// Spawns eventlet's `raiser`.
macro_rules! fail {
    ($pool:expr, $key:expr) => {
        $pool.spawn($key, [], move |_, _| green!({ Err("bogus".into()) })).unwrap()
    };
}

/// Posts two by two, as eventlet's `post_each` does.
macro_rules! post_each {
    ($pool:expr, $log:expr) => {{
        let (pool, log) = ($pool.clone(), $log.clone());
        spawn_n(green!({
            wait!(sleep(ZERO));
            log.add("|");
            pool.post("g", 7).unwrap();
            pool.post("f", 6).unwrap();
            wait!(sleep(ZERO));
            log.add("|");
            pool.post("e", 5).unwrap();
            pool.post("d", 4).unwrap();
        }))
    }};
}

both_colours! {
    /// test_init, test_wait_each_preload
    fn what_was_there_from_the_start_needs_no_waiting() {
        let pool = one_two_three();
        let all = HashMap::from([("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(keeps_turn!(wait!(pool.waitall())).unwrap(), all);
        assert_eq!(keeps_turn!(wait!(pool.wait(["b", "c"]))).unwrap().len(), 2);
        assert_eq!(keeps_turn!(wait!(pool.wait_one("b"))).unwrap(), 2);
        let mut each = pool.wait_each(["c", "a", "b", "a"]);
        for expected in [("c", 3), ("a", 1), ("b", 2)] {
            assert_eq!(keeps_turn!(wait!(each.next())).unwrap().unwrap(), expected);
        }
        assert!(wait!(each.next()).is_none());
        assert!(wait!(each.next()).is_none(), "and again");
        assert!(wait!(empty().waitall()).unwrap().is_empty());
    }

    /// test_wait_each_empty
    fn waiting_for_nothing_gives_nothing() {
        let pool = empty();
        assert!(keeps_turn!(wait!(pool.wait_each([]).next())).is_none());
        assert!(keeps_turn!(wait!(pool.wait([]))).unwrap().is_empty());
    }

    /// test_wait_each_posted
    fn values_come_as_they_are_posted() {
        let (pool, log) = (one_two_three(), Log::new());
        post_each!(pool, log);
        let mut each = pool.wait_each(["b", "c", "d", "e", "f", "g"]);
        while let Some(result) = wait!(each.next()) {
            log.add(result.unwrap().0);
        }
        assert_eq!(log.text(), "b c | g f | e d");
    }

    /// test_wait_posted
    fn wait_returns_when_all_are_there() {
        let (pool, log) = (one_two_three(), Log::new());
        post_each!(pool, log);
        let gotten = wait!(pool.wait(["b", "c", "d", "e", "f", "g"])).unwrap();
        log.add("got all");
        let expected = [("b", 2), ("c", 3), ("d", 4), ("e", 5), ("f", 6), ("g", 7)];
        assert_eq!(gotten, HashMap::from(expected));
        assert_eq!(log.text(), "| | got all");
    }

    /// test_spawn_collision_preload, test_spawn_collision_post, test_spawn_collision_spawn
    fn a_key_in_use_cannot_be_spawned() {
        let spawn_at = |pool: &Pool| pool.spawn("a", [], |_, _| green!({ Ok("bad") }));
        let pool = DAGPool::new([("a", "preloaded")]);
        assert_eq!(spawn_at(&pool), Err(collision("a")));

        let pool = empty();
        pool.post("a", "posted").unwrap();
        assert_eq!(spawn_at(&pool), Err(collision("a")));

        let pool = empty();
        pool.spawn("a", [], |_, _| green!({ Ok("good") })).unwrap();
        assert_eq!(pool.get(&"a").unwrap(), None);
        assert_eq!(spawn_at(&pool), Err(collision("a")), "though it has not started yet");
        wait!(sleep(ZERO));
        assert_eq!(pool.get(&"a").unwrap(), Some("good"));
        assert_eq!(spawn_at(&pool), Err(collision("a")), "though it has ended");
    }

    /// test_spawn_multiple
    fn a_graph_can_be_looked_into_at_each_step() {
        let (pool, log) = (DAGPool::new([("a", 0), ("b", 0), ("c", 0)]), Log::new());
        let events = [(); 5].map(|()| Event::new());
        let [d, e, f, g, h] = &events;
        for (key, event) in [("d", d), ("e", e), ("f", f), ("g", g)] {
            observe!(pool, key, [], log, event);
        }
        h.send(8);
        observe!(pool, "h", ["b", "c", "d", "e", "f", "g"], log, h);
        wait!(idle());
        log.add("|");
        for key in ["d", "e", "f", "g", "h"] {
            assert_eq!(pool.get(&key).unwrap(), None);
        }
        assert_eq!(pool.keys(), ["a", "b", "c"]);
        assert_eq!(pool.items().unwrap(), [("a", 0), ("b", 0), ("c", 0)]);
        assert_eq!(pool.running(), 5);
        assert_eq!(pool.running_keys(), ["d", "e", "f", "g", "h"]);
        assert_eq!(pool.known_keys(), ["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert_eq!(pool.waiting(), 1);
        let four = HashSet::from(["d", "e", "f", "g"]);
        assert_eq!(pool.waiting_for_all(), HashMap::from([("h", four.clone())]));
        assert_eq!(pool.waiting_for(&"d"), Some(HashSet::new()));
        assert_eq!(pool.waiting_for(&"c"), Some(HashSet::new()));
        assert_eq!(pool.waiting_for(&"j"), None);
        assert_eq!(pool.waiting_for(&"h"), Some(four));

        f.send(6);
        wait!(idle());
        log.add("|");
        assert_eq!(pool.get(&"f").unwrap(), Some(6));
        assert_eq!(pool.keys(), ["a", "b", "c", "f"]);
        assert_eq!(pool.running_keys(), ["d", "e", "g", "h"]);
        assert_eq!(pool.waiting(), 1);
        assert_eq!(pool.waiting_for(&"h"), Some(HashSet::from(["d", "e", "g"])));

        g.send(7);
        e.send(5);
        wait!(idle());
        log.add("|");
        assert_eq!(pool.keys(), ["a", "b", "c", "f", "g", "e"]);
        assert_eq!(pool.running_keys(), ["d", "h"]);
        assert_eq!(pool.waiting_for(&"h"), Some(HashSet::from(["d"])));

        d.send(4);
        wait!(idle());
        assert_eq!(pool.keys(), ["a", "b", "c", "f", "g", "e", "d", "h"]);
        assert_eq!((pool.running(), pool.waiting()), (0, 0));
        assert!(pool.running_keys().is_empty() && pool.waiting_for_all().is_empty());
        assert_eq!(pool.waiting_for(&"h"), Some(HashSet::new()));
        assert_eq!(log.text(), "h<b h<c | f! h<f | g! e! h<g h<e | d! h<d h!");
    }

    /// test_spawn_many
    fn a_diamond_runs_from_its_top_to_its_bottom() {
        let (pool, log) = (empty(), Log::new());
        let waiter = spawn({
            let (pool, log) = (pool.clone(), log.clone());
            green!({
                let all = wait!(pool.waitall()).unwrap();
                log.add("all");
                all.len()
            })
        });
        let depends =
            [("e", vec!["c", "d"]), ("d", vec!["b", "c"]), ("c", vec!["a"]), ("b", vec!["a"]), ("a", vec![])];
        pool.spawn_many(depends, {
            let (pool, log) = (pool.clone(), log.clone());
            move |key, mut results| {
                let (pool, log) = (pool.clone(), log.clone());
                green!({
                    while let Some(result) = wait!(results.next()) {
                        result?;
                    }
                    log.add(key);
                    pool.post(key, key).unwrap();
                    wait!(sleep(ms(1)));
                    Ok("not this")
                })
            }
        })
        .unwrap();
        assert_eq!(wait!(waiter).unwrap(), 5);
        let order = log.text();
        assert!(["a c b d e all", "a b c d e all"].contains(&order.as_str()), "{order}");
        assert_eq!(pool.get(&"e").unwrap(), Some("e"), "and not what it is going to return");
        assert_eq!(pool.running(), 5, "each goes on after it has posted");
        wait!(sleep(ms(1)));
        assert_eq!((pool.running(), pool.get(&"e").unwrap()), (0, Some("e")));
    }

    /// test_wait_each_all
    fn wait_each_gives_each_value_as_soon_as_it_is_there() {
        let (pool, log) = (DAGPool::new([("a", ())]), Log::new());
        let keys = ["a", "b", "c", "d", "e"];
        let events = [(); 5].map(|()| Event::new());
        for at in 1..keys.len() {
            observe!(pool, keys[at], [keys[at - 1]], log, events[at]);
        }
        let mut each = pool.wait_each(pool.known_keys());
        for at in 0..keys.len() {
            assert_eq!(wait!(each.next()).unwrap().unwrap(), (keys[at], ()));
            wait!(idle());
            assert_eq!(pool.keys(), keys[..=at]);
            if let Some(event) = events.get(at + 1) {
                event.send(());
            }
        }
        assert!(wait!(each.next()).is_none());
    }

    /// test_kill
    fn a_green_thread_that_was_killed_unstarted_is_forgotten() {
        let pool = DAGPool::default();
        assert!(!pool.kill(&"a"));
        pool.spawn("a", [], |_, _| green!({ Ok(1) })).unwrap();
        assert!(pool.kill(&"a"));
        wait!(sleep(ZERO));
        assert_eq!(pool.get(&"a").unwrap(), None);
        assert_eq!(pool.waiting_for(&"a"), None);
        assert!(!pool.kill(&"a"));
        let patient = spawn({
            let pool = pool.clone();
            green!({ wait!(pool.wait_one("a")) })
        });
        pool.spawn("a", [], |_, _| green!({ Ok(2) })).unwrap();
        wait!(sleep(ZERO));
        assert!(!pool.kill(&"a"), "it has ended");
        assert_eq!(pool.get(&"a").unwrap(), Some(2));
        assert_eq!(wait!(patient).unwrap().unwrap(), 2);
    }

    /// Defect 23
    fn a_green_thread_that_was_killed_at_work_leaves_an_error() {
        let (pool, log) = (empty(), Log::new());
        pool.spawn("a", ["never"], {
            let log = log.clone();
            move |_, mut results| green!({
                let _last = log.at_drop("destructor");
                wait!(results.next());
                unreachable!("nobody posts that");
            })
        })
        .unwrap();
        consume!(pool, "b", ["a"]);
        wait!(sleep(ZERO));
        assert!(keeps_turn!(pool.kill(&"a")));
        assert_eq!(log.text(), "destructor");
        assert!(!pool.kill(&"a"));
        let error = wait!(pool.wait_one("b")).unwrap_err();
        assert_eq!((error.key, inner(&error).key), ("b", "a"));
        assert!(inner(&error).exc.is_killed());
        assert_eq!(
            error.to_string(),
            "PropagateError(\"b\"): PropagateError(\"a\"): the green thread was killed"
        );
        assert!(pool.missing().is_empty(), "who was killed waits for nothing");
    }

    /// Defect 24
    fn panics_and_timeouts_reach_those_who_depend_on_it() {
        let pool = empty();
        pool.spawn("late", [], |_, _| green!({
            let _limit = Timeout::start(ms(1));
            wait!(pending())
        }))
        .unwrap();
        pool.spawn("panic", [], |_, _| green!({ panic!("oops") })).unwrap();
        consume!(pool, "after late", ["late"]);
        consume!(pool, "after panic", ["panic"]);
        let error = wait!(pool.wait_one("after late")).unwrap_err();
        assert!(inner(&error).exc.is_timeout());
        let error = wait!(pool.wait_one("after panic")).unwrap_err();
        assert!(inner(&error).exc.is_panic());
        assert!(error.to_string().ends_with("the green thread panicked: oops"), "{error}");
    }

    /// test_post_collision_preload, test_post_collision_post, test_post_collision_spawn
    fn a_key_in_use_cannot_be_posted() {
        let pool = DAGPool::new([("a", 1)]);
        assert_eq!(pool.post("a", 2), Err(Collision("a")));
        assert_eq!(pool.post_exception("a", "no"), Err(Collision("a")));

        let pool = DAGPool::default();
        pool.post("a", 1).unwrap();
        assert_eq!(pool.post("a", 2), Err(Collision("a")));

        let pool = DAGPool::default();
        pool.spawn("a", [], |_, _| green!({ Ok(1) })).unwrap();
        assert_eq!(pool.post("a", 2), Err(Collision("a")));
        assert_eq!(pool.post_replace("a", 2), Err(Collision("a")));
        assert!(pool.kill(&"a"));
        pool.post("a", 3).unwrap();
        assert_eq!(pool.get(&"a").unwrap(), Some(3));

        let pool = DAGPool::default();
        pool.spawn("a", [], |_, _| green!({ Ok(4) })).unwrap();
        wait!(sleep(ZERO));
        assert_eq!(pool.post("a", 5), Err(Collision("a")));
        assert!(!pool.kill(&"a"));
        assert_eq!(pool.post("a", 6), Err(Collision("a")));
    }

    /// test_post_replace
    fn a_value_can_be_replaced() {
        let pool = DAGPool::default();
        pool.post("a", 1).unwrap();
        let mut each = pool.wait_each(["a"]);
        pool.post("b", 0).unwrap();
        pool.post_replace("a", 2).unwrap();
        assert_eq!(pool.get(&"a").unwrap(), Some(2));
        assert_eq!(wait!(each.next()).unwrap().unwrap(), ("a", 2));
        assert_eq!(wait!(pool.wait(["a"])).unwrap(), HashMap::from([("a", 2)]));
        assert_eq!(wait!(pool.wait_one("a")).unwrap(), 2);
        assert_eq!(pool.keys(), ["a", "b"]);
        let patient = spawn({
            let pool = pool.clone();
            green!({ wait!(pool.wait_one("c")) })
        });
        wait!(sleep(ZERO));
        pool.post_replace("c", 3).unwrap();
        assert_eq!(wait!(patient).unwrap().unwrap(), 3);
    }

    /// test_getitem
    fn wait_one_waits_until_its_key_has_a_value() {
        let (pool, log) = (empty(), Log::new());
        spawn_n({
            let (pool, log) = (pool.clone(), log.clone());
            green!({ log.add(wait!(pool.wait_one("a")).unwrap()) })
        });
        wait!(sleep(ZERO));
        pool.spawn("a", [], |_, _| green!({ Ok("value") })).unwrap();
        assert_eq!(log.text(), "");
        wait!(idle());
        assert_eq!(log.text(), "value");
    }

    /// test_waitall_exc
    fn waitall_gives_the_error_of_a_key() {
        let pool = empty();
        fail!(pool, "a");
        let error = wait!(pool.waitall()).unwrap_err();
        assert_eq!(error.key, "a");
        assert_eq!(error.exc.error().unwrap().to_string(), "bogus");
        assert_eq!(error.to_string(), "PropagateError(\"a\"): bogus");
    }

    /// test_propagate_exc
    fn errors_go_through_the_graph_in_a_chain() {
        let pool = empty();
        fail!(pool, "a");
        consume!(pool, "b", ["a"]);
        consume!(pool, "c", ["b"]);
        let error = wait!(pool.wait_one("c")).unwrap_err();
        assert_eq!((error.key, inner(&error).key, inner(inner(&error)).key), ("c", "b", "a"));
        assert_eq!(inner(inner(&error)).exc.error().unwrap().to_string(), "bogus");
        assert_eq!(
            error.to_string(),
            "PropagateError(\"c\"): PropagateError(\"b\"): PropagateError(\"a\"): bogus"
        );
        let mut sources = Vec::new();
        let mut next: Option<&dyn Error> = Some(&error);
        while let Some(error) = next {
            sources.push(error.to_string());
            next = error.source();
        }
        assert_eq!(sources.len(), 4);
        assert_eq!(sources[3], "bogus");
    }

    /// test_wait_each_exc
    fn wait_each_gives_errors_in_their_place_and_goes_on() {
        let pool = DAGPool::new([("z", "value")]);
        fail!(pool, "a");
        let mut each = pool.wait_each(["a", "z"]);
        assert_eq!(wait!(each.next()).unwrap().unwrap().0, "z");
        assert_eq!(wait!(each.next()).unwrap().unwrap_err().key, "a");
        assert!(wait!(each.next()).is_none());
        let mut each = pool.wait_each(pool.known_keys());
        assert!(wait!(each.next()).unwrap().is_ok());
        assert!(wait!(each.next()).unwrap().is_err());
    }

    /// test_post_get_exc
    fn a_posted_error_is_a_value_unless_it_is_posted_as_an_exception() {
        let pool = DAGPool::default();
        pool.post("a", Err("bogua")).unwrap();
        assert_eq!(pool.get(&"a").unwrap(), Some(Err::<(), _>("bogua")));
        pool.post_exception("b", "bogub").unwrap();
        let is_b = |error: &PropagateError<&str>| error.to_string() == "PropagateError(\"b\"): bogub";
        assert!(is_b(&pool.get(&"b").unwrap_err()));
        assert!(is_b(&pool.items().unwrap_err()));
        assert_eq!(pool.keys(), ["a", "b"]);
        assert!(is_b(&wait!(pool.waitall()).unwrap_err()));
        assert!(is_b(&wait!(pool.wait(["b"])).unwrap_err()));
        assert!(is_b(&wait!(pool.wait(["a", "b"])).unwrap_err()));
        assert_eq!(wait!(pool.wait(["a"])).unwrap()["a"], Err("bogua"));

        for (keys, values, errors) in
            [(vec!["a", "b"], 1, 1), (vec!["a"], 1, 0), (vec!["b"], 0, 1), (vec![], 0, 0)]
        {
            let found: Vec<_> = wait!(pool.wait_each_success(keys.clone()).collect());
            assert_eq!(found, vec![("a", Err("bogua")); values]);
            let found: Vec<_> = wait!(pool.wait_each_exception(keys).collect());
            assert_eq!(found.len(), errors);
            assert!(found.iter().all(|(key, error)| *key == "b" && is_b(error)));
        }
    }

    fn the_filtered_streams_wait_for_all_keys() {
        let pool = DAGPool::new([("a", "value")]);
        pool.spawn("b", [], |_, _| green!({
            wait!(sleep(ms(1)));
            Err("bogus".into())
        }))
        .unwrap();
        let mut values = pool.wait_each_success(["b", "a"]);
        let mut errors = pool.wait_each_exception(["a", "b"]);
        assert_eq!(wait!(values.next()), Some(("a", "value")));
        assert_eq!(yields!(wait!(values.next())), None);
        assert_eq!(wait!(errors.next()).unwrap().0, "b");
        assert!(wait!(errors.next()).is_none());
    }

    fn a_killed_or_timed_out_waiter_takes_nothing_with_it() {
        let pool = empty();
        let each = Rc::new(RefCell::new(Some(pool.wait_each(["a", "b"]))));
        let waiter = spawn({
            let each = Rc::clone(&each);
            green!({
                let mut mine = each.borrow_mut().take().unwrap();
                let nothing = wait!(Timeout::new(ms(1)).run(mine.next()));
                assert!(nothing.is_err());
                *each.borrow_mut() = Some(mine);
            })
        });
        wait!(waiter).unwrap();
        let mut each = each.borrow_mut().take().unwrap();
        pool.post("b", "late").unwrap();
        assert_eq!(wait!(each.next()).unwrap().unwrap(), ("b", "late"));
        assert_eq!(pool.missing(), HashSet::from(["a"]));
        drop(each);
        assert!(pool.missing().is_empty(), "nobody waits for it any more");

        let victim = spawn_n({
            let pool = pool.clone();
            green!({ wait!(pool.wait_one("c")).unwrap() })
        });
        wait!(sleep(ZERO));
        assert_eq!(pool.missing(), HashSet::from(["c"]));
        victim.kill();
        assert!(pool.missing().is_empty());
    }

    fn a_woken_waiter_that_is_killed_leaves_the_value_to_others() {
        let pool = empty();
        let waiters = [(); 2].map(|()| {
            let pool = pool.clone();
            spawn(green!({ wait!(pool.wait_one("a")).unwrap() }))
        });
        wait!(sleep(ZERO));
        pool.post("a", "value").unwrap();
        waiters[0].kill();
        let [first, second] = waiters;
        assert!(wait!(first).unwrap_err().is_killed());
        assert_eq!(wait!(second).unwrap(), "value");
    }

    fn missing_keys_are_those_that_nobody_promised() {
        let pool = DAGPool::new([("a", "value")]);
        consume!(pool, "b", ["a", "typo", "later"]);
        consume!(pool, "c", ["b"]);
        assert_eq!(pool.missing(), HashSet::from(["typo", "later"]));
        consume!(pool, "later", ["a"]);
        assert_eq!(pool.missing(), HashSet::from(["typo"]));
        for key in pool.missing() {
            pool.post_exception(key, "nobody").unwrap();
        }
        let error = wait!(pool.waitall()).unwrap_err();
        assert!(error.to_string().ends_with("PropagateError(\"typo\"): nobody"), "{error}");
        assert!(wait!(pool.wait_one("c")).is_err());
        assert_eq!(wait!(pool.wait_one("later")).unwrap(), "consumed");
    }

    fn a_circle_is_refused_when_it_closes() {
        let pool = empty();
        consume!(pool, "a", ["b"]);
        consume!(pool, "b", ["c", "x"]);
        let close = |key, on| pool.spawn(key, [on], |_, _| green!({ Ok("never") }));
        assert_eq!(close("c", "a"), Err(SpawnError::Cycle(vec!["c", "a", "b", "c"])));
        assert_eq!(close("self", "self"), Err(SpawnError::Cycle(vec!["self", "self"])));
        assert_eq!(pool.running_keys(), ["a", "b"]);
        // Two ways to one key are no circle, and a value ends a dependency.
        consume!(pool, "c", ["d"]);
        consume!(pool, "x", ["d"]);
        pool.post("d", "value").unwrap();
        assert_eq!(wait!(pool.waitall()).unwrap().len(), 5);
        assert_eq!(close("y", "a"), Ok(()));
        wait!(pool.wait_one("y")).unwrap();
    }

    fn who_dropped_its_results_is_in_no_circle() {
        let pool = empty();
        pool.spawn("a", ["b"], |_, results| green!({
            drop(results);
            wait!(sleep(ms(1)));
            Ok("on its own")
        }))
        .unwrap();
        let circle = pool.spawn("b", ["a"], |_, _| green!({ Ok("too early") }));
        assert!(matches!(circle, Err(SpawnError::Cycle(_))));
        wait!(sleep(ZERO));
        assert_eq!(pool.waiting(), 0);
        consume!(pool, "b", ["a"]);
        assert_eq!(wait!(pool.waitall()).unwrap(), HashMap::from([("a", "on its own"), ("b", "consumed")]));
    }

    fn who_posted_its_value_is_in_no_circle() {
        let pool = empty();
        pool.spawn("a", ["b"], {
            let pool = pool.clone();
            move |key, mut results| {
                green!({
                    pool.post(key, "early").unwrap();
                    let (_, value) = wait!(results.next()).unwrap()?;
                    Ok(value)
                })
            }
        })
        .unwrap();
        wait!(sleep(ZERO));
        assert_eq!(pool.waiting(), 1);
        consume!(pool, "b", ["a"]);
        assert_eq!(wait!(pool.wait_one("b")).unwrap(), "consumed");
        wait!(idle());
        assert_eq!(pool.running(), 0);
    }

    fn a_key_may_be_spawned_again_while_its_green_thread_is_killed() {
        let pool = empty();
        let again = OnDrop({
            let pool = pool.clone();
            move || pool.spawn("a", [], |_, _| green!({ Ok("the second") })).unwrap()
        });
        pool.spawn("a", [], move |_, _| {
            green!({
                let _again = &again;
                unreachable!("it is killed before it starts")
            })
        })
        .unwrap();
        assert!(pool.kill(&"a"));
        assert_eq!(pool.running_keys(), ["a"]);
        assert_eq!(wait!(pool.wait_one("a")).unwrap(), "the second");
    }

    fn spawn_many_starts_all_or_none() {
        let pool = DAGPool::new([("old", "value")]);
        let spawn_many = |depends: &[(&'static str, &'static [&'static str])]| {
            let depends = depends.iter().map(|(key, on)| (*key, on.iter().copied()));
            pool.spawn_many(depends, |_, mut results| green!({
                while let Some(result) = wait!(results.next()) {
                    result?;
                }
                Ok("value")
            }))
        };
        assert_eq!(spawn_many(&[("a", &[]), ("old", &[])]), Err(collision("old")));
        assert_eq!(spawn_many(&[("a", &[]), ("a", &[])]), Err(collision("a")));
        let circle = spawn_many(&[("a", &["b", "old"]), ("b", &["c"]), ("c", &["a"])]);
        assert!(matches!(circle, Err(SpawnError::Cycle(keys)) if keys.len() == 4));
        // Who leads to a circle is not in it.
        let circle = spawn_many(&[("x", &["a"]), ("a", &["b"]), ("b", &["a"])]);
        assert_eq!(circle, Err(SpawnError::Cycle(vec!["a", "b", "a"])));
        assert_eq!((pool.running(), pool.missing().len()), (0, 0));
        assert_eq!(spawn_many(&[("c", &["b"]), ("b", &["a"]), ("a", &["old"])]), Ok(()));
        assert_eq!(wait!(pool.waitall()).unwrap().len(), 4);
    }

    fn a_member_may_post_and_spawn_other_keys() {
        let pool = empty();
        pool.spawn("a", [], {
            let pool = pool.clone();
            move |key, _| green!({
                assert_eq!(pool.post("other", "posted"), Ok(()));
                consume!(pool, "b", ["a"]);
                assert_eq!(pool.post("b", "taken"), Err(Collision("b")));
                // Its own key is free to it, but only once.
                assert_eq!(pool.post(key, "early"), Ok(()));
                assert_eq!(pool.post(key, "again"), Err(Collision("a")));
                assert_eq!(pool.post_replace(key, "better"), Ok(()));
                assert_eq!(pool.spawn(key, [], |_, _| green!({ Ok("bad") })), Err(collision("a")));
                Ok("dropped")
            })
        })
        .unwrap();
        assert_eq!(wait!(pool.wait_one("b")).unwrap(), "consumed");
        assert_eq!(pool.get(&"a").unwrap(), Some("better"));
        assert_eq!(pool.get(&"other").unwrap(), Some("posted"));
    }

    fn waitall_inside_a_member_panics_in_its_line() {
        let pool = empty();
        pool.spawn("a", [], {
            let pool = pool.clone();
            move |key, _| green!({
                panics_here!("would wait for itself for ever", pool.waitall());
                pool.post(key, "early").unwrap();
                assert_eq!(wait!(pool.waitall()).unwrap(), HashMap::from([("a", "early")]));
                pool.post("reached", "the end").unwrap();
                Ok("late")
            })
        })
        .unwrap();
        wait!(idle());
        assert_eq!(pool.keys(), ["a", "reached"]);
        assert_eq!((pool.running(), pool.get(&"a").unwrap()), (0, Some("early")));
    }

    fn a_panic_that_nobody_can_see_is_reported() {
        let ear = Ear::open();
        let pool = empty();
        for key in ["asked", "unasked"] {
            pool.spawn(key, [], move |key, _| green!({ panic!("oops of {key}") })).unwrap();
        }
        pool.spawn("posted", [], {
            let pool = pool.clone();
            move |key, _| green!({
                pool.post(key, "value").unwrap();
                panic!("oops after posting");
            })
        })
        .unwrap();
        wait!(sleep(ZERO));
        assert!(ear.heard().join("\n").contains("oops after posting"));
        assert!(wait!(pool.wait_one("asked")).is_err());
        assert_eq!(wait!(pool.wait_one("posted")).unwrap(), "value");
        drop(pool);
        let heard = ear.heard().join("\n");
        assert!(heard.contains("oops of unasked") && !heard.contains("oops of asked"), "{heard}");
    }

    fn values_may_use_the_pool_when_they_are_cloned_and_dropped() {
        struct Nosy(DAGPool<u32, Nosy>, Rc<Cell<u32>>);

        impl Nosy {
            fn look(&self) {
                self.1.set(self.1.get() + 1);
                let key = 100 + self.1.get();
                drop(self.0.wait_each([key, 1]));
                assert!(self.0.keys().contains(&1) && !self.0.missing().contains(&key));
            }
        }

        impl Clone for Nosy {
            fn clone(&self) -> Nosy {
                self.look();
                Nosy(self.0.clone(), Rc::clone(&self.1))
            }
        }

        impl Drop for Nosy {
            fn drop(&mut self) {
                self.look();
            }
        }

        let (pool, looks) = (DAGPool::default(), Rc::new(Cell::new(0)));
        let nosy = || Nosy(pool.clone(), Rc::clone(&looks));
        pool.post(1, nosy()).unwrap();
        pool.post_replace(1, nosy()).unwrap();
        drop(wait!(pool.wait([1])).unwrap());
        drop(pool.get(&1).unwrap());
        drop(pool.items().unwrap());
        // The one that was replaced was dropped, three copies were made and dropped.
        assert_eq!(looks.get(), 1 + 3 * 2);
    }
}

proptest! {
    /// Any graph without circles is run, whatever the order of spawning, and with a circle it is
    /// refused.
    #[test]
    fn every_graph_without_circles_ends(
        graph in btree_map(0_u32..12, hash_set(0_u32..12, 0..4), 1..12),
        failing in hash_set(0_u32..12, 0..3),
    ) {
        run(async move {
            let pool = DAGPool::<u32, u32>::default();
            let mut refused = HashSet::new();
            for (&key, depends) in &graph {
                let fails = failing.contains(&key);
                let spawned = pool.spawn(key, depends.clone(), move |_, mut results| async move {
                    let mut depth = 0;
                    while let Some(result) = results.next().await {
                        depth = depth.max(result?.1 + 1);
                    }
                    if fails { Err("it fails".into()) } else { Ok(depth) }
                });
                if let Err(error) = spawned {
                    assert_is_circle(error, &graph);
                    refused.insert(key);
                }
            }
            for key in pool.missing() {
                assert!(!graph.contains_key(&key) || refused.contains(&key));
                pool.post(key, 0).unwrap();
            }
            let mut each = pool.wait_each(pool.known_keys());
            while let Some(result) = each.next().await {
                let started_with_a_failure = |error: &PropagateError<u32>| {
                    let mut error = error;
                    while let Some(inner) = error.exc.downcast_ref() {
                        error = inner;
                    }
                    failing.contains(&error.key)
                };
                assert!(result.is_ok() || started_with_a_failure(&result.unwrap_err()));
            }
            assert_eq!((pool.running(), pool.missing().len()), (0, 0));
        });
    }
}

/// Asserts that each key of a circle depends on the next.
fn assert_is_circle(error: SpawnError<u32>, graph: &BTreeMap<u32, HashSet<u32>>) {
    let SpawnError::Cycle(keys) = error else { panic!("{error}") };
    assert!(keys.len() > 1 && keys.first() == keys.last());
    assert!(keys.windows(2).all(|pair| graph[&pair[0]].contains(&pair[1])), "{keys:?}");
}
