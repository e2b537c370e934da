//! Looking into the hub.

use std::future::pending;

use eventlet::debug::{State, format_green_threads, green_threads, record_turn_times};
use eventlet::{GreenPile, GreenPool, getcurrent, sleep, spawn, spawn_after, spawn_n};
use futures::future::poll_immediate;

use crate::support::{ZERO, both_colours, ms};

/// Returns the state of each green thread, the main one first.
fn states() -> Vec<State> {
    green_threads().iter().map(|info| info.state).collect()
}

both_colours! {
    fn each_green_thread_is_seen_in_its_state() {
        let waiting = spawn_n(green!({ wait!(pending::<()>()) }));
        let ready = spawn_n(green!({
            loop {
                wait!(sleep(ZERO));
            }
        }));
        wait!(sleep(ZERO));
        let late = spawn_after(ms(1), green!({}));
        let new = spawn_n(green!({}));
        assert_eq!(
            states(),
            [State::Running, State::Waiting, State::Ready, State::New, State::New]
        );
        let all: Vec<_> = green_threads()[1..].iter().map(|info| info.greenlet).collect();
        assert_eq!(all, [waiting, ready, *late, new]);
        late.kill();
        for greenlet in [waiting, ready, new] {
            greenlet.kill();
        }
        assert_eq!(states(), [State::Running]);
    }

    fn they_are_seen_in_the_order_in_which_they_were_spawned() {
        let [first, second, third] = [(); 3].map(|()| spawn_n(pending::<()>()));
        second.kill();
        first.kill();
        // They take the places of those who have ended.
        let [fourth, fifth] = [(); 2].map(|()| spawn_n(pending::<()>()));
        let all: Vec<_> = green_threads()[1..].iter().map(|info| info.greenlet).collect();
        assert_eq!(all, [third, fourth, fifth]);
        all.iter().for_each(|greenlet| greenlet.kill());
    }

    fn the_colour_is_known_from_the_first_turn_on() {
        let coloured = spawn_n(green!({ wait!(pending::<()>()) }));
        let plain = spawn_n(pending::<()>());
        wait!(sleep(ZERO));
        let [me, coloured_too, plain_too] = &green_threads()[..] else { panic!("three are alive") };
        assert_eq!(me.stackful, coloured_too.stackful, "the test is of the same colour");
        assert_eq!(coloured_too.stackful, module_path!().ends_with("stackful"));
        assert!(!plain_too.stackful);
        coloured.kill();
        plain.kill();
    }

    fn whoever_looks_is_the_one_who_runs() {
        let looker = spawn(green!({
            let me = getcurrent();
            let running = |info: &eventlet::debug::GreenThreadInfo| info.state == State::Running;
            let running: Vec<_> = green_threads().into_iter().filter(running).collect();
            assert_eq!(running.iter().map(|info| info.greenlet).collect::<Vec<_>>(), [me]);
        }));
        wait!(looker).unwrap();
    }

    fn the_line_that_spawned_it_is_known_through_pools_too() {
        let pool = GreenPool::new(4);
        let pile = GreenPile::new(pool.clone());
        let first = line!() + 1;
        let _plain = spawn(green!({ wait!(pending::<()>()) }));
        let _in_pool = wait!(pool.spawn(green!({ wait!(pending::<()>()) })));
        wait!(pool.spawn_n(green!({ wait!(pending::<()>()) })));
        wait!(pile.spawn(green!({ wait!(pending::<()>()) })));
        let mut map = pool.imap(|_| green!({ wait!(pending::<()>()) }), 0..1);
        assert!(wait!(poll_immediate(map.next())).is_none());
        for (place, info) in (0..).zip(&green_threads()[1..]) {
            assert_eq!(info.spawned_at.file(), file!());
            // The map starts its jobs when it is first asked, in the name of the line that made it.
            assert_eq!(info.spawned_at.line(), first + place);
            info.greenlet.kill();
        }
    }

    fn a_name_is_shown_until_the_end() {
        let gt = spawn(green!({ wait!(pending::<()>()) }));
        gt.set_name("first");
        gt.set_name(String::from("second \"name\""));
        assert_eq!(gt.name().as_deref(), Some("second \"name\""));
        let all = format_green_threads();
        let shown = format!("green thread {} \"second \\\"name\\\"\", not started, spawned at ", gt.id());
        assert!(all.lines().nth(1).unwrap().starts_with(&shown), "{all}");
        gt.kill();
        assert_eq!(gt.name(), None);
        gt.set_name("too late");
        assert_eq!(gt.name(), None);
    }

    fn times_are_noted_when_asked_for() {
        let gt = spawn(green!({ wait!(pending::<()>()) }));
        wait!(sleep(ms(5)));
        assert_eq!(green_threads()[1].idle, None);
        record_turn_times(true);
        let later = spawn(green!({ wait!(pending::<()>()) }));
        wait!(sleep(ms(7)));
        assert_eq!(green_threads()[2].idle, Some(ms(7)));
        assert_eq!(green_threads()[1].idle, None, "it had no turn since");
        record_turn_times(false);
        assert_eq!(green_threads()[2].idle, None);
        gt.kill();
        later.kill();
    }
}

