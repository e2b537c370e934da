//! What green stacks cost: the first time, the next time, and while they wait.
//!
//! ```text
//! cargo bench --bench stacks               100,000 at a time
//! cargo bench --bench stacks -- 1000000    so many at a time
//! ```
//!
//! Each line is a crowd of green threads that are all alive at the same time, waiting for the same
//! event. Times are those of the CPU, so neighbours do not count. What is resident is everything
//! that the process has more than at its start.

mod support;

use std::fs;
use std::time::Duration;

use eventlet::stackful::{stack_stats, trim_stacks};
use eventlet::{Block, Event, GreenThread, run, sleep, spawn, stackful};
use rustix::time::ClockId;

use support::{Arguments, Effort, cpu_time};

fn main() {
    let arguments = Arguments::get();
    let crowd = match arguments.effort() {
        Effort::Smoke => 1_000,
        _ => arguments.words().find_map(|word| word.parse().ok()).unwrap_or(100_000),
    };
    println!("{crowd} green threads at a time, per green thread:");
    println!(
        "             | until it waits | until it ended | resident   | page tables | mappings"
    );
    let start = status("VmRSS");
    run(async move {
        let stackless = |event: Event<u64>| spawn(async move { event.wait().await.unwrap() });
        let green = |event: Event<u64>| spawn(stackful(move || event.wait().block().unwrap()));
        print_row("stackless", measure(crowd, start, stackless).await);
        print_row("cold stacks", measure(crowd, start, green).await);
        print_row("warm stacks", measure(crowd, start, green).await);
        print_row("warm stacks", measure(crowd, start, green).await);
        let before = now();
        trim_stacks();
        let trimmed = each(now() - before, crowd);
        println!("trimmed in {trimmed:.0} ns; {} KiB are left in all", status("VmRSS") - start);
        println!("{:?}", stack_stats());
    });
}

/// What a green thread of a crowd costs.
struct Costs {
    waits: f64,
    ended: f64,
    resident: f64,
    page_tables: f64,
    mappings: usize,
}

/// Has a crowd wait and end.
async fn measure(
    crowd: u64,
    resident_at_start: u64,
    spawn: impl Fn(Event<u64>) -> GreenThread<u64>,
) -> Costs {
    let event = Event::new();
    let before = now();
    let gts: Vec<_> = (0..crowd).map(|_| spawn(event.clone())).collect();
    sleep(Duration::ZERO).await;
    let waits = now() - before;
    let resident = (status("VmRSS") - resident_at_start) as f64 / crowd as f64;
    let page_tables = status("VmPTE") as f64 / crowd as f64;
    let mappings = fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count());
    let before = now();
    event.send(42);
    for gt in gts {
        assert_eq!(gt.await.unwrap(), 42);
    }
    let ended = now() - before;
    Costs { waits: each(waits, crowd), ended: each(ended, crowd), resident, page_tables, mappings }
}

fn print_row(name: &str, costs: Costs) {
    let Costs { waits, ended, resident, page_tables, mappings } = costs;
    println!(
        "{name:<12} | {waits:>11.0} ns | {ended:>11.0} ns | {resident:>6.2} KiB | {page_tables:>7.2} KiB | {mappings}"
    );
}

/// The CPU time of this OS thread.
fn now() -> Duration {
    cpu_time(ClockId::ThreadCPUTime)
}

/// Returns nanoseconds.
fn each(time: Duration, crowd: u64) -> f64 {
    time.as_nanos() as f64 / crowd as f64
}

/// Returns a number of KiB that the kernel has about this process.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
