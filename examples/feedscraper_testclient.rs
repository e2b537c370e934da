//! Sends a hundred URLs to the example `feedscraper`, and prints the titles that it answers.
//!
//!     cargo run --release --example feedscraper_testclient
//!
//! Corresponds to eventlet's `examples/feedscraper-testclient.py`.

use std::env;

use eventlet::run;
use site::http::{BoxError, post};

fn main() -> Result<(), BoxError> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9010".to_owned());
    let service = format!("http://{address}/");
    let urls: String = (0..100).map(|page| format!("{service}{page}\n")).collect();
    print!("{}", run(post(service, urls))?);
    Ok(())
}