#[cfg(feature = "stackful")]
mod stacks {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use eventlet::debug::{ParkedStack, format_green_threads_with_backtraces};
    use eventlet::{Block, GreenThread, Greenlet, Timeout, lowlevel, stackful};

    use super::*;
    use crate::support::{Log, OnDrop, idle, keeps_turn, run};

    fn run_stackful(test: impl FnOnce() + 'static) {
        run(stackful(test));
    }

    #[track_caller]
    fn green<T: 'static>(closure: impl FnOnce() -> T + 'static) -> GreenThread<T> {
        spawn(stackful(closure))
    }

    /// A function with a name that backtraces show.
    #[inline(never)]
    fn waits_here() {
        sleep(ms(10)).block();
    }

    #[inline(never)]
    fn waits_there() {
        sleep(ms(10)).block();
    }

    fn stacks_of(greenlet: Greenlet) -> Vec<ParkedStack> {
        let all = green_threads();
        all.iter().find(|info| info.greenlet == greenlet).unwrap().parked_stacks()
    }

    fn texts_of(greenlet: Greenlet) -> Vec<String> {
        stacks_of(greenlet).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_that_is_parked_shows_where_and_goes_on_as_if_nobody_had_looked() {
        run_stackful(|| {
            let made = line!() + 1;
            let gt = green(|| {
                waits_here();
                waits_there();
                7
            });
            for place in ["waits_here", "waits_there"] {
                idle().block();
                for _ in 0..3 {
                    let seen = keeps_turn!(stacks_of(*gt));
                    assert_eq!(seen.len(), 1);
                    let text = seen[0].to_string();
                    let first = text.lines().next().unwrap();
                    assert!(first.contains(place), "what waits is left out:\n{text}");
                    let last = text.lines().rfind(|line| !line.contains(" at ")).unwrap();
                    let bottom = if cfg!(debug_assertions) { "goes_on_as_if" } else { place };
                    assert!(last.contains(bottom), "the bottom is left out:\n{text}");
                    assert_eq!((seen[0].made_at.file(), seen[0].made_at.line()), (file!(), made));
                    let whole = seen[0].backtrace().unwrap().to_string();
                    assert!(whole.contains("eventlet::hub::"), "{whole}");
                }
                sleep(ms(10)).block();
            }
            assert_eq!(gt.block().unwrap(), 7);
        });
    }

    #[test]
    fn the_stack_of_a_member_of_a_scope_was_made_where_the_member_was_started() {
        run_stackful(|| {
            eventlet::green::thread::scope(|s| {
                let made = line!() + 1;
                s.spawn(waits_here);
                idle().block();
                let seen = green_threads()[1].parked_stacks();
                assert_eq!((seen[0].made_at.file(), seen[0].made_at.line()), (file!(), made));
            });
        });
    }

    #[test]
    fn stacks_within_stacks_are_shown_from_the_outermost_to_the_innermost() {
        run_stackful(|| {
            let gt = green(|| {
                let inner = futures::future::join(stackful(waits_here), stackful(waits_there));
                stackful(|| inner.block()).block()
            });
            idle().block();
            let texts = texts_of(*gt);
            assert_eq!(texts.len(), 4);
            // In a release build the closures have no frames of their own.
            let named = cfg!(debug_assertions);
            assert!(!named || texts[..2].iter().all(|text| text.contains("from_the_outermost")));
            assert!(texts[2].contains("waits_here") && texts[3].contains("waits_there"));
            assert!(!texts[2].contains("from_the_outermost"), "{}", texts[2]);
            gt.block().unwrap();
        });
    }

    #[test]
    fn those_that_are_not_parked_have_none() {
        run(async {
            let looks = green(|| texts_of(getcurrent()).len());
            assert_eq!(looks.await.unwrap(), 0, "it runs");
            let nested = green(|| stackful(|| texts_of(getcurrent()).len()).block());
            assert_eq!(
                nested.await.unwrap(),
                0,
                "it runs on the inner, and the outer waits for that"
            );
            let new = green(waits_here);
            assert_eq!(texts_of(*new).len(), 0, "it has not started");
            let stackless = spawn(pending::<()>());
            sleep(ZERO).await;
            assert_eq!(texts_of(*stackless).len(), 0, "it has no stack");
            assert_eq!(texts_of(*new).len(), 1);
            new.kill();
            stackless.kill();
            assert!(!format_green_threads_with_backtraces().contains("waits_here"));
        });
    }

    #[test]
    fn one_that_was_looked_at_can_be_ended_in_every_way() {
        run_stackful(|| {
            let log = Log::new();
            let outer = || {
                let log = log.clone();
                move || {
                    let _guard = log.at_drop("guard");
                    let cancelled = lowlevel::wait(pending::<()>());
                    log.add(if cancelled.is_err() { "cancelled" } else { "?" });
                    let again = catch_unwind(AssertUnwindSafe(|| pending::<()>().block()));
                    log.add(if again.is_err() { "caught" } else { "?" });
                    pending::<()>().block();
                }
            };
            let killed = green(outer());
            let limited = green({
                let (outer, limit) = (outer(), Timeout::new(ms(5)));
                move || assert_eq!(limit.run_blocking(outer), Err(limit))
            });
            let around = spawn(Timeout::new(ms(6)).run(stackful(outer())));
            idle().block();
            for gt in [*killed, *limited, *around] {
                assert_eq!(texts_of(gt).len(), 1);
            }
            killed.kill();
            limited.block().unwrap();
            assert!(around.block().unwrap().is_err());
            assert_eq!(log.text(), ["cancelled caught guard"; 3].join(" "));
        });
    }

    #[test]
    fn who_dies_can_look_at_others_and_is_not_looked_at() {
        run_stackful(|| {
            let log = Log::new();
            let same = log.clone();
            let victim = green(move || {
                let me = getcurrent();
                let _looks = OnDrop(|| {
                    let all = format_green_threads_with_backtraces();
                    same.add(all.contains("waits_there"));
                    same.add(all.contains("who_dies_can_look"));
                    assert!(me.dead());
                });
                waits_here();
            });
            let other = green(waits_there);
            idle().block();
            // The main green thread, which kills, is running.
            victim.kill();
            assert_eq!(log.text(), "true false");
            other.block().unwrap();
        });
    }

    #[test]
    fn a_task_of_tokio_and_a_stack_that_was_forgotten_are_no_green_thread_s() {
        run(async {
            let task = tokio::task::spawn_local(stackful(waits_here));
            let forgets = green(|| {
                let mut forgotten = Box::pin(stackful(waits_there));
                async { assert!(futures::poll!(&mut forgotten).is_pending()) }.block();
                std::mem::forget(forgotten);
            });
            forgets.await.unwrap();
            idle().await;
            let all = format_green_threads_with_backtraces();
            let (of_green_threads, others) = all.split_once("no green thread\n").unwrap();
            assert!(!of_green_threads.contains("waits_"), "{all}");
            assert!(others.contains("waits_here") && others.contains("waits_there"), "{all}");
            task.await.unwrap();
        });
    }

    #[test]
    fn a_stack_that_is_nearly_full_says_so() {
        /// Waits so many bytes further down.
        fn deep(from: usize, bytes: usize) {
            let frame = std::hint::black_box([0_u8; 256]);
            let here = std::ptr::from_ref(&frame).addr();
            if from - here < bytes { deep(from, bytes) } else { pending::<()>().block() }
        }
        run_stackful(|| {
            let gt = spawn(
                stackful(|| {
                    let top = 0_u8;
                    deep(std::ptr::from_ref(&top).addr(), 40 * 1024);
                })
                .stack_size(64 * 1024),
            );
            idle().block();
            let [stack] = &stacks_of(*gt)[..] else { panic!("one stack") };
            assert!(stack.backtrace().is_none());
            assert!(stack.to_string().contains("no room left"));
            gt.kill();
        });
    }

    #[test]
    fn a_span_that_is_entered_on_a_stack_stays_there() {
        let subscriber = tracing_subscriber::registry();
        let _default = tracing::subscriber::set_default(subscriber);
        run_stackful(|| {
            let gt = green(|| {
                let span = tracing::error_span!("entered");
                let _entered = span.enter();
                waits_here();
                assert_eq!(tracing::Span::current().id(), span.id());
            });
            idle().block();
            assert!(texts_of(*gt)[0].contains("waits_here"));
            assert!(tracing::Span::current().is_none());
            gt.block().unwrap();
        });
    }

    #[test]
    fn a_stack_whose_future_has_changed_hands_is_found() {
        run_stackful(|| {
            let mut future = Box::pin(stackful(waits_here));
            async { assert!(futures::poll!(&mut future).is_pending()) }.block();
            let moved = Rc::new(std::cell::RefCell::new(Some(future)));
            assert_eq!(texts_of(getcurrent()).len(), 1, "that of the one that runs here");
            let future = moved.take().unwrap();
            future.block();
        });
    }
}

