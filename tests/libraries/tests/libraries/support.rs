//! What these tests share.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use eventlet::stackful::stack_stats;
use eventlet::{GreenThread, listen, spawn, spawn_n, stackful};
use tokio::sync::oneshot;

/// What a library may use of a stack, so that whoever calls it has a quarter left: the deepest used
/// 116 KiB when this was written.
const ROOM: usize = 192 * 1024;

/// Runs a test on a green stack, on a clock that goes. A test that hangs fails, and so does one
/// that goes too deep.
pub(crate) fn run(test: impl FnOnce() + 'static) {
    eventlet::run(async {
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, stackful(test)).await.expect("the test hangs");
        let deepest = stack_stats().high_water;
        assert!(deepest < ROOM, "a stack was used to a depth of {deepest} bytes");
    });
}

/// A green thread with a stack of its own.
pub(crate) fn green<T: 'static>(closure: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    spawn(stackful(closure))
}

/// Calls a plain function on a green stack of its own. The future of its value is `Send`, as axum
/// and others want it of a handler; `None` is what a panic gives.
pub(crate) fn on_a_green_stack<T: Send + 'static>(
    function: impl FnOnce() -> T + 'static,
) -> impl Future<Output = Option<T>> + Send {
    let (answer, answered) = oneshot::channel();
    // Nobody takes the answer when the client has gone.
    spawn_n(stackful(move || drop(answer.send(function()))));
    async { answered.await.ok() }
}

/// Serves a program of axum on a task of Tokio until the test ends.
pub(crate) async fn serve(routes: Router) -> SocketAddr {
    let listener = listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, routes).into_future());
    address
}
