//! The pool of OS threads: eventlet tests/tpool_test.py and tests/env_test.py at c8f903a3.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use eventlet::tpool::{Proxy, execute, killall, set_num_threads};
use eventlet::{GreenPile, HubThread, Timeout, run, sleep, spawn, with_timeout};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{join_all, poll_immediate};

use crate::real_time::both_colours_in_real_time;
use crate::support::{
    Ear, OnDrop, ZERO, in_a_process_of_its_own, keeps_turn, ms, run_in_real_time,
};

/// A job that tells when it has begun, and ends when it is told to, or when nobody can tell it any
/// more.
fn held<T: Send + 'static>(
    value: T,
) -> (impl FnOnce() -> T + Send + 'static, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begun, has_begun) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let job = move || {
        begun.send(()).unwrap();
        let _ = released.recv();
        value
    };
    (job, has_begun, release)
}

mod executing {
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
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
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
}

/// Each hub has a pool of its own.
mod hubs {
    use super::*;

    #[test]
    fn jobs_may_wait_for_a_hub_that_uses_the_pool() {
        run_in_real_time(async {
            let hub = HubThread::start();
            let jobs = (0..40).map(|number| {
                let hub = hub.clone();
                execute(move || {
                    let there = hub.spawn(move || async move { execute(move || number).await });
                    there.join().unwrap()
                })
            });
            let limit = with_timeout(Duration::from_secs(20), join_all(jobs));
            assert_eq!(limit.await.unwrap(), (0..40).collect::<Vec<_>>());
        });
    }

    #[test]
    fn a_job_may_run_a_hub_that_uses_the_pool() {
        run_in_real_time(async {
            let jobs = (0..40).map(|number| execute(move || run(execute(move || number))));
            let limit = with_timeout(Duration::from_secs(20), join_all(jobs));
            assert_eq!(limit.await.unwrap(), (0..40).collect::<Vec<_>>());
        });
    }

    #[test]
    fn a_size_is_that_of_a_hub() {
        run_in_real_time(async {
            let other = HubThread::start();
            set_num_threads(1);
            let (job, begun, release) = held(());
            let first = spawn(execute(job));
            sleep(ZERO).await;
            begun.recv().unwrap();
            // The other hub has threads to spare.
            let there = other.spawn(|| async {
                let together = Arc::new(Barrier::new(5));
                join_all((0..5).map(|_| {
                    let together = Arc::clone(&together);
                    execute(move || together.wait().is_leader())
                }))
                .await
            });
            assert_eq!(there.await.unwrap().into_iter().filter(|leads| *leads).count(), 1);
            assert!(poll_immediate(execute(|| ())).await.is_none(), "this one has none");
            release.send(()).unwrap();
            first.await.unwrap();
        });
    }

    both_colours_in_real_time! {
        fn killall_waits_for_the_jobs_and_the_next_job_starts_the_pool_anew() {
            set_num_threads(1);
            let before = wait!(execute(|| thread::current().id()));
            let (job, begun, release) = held(7);
            let first = spawn(execute(job));
            let second = spawn(execute(|| thread::current().id()));
            wait!(sleep(ZERO));
            begun.recv().unwrap();
            let end = spawn(killall());
            wait!(sleep(ZERO));
            assert!(!end.dead());
            release.send(()).unwrap();
            wait!(end).unwrap();
            assert_eq!(wait!(first).unwrap(), 7);
            assert_eq!(wait!(second).unwrap(), before, "it was in line");
            let after = wait!(execute(|| thread::current().id()));
            assert_ne!(after, before);
            // It has kept its size.
            let others = wait!(join_all((0..3).map(|_| execute(|| thread::current().id()))));
            assert_eq!(others, [after; 3]);
        }

        fn killall_of_a_pool_that_has_not_started_does_nothing() {
            keeps_turn!(wait!(killall()));
            assert_eq!(wait!(execute(|| 7)), 7);
            wait!(killall());
            keeps_turn!(wait!(killall()));
        }
    }

    #[test]
    fn a_killed_killall_has_its_way_all_the_same() {
        run_in_real_time(async {
            set_num_threads(1);
            let before = execute(|| thread::current().id()).await;
            let (job, begun, release) = held(());
            let first = spawn(execute(job));
            sleep(ZERO).await;
            begun.recv().unwrap();
            let end = spawn(killall());
            sleep(ZERO).await;
            end.kill();
            assert_ne!(execute(|| thread::current().id()).await, before);
            release.send(()).unwrap();
            first.await.unwrap();
        });
    }

