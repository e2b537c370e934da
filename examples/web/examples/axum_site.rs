//! An axum router as a site of `wsgi::server`, whose handlers may use everything of this crate.
//!
//!     cargo run -p eventlet-web-examples --example axum_site
//!     curl http://127.0.0.1:8092/hello/eventlet
//!
//! axum wants the futures of its handlers to be `Send`, and green threads stay on their OS thread.
//! So a handler that waits on a green stack spawns it, and keeps nothing of it but the receiver of
//! a channel. It serves until Ctrl-C or SIGTERM.

use std::env;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use eventlet::{Block, interrupted, listen, run, sleep, spawn_n, stackful, wsgi};
use tokio::sync::oneshot;

/// A plain function: it waits, and no `async` is to be seen.
fn greet(name: &str) -> String {
    sleep(Duration::from_millis(10)).block();
    format!("Hello, {name}!\n")
}

async fn hello(Path(name): Path<String>) -> Result<String, StatusCode> {
    let (answer, answered) = oneshot::channel();
    // It fails if the client has gone, and the receiver was dropped.
    spawn_n(stackful(move || drop(answer.send(greet(&name)))));
    answered.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8092".to_owned());
    run(async {
        let router = Router::new().route("/hello/{name}", get(hello));
        let listener = listen(address).await?;
        println!("listening on {}", listener.local_addr()?);
        wsgi::server(listener, wsgi::service(router)).shutdown_on(interrupted()).await
    })
}
