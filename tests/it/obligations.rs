//! What plain code on a green stack may and may not rely on: thread-locals, destructors, executors
//! of others, code that catches unwinds; and what growing numbers cost.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use eventlet::green::{thread, thread_local};
use eventlet::{Block, Timeout, debug, sleep, spawn, stackful};

use crate::support;

/// Time that each of `count` handlers takes until all of them wait for the one member of their
/// scopes.
fn time_of_scopes(count: u32) -> Duration {
    let handler = || {
        let data = 1;
        thread::scope(|s| {
            s.spawn(|| {
                let _borrowed = &data;
                pending::<()>().block();
            });
        });
    };
    let before = support::worked();
    eventlet::run(async move {
        let all: Vec<_> = (0..count).map(|_| spawn(stackful(handler))).collect();
        sleep(Duration::ZERO).await;
        sleep(Duration::ZERO).await;
        all.iter().for_each(|handler| handler.kill());
    });
    (support::worked() - before) / count
}

/// It was 40 times as much. A machine that is busy has less in its caches, which counts too.
#[test]
fn a_scope_costs_the_same_however_many_others_are_open() {
    time_of_scopes(4_000);
    let few = (0..3).map(|_| time_of_scopes(100)).min().unwrap();
    let many = (0..3).map(|_| time_of_scopes(4_000)).min().unwrap();
    assert!(many < 15 * few, "{few:?} each among 100, {many:?} among 4,000");
}

/// Time that each of `count` links takes to be removed, the oldest first.
fn time_of_unlinks(count: u32) -> Duration {
    eventlet::run(async move {
        let gt = spawn(pending::<()>());
        let links: Vec<_> = (0..count).map(|_| gt.link(|_| {})).collect();
        let before = support::worked();
        assert!(links.into_iter().all(|link| gt.unlink(link)));
        let took = support::worked() - before;
        gt.kill();
        took / count
    })
}

/// It was proportional, 100 times as much.
#[test]
fn to_remove_a_link_costs_nearly_the_same_however_many_others_there_are() {
    let few = (0..5).map(|_| time_of_unlinks(1_000)).min().unwrap();
    let many = (0..3).map(|_| time_of_unlinks(100_000)).min().unwrap();
    assert!(many < 40 * few, "{few:?} each of 1,000, {many:?} of 100,000");
}

#[test]
fn of_nested_limits_the_first_to_pass_takes_effect_whatever_their_order() {
    support::run(stackful(|| {
        let limits = [5, 2, 9, 2, 7].map(|seconds| Timeout::new(Duration::from_secs(seconds)));
        let [a, b, c, d, e] = limits;
        let nested = a.run_blocking(|| {
            let inner = b.run_blocking(|| {
                c.run_blocking(|| d.run_blocking(|| e.run_blocking(|| pending::<()>().block())))
            });
            // The inner ones are lifted, the outer one is not.
            (inner.map(drop), pending::<()>().block()).0
        });
        assert_eq!(nested, Err(a));
        let inner =
            b.run_blocking(|| c.run_blocking(|| d.run_blocking(|| pending::<()>().block())));
        assert_eq!(inner.map(drop), Err(b), "of two equal ones it is the outer one");
    }));
}

thread_local! {
    static CONNECTION: String = {
        sleep(Duration::from_millis(10)).block();
        "x".repeat(4096)
    };
}

#[test]
fn a_green_thread_local_may_wait_while_it_is_made() {
    fn query(n: u64) -> usize {
        CONNECTION.with(|connection| {
            sleep(Duration::from_millis(5 * n)).block();
            let _junk: Vec<String> = (0..64).map(|_| "y".repeat(4096)).collect();
            connection.bytes().filter(|byte| *byte == b'x').count()
        })
    }
    support::run(async {
        let queries = [1, 2].map(|n| spawn(stackful(move || query(n))));
        for query in queries {
            assert_eq!(query.await.unwrap(), 4096);
        }
    });
}

std::thread_local! {
    static LAZY: String = {
        sleep(Duration::from_millis(10)).block();
        "x".repeat(4096)
    };
    static USED: String = "x".repeat(64);
}

#[test]
fn a_wait_in_an_initializer_is_found_where_a_check_is_asked_for() {
    let test = "obligations::alone_with_a_check";
    let (succeeded, said) = support::in_a_process_of_its_own(test);
    assert!(succeeded, "{said}");
}