    #[test]
    fn the_threads_end_with_the_os_thread_of_the_hub() {
        let hub = HubThread::start();
        let (gone, is_gone) = mpsc::channel();
        hub.spawn(move || {
            execute(move || {
                type Witness = OnDrop<Box<dyn FnMut()>>;
                thread_local! {
                    static WITNESS: RefCell<Option<Witness>> = const { RefCell::new(None) };
                }
                WITNESS.set(Some(OnDrop(Box::new(move || gone.send(()).unwrap()))));
            })
        })
        .join()
        .unwrap();
        hub.shutdown().join();
        is_gone.recv().unwrap();
    }
}

mod proxies {
    use super::*;

    both_colours_in_real_time! {
        fn calls_are_made_one_at_a_time_in_order() {
            let log = Proxy::new(Vec::new());
            let (job, begun, release) = held(());
            let first = spawn({
                let log = log.clone();
                green!({ wait!(log.call(move |log| { job(); log.push(0) })) })
            });
            wait!(execute(move || begun.recv())).unwrap();
            let others: Vec<_> = (1..50)
                .map(|number| {
                    let log = log.clone();
                    spawn(green!({ wait!(log.call(move |log| log.push(number))) }))
                })
                .collect();
            wait!(sleep(ZERO));
            release.send(()).unwrap();
            wait!(first).unwrap();
            for other in others {
                wait!(other).unwrap();
            }
            let log = wait!(log.call(std::mem::take));
            assert_eq!(log, (0..50).collect::<Vec<_>>());
        }

        fn a_call_given_up_before_it_began_is_never_made() {
            let log = Proxy::new(Vec::new());
            let (job, begun, release) = held(());
            let first = spawn({
                let log = log.clone();
                green!({ wait!(log.call(move |log| { job(); log.push("first") })) })
            });
            wait!(execute(move || begun.recv())).unwrap();

            let (dropped, was_dropped) = mpsc::channel();
            let witness = OnDrop(move || dropped.send(()).unwrap());
            let second = spawn({
                let log = log.clone();
                green!({ wait!(log.call(move |log| { let _witness = witness; log.push("second") })) })
            });
            wait!(sleep(ZERO));
            second.kill();
            was_dropped.try_recv().expect("its closure is dropped at once");

            release.send(()).unwrap();
            wait!(first).unwrap();
            assert_eq!(wait!(log.call(|log| log.clone())), ["first"]);
        }

        fn a_call_given_up_while_it_is_made_holds_the_next_one_up() {
            let log = Proxy::new(Vec::new());
            let (job, begun, release) = held(());
            let first = spawn({
                let log = log.clone();
                green!({ wait!(log.call(move |log| { job(); log.push("first") })) })
            });
            wait!(execute(move || begun.recv())).unwrap();
            first.kill();
            let second = spawn({
                let log = log.clone();
                green!({ wait!(log.call(|log| { log.push("second"); log.clone() })) })
            });
            wait!(sleep(ZERO));
            release.send(()).unwrap();
            assert_eq!(wait!(second).unwrap(), ["first", "second"]);
        }

        fn a_panic_leaves_the_object_as_it_is() {
            let list = Proxy::new(vec![1]);
            let caller = spawn({
                let list = list.clone();
                green!({ wait!(list.call(|list| { list.push(2); panic!("oops") })) })
            });
            assert!(wait!(caller).unwrap_err().is_panic());
            assert_eq!(wait!(list.call(|list| list.clone())), [1, 2]);
        }
    }

    #[test]
    fn a_call_from_inside_a_call_of_the_same_object_panics_with_words() {
        run_in_real_time(async {
            let proxy = Proxy::new(0);
            let same = proxy.clone();
            let caller =
                spawn(async move { proxy.call(move |_| same.call(|_| ()).now_or_never()).await });
            let exit = caller.await.unwrap_err().to_string();
            assert!(exit.contains("a call of a `Proxy` called the same proxy"), "{exit}");
        });
    }

    #[test]
    fn a_call_from_inside_a_call_of_another_object_is_made_right_there() {
        run_in_real_time(async {
            let (outer, inner) = (Proxy::new(1), Proxy::new(2));
            let both = outer
                .call(move |outer| inner.call(|inner| *inner).now_or_never().unwrap() + *outer);
            assert_eq!(both.await, 3);
        });
    }

    #[test]
    fn the_object_goes_with_its_last_handle() {
        run_in_real_time(async {
            let (dropped, was_dropped) = mpsc::channel();
            let proxy = Proxy::new(OnDrop(move || dropped.send(()).unwrap()));
            let other = proxy.clone();
            other.call(|_| ()).await;
            drop(proxy);
            assert!(was_dropped.try_recv().is_err());
            drop(other);
            // The thread that made the call may have been the last to let go of it.
            execute(move || was_dropped.recv()).await.unwrap();
        });
    }
}

