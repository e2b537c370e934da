//! Failures that nobody hears of: each is reported once, no report fails its reporter, and what is
//! wrong with a value that is dropped ends nobody else.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::fs::OpenOptions;
use std::future::pending;
use std::io;
use std::panic::panic_any;
use std::process::{Command, Stdio};
use std::rc::Rc;

use eventlet::corolocal::Local;
use eventlet::hubs::get_hub;
use eventlet::runtime::Builder;
use eventlet::{
    GreenPool, HubThread, connect, debug, getcurrent, listen, run as run_plainly, serve, sleep,
    spawn, spawn_n, tpool,
};
use tokio::io::AsyncReadExt;
use tracing::{Event, Metadata, Subscriber, span};

use crate::support::{Ear, OnDrop, ZERO, both_colours, ms, run, run_in_real_time};

/// A payload whose destructor panics, with another one of its kind.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(Bomb);
    }
}

fn explode() {
    panic_any(Bomb);
}

/// A value that panics when it is dropped.
struct Armed;

impl Drop for Armed {
    fn drop(&mut self) {
        explode();
    }
}

/// An error that looks after the hub when it is dropped, and then panics.
#[derive(Debug)]
struct Nosy;

thread_local! {
    static NOSY_DROPS: Cell<usize> = const { Cell::new(0) };
}

impl fmt::Display for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nosy")
    }
}

impl Error for Nosy {}

impl Drop for Nosy {
    fn drop(&mut self) {
        NOSY_DROPS.set(NOSY_DROPS.get() + 1);
        assert!(get_hub().green_threads() > 0);
        spawn_n(async {}).kill();
        getcurrent().kill();
        explode();
    }
}

mod bombs {
    use super::*;

    both_colours! {
        fn as_the_payload_of_a_panic_of_a_green_thread() {
            let ear = Ear::open();
            spawn_n(green!({ explode() }));
            drop(spawn(green!({ explode() })));
            wait!(sleep(ZERO));
            assert!(wait!(spawn(green!({ explode() }))).unwrap_err().is_panic());
            assert_eq!(ear.heard().len(), 2 + 3, "two that nobody heard of, and three payloads");
            let pool = GreenPool::new(1);
            wait!(pool.spawn_n(green!({ explode() })));
            wait!(pool.waitall());
        }

        fn as_that_of_a_link() {
            let gt = spawn(green!({ 1 }));
            let after = Rc::new(Cell::new(0));
            gt.link(|_| explode());
            gt.link({
                let after = Rc::clone(&after);
                move |_| after.set(1)
            });
            assert_eq!(wait!(gt.wait()).unwrap(), 1);
            assert_eq!(after.get(), 1);
            gt.link(|_| explode());
            assert_eq!(wait!(gt).unwrap(), 1);
        }

        fn in_a_destructor_of_one_that_is_killed() {
            // Without a stack of its own: Rust allows no panic in a destructor while a stack
            // unwinds.
            let gt = spawn(async {
                let _armed = Armed;
                pending::<()>().await
            });
            wait!(sleep(ZERO));
            gt.kill();
            assert!(wait!(gt).unwrap_err().is_killed());
        }

        fn in_a_value_that_nobody_waits_for() {
            let ear = Ear::open();
            drop(spawn(green!({ Armed })));
            spawn_n(green!({ Armed }));
            wait!(sleep(ZERO));
            let heard = ear.heard();
            assert_eq!(heard.len(), 2, "{heard:?}");
            let words = "in the destructor of the value of a green thread: it panicked";
            assert!(heard.iter().all(|it| it == words), "{heard:?}");
        }

        fn in_what_a_green_thread_keeps_for_itself() {
            thread_local! {
                static KEPT: Local<RefCell<Vec<Armed>>> = Local::new(|| RefCell::new(Vec::new()));
            }
            let gt = spawn(green!({ KEPT.with(|kept| kept.with(|kept| kept.borrow_mut().push(Armed))) }));
            wait!(gt).unwrap();
        }

        fn in_an_error_that_is_thrown() {
            NOSY_DROPS.set(0);
            let gt = spawn(green!({
                getcurrent().throw(Nosy);
                getcurrent().throw(Nosy);
                assert_eq!(NOSY_DROPS.get(), 1, "the first reason stands");
            }));
            wait!(gt).unwrap();
            assert_eq!(NOSY_DROPS.get(), 2, "it completed all the same");
            let gt = spawn(green!({
                getcurrent().throw(Nosy);
                wait!(sleep(ZERO))
            }));
            drop(wait!(gt).unwrap_err());
            assert_eq!(NOSY_DROPS.get(), 3);
            let gt = spawn(green!({ wait!(pending::<()>()) }));
            gt.throw(Nosy);
            gt.throw(Nosy);
            drop(gt);
            assert_eq!(NOSY_DROPS.get(), 5);
        }
    }