#[cfg(unix)]
mod signals {
    use eventlet::debug::dump_on_signal;
    use tokio::signal::unix::{SignalKind, signal};

    use super::*;
    use crate::support::{in_a_process_of_its_own, run_in_real_time};

    #[test]
    fn all_green_threads_are_printed_when_the_process_gets_the_signal() {
        let (passed, text) = in_a_process_of_its_own("debug::signals::alone_signal");
        assert!(passed, "{text}");
        assert_eq!(text.matches("\"patience\", ").count(), 2, "{text}");
        if cfg!(feature = "stackful") {
            assert_eq!(text.matches("  stack made at ").count(), 2, "{text}");
            assert!(text.contains("has_patience"), "{text}");
        }
    }

    #[cfg(feature = "stackful")]
    fn patient() -> impl Future<Output = ()> {
        fn has_patience() {
            eventlet::Block::block(pending::<()>());
        }
        eventlet::stackful(has_patience)
    }

    #[cfg(not(feature = "stackful"))]
    fn patient() -> impl Future<Output = ()> {
        pending()
    }

    #[test]
    #[ignore = "gets a signal: the test above runs it"]
    fn alone_signal() {
        run_in_real_time(async {
            let patient = spawn(patient());
            patient.set_name("patience");
            let kind = SignalKind::user_defined1();
            let printer = dump_on_signal(kind).unwrap();
            let mut also = signal(kind).unwrap();
            sleep(ZERO).await;
            for listens in [true, true, false] {
                if !listens {
                    printer.kill();
                }
                let me = rustix::process::getpid();
                rustix::process::kill_process(me, rustix::process::Signal::USR1).unwrap();
                also.recv().await.unwrap();
                sleep(ZERO).await;
            }
            patient.kill();
        });
    }

