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

mod circles;
mod errors;

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
                panics_here!("would wait for itself forever", pool.waitall());
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