    #[test]
    fn in_a_hub_that_ends() {
        run_plainly(async {
            for _ in 0..3 {
                let armed = Armed;
                spawn_n(async move {
                    let _armed = armed;
                    pending::<()>().await
                });
            }
            sleep(ZERO).await;
            let never_started = Armed;
            spawn_n(async move { drop(never_started) });
        });
        run_plainly(async {});
    }

    #[test]
    fn on_their_way_to_a_hub_thread() {
        let hub = HubThread::start();
        for _ in 0..3 {
            let armed = Armed;
            drop(hub.spawn(move || async move {
                let _armed = armed;
                pending::<()>().await
            }));
        }
        drop(hub.shutdown());
        for _ in 0..3 {
            let armed = Armed;
            drop(hub.spawn(move || async move { drop(armed) }));
        }
        hub.shutdown().join();
    }

    #[cfg(feature = "stackful")]
    #[test]
    fn no_stack_is_lost_by_them() {
        use eventlet::stackful::stack_stats;
        use eventlet::{Block, green, stackful};

        run(async {
            let before = stack_stats().in_use;
            let gt = spawn(stackful(|| {
                let killed = std::panic::catch_unwind(|| pending::<()>().block());
                assert!(killed.is_err());
                explode();
            }));
            let scoped = spawn(stackful(|| {
                green::thread::scope(|s| {
                    s.spawn(|| pending::<()>().block());
                    explode();
                });
            }));
            sleep(ZERO).await;
            gt.kill();
            scoped.kill();
            assert!(gt.await.unwrap_err().is_killed());
            assert!(scoped.await.unwrap_err().is_killed());
            assert_eq!(stack_stats().in_use, before);
        });
    }

    #[test]
    fn as_the_payload_of_a_job_of_the_thread_pool() {
        run_in_real_time(async {
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let job = spawn(tpool::execute(move || {
                let _ = stopped.recv();
                explode();
            }));
            sleep(ms(1)).await;
            job.kill();
            drop(stop);
            assert_eq!(tpool::execute(|| 1).await, 1);
        });
    }
}

mod errors {
    use super::*;

    both_colours! {
        fn one_that_ends_a_green_thread_is_reported_once_with_the_line_of_the_spawn() {
            let ear = Ear::open();
            let line = line!() + 1;
            spawn_n(green!({ Err::<(), _>("no paper") }));
            wait!(sleep(ZERO));
            let says = |line, words: &str| format!("{}:{line}:13: it ended with an error: {words}", file!());
            assert_eq!(ear.heard(), [format!("in a green thread spawned at {}", says(line, "no paper"))]);

            let line = line!() + 1;
            drop(spawn(green!({ Err::<u64, _>(io::Error::other("no ink")) })));
            wait!(sleep(ZERO));
            let heard = ear.heard();
            assert!(heard.len() == 1 && heard[0].contains("no ink"), "{heard:?}");
            let words = format!("in a green thread spawned at {}:{line}:18 that nobody waited for: ", file!());
            assert!(heard[0].starts_with(&words), "{heard:?}");

            let kept = spawn(green!({ Err::<(), _>("no power".to_owned()) }));
            wait!(sleep(ZERO));
            assert_eq!(ear.heard(), [""; 0], "somebody may still look");
            drop(kept);
            assert_eq!(ear.heard().len(), 1);
        }

        fn in_a_pool_as_well() {
            let ear = Ear::open();
            let pool = GreenPool::new(1);
            let line = line!() + 1;
            wait!(pool.spawn_n(green!({ Err::<(), _>("no paper") })));
            wait!(pool.waitall());
            let heard = ear.heard();
            assert!(heard.len() == 1 && heard[0].contains(&format!("{}:{line}:", file!())), "{heard:?}");

            // A member of a full pool runs the job itself.
            let inner = pool.clone();
            wait!(pool.spawn_n(green!({ wait!(inner.spawn_n(async { Err::<(), _>("no ink") })) })));
            wait!(pool.waitall());
            let heard = ear.heard();
            assert!(heard.len() == 1 && heard[0].contains("no ink"), "{heard:?}");
            drop(wait!(pool.spawn(green!({ Err::<(), _>("no power") }))));
            wait!(pool.waitall());
            assert_eq!(ear.heard().len(), 1);
        }

        fn one_of_an_unknown_type_is_named() {
            struct Jam;
            let ear = Ear::open();
            spawn_n(green!({ Err::<(), _>(Jam) }));
            wait!(sleep(ZERO));
            let heard = ear.heard();
            assert!(heard.len() == 1 && heard[0].contains("::Jam`;"), "{heard:?}");
        }

        fn one_that_somebody_looks_at_is_not_reported() {
            let ear = Ear::open();
            let fails = || spawn(green!({ Err::<(), _>("seen") }));
            assert!(wait!(fails()).unwrap().is_err());
            let waited = fails();
            assert!(wait!(waited.wait()).unwrap().is_err());
            drop(waited);
            let linked = fails();
            linked.link(|result| assert!(result.as_ref().unwrap().is_err()));
            drop(linked);
            let killed = spawn(green!({ wait!(pending::<()>()) }));
            killed.kill();
            spawn_n(green!({ wait!(killed) }));
            wait!(sleep(ZERO));
            assert_eq!(ear.heard(), [""; 0]);
        }

        fn reports_can_be_turned_off() {
            let ear = Ear::open();
            let fails = || {
                drop(spawn(green!({ Err::<(), _>("an error") })));
                spawn_n(green!({ if true { panic!("on purpose") } }));
                let gt = spawn(green!({ OnDrop(|| panic!("in a destructor")) }));
                gt.link(|_| panic!("in a link"));
            };
            debug::hub_exceptions(false);
            fails();
            wait!(sleep(ZERO));
            assert_eq!(ear.heard(), [""; 0]);
            debug::hub_exceptions(true);
            fails();
            wait!(sleep(ZERO));
            assert_eq!(ear.heard().len(), 4);
        }
    }

