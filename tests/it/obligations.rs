//! What plain code on a green stack may and may not rely on: thread-locals, destructors, executors of others, code that
//! catches unwinds; and what growing numbers cost.

use std::future::pending;
use std::time::{Duration, Instant};

use eventlet::green::{thread, thread_local};
use eventlet::{Block, Timeout, sleep, spawn, stackful};

use crate::support;

/// Time that each of `count` handlers takes until all of them wait for the one member of their scopes.
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
    let start = Instant::now();
    eventlet::run(async move {
        let all: Vec<_> = (0..count).map(|_| spawn(stackful(handler))).collect();
        sleep(Duration::ZERO).await;
        sleep(Duration::ZERO).await;
        all.iter().for_each(|handler| handler.kill());
    });
    start.elapsed() / count
}

/// It was 40 times as much.
#[test]
fn a_scope_costs_the_same_however_many_others_are_open() {
    time_of_scopes(4_000);
    let few = (0..3).map(|_| time_of_scopes(100)).min().unwrap();
    let many = (0..3).map(|_| time_of_scopes(4_000)).min().unwrap();
    assert!(many < 6 * few, "{few:?} each among 100, {many:?} among 4,000");
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