/// The default size belongs to the process, so what depends on it has a process of its own.
mod sizes {
    use super::*;

    fn child(test: &str, size: Option<&str>) -> (bool, String) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        match size {
            Some(size) => command.env("EVENTLET_THREADPOOL_SIZE", size),
            None => command.env_remove("EVENTLET_THREADPOOL_SIZE"),
        };
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("running 1 test"), "there is no test {test}:\n{text}");
        (output.status.success(), text)
    }

    fn passes(test: &str, size: Option<&str>) {
        let (passed, text) = child(&format!("tpool::sizes::{test}"), size);
        assert!(passed, "{text}");
    }

    fn this_thread() -> ThreadId {
        thread::current().id()
    }

    /// Keeps so many threads busy at once, some times over, and asserts that no more took part.
    fn has_threads(threads: usize) {
        run_in_real_time(keeps_busy(threads));
    }

    async fn keeps_busy(threads: usize) {
        let together = Arc::new(Barrier::new(threads));
        let jobs = (0..threads * 10).map(|_| {
            let together = Arc::clone(&together);
            execute(move || {
                together.wait();
                this_thread()
            })
        });
        let took_part: HashSet<ThreadId> = join_all(jobs).await.into_iter().collect();
        assert_eq!(took_part.len(), threads);
    }

    #[test]
    fn the_default_is_twenty() {
        passes("has_twenty_threads", None);
    }

    #[test]
    fn the_environment_says_how_many() {
        passes("has_forty_threads", Some("40"));
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn has_twenty_threads() {
        has_threads(20);
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn has_forty_threads() {
        has_threads(40);
    }

    #[test]
    fn what_the_environment_says_must_be_a_number_of_threads() {
        for wrong in ["-1", "many", ""] {
            let (_, text) = child("tpool::sizes::says_what_is_wrong", Some(wrong));
            let words = format!(
                "EVENTLET_THREADPOOL_SIZE says how many OS threads a thread pool has, and `{wrong}`"
            );
            assert!(text.contains(&words), "{text}");
            assert!(text.contains("1 passed"), "{text}");
        }
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn says_what_is_wrong() {
        for _ in 0..2 {
            assert!(catch_unwind(|| block_on(execute(|| ()))).is_err());
        }
        set_num_threads(1);
        assert_eq!(block_on(execute(|| 42)), 42, "the program knows better");
    }

    #[test]
    fn without_threads_a_job_runs_in_its_caller_and_a_warning_is_given_once() {
        let (passed, text) = child("tpool::sizes::runs_inline", Some("0"));
        assert!(passed, "{text}");
        assert_eq!(text.matches("the thread pool has no threads").count(), 1, "{text}");
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn runs_inline() {
        run_in_real_time(async {
            assert_eq!(execute(this_thread).await, this_thread());
            assert_eq!(Proxy::new(()).call(|()| this_thread()).await, this_thread());
            let caller = spawn(execute(|| panic!("oops")));
            assert!(caller.await.unwrap_err().is_panic());
        });
    }

    #[test]
    fn the_number_can_be_changed_at_any_time() {
        passes("changes_its_size", Some("3"));
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn changes_its_size() {
        has_threads(3);
        set_num_threads(5);
        has_threads(5);
        set_num_threads(2);
        has_threads(2);
        run_in_real_time(async {
            for threads in [3, 6, 1] {
                set_num_threads(threads);
                keeps_busy(threads).await;
            }
        });
        set_num_threads(0);
        assert_eq!(block_on(execute(this_thread)), this_thread());
        set_num_threads(1);
        has_threads(1);
    }

    #[test]
    fn jobs_that_wait_begin_when_there_are_more_threads() {
        passes("begins_when_it_grows", Some("1"));
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn begins_when_it_grows() {
        run_in_real_time(async {
            let together = Arc::new(Barrier::new(3));
            let jobs = (0..3).map(|_| {
                let together = Arc::clone(&together);
                spawn(execute(move || together.wait().is_leader()))
            });
            let jobs: Vec<_> = jobs.collect();
            sleep(ZERO).await;
            set_num_threads(3);
            for job in jobs {
                job.await.unwrap();
            }
        });
    }

    #[test]
    fn a_job_that_waits_is_done_though_the_pool_was_taken_away() {
        passes("is_done_all_the_same", Some("1"));
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn is_done_all_the_same() {
        run_in_real_time(async {
            let (job, begun, release) = held(());
            let first = spawn(execute(job));
            let second = spawn(execute(this_thread));
            sleep(ZERO).await;
            begun.recv().unwrap();
            set_num_threads(0);
            release.send(()).unwrap();
            first.await.unwrap();
            assert_ne!(second.await.unwrap(), this_thread());
        });
    }

    #[test]
    fn jobs_begin_first_come_first_served() {
        passes("begins_in_order", Some("1"));
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn begins_in_order() {
        run_in_real_time(async {
            let order = Arc::new(Mutex::new(Vec::new()));
            let (job, begun, release) = held(());
            let first = spawn(execute(job));
            let others: Vec<_> = (0..100)
                .map(|number| {
                    let order = Arc::clone(&order);
                    spawn(execute(move || order.lock().unwrap().push(number)))
                })
                .collect();
            sleep(ZERO).await;
            begun.recv().unwrap();
            // One that gives up in line takes nobody else's turn.
            others[50].kill();
            release.send(()).unwrap();
            first.await.unwrap();
            for (number, other) in others.into_iter().enumerate() {
                assert_eq!(other.await.is_ok(), number != 50);
            }
            let expected: Vec<_> = (0..100).filter(|number| *number != 50).collect();
            assert_eq!(*order.lock().unwrap(), expected);
        });
    }

    #[test]
    fn a_job_inside_a_job_needs_no_second_thread() {
        passes("nests", Some("1"));
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn nests() {
        let twice = || execute(|| execute(this_thread).now_or_never()).now_or_never();
        let (outer, inner) = block_on(execute(move || (this_thread(), twice())));
        assert_eq!(inner, Some(Some(outer)));
    }

    #[test]
    fn a_proxy_takes_one_thread_however_many_calls_wait() {
        passes("leaves_a_thread_to_others", Some("2"));
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn leaves_a_thread_to_others() {
        run_in_real_time(async {
            let proxy = Proxy::new(0);
            let (job, begun, release) = held(());
            let first = spawn({
                let proxy = proxy.clone();
                async move { proxy.call(move |_| job()).await }
            });
            let others: Vec<_> = (0..5)
                .map(|_| {
                    let proxy = proxy.clone();
                    spawn(async move { proxy.call(|calls| *calls += 1).await })
                })
                .collect();
            sleep(ZERO).await;
            begun.recv().unwrap();
            assert_eq!(execute(|| "served").await, "served");
            release.send(()).unwrap();
            first.await.unwrap();
            for other in others {
                other.await.unwrap();
            }
            assert_eq!(proxy.call(|calls| *calls).await, 5);
        });
    }

    #[test]
    fn a_panic_that_nobody_waits_for_is_reported() {
        let (passed, text) = in_a_process_of_its_own("tpool::sizes::reports_panics");
        assert!(passed, "{text}");
        let words =
            "in a job of the thread pool that nobody waited for: it panicked: nobody saw this";
        assert!(text.contains(words), "{text}");
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn reports_panics() {
        set_num_threads(1);
        run_in_real_time(async {
            let (job, begun, release) = held(());
            let given_up = spawn(execute(move || {
                job();
                panic!("nobody saw this")
            }));
            sleep(ZERO).await;
            begun.recv().unwrap();
            given_up.kill();
            drop(release);
            execute(|| "by the same thread, after that").await;

            // Here the panic has arrived at a caller who does not look.
            let ear = Ear::open();
            let (job, begun, release) = held(());
            let mut given_up = Box::pin(execute(move || {
                job();
                panic!("nor this")
            }));
            assert!(futures::poll!(&mut given_up).is_pending());
            begun.recv().unwrap();
            drop(release);
            execute(|| "by the same thread, after that").await;
            drop(given_up);
            let words = "in a job of the thread pool that nobody waited for: it panicked: nor this";
            assert_eq!(ear.heard(), [words]);
        });
    }

    #[test]
    fn a_panicking_destructor_of_a_value_ends_no_thread() {
        passes("survives_a_destructor", Some("1"));
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn survives_a_destructor() {
        run_in_real_time(async {
            let before = execute(this_thread).await;
            let (job, begun, release) = held(OnDrop(|| panic!("oops")));
            let given_up = spawn(execute(job));
            sleep(ZERO).await;
            begun.recv().unwrap();
            given_up.kill();
            drop(release);
            assert_eq!(execute(this_thread).await, before);
            let caught = catch_unwind(AssertUnwindSafe(|| block_on(execute(|| panic!("oops")))));
            assert!(caught.is_err());
            assert_eq!(execute(this_thread).await, before);
        });
    }
}