/// In a process of its own, as the check is asked for all OS threads.
#[test]
#[ignore = "in a process of its own: the test above runs it"]
fn alone_with_a_check() {
    debug::check_waits(true);
    support::run(async {
        let user = || LAZY.with(String::len);
        for _ in 0..2 {
            let failed = spawn(stackful(user)).await.unwrap_err().to_string();
            assert!(failed.contains("the initializer of a `std::thread_local!`"), "{failed}");
        }
        let waits_in_with = || {
            USED.with(|text| {
                sleep(Duration::from_millis(10)).block();
                text.len()
            })
        };
        assert_eq!(spawn(stackful(waits_in_with)).await.unwrap(), 64, "that is sound");
        let of_green = || CONNECTION.with(String::len);
        assert_eq!(spawn(stackful(of_green)).await.unwrap(), 4096, "that is the cure");
        debug::check_waits(false);
        assert_eq!(spawn(stackful(user)).await.unwrap(), 4096);
    });
}

/// A future on a green stack that is in use, kept in a thread-local.
type Parked = RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>;

std::thread_local! {
    static PARKED: Parked = const { RefCell::new(None) };
    static TEXT: String = "x".repeat(64);
}

/// Keeps a future that waits in `PARKED` until the OS thread ends, and `TEXT` goes before it.
fn park(future: impl Future<Output = ()> + 'static) {
    PARKED.with(|parked| assert!(parked.borrow().is_none()));
    let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    PARKED.set(Some(future));
}

fn borrows_text() {
    TEXT.with(|text| {
        let _reads = Reads(text);
        pending::<()>().block();
    });
}

/// Reads what it has borrowed when it is dropped.
struct Reads<'a>(&'a str);

impl Drop for Reads<'_> {
    fn drop(&mut self) {
        panic!("unwound, and read {}", self.0.len());
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_stack_in_a_thread_local_is_left_as_it_is_when_the_os_thread_ends() {
    // A stack before, so that nothing of ours is newer than what is kept.
    let ended = std::thread::spawn(|| {
        eventlet::run(stackful(|| ()));
        park(stackful(borrows_text));
    });
    ended.join().unwrap();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_hub_with_an_open_scope_in_a_thread_local_ends_with_the_os_thread() {
    let ended = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        park(eventlet::local(stackful(|| {
            let data = 1;
            thread::scope(|s| {
                s.spawn(|| {
                    let _borrowed = &data;
                    borrows_text();
                });
            });
        })));
    });
    ended.join().unwrap();
}

#[test]
fn a_stackful_future_that_is_dropped_outside_of_any_hub_is_unwound() {
    struct Notes(Rc<Cell<bool>>);
    impl Drop for Notes {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));
    let notes = Notes(Rc::clone(&dropped));
    let mut future = Box::pin(stackful(move || {
        let _notes = notes;
        pending::<()>().block();
    }));
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(future);
    assert!(dropped.get());
}

#[test]
fn an_executor_of_somebody_else_on_a_green_stack_is_put_aside_with_it() {
    support::run(async {
        let turns = Rc::new(Cell::new(0));
        let others = Rc::clone(&turns);
        let other = spawn(async move {
            others.set(others.get() + 1);
        });
        let waits = spawn(stackful(move || {
            futures::executor::block_on(async {
                sleep(Duration::from_secs(1)).block();
                turns.get()
            })
        }));
        other.await.unwrap();
        assert_eq!(waits.await.unwrap(), 1);
        let killed = spawn(stackful(|| {
            futures::executor::block_on(async { pending::<()>().block() });
        }));
        sleep(Duration::ZERO).await;
        killed.kill();
        assert!(killed.await.unwrap_err().is_killed());
        // Nothing of it is left in the thread-locals of that executor.
        futures::executor::block_on(async {});
    });
}

#[cfg(debug_assertions)]
#[test]
fn whoever_catches_every_unwind_is_reported() {
    support::run(stackful(|| {
        let victim = spawn(stackful(|| {
            for _ in 0..1_500 {
                let wait = || pending::<()>().block();
                assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(wait)).is_err());
            }
        }));
        sleep(Duration::ZERO).block();
        let ear = support::Ear::open();
        victim.kill();
        let heard = ear.heard();
        assert!(heard.len() == 1 && heard[0].contains("caught the unwind 1000 times"), "{heard:?}");
    }));
}

#[test]
fn a_dump_shows_the_backtraces_of_so_many_and_says_how_many_more_there_are() {
    support::run(async {
        let all: Vec<_> = (0..700).map(|_| spawn(stackful(|| pending::<()>().block()))).collect();
        sleep(Duration::ZERO).await;
        let text = eventlet::debug::format_green_threads_with_backtraces();
        // The main one is the first, and has no stack.
        assert_eq!(text.matches("  stack made at ").count(), 499);
        assert!(text.contains("no backtraces of 201 more"), "{}", &text[text.len() - 300..]);
        all.iter().for_each(|green_thread| green_thread.kill());
    });
}
