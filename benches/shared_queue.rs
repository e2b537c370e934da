//! What a `SharedQueue` between two hubs costs, beside `tokio::sync::mpsc` between two OS threads
//! that have a runtime each.
//!
//!     cargo bench --bench shared_queue
//!
//! Each round measures all of them, one after another, and the ratios are of one round: what the
//! machine does besides concerns all. The medians of the ratios are what counts.

use std::thread;
use std::time::{Duration, Instant};

use eventlet::queue::SharedQueue;
use eventlet::{HubThread, run};
use tokio::runtime::Builder;
use tokio::sync::mpsc;

const ITEMS: u64 = 200_000;
const TURNS: u64 = 20_000;

/// Puts items into a queue of a hundred on one hub, and takes them out on another.
fn pipeline() -> Duration {
    let (hub, queue) = (HubThread::start(), SharedQueue::new(100));
    let putter = queue.clone();
    run(async move {
        let start = Instant::now();
        let producer = hub.spawn(async move || {
            for n in 0..ITEMS {
                putter.put(n).await;
            }
        });
        for n in 0..ITEMS {
            assert_eq!(queue.get().await, n);
        }
        producer.await.unwrap();
        start.elapsed()
    })
}

/// The same through a channel of Tokio's, on hubs.
fn pipeline_of_hubs_over_mpsc() -> Duration {
    let (hub, (sender, mut receiver)) = (HubThread::start(), mpsc::channel(100));
    run(async move {
        let start = Instant::now();
        let producer = hub.spawn(async move || {
            for n in 0..ITEMS {
                sender.send(n).await.unwrap();
            }
        });
        for n in 0..ITEMS {
            assert_eq!(receiver.recv().await, Some(n));
        }
        producer.await.unwrap();
        start.elapsed()
    })
}

/// The same on two runtimes of Tokio's.
fn pipeline_of_tokio() -> Duration {
    let (sender, mut receiver) = mpsc::channel(100);
    on_tokio(
        async move {
            for n in 0..ITEMS {
                sender.send(n).await.unwrap();
            }
        },
        async move {
            for n in 0..ITEMS {
                assert_eq!(receiver.recv().await, Some(n));
            }
        },
    )
}

/// Passes one item to and fro between two hubs.
fn ping_pong() -> Duration {
    let (hub, there, back) = (HubThread::start(), SharedQueue::new(1), SharedQueue::new(1));
    let (received, answers) = (there.clone(), back.clone());
    run(async move {
        let start = Instant::now();
        let echo = hub.spawn(async move || {
            for _ in 0..TURNS {
                answers.put(received.get().await).await;
            }
        });
        for n in 0..TURNS {
            there.put(n).await;
            assert_eq!(back.get().await, n);
        }
        echo.await.unwrap();
        start.elapsed()
    })
}

/// The same on two runtimes of Tokio's.
fn ping_pong_of_tokio() -> Duration {
    let (there, mut received) = mpsc::channel(1);
    let (answers, mut back) = mpsc::channel(1);
    on_tokio(
        async move {
            for _ in 0..TURNS {
                answers.send(received.recv().await.unwrap()).await.unwrap();
            }
        },
        async move {
            for n in 0..TURNS {
                there.send(n).await.unwrap();
                assert_eq!(back.recv().await, Some(n));
            }
        },
    )
}

/// Runs two futures as tasks of two OS threads, each with a runtime of its own.
fn on_tokio(
    there: impl Future<Output = ()> + Send + 'static,
    here: impl Future<Output = ()> + Send + 'static,
) -> Duration {
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let as_task = move |future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let runtime = runtime();
        runtime.block_on(runtime.spawn(future)).unwrap();
    };
    let start = Instant::now();
    let other = thread::spawn(move || as_task(Box::pin(there)));
    as_task(Box::pin(here));
    other.join().unwrap();
    start.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A name, and what is measured under it.
type Contestant = (&'static str, fn() -> Duration);

/// Measures in rounds, and prints what each takes for one and how that compares with the last of
/// them.
fn compare(what: &str, count: u64, contestants: &[Contestant]) {
    // `cargo test --benches` looks only whether it runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 15 } else { 1 };
    let nanoseconds = |run: fn() -> Duration| run().as_nanos() as f64 / count as f64;
    let rounds: Vec<Vec<f64>> = (0..rounds)
        .map(|_| contestants.iter().map(|(_, run)| nanoseconds(*run)).collect())
        .collect();
    for (place, (name, _)) in contestants.iter().enumerate() {
        let times = rounds.iter().map(|round| round[place]).collect();
        let ratios =
            rounds.iter().map(|round| round[place] / round[contestants.len() - 1]).collect();
        println!("{what}, {name}: {:.0} ns, {:.2} times tokio", median(times), median(ratios));
    }
}

fn main() {
    compare(
        "an item through a hundred places",
        ITEMS,
        &[
            ("SharedQueue on hubs", pipeline),
            ("mpsc on hubs", pipeline_of_hubs_over_mpsc),
            ("mpsc on tokio", pipeline_of_tokio),
        ],
    );
    compare(
        "to and fro",
        TURNS,
        &[("SharedQueue on hubs", ping_pong), ("mpsc on tokio", ping_pong_of_tokio)],
    );
}
