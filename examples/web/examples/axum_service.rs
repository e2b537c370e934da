//! An axum service whose handlers are plain functions that wait.
//!
//!     cargo run -p eventlet-web-examples --example axum_service
//!     curl http://127.0.0.1:8093/hello/eventlet
//!
//! It serves until Ctrl-C or SIGTERM.
//!
//! axum runs each handler as a task of Tokio, and wants it to be `Send`; green threads stay on
//! their OS thread. In a current-thread runtime both are on the same one. So a handler spawns a
//! green thread there, and keeps nothing of it but the receiver of a channel, which is `Send`.
//!
//! (In a multi-thread runtime the handler would do `hub.spawn(|| stackful(..)).await` with an
//! `eventlet::HubThread`: see the example `hub_thread`.)

use std::env;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use eventlet::{Block, interrupted, sleep, spawn_n, stackful};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A plain function: it waits, deep inside, and no `async` is to be seen.
fn greet(name: &str) -> String {
    let greeting = look_up("greeting");
    format!("{greeting}, {name}!")
}

/// Stands for a library that queries a database: it blocks only its green thread.
fn look_up(_key: &str) -> &'static str {
    sleep(Duration::from_millis(10)).block();
    "Hello"
}

/// Runs a plain function on a green stack of this OS thread's hub. The future of its value is
/// `Send`.
///
/// It panics in a multi-thread runtime, where the handler may be on an OS thread without a hub.
/// When a client goes away, the function still runs to its end.
async fn green<T: Send + 'static>(function: impl FnOnce() -> T + 'static) -> Result<T, StatusCode> {
    let (answer, answered) = oneshot::channel();
    spawn_n(stackful(move || {
        // It fails if the client has gone, and the receiver was dropped.
        let _ = answer.send(function());
    }));
    // The sender was dropped if the function panicked; the hub has reported that.
    answered.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn hello(Path(name): Path<String>) -> Result<String, StatusCode> {
    green(move || greet(&name)).await
}

async fn serve() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8093".to_owned());
    let app = Router::new().route("/hello/{name}", get(hello));
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(async { drop(interrupted().await) }).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    eventlet::local(serve()).await
}
