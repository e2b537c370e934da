//! A heartbeat beside long work: a green thread that never waits keeps all others waiting, and two
//! ways out.
//!
//!     cargo run --example heartbeat
//!
//! It prints how many beats were missed beside work that never waits, beside work that yields now
//! and then, and beside the same work on an OS thread of `tpool`.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eventlet::{run, sleep, spawn_n, tpool};

/// How long the work goes on, and one piece of it.
const WORK: Duration = Duration::from_millis(410);
const PIECE: Duration = Duration::from_millis(2);

/// The time from one beat to the next.
const PERIOD: Duration = Duration::from_millis(20);

async fn heartbeat(beats: Rc<Cell<u32>>) {
    let mut next = Instant::now();
    loop {
        next += PERIOD;
        sleep(next.saturating_duration_since(Instant::now())).await;
        beats.set(beats.get() + 1);
    }
}

/// Computes one piece.
fn compute() {
    let start = Instant::now();
    while start.elapsed() < PIECE {
        black_box((0..100_u64).sum::<u64>());
    }
}

fn work() {
    let start = Instant::now();
    while start.elapsed() < WORK {
        compute();
    }
}

async fn work_and_give_turns() {
    let start = Instant::now();
    while start.elapsed() < WORK {
        compute();
        sleep(Duration::ZERO).await;
    }
}

/// Runs work beside a heartbeat, and prints a line of the table.
async fn measure(name: &str, job: impl Future<Output = ()>) {
    let beats = Rc::new(Cell::new(0));
    let start = Instant::now();
    let heart = spawn_n(heartbeat(Rc::clone(&beats)));
    sleep(Duration::ZERO).await;
    job.await;
    let (took, beats) = (start.elapsed(), beats.get());
    heart.kill();

    let due = (took.as_millis() / PERIOD.as_millis()) as u32;
    println!("{name:16} {:>5} ms {beats:6} {:7}", took.as_millis(), due.saturating_sub(beats));
}

fn main() {
    run(async {
        println!("{:16} {:>8} {:>6} {:>7}", "work", "took", "beats", "missed");
        measure("never waits", async { work() }).await;
        measure("sleep(ZERO)", work_and_give_turns()).await;
        measure("tpool::execute", tpool::execute(work)).await;
    });
}
