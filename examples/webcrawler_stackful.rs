//! Fetches many pages at a time and prints them in order, with a fetch that is a plain function.
//!
//!     cargo run --release --example webcrawler_stackful
//!     cargo run --release --example webcrawler_stackful https://www.rust-lang.org https://tokio.rs
//!
//! Compare it with `webcrawler`: the same pool, the same async HTTP library, but `fetch` waits with
//! `.block()`, so neither it nor its callers are `async fn`s.

use std::env;
use std::time::Instant;

use eventlet::{Block, Blocking, GreenPool, run, stackful};
use site::http::{self, BoxError};

/// A plain function: while it waits, others run.
fn fetch(url: String) -> Result<String, BoxError> {
    let page = http::get(url).block()?;
    if page.is_empty() { Err("the page is empty".into()) } else { Ok(page) }
}

fn main() {
    let urls: Vec<String> = env::args().skip(1).collect();
    run(stackful(move || {
        let urls = if urls.is_empty() { pages_of(&site::start().block()) } else { urls };
        let start = Instant::now();

        let pool = GreenPool::new(200);
        let fetch = |url: String| stackful(move || fetch(url));
        let bodies = pool.imap(fetch, urls.clone()).blocking();

        let (mut pages, mut bytes) = (0, 0);
        for (url, body) in urls.iter().zip(bodies) {
            match body {
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
    }));
}

fn pages_of(site: &str) -> Vec<String> {
    (0..site::PAGES).map(|page| format!("{site}/{page}")).collect()
}
