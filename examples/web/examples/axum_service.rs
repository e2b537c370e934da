//! An axum service whose handlers are plain functions that wait.
//!
//!     cargo run -p eventlet-web-examples --example axum_service
//!
//! axum runs each handler as a task of Tokio, and wants it to be `Send`; green threads stay on their OS
//! thread. In a current-thread runtime both are on the same one. So a handler spawns a green thread
//! there, and keeps nothing of it but the receiver of a channel, which is `Send`.
//!
//! (In a multi-thread runtime the handler would do `hub.spawn(|| stackful(..)).await` with an
//! `eventlet::HubThread`: see the example `hub_thread`.)

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use eventlet::{Block, sleep, spawn_n, stackful};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A plain function: it waits, deep inside, and no `async` is to be seen.
fn greet(name: &str) -> String {
    let greeting = look_up("greeting");
    format!("{greeting}, {name}!")
}

/// Stands for a library that asks a database: it blocks its green thread, and nobody else.
fn look_up(_key: &str) -> &'static str {
    sleep(Duration::from_millis(10)).block();
    "Hello"
}

/// Runs a plain function on a green stack of this OS thread's hub. The future of its value is `Send`.
///
/// It panics in a multi-thread runtime, where the handler may be on an OS thread without a hub. When a
/// client goes away, the function still runs to its end.
async fn green<T: Send + 'static>(function: impl FnOnce() -> T + 'static) -> Result<T, StatusCode> {
    let (answer, answered) = oneshot::channel();
    spawn_n(stackful(move || {
        // Nobody is there to take it when the client has gone.
        let _ = answer.send(function());
    }));
    // The sender is gone without a word if the function panicked; the hub has reported that.
    answered.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn hello(Path(name): Path<String>) -> Result<String, StatusCode> {
    green(move || greet(&name)).await
}

async fn serve_and_ask() -> Result<(), site::http::BoxError> {
    let app = Router::new().route("/hello/{name}", get(hello));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    // A task of Tokio, beside the green threads.
    let service = tokio::spawn(axum::serve(listener, app).into_future());

    let answer = site::http::get(format!("http://{address}/hello/eventlet")).await?;
    println!("{answer}");
    assert_eq!(answer, "Hello, eventlet!");

    service.abort();
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), site::http::BoxError> {
    eventlet::local(serve_and_ask()).await
}
