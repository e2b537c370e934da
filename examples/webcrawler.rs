//! Fetches many pages at a time and prints them in order.
//!
//!     cargo run --release --example webcrawler
//!     cargo run --release --example webcrawler http://example.org http://example.com
//!
//! Without URLs it crawls a small site that it serves itself, on loopback.
//! Corresponds to eventlet's `examples/webcrawler.py`.

use std::env;
use std::time::Instant;

use eventlet::{GreenPool, run};

fn main() {
    let urls: Vec<String> = env::args().skip(1).collect();
    run(async move {
        let urls = if urls.is_empty() { pages_of(&site::start().await) } else { urls };
        let start = Instant::now();

        let pool = GreenPool::new(200);
        let mut bodies = pool.imap(site::http::get, urls.clone());

        let (mut pages, mut bytes) = (0, 0);
        for url in &urls {
            match bodies.next().await.expect("one result for each URL") {
                Ok(Ok(body)) => {
                    println!("{url}: {}", body.trim());
                    pages += 1;
                    bytes += body.len();
                }
                Ok(Err(error)) => println!("{url}: {error}"),
                Err(exit) => println!("{url}: {exit}"),
            }
        }
        println!("{pages} of {} pages, {bytes} bytes, in {:.2?}", urls.len(), start.elapsed());
    });
}

fn pages_of(site: &str) -> Vec<String> {
    (0..site::PAGES).map(|page| format!("{site}/{page}")).collect()
}
