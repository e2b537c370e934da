//! Crawls a site with a queue: fetchers put the links that they find into it, and each link is
//! fetched.
//!
//!     cargo run --release --example producer_consumer
//!     cargo run --release --example producer_consumer https://www.rust-lang.org
//!
//! Only links below the first URL are followed. Without one it crawls a small site that it serves
//! itself. Corresponds to eventlet's `examples/producer_consumer.py`.

use std::collections::HashSet;
use std::env;

use eventlet::{GreenPool, Queue, run};
use site::http;

/// Fetches a page and puts what it links to into the queue.
async fn fetch(url: String, found: Queue<String>) {
    let page = match http::get(url.clone()).await {
        Ok(page) => page,
        Err(error) => return println!("{url}: {error}"),
    };
    println!("{url}: {} bytes", page.len());
    for link in http::links(&url, &page) {
        found.put(link).await;
    }
}

/// Starts a fetch for everything in the queue, until it is empty and no fetcher is left to fill it.
async fn crawl(start: String) -> usize {
    let (pool, queue) = (GreenPool::new(20), Queue::new(None));
    let mut seen = HashSet::new();
    queue.put(start.clone()).await;
    loop {
        while let Ok(url) = queue.get_nowait() {
            if url.starts_with(&start) && seen.insert(url.clone()) {
                pool.spawn_n(fetch(url, queue.clone())).await;
            }
        }
        if pool.running() == 0 {
            return seen.len();
        }
        pool.waitall().await;
    }
}

fn main() {
    let start = env::args().nth(1);
    run(async move {
        let start = match start {
            Some(url) => url,
            None => site::start().await,
        };
        println!("{} pages", crawl(start).await);
    });
}
