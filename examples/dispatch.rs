//! An HTTP service whose every request means many jobs: it is sent URLs and answers their titles.
//!
//!     cargo run --release --example dispatch
//!
//! Each request has a `GreenPile` of its own, so its results come in its order. All piles are over one
//! `GreenPool`, so all requests together never fetch more than so many pages at a time.
//! Corresponds to eventlet's `examples/feedscraper.py`.

use std::convert::Infallible;
use std::time::Duration;

use eventlet::{GreenPile, GreenPool, listen, run, serve, spawn_n, with_timeout};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use site::http::{BoxError, get, post};

/// The most bytes of URLs in one request.
const LONGEST: usize = 64 * 1024;

/// Fetches a page and returns its first heading.
async fn title(url: String) -> Result<String, BoxError> {
    let page = get(url).await?;
    let heading = page.split_once("<h1>").and_then(|(_, rest)| rest.split_once("</h1>"));
    Ok(heading.map_or("(no title)", |(heading, _)| heading).to_owned())
}

/// Dispatches one job for each line of the request, and gathers their results in order.
async fn titles(pool: GreenPool, urls: &str) -> String {
    let pile = GreenPile::new(pool);
    for url in urls.lines() {
        let title = title(url.to_owned());
        pile.spawn(with_timeout(Duration::from_secs(10), title)).await;
    }
    let mut answer = String::new();
    while let Some(result) = pile.next().await {
        answer += &match result {
            Ok(Ok(Ok(title))) => format!("{title}\n"),
            Ok(Ok(Err(error))) => format!("error: {error}\n"),
            Ok(Err(timeout)) => format!("error: {timeout}\n"),
            Err(exit) => format!("error: {exit}\n"),
        };
    }
    answer
}

async fn answer(
    pool: GreenPool,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    let (mut status, mut text) = (StatusCode::OK, String::new());
    if request.method() == Method::POST {
        match Limited::new(request, LONGEST).collect().await {
            Ok(body) => text = titles(pool, &String::from_utf8_lossy(&body.to_bytes())).await,
            Err(_) => status = StatusCode::BAD_REQUEST,
        }
    } else {
        status = StatusCode::METHOD_NOT_ALLOWED;
    }
    let mut response = Response::new(text);
    *response.status_mut() = status;
    Ok(response)
}

async fn demonstrate() -> Result<(), BoxError> {
    let site = site::start().await;
    let listener = listen("127.0.0.1:0").await?;
    let service = format!("http://{}", listener.local_addr()?);
    let pool = GreenPool::new(20);
    let handler = move |socket, _| {
        let pool = pool.clone();
        let answer = service_fn(move |request| answer(pool.clone(), request));
        http1::Builder::new().serve_connection(TokioIo::new(socket), answer)
    };
    spawn_n(serve(listener, handler, 1000));

    let urls: String = (0..30).map(|page| format!("{site}/{page}\n")).collect();
    print!("{}", post(service, urls + "no url at all\n").await?);
    Ok(())
}

fn main() -> Result<(), BoxError> {
    run(demonstrate())
}
