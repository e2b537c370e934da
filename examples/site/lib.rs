//! A small web site for the crawlers, served on loopback by the program that crawls it, and a
//! client.

pub mod http;

use std::convert::Infallible;
use std::time::Duration;

use eventlet::{listen, serve, sleep, spawn_n};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// Pages 0 to 199, at `/0` to `/199`.
pub const PAGES: usize = 200;

/// The time that a page of a real site takes to arrive.
pub const DELAY: Duration = Duration::from_millis(50);

/// Starts to serve the site and returns its URL.
pub async fn start() -> String {
    let listener = listen("127.0.0.1:0").await.expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let client =
        |socket, _| http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(page));
    spawn_n(serve(listener, client, 1000));
    url
}

/// Each page links to two others, so all of them can be found from the first.
async fn page(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    sleep(DELAY).await;
    let number: usize = request.uri().path().trim_matches('/').parse().unwrap_or(0);
    let links: String = [2 * number + 1, 2 * number + 2]
        .into_iter()
        .filter(|link| *link < PAGES)
        .map(|link| format!(" <a href=\"/{link}\">{link}</a>"))
        .collect();
    Ok(Response::new(format!("<h1>Page {number}</h1>{links}")))
}
