//! Hubs on OS threads of their own: eventlet tests/thread_test.py at c8f903a3, and what eventlet
//! has not.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use eventlet::hubs::get_hub;
use eventlet::runtime::{Builder, RemoteGreenThread, Shutdown};
use eventlet::{Exit, HubThread, Queue, getcurrent, run, sleep, spawn};
use tokio::sync::oneshot;

use crate::real_time::both_colours_in_real_time;
use crate::support::{Ear, OnDrop, ZERO, panics, run_in_real_time};

fn this_thread() -> ThreadId {
    thread::current().id()
}

/// A green thread of `hub` that waits for ever, once it has started. The receiver hears on which OS
/// thread it was dropped.
fn parked(hub: &HubThread) -> (RemoteGreenThread<()>, mpsc::Receiver<ThreadId>) {
    let (dropped, was_dropped) = mpsc::channel();
    let (started, has_started) = mpsc::channel();
    let green_thread = hub.spawn(move || async move {
        let _witness = OnDrop(move || dropped.send(this_thread()).unwrap());
        started.send(()).unwrap();
        pending().await
    });
    has_started.recv().unwrap();
    (green_thread, was_dropped)
}

fn shut_down_words(exit: &Exit) -> bool {
    !exit.is_killed()
        && exit
            .error()
            .is_some_and(|error| error.to_string() == "its hub was shut down before it could start")
}

mod handles {
    use super::*;

    fn send<T: Send>(_: &T) {}
    fn send_and_sync<T: Send + Sync + Clone>(_: &T) {}

    #[test]
    fn cross_os_threads() {
        let hub = HubThread::start();
        send_and_sync(&hub);
        // The green thread is not `Send`, and its result is.
        send(&hub.spawn(|| async {
            let cell = Rc::new(Cell::new(1));
            sleep(ZERO).await;
            cell.get()
        }));
        send::<Shutdown>(&hub.shutdown());
    }