    #[test]
    fn each_hub_reports_or_not_for_itself() {
        let ear = Ear::open();
        let fails = || async {
            spawn_n(async { Err::<(), _>("an error") });
            sleep(ZERO).await;
        };
        Builder::new().hub_exceptions(false).run(fails()).unwrap();
        assert_eq!(ear.heard(), [""; 0]);
        run_plainly(fails());
        assert_eq!(ear.heard().len(), 1);
    }

    #[test]
    fn one_of_a_hub_thread_is_reported_where_it_is_given_up() {
        let ear = Ear::open();
        let hub = HubThread::start();
        let fails = hub.spawn(|| async { Err::<(), _>("no paper") });
        hub.spawn(|| async {}).join().unwrap();
        drop(fails);
        let words = "in a green thread that nobody waited for: it ended with an error: no paper";
        assert_eq!(ear.heard(), [words]);
        hub.shutdown().join();
    }
}

/// A log that panics on whatever it is told.
struct Panicky;

impl Subscriber for Panicky {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        explode();
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// An error that cannot be displayed.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("it panics when it is displayed")
    }
}

impl Error for Unspeakable {}

/// Does whatever makes a hub report something.
async fn fail_in_all_ways() {
    spawn_n(async { panic!("on purpose") });
    drop(spawn(async { Err::<(), _>("an error") }));
    spawn_n(async { Err::<(), Box<dyn Error>>(Unspeakable.into()) });
    spawn(async {}).link(|_| panic!("in a link"));
    drop(spawn(async { Armed }));
    let gt = spawn(async {
        let _guard = OnDrop(|| panic!("in a destructor"));
        pending::<()>().await
    });
    sleep(ZERO).await;
    gt.kill();

    let listener = listen("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = spawn(serve(listener, |_conn, _addr| async { Err::<(), _>("bad request") }, 10));
    for _ in 0..3 {
        let mut client = connect(addr).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "its handler has failed");
    }
    assert!(!server.dead());
    server.kill();
}

mod reporters {
    use super::*;

    #[test]
    fn outlive_a_log_that_panics() {
        let _log = tracing::subscriber::set_default(Panicky);
        run_in_real_time(fail_in_all_ways());
    }

    #[test]
    fn outlive_an_error_that_cannot_be_displayed() {
        run(async {
            let ear = Ear::open();
            spawn_n(async { Err::<(), Box<dyn Error>>(Unspeakable.into()) });
            sleep(ZERO).await;
            let heard = ear.heard();
            assert!(
                heard.len() == 1 && heard[0].contains("panics when it is displayed"),
                "{heard:?}"
            );
        });
    }

    /// Runs [`fail_in_all_ways`] in a process of its own, and returns whether that went well.
    fn fails_in_all_ways_with(errors: Stdio) -> bool {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "reports::reporters::fail", "--ignored", "--nocapture"])
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        // Where it is a pipe there is nobody now who reads it.
        drop(child.stderr.take());
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("running 1 test"), "{text}");
        output.status.success()
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn fail() {
        run_in_real_time(fail_in_all_ways());
    }

    #[test]
    fn outlive_a_standard_error_that_nobody_reads() {
        assert!(fails_in_all_ways_with(Stdio::piped()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn outlive_a_standard_error_that_is_full() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(fails_in_all_ways_with(full.into()));
    }
}
