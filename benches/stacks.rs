//! What green stacks cost: the first time, the next time, and while they wait.
//!
//! ```text
//! cargo bench --bench stacks               100,000 at a time
//! cargo bench --bench stacks -- 1000000    so many at a time
//! ```
//!
//! Each line is a crowd of stackful green threads that are all alive at the same time, each waiting for the same event.

#[allow(dead_code)]
mod support;

use std::fs;
use std::time::{Duration, Instant};

use eventlet::stackful::{stack_stats, trim_stacks};
use eventlet::{Block, Event, run, sleep, spawn, stackful};

use support::{Arguments, Effort};

fn main() {
    let arguments = Arguments::get();
    let crowd = match arguments.effort() {
        Effort::Smoke => 1_000,
        _ => arguments.words().find_map(|word| word.parse().ok()).unwrap_or(100_000),
    };
    println!("{crowd} stackful green threads at a time");
    println!(
        " stacks | until all wait | until all ended | resident, each | page tables, each | mappings"
    );
    let before = status("VmRSS");
    run(async move {
        for stacks in ["cold", "warm", "warm"] {
            let row = measure(crowd, before).await;
            println!("{stacks:>7} | {row}");
        }
        let start = Instant::now();
        trim_stacks();
        let each = nanoseconds(start.elapsed(), crowd);
        println!("trimmed: {each:.0} ns each, {} KiB resident are left", status("VmRSS") - before);
        println!("{:?}", stack_stats());
    });
}

/// Has a crowd wait and end, and says what it took.
async fn measure(crowd: usize, before: u64) -> String {
    let event = Event::new();
    let start = Instant::now();
    let gts: Vec<_> = (0..crowd)
        .map(|i| {
            let event = event.clone();
            spawn(stackful(move || event.wait().block().unwrap() + i))
        })
        .collect();
    sleep(Duration::ZERO).await;
    let waiting = start.elapsed();
    let taken = (status("VmRSS") - before) as f64 / crowd as f64;
    let tables = status("VmPTE") as f64 / crowd as f64;
    let mappings = fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count());
    let start = Instant::now();
    event.send(1);
    for (i, gt) in gts.into_iter().enumerate() {
        assert_eq!(gt.await.unwrap(), i + 1);
    }
    let ended = start.elapsed();
    format!(
        "{:>11.0} ns | {:>12.0} ns | {taken:>10.2} KiB | {tables:>13.2} KiB | {mappings:>8}",
        nanoseconds(waiting, crowd),
        nanoseconds(ended, crowd),
    )
}

fn nanoseconds(time: Duration, crowd: usize) -> f64 {
    time.as_nanos() as f64 / crowd as f64
}

/// Returns a number of KiB that the kernel has about this process.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
