//! A web service with many jobs per request: it is sent URLs, and returns their titles.
//!
//!     cargo run --release --features wsgi --example feedscraper
//!     cargo run --release --example feedscraper_testclient
//!     curl --data-binary $'http://127.0.0.1:9010/1\nhttp://127.0.0.1:9010/2\n' http://127.0.0.1:9010/
//!
//! Each request has a `GreenPile` of its own, so its results come in its order. All piles are over
//! one `GreenPool`, so all requests together never fetch more than so many pages at a time. It
//! answers other requests than POST with a page to fetch, so that there is something to try it on.
//! It serves until Ctrl-C or SIGTERM. Corresponds to eventlet's `examples/feedscraper.py`.

use std::env;
use std::io;
use std::time::Duration;

use eventlet::wsgi::{self, Environ, IntoResponse};
use eventlet::{Flat, GreenPile, GreenPool, interrupted, listen, run, with_timeout};
use site::http::{BoxError, get};

/// The most bytes of URLs in one request.
const LONGEST: usize = 64 * 1024;

/// Fetches a page and returns its first heading.
async fn title(url: String) -> Result<String, BoxError> {
    let page = with_timeout(Duration::from_secs(10), get(url)).await??;
    let heading = page.split_once("<h1>").and_then(|(_, rest)| rest.split_once("</h1>"));
    Ok(heading.map_or("(no title)", |(heading, _)| heading).to_owned())
}

/// Dispatches one job for each line of the request, and gathers their results in order.
async fn scrape(env: Environ, pool: GreenPool) -> Result<String, BoxError> {
    if env.method() != "POST" {
        return Ok(format!("<h1>Page {}</h1>", env.path_info()));
    }
    let urls = env.input().read_all(LONGEST).await?;
    let pile = GreenPile::new(pool);
    for url in String::from_utf8_lossy(&urls).lines() {
        pile.spawn(title(url.to_owned())).await;
    }
    let mut answer = String::new();
    while let Some(title) = pile.next().await {
        match title.flat() {
            Ok(title) => answer += &format!("{title}\n"),
            Err(error) => answer += &format!("error: {error}\n"),
        }
    }
    Ok(answer)
}

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9010".to_owned());
    run(async {
        let pool = GreenPool::new(200);
        let listener = listen(address).await?;
        println!("listening on {}", listener.local_addr()?);
        let site = move |env: Environ| {
            let pool = pool.clone();
            async move { scrape(env, pool).await.into_response() }
        };
        wsgi::server(listener, site).shutdown_on(interrupted()).await
    })
}