    both_colours_in_real_time! {
        fn a_green_thread_runs_over_there_and_its_value_comes_back() {
            let hub = HubThread::start();
            let here = this_thread();
            let one = wait!(hub.spawn(|| async { this_thread() })).unwrap();
            let other = wait!(hub.spawn(|| async { this_thread() })).unwrap();
            assert_ne!(one, here);
            assert_eq!(one, other);
            wait!(hub.shutdown());
        }

        fn green_threads_over_there_are_of_either_colour() {
            let hub = HubThread::start();
            let sum = hub.spawn(|| green!({
                let queue = Queue::new(0);
                let other = spawn({
                    let queue = queue.clone();
                    green!({ wait!(queue.put(1)); wait!(queue.put(2)) })
                });
                let sum = wait!(queue.get()) + wait!(queue.get());
                wait!(other).unwrap();
                sum
            }));
            assert_eq!(wait!(sum).unwrap(), 3);
            wait!(hub.shutdown());
        }

        fn this_hub_runs_on_meanwhile() {
            // The value comes only if another green thread here gets to run.
            let hub = HubThread::start();
            let (send, receive) = oneshot::channel();
            let there = hub.spawn(|| async { receive.await.unwrap() });
            let other = spawn(green!({ send.send("from here").unwrap() }));
            assert_eq!(wait!(there).unwrap(), "from here");
            wait!(other).unwrap();
        }

        fn a_panic_is_delivered_and_ends_nobody_else() {
            let hub = HubThread::start();
            let (other, _dropped) = parked(&hub);
            let exit = wait!(hub.spawn(|| async { panic!("oops") })).unwrap_err();
            assert_eq!(exit.to_string(), "the green thread panicked: oops");
            let payload = wait!(hub.spawn(|| async { std::panic::panic_any(7_u8) }));
            let payload = payload.unwrap_err().into_panic().unwrap();
            assert_eq!(*payload.downcast::<u8>().unwrap(), 7);
            assert_eq!(wait!(hub.spawn(|| async { "still there" })).unwrap(), "still there");
            other.kill();
            assert!(wait!(other).unwrap_err().is_killed());
        }

        fn a_panic_of_the_closure_is_one_of_the_green_thread() {
            fn no_future() -> std::future::Ready<()> {
                panic!("oops")
            }
            let hub = HubThread::start();
            let exit = wait!(hub.spawn(no_future)).unwrap_err();
            assert_eq!(exit.to_string(), "the green thread panicked: oops");
            assert_eq!(wait!(hub.spawn(|| async { "still there" })).unwrap(), "still there");
        }

        fn a_kill_drops_the_victim_over_there_and_nobody_else() {
            let hub = HubThread::start();
            let there = wait!(hub.spawn(|| async { this_thread() })).unwrap();
            let (victim, was_dropped) = parked(&hub);
            let (other, other_dropped) = parked(&hub);
            victim.kill();
            victim.kill();
            assert!(wait!(victim).unwrap_err().is_killed());
            assert_eq!(was_dropped.try_recv().unwrap(), there, "before its result was known");
            assert!(other_dropped.try_recv().is_err());
            other.kill();
            assert!(wait!(other).unwrap_err().is_killed());
        }

        fn to_kill_what_has_ended_changes_nothing() {
            let hub = HubThread::start();
            let done = hub.spawn(|| async { 42 });
            wait!(hub.spawn(|| async {})).unwrap();
            done.kill();
            wait!(hub.spawn(|| async {})).unwrap();
            assert_eq!(wait!(done).unwrap(), 42);
        }

        fn whoever_stops_waiting_leaves_the_green_thread_running() {
            let hub = HubThread::start();
            let (send, receive) = oneshot::channel();
            let (done, is_done) = oneshot::channel();
            let there = hub.spawn(|| async { done.send(receive.await).unwrap() });
            let waiter = spawn(there);
            wait!(sleep(ZERO));
            waiter.kill();
            send.send("it runs").unwrap();
            assert_eq!(wait!(is_done).unwrap(), Ok("it runs"));
        }

        fn what_one_caller_spawns_starts_in_order() {
            let hub = HubThread::start();
            let (send, receive) = mpsc::channel();
            for number in 0..100 {
                let send = send.clone();
                drop(hub.spawn(move || async move { send.send(number).unwrap() }));
            }
            wait!(hub.spawn(|| async {})).unwrap();
            assert_eq!(receive.try_iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        }

        fn hubs_hand_work_to_each_other() {
            let (one, two) = (HubThread::start(), HubThread::start());
            let sum = one.spawn({
                let two = two.clone();
                move || async move { two.spawn(|| async { 1 }).await.unwrap() + 2 }
            });
            assert_eq!(wait!(sum).unwrap(), 3);
        }
    }

    #[test]
    fn a_task_of_a_multi_thread_runtime_may_wait() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let hub = HubThread::start();
        let answers = runtime.block_on(async {
            let tasks: Vec<_> = (0..10)
                .map(|number| {
                    let hub = hub.clone();
                    tokio::spawn(async move { hub.spawn(move || async move { number }).await })
                })
                .collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.unwrap().unwrap());
            }
            answers
        });
        assert_eq!(answers, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_plain_thread_joins() {
        let hub = HubThread::start();
        assert_eq!(hub.spawn(|| async { 42 }).join().unwrap(), 42);
        assert!(hub.spawn(|| async { panic!("oops") }).join().unwrap_err().is_panic());
    }

    #[test]
    fn to_join_inside_a_runtime_panics() {
        run_in_real_time(async {
            let hub = HubThread::start();
            let words = "Cannot block the current thread from within a runtime";
            let panicked = panics(|| hub.spawn(|| async {}).join());
            assert!(panicked.message.contains(words), "{panicked:?}");
            assert_eq!(panicked.file, file!());
            let panicked = panics(|| hub.shutdown().join());
            assert!(panicked.message.contains(words), "{panicked:?}");
            assert_eq!(panicked.file, file!());
        });
    }

    #[test]
    fn one_kills_before_the_start() {
        let hub = HubThread::start();
        // The hub is busy until it is told otherwise, so the victim cannot start before it is
        // killed.
        let (go_on, told) = mpsc::channel::<()>();
        let busy = hub.spawn(move || async move { told.recv() });
        let victim = hub.spawn(|| async { unreachable!("it was killed") });
        victim.kill();
        go_on.send(()).unwrap();
        assert!(victim.join().unwrap_err().is_killed());
        busy.join().unwrap().unwrap();
    }

    #[test]
    fn an_unseen_panic_is_reported_there() {
        run_in_real_time(async {
            let hub = HubThread::start();
            let (opened, is_open) = oneshot::channel();
            let (stop, stopped) = oneshot::channel::<()>();
            let listener = hub.spawn(|| async {
                let ear = Ear::open();
                opened.send(()).unwrap();
                stopped.await.unwrap();
                ear.heard()
            });
            is_open.await.unwrap();
            let (panic, told) = oneshot::channel::<()>();
            drop(hub.spawn(|| async {
                told.await.unwrap();
                panic!("oops")
            }));
            panic.send(()).unwrap();
            hub.spawn(|| sleep(ZERO)).await.unwrap();
            stop.send(()).unwrap();
            let words = "in a green thread that nobody waited for: the green thread panicked: oops";
            assert_eq!(listener.await.unwrap(), [words]);
        });
    }

    #[test]
    fn an_unseen_panic_is_reported_here_if_it_had_arrived() {
        run_in_real_time(async {
            let hub = HubThread::start();
            let oops = hub.spawn(|| async { panic!("oops") });
            hub.spawn(|| async {}).await.unwrap();
            let ear = Ear::open();
            drop(oops);
            let words = "in a green thread that nobody waited for: the green thread panicked: oops";
            assert_eq!(ear.heard(), [words]);
        });
    }
}

