//! Keys that wait for each other.

use super::*;

both_colours! {
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
