//! The three programs of `docs/debugging.md`: one that stalls, one that hangs, one that leaks.
//!
//! ```console
//! $ cargo run --example debugging -- stalls
//! $ cargo run --example debugging -- hangs
//! $ cargo run --example debugging -- leaks
//! ```

use std::env;
use std::io;
use std::time::Duration;

use eventlet::lock::Lock;
use eventlet::runtime::Builder;
use eventlet::{Block, Queue, debug, sleep, spawn, spawn_n, stackful};

fn main() -> io::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("stalls") => stalls(),
        Some("hangs") => hangs(),
        Some("leaks") => leaks(),
        _ => Err(io::Error::other("which story? `stalls`, `hangs` or `leaks`")),
    }
}

/// A request computes for seconds, and all others wait.
fn stalls() -> io::Result<()> {
    Builder::new().blocking_detection(Duration::from_millis(100)).run(async {
        let heartbeat = spawn_n(async {
            loop {
                sleep(Duration::from_millis(10)).await;
            }
        });
        heartbeat.set_name("heartbeat");
        let report = spawn(stackful(|| render_report(40)));
        report.set_name("GET /report");
        println!("the report is done: {:x}", report.await.unwrap());
        println!("{} stall", debug::stalls().0);
    })
}

#[inline(never)]
fn render_report(pages: u64) -> u64 {
    (0..pages).map(checksum).fold(0, u64::wrapping_add)
}

#[inline(never)]
fn checksum(page: u64) -> u64 {
    (0..2_000_000).fold(page, |sum, byte| (sum ^ byte).wrapping_mul(0x100_0000_01b3))
}

/// Two transfers take the same locks in opposite orders.
fn hangs() -> io::Result<()> {
    Builder::new().deadlock_detection(true).run(async {
        let (savings, checking) = (Lock::new(), Lock::new());
        let one = spawn(stackful({
            let (savings, checking) = (savings.clone(), checking.clone());
            move || transfer(&savings, &checking)
        }));
        one.set_name("savings to checking");
        let other = spawn(async move { transfer_back(&checking, &savings).await });
        other.set_name("checking to savings");
        one.await.unwrap();
        other.await.unwrap();
    })
}

fn transfer(from: &Lock, to: &Lock) {
    let _from = from.lock().block();
    sleep(Duration::ZERO).block();
    let _to = to.lock().block();
}

async fn transfer_back(from: &Lock, to: &Lock) {
    let _from = from.lock().await;
    sleep(Duration::ZERO).await;
    let _to = to.lock().await;
}

/// Each client leaves a green thread behind, which waits for a client that is gone.
fn leaks() -> io::Result<()> {
    eventlet::run(async {
        for client in 0..3 {
            let replies = Queue::<u32>::new(None);
            let waiting = replies.clone();
            let writer = spawn_n(stackful(move || wait_for_replies(&waiting)));
            writer.set_name(format!("writer of client {client}"));
            sleep(Duration::from_millis(1)).await;
            drop(replies);
        }
        print!("{}", debug::format_green_threads_with_backtraces());
    });
    Ok(())
}

fn wait_for_replies(replies: &Queue<u32>) {
    loop {
        let reply = replies.get().block();
        println!("{reply}");
    }
}