    #[test]
    fn a_signal_that_nobody_can_handle_is_refused() {
        crate::support::run(async {
            assert!(dump_on_signal(SignalKind::from_raw(9)).is_err());
        });
    }
}

/// Whoever starts a green thread is named by its own line, never by one of the crate.
mod places {
    use std::panic::Location;

    use eventlet::dagpool::DAGPool;
    use eventlet::runtime::Builder;
    use eventlet::{HubThread, connect, listen, local, run, serve};

    use super::*;

    type Place = &'static Location<'static>;

    #[track_caller]
    fn here() -> Place {
        Location::caller()
    }

    async fn own_place() -> Place {
        let me = getcurrent();
        let mine = green_threads().into_iter().find(|info| info.greenlet == me);
        mine.expect("whoever asks is alive").spawned_at
    }

    /// Both are in this file, in the same line.
    #[track_caller]
    fn assert_same_line(spawned_at: Place, expected: Place) {
        assert_eq!((spawned_at.file(), spawned_at.line()), (expected.file(), expected.line()));
    }

    #[test]
    fn main_is_named_by_the_line_that_runs_it() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (place, line) = (run(own_place()), here());
        assert_same_line(place, line);
        let (place, line) = (Builder::new().run(own_place()).unwrap(), here());
        assert_same_line(place, line);
        let (place, line) = (tokio.block_on(local(own_place())), here());
        assert_same_line(place, line);
        let (place, line) = (tokio.block_on(Builder::new().local(own_place())), here());
        assert_same_line(place, line);
    }

    #[test]
    fn a_job_of_a_hub_thread_is_named_by_the_line_that_sent_it() {
        let (hub, started) = (HubThread::start(), here());
        let (place, sent) = (hub.spawn(own_place), here());
        assert_same_line(place.join().unwrap(), sent);
        let main = hub.spawn(|| async { green_threads()[0].spawned_at });
        assert_same_line(main.join().unwrap(), started);
        hub.shutdown().join();
    }

    #[test]
    fn a_handler_is_named_by_the_line_that_serves() {
        run(async {
            let listener = listen("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let handler = |_conn, _addr| pending::<()>();
            let (server, line) = (serve(listener, handler, 10), here());
            let _server = spawn(server);
            let _client = connect(addr).await.unwrap();
            while green_threads().len() < 3 {
                sleep(ms(1)).await;
            }
            assert_same_line(green_threads()[2].spawned_at, line);
        });
    }

    #[test]
    fn a_job_of_a_dagpool_is_named_by_the_line_that_spawned_it() {
        run(async {
            let pool = DAGPool::default();
            let (spawned, line) =
                (pool.spawn("a", [], |_, _| async { Ok(own_place().await) }), here());
            spawned.unwrap();
            assert_same_line(pool.wait_one("a").await.unwrap(), line);
        });
    }

    #[cfg(feature = "stackful")]
    #[test]
    fn a_member_of_a_scope_is_named_by_the_line_that_starts_it() {
        use eventlet::green::thread;
        use eventlet::{Block, stackful};

        run(stackful(|| {
            thread::scope(|s| {
                let (member, line) = (s.spawn(|| own_place().block()), here());
                assert_same_line(member.join().unwrap(), line);
                let builder = thread::Builder::new();
                let (member, line) = (builder.spawn_scoped(s, || own_place().block()), here());
                assert_same_line(member.unwrap().join().unwrap(), line);
            });
            let (member, line) = (thread::spawn(|| own_place().block()), here());
            assert_same_line(member.join().unwrap(), line);
        }));
    }
}
