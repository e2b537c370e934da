//! Crawls a site with a queue: what the fetchers find goes into it, what goes into it is fetched.
//!
//!     cargo run --release --example producer_consumer
//!     cargo run --release --example producer_consumer https://www.rust-lang.org
//!
//! Only links below the first URL are followed. Without one it crawls a small site that it serves itself.
//! Corresponds to eventlet's `examples/producer_consumer.py`.

mod site;

use std::collections::HashSet;
use std::env;

use eventlet::{GreenPool, Queue, run};
use reqwest::{Client, Url};

/// Fetches a page and puts what it links to into the queue.
async fn fetch(client: Client, url: Url, found: Queue<Url>) {
    let page = match client.get(url.clone()).send().await {
        Ok(response) => response.text().await.unwrap_or_default(),
        Err(error) => return println!("{url}: {error}"),
    };
    println!("{url}: {} bytes", page.len());
    for link in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        if let Ok(link) = url.join(link) {
            found.put(link).await;
        }
    }
}

/// Starts a fetch for everything in the queue, until it is empty and nobody is left to fill it.
async fn crawl(start: Url) -> usize {
    let (pool, queue, client) = (GreenPool::new(20), Queue::new(None), Client::new());
    let mut seen = HashSet::new();
    queue.put(start.clone()).await;
    loop {
        while let Ok(url) = queue.get_nowait() {
            if url.as_str().starts_with(start.as_str()) && seen.insert(url.clone()) {
                pool.spawn_n(fetch(client.clone(), url, queue.clone())).await;
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
        match Url::parse(&start) {
            Ok(url) => println!("{} pages", crawl(url).await),
            Err(error) => eprintln!("{start}: {error}"),
        }
    });
}
