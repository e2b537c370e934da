//! Routes of axum that are plain functions.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use eventlet::Block;
use reqwest::Client;
use tokio::sync::Barrier;

use crate::support::{green, on_a_green_stack, run, serve};

/// Waits, deep inside, and no `async` is to be seen.
fn greet(name: &str, both_are_here: &Barrier) -> String {
    assert_ne!(name, "nobody", "nobody is not greeted");
    let leader = both_are_here.wait().block().is_leader();
    format!("hello, {name}{}", if leader { ", leader" } else { "" })
}

async fn route(
    State(both_are_here): State<Arc<Barrier>>,
    Path(name): Path<String>,
) -> Result<String, StatusCode> {
    let greeting = on_a_green_stack(move || greet(&name, &both_are_here));
    greeting.await.ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[test]
fn two_plain_handlers_wait_for_each_other_and_one_that_panics_is_an_error_of_the_server() {
    run(|| {
        let both_are_here = Arc::new(Barrier::new(2));
        let routes = Router::new().route("/greet/{name}", get(route)).with_state(both_are_here);
        let address = serve(routes).block();
        let client = Client::builder().no_proxy().build().unwrap();
        let ask = |name: &str| {
            let request = client.get(format!("http://{address}/greet/{name}"));
            green(move || request.send().block().unwrap())
        };
        let (ada, bob) = (ask("ada"), ask("bob"));
        let greetings = [ada, bob].map(|asked| asked.block().unwrap().text().block().unwrap());
        let leaders = greetings.iter().filter(|greeting| greeting.ends_with(", leader")).count();
        assert_eq!(leaders, 1, "{greetings:?}");
        assert!(greetings[0].starts_with("hello, ada"), "{greetings:?}");
        assert!(greetings[1].starts_with("hello, bob"), "{greetings:?}");

        let nobody = ask("nobody").block().unwrap();
        assert_eq!(nobody.status(), StatusCode::INTERNAL_SERVER_ERROR);
    });
}