mod endings {
    use super::*;

    both_colours_in_real_time! {
        fn a_shutdown_drops_what_is_parked_over_there() {
            let hub = HubThread::start();
            let there = wait!(hub.spawn(|| async { this_thread() })).unwrap();
            let (one, one_dropped) = parked(&hub);
            let (two, two_dropped) = parked(&hub);
            wait!(hub.shutdown());
            assert_eq!(one_dropped.try_recv(), Ok(there));
            assert_eq!(two_dropped.try_recv(), Ok(there));
            assert!(wait!(one).unwrap_err().is_killed());
            assert!(wait!(two).unwrap_err().is_killed());
        }

        fn nothing_starts_after_a_shutdown_and_the_error_says_so() {
            let hub = HubThread::start();
            let ending = hub.shutdown();
            let early = hub.spawn(|| async { unreachable!("it was spawned after the shutdown") });
            wait!(ending);
            let late = hub.spawn(|| async { unreachable!("it was spawned after the end") });
            late.kill();
            assert!(shut_down_words(&wait!(early).unwrap_err()));
            assert!(shut_down_words(&wait!(late).unwrap_err()));
        }

        fn shut_down_twice_and_from_two_handles() {
            let hub = HubThread::start();
            let other = hub.clone();
            let (one, two) = (hub.shutdown(), other.shutdown());
            wait!(two);
            wait!(one);
            wait!(other.shutdown());
        }

        fn a_hub_shuts_itself_down() {
            let hub = HubThread::start();
            let suicide = hub.spawn({
                let hub = hub.clone();
                move || async move { hub.shutdown().await }
            });
            // It waited for its own end, and got that.
            assert!(wait!(suicide).unwrap_err().is_killed());
            wait!(hub.shutdown());
        }

        fn the_last_handle_ends_the_hub() {
            let hub = HubThread::start();
            let (green_thread, was_dropped) = parked(&hub);
            drop(green_thread);
            let other = hub.clone();
            drop(hub);
            wait!(other.spawn(|| async {})).unwrap();
            assert!(was_dropped.try_recv().is_err(), "there is a handle left");
            drop(other);
            was_dropped.recv().unwrap();
        }

        fn whoever_waits_for_a_green_thread_keeps_its_hub_alive() {
            assert_eq!(wait!(HubThread::start().spawn(|| sleep(ZERO))).ok(), Some(()));
        }

        fn to_stop_waiting_for_a_shutdown_does_not_stop_it() {
            let hub = HubThread::start();
            let (_green_thread, was_dropped) = parked(&hub);
            drop(hub.shutdown());
            was_dropped.recv().unwrap();
        }
    }

    #[test]
    fn plain_threads_join_a_shutdown() {
        let hub = HubThread::start();
        let (parked, was_dropped) = parked(&hub);
        let joining: Vec<_> = (0..3)
            .map(|_| {
                let hub = hub.clone();
                thread::spawn(move || hub.shutdown().join())
            })
            .collect();
        for join in joining {
            join.join().unwrap();
        }
        was_dropped.try_recv().unwrap();
        assert!(parked.join().unwrap_err().is_killed());
        assert!(shut_down_words(&hub.spawn(|| async {}).join().unwrap_err()));
    }

