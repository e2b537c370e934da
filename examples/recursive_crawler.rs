//! Crawls a site with jobs that start jobs in their own pool.
//!
//!     cargo run --release --example recursive_crawler
//!     cargo run --release --example recursive_crawler https://www.rust-lang.org
//!
//! The pool is much smaller than the site, and every member spawns into it. A full pool does not
//! deadlock, because a member of a full pool runs the new job itself. Corresponds to eventlet's
//! `examples/recursive_crawler.py`.

use std::cell::RefCell;
use std::collections::HashSet;
use std::env;
use std::pin::Pin;
use std::rc::Rc;

use eventlet::{GreenPool, run};
use site::http;

struct Crawler {
    pool: GreenPool,
    start: String,
    seen: RefCell<HashSet<String>>,
}

impl Crawler {
    /// Fetches a page, and starts a job for each link that was not followed yet.
    fn fetch(self: Rc<Self>, url: String) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            let page = match http::get(url.clone()).await {
                Ok(page) => page,
                Err(error) => return println!("{url}: {error}"),
            };
            println!("{url}: {} bytes", page.len());
            for link in http::links(&url, &page) {
                if self.is_new(&link) {
                    self.pool.spawn_n(Rc::clone(&self).fetch(link)).await;
                }
            }
        })
    }

    fn is_new(&self, link: &str) -> bool {
        link.starts_with(&self.start) && self.seen.borrow_mut().insert(link.to_owned())
    }
}

async fn crawl(start: String) -> usize {
    let crawler = Rc::new(Crawler {
        pool: GreenPool::new(5),
        start: start.clone(),
        seen: RefCell::new(HashSet::from([start.clone()])),
    });
    crawler.pool.spawn_n(Rc::clone(&crawler).fetch(start)).await;
    crawler.pool.waitall().await;
    crawler.seen.take().len()
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
