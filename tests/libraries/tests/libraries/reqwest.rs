//! HTTP with reqwest.

use std::future::pending;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use eventlet::{Block, GreenPool, Timeout, sleep, stackful};
use reqwest::Client;

use crate::support::{green, run, serve};

fn routes() -> Router {
    Router::new()
        .route("/hello/{name}", get(async |Path(name): Path<String>| format!("hello, {name}")))
        .route("/echo", post(async |body: Bytes| body))
        .route("/never", get(async || pending::<StatusCode>().await))
        .route("/teapot", get(async || StatusCode::IM_A_TEAPOT))
}

/// Nothing of the machine's settings: a proxy would not know our loopback interface.
fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

#[test]
fn a_page_is_fetched_as_if_the_client_blocked() {
    run(|| {
        let address = serve(routes()).block();
        let client = client();
        let page = client.get(format!("http://{address}/hello/world")).send().block().unwrap();
        assert_eq!(page.text().block().unwrap(), "hello, world");
        let refused = client.get(format!("http://{address}/teapot")).send().block().unwrap();
        assert_eq!(refused.status(), StatusCode::IM_A_TEAPOT);
        assert!(refused.error_for_status().unwrap_err().is_status());
    });
}

#[test]
fn a_large_body_goes_there_and_comes_back_in_chunks() {
    run(|| {
        let address = serve(routes()).block();
        let body: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
        let echo = client().post(format!("http://{address}/echo")).body(body.clone());
        let mut echo = echo.send().block().unwrap();
        let mut back = Vec::new();
        let mut chunks = 0;
        while let Some(chunk) = echo.chunk().block().unwrap() {
            back.extend_from_slice(&chunk);
            chunks += 1;
        }
        assert!(back == body, "{} bytes came back", back.len());
        assert!(chunks > 1, "it came in one piece, so nothing waited");
    });
}

#[test]
fn many_fetch_at_once_and_the_pages_come_in_order() {
    run(|| {
        let address = serve(routes()).block();
        let client = client();
        let fetch = move |number: u32| {
            let client = client.clone();
            stackful(move || {
                let page = client.get(format!("http://{address}/hello/{number}")).send().block();
                page.unwrap().text().block().unwrap()
            })
        };
        let pool = GreenPool::new(10);
        let mut pages = pool.imap(fetch, 0..50);
        for number in 0..50 {
            let page = pages.next().block().unwrap().unwrap();
            assert_eq!(page, format!("hello, {number}"));
        }
        assert!(pages.next().block().is_none());
    });
}

#[test]
fn a_request_is_given_up_by_a_limit_a_kill_and_its_own_timeout() {
    run(|| {
        let address = serve(routes()).block();
        let client = client();
        let url = format!("http://{address}/never");
        let limit = Timeout::new(Duration::from_millis(20));
        let given_up = limit.run_blocking(|| client.get(&url).send().block());
        assert_eq!(given_up.unwrap_err(), limit);

        let (same, there) = (client.clone(), url.clone());
        let victim = green(move || same.get(there).send().block().is_ok());
        sleep(Duration::from_millis(5)).block();
        victim.kill();
        assert!(victim.block().unwrap_err().is_killed());

        let error = client.get(url).timeout(Duration::from_millis(20)).send().block().unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        let page = client.get(format!("http://{address}/hello/again")).send().block().unwrap();
        assert_eq!(page.text().block().unwrap(), "hello, again");
    });
}