    #[test]
    fn destructors_may_use_the_hub_that_ends() {
        let hub = HubThread::start();
        let (ended, has_ended) = mpsc::channel();
        let (started, has_started) = mpsc::channel();
        let itself = hub.clone();
        let parked = hub.spawn(move || async move {
            let _witness = OnDrop(move || {
                drop(itself.spawn(|| async {}));
                let ended = ended.clone();
                spawn(async {}).link(move |result| {
                    ended.send(result.as_ref().is_err_and(Exit::is_killed)).unwrap();
                });
            });
            started.send(()).unwrap();
            pending::<()>().await;
        });
        has_started.recv().unwrap();
        hub.shutdown().join();
        assert!(has_ended.try_recv().unwrap());
        assert!(parked.join().unwrap_err().is_killed());
    }

    #[test]
    fn a_supervisor_does_not_keep_it_from_ending() {
        fn supervise() {
            spawn(pending::<()>()).link(|_| supervise());
        }
        let hub = HubThread::start();
        hub.spawn(|| async { supervise() }).join().unwrap();
        hub.shutdown().join();
    }
}

/// There is an end to the number of hubs, and whoever starts one too many hears of it.
#[cfg(target_os = "linux")]
mod too_many {
    use super::*;
    use crate::support::in_a_process_of_its_own;

    #[test]
    fn the_hub_beyond_the_last_is_an_error() {
        let (passed, text) =
            in_a_process_of_its_own("hub_thread::too_many::starts_all_there_can_be");
        assert!(passed, "{text}");
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn starts_all_there_can_be() {
        use rustix::process::{Resource, getrlimit, setrlimit};

        let mut files = getrlimit(Resource::Nofile);
        files.current = files.maximum;
        setrlimit(Resource::Nofile, files).unwrap();

        let mut hubs = Vec::new();
        let refused = loop {
            match Builder::new().start_thread() {
                Ok(hub) => hubs.push(hub),
                Err(error) => break error.to_string(),
            }
        };
        // The operating system may have no room for so many.
        if hubs.len() == 4096 {
            assert!(refused.starts_with("4096 hubs are running"), "{refused}");
            let error = Builder::new().run(async {}).unwrap_err().to_string();
            assert_eq!(error, refused);
        }
        let last = hubs.pop().unwrap();
        last.shutdown().join();
        assert_eq!(Builder::new().start_thread().unwrap().spawn(|| async { 7 }).join().unwrap(), 7);
    }
}

mod options {
    use super::*;

    #[test]
    fn the_os_thread_has_the_name_and_green_stacks_the_size() {
        let hub = Builder::new().thread_name("crawler").stack_size(65536).start_thread().unwrap();
        let (name, size) = hub
            .spawn(|| async {
                (thread::current().name().map(str::to_owned), get_hub().stack_size())
            })
            .join()
            .unwrap();
        assert_eq!(name.as_deref(), Some("crawler"));
        assert_eq!(size, 65536);
    }

    #[test]
    fn a_builder_starts_any_number() {
        let mut builder = Builder::new();
        let hubs: Vec<_> = (0..3).map(|_| builder.start_thread().unwrap()).collect();
        for hub in &hubs {
            assert_eq!(hub.spawn(|| async { get_hub().green_threads() }).join().unwrap(), 2);
        }
    }

    #[test]
    fn the_clock_may_be_paused() {
        let day = Duration::from_secs(24 * 60 * 60);
        let hub = Builder::new().start_paused(true).start_thread().unwrap();
        let slept = hub.spawn(move || async move {
            let start = tokio::time::Instant::now();
            sleep(day).await;
            start.elapsed()
        });
        assert_eq!(slept.join().unwrap(), day);
    }

    #[test]
    fn it_starts_inside_a_runtime_and_inside_a_hub() {
        run(async {
            assert_eq!(HubThread::start().spawn(|| async { 42 }).await.unwrap(), 42);
        });
    }
}

/// eventlet's thread_test.
mod threads {
    use super::*;

    #[test]
    fn each_os_thread_has_its_own_hub_and_turns() {
        let hubs: Vec<_> = (0..4).map(|_| HubThread::start()).collect();
        let logs: Vec<_> = hubs
            .iter()
            .map(|hub| {
                hub.spawn(|| async {
                    let log = Rc::new(RefCell::new(String::new()));
                    let threads = ["a", "b", "c"].map(|name| {
                        let log = Rc::clone(&log);
                        spawn(async move {
                            for _ in 0..3 {
                                log.borrow_mut().push_str(name);
                                sleep(ZERO).await;
                            }
                        })
                    });
                    for green_thread in threads {
                        green_thread.await.unwrap();
                    }
                    (log.take(), getcurrent().id())
                })
            })
            .collect();
        for log in logs {
            assert_eq!(log.join().unwrap().0, "abcabcabc");
        }
    }
}
