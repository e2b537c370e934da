//! One program in two colours: an async fn and a plain function talk through the same queues.
//!
//!     cargo run --example two_colours
//!
//! The async fn waits with `.await`, the plain one with `.block()`. Nothing else differs: they take
//! turns on one OS thread, first come, first served.

use std::time::Duration;

use eventlet::{Block, Queue, run, sleep, spawn, stackful};

/// Stackless: a state machine made by the compiler, a few hundred bytes.
async fn ping(serves: u32, out: Queue<u32>, back: Queue<u32>) {
    for serve in 0..serves {
        out.put(serve).await;
        println!("ping {serve}");
        let answer = back.get().await;
        assert_eq!(answer, serve, "the ball that was served comes back");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Stackful: a plain function on a stack of its own. Functions that it calls may wait too, at any
/// depth.
fn pong(serves: u32, incoming: &Queue<u32>, back: &Queue<u32>) {
    for _ in 0..serves {
        hit(incoming, back);
    }
}

fn hit(incoming: &Queue<u32>, back: &Queue<u32>) {
    let ball = incoming.get().block();
    println!("     {ball} pong");
    back.put(ball).block();
}

fn main() {
    run(async {
        let (there, back) = (Queue::new(0), Queue::new(0));
        let ping = spawn(ping(3, there.clone(), back.clone()));
        let pong = spawn(stackful(move || pong(3, &there, &back)));

        // Both are green threads, and both are futures: either colour can wait for the other.
        ping.await.expect("ping ends by itself");
        stackful(|| pong.block().expect("pong ends by itself")).await;
        println!("game over");
    });
}
