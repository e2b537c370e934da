//! What becomes of a key whose green thread failed, and of those that depend on it.

use super::*;

both_colours! {
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
}
