use super::*;

both_colours_in_real_time! {
    fn a_job_runs_on_another_os_thread_and_its_value_comes_back() {
        let here = thread::current().id();
        let (there, name, sum) = wait!(execute(move || {
            let this = thread::current();
            (this.id(), this.name().map(str::to_owned), 1 + 2)
        }));
        assert_ne!(there, here);
        assert_eq!(name.as_deref(), Some("eventlet-tpool"));
        assert_eq!(sum, 3);
    }

    fn other_green_threads_run_meanwhile() {
        // The job ends only if the other green thread gets to run.
        let (send, receive) = mpsc::channel();
        let other = spawn(green!({ send.send("from a green thread").unwrap() }));
        assert_eq!(wait!(execute(move || receive.recv())), Ok("from a green thread"));
        wait!(other).unwrap();
    }

    fn an_error_keeps_its_type() {
        let missing = wait!(execute(|| std::fs::read("there is no such file")));
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    fn a_time_limit_that_a_job_returns_is_that_limit() {
        let limit = Timeout::new(ms(1));
        assert_eq!(wait!(execute(move || Err::<(), Timeout>(limit))), Err(limit));
    }

    fn a_panic_goes_on_in_the_caller_with_its_payload() {
        let caller = spawn(green!({ wait!(execute(|| std::panic::panic_any(7_u8))) }));
        let payload = wait!(caller).unwrap_err().into_panic().unwrap();
        assert_eq!(*payload.downcast::<u8>().unwrap(), 7);
        assert_eq!(wait!(execute(|| "still there")), "still there");
    }

    fn three_calls_at_once_from_a_pile() {
        // No job ends before all three have begun.
        let together = Arc::new(Barrier::new(3));
        let pile = GreenPile::new(4);
        for number in 0..3 {
            let together = Arc::clone(&together);
            wait!(pile.spawn(green!({
                wait!(execute(move || {
                    together.wait();
                    number
                }))
            })));
        }
        for number in 0..3 {
            assert_eq!(wait!(pile.next()).unwrap().unwrap(), number);
        }
    }

    fn each_of_a_thousand_calls_gets_its_own_value() {
        let callers: Vec<_> = (0..10)
            .map(|caller| {
                spawn(green!({
                    for call in 0..100 {
                        let token = (caller, call);
                        assert_eq!(wait!(execute(move || token)), token);
                    }
                }))
            })
            .collect();
        for caller in callers {
            wait!(caller).unwrap();
        }
    }

    fn a_limit_abandons_a_job_that_runs_on_and_frees_its_thread_when_it_ends() {
        let (ended, has_ended) = mpsc::channel();
        let witness = OnDrop(move || ended.send(thread::current().id()).unwrap());
        let (job, begun, release) = held(witness);
        let mut job = execute(job);
        assert!(wait!(poll_immediate(&mut job)).is_none());
        wait!(execute(move || begun.recv())).unwrap();
        assert!(wait!(with_timeout(ms(1), job)).is_err());
        release.send(()).unwrap();
        let dropped_on = wait!(execute(move || has_ended.recv())).unwrap();
        assert_ne!(dropped_on, thread::current().id(), "the value is dropped in the pool");
    }

    fn a_kill_abandons_a_job() {
        let (job, begun, release) = held(());
        let caller = spawn(green!({ wait!(execute(job)) }));
        wait!(execute(move || begun.recv())).unwrap();
        caller.kill();
        assert!(wait!(caller).unwrap_err().is_killed());
        assert!(release.send(()).is_ok(), "it runs on");
    }
}

#[test]
fn nobody_waits_means_nobody_works() {
    run_in_real_time(async {
        let (dropped, was_dropped) = mpsc::channel();
        let witness = OnDrop(move || dropped.send(()).unwrap());
        drop(execute(move || {
            let _witness = &witness;
            unreachable!("nobody waited for it");
        }));
        was_dropped.try_recv().expect("the closure is dropped at once");
    });
}

#[test]
fn from_inside_the_pool_a_job_runs_right_there() {
    run_in_real_time(async {
        let (outer, inner) = execute(|| {
            let outer = thread::current().id();
            (outer, execute(|| thread::current().id()).now_or_never().unwrap())
        })
        .await;
        assert_eq!(outer, inner);
    });
}

#[test]
fn no_hub_is_needed() {
    assert_eq!(block_on(execute(|| 42)), 42);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let answer = runtime.block_on(async { tokio::spawn(execute(|| 42)).await });
    assert_eq!(answer.unwrap(), 42);
}

#[test]
fn hubs_do_not_stand_in_each_other_s_way() {
    // No job ends before those of all hubs have begun.
    let together = Arc::new(Barrier::new(3));
    let hubs: Vec<_> = (0..3)
        .map(|number| {
            let together = Arc::clone(&together);
            thread::spawn(move || {
                run(execute(move || {
                    together.wait();
                    number
                }))
            })
        })
        .collect();
    let numbers: Vec<_> = hubs.into_iter().map(|hub| hub.join().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2]);
}
