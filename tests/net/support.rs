//! What the tests of sockets share.

use std::net::SocketAddr;
use std::time::Duration;

use eventlet::runtime::Builder;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// Runs a test on a clock that goes. A test that hangs fails.
pub(crate) fn run<T>(test: impl Future<Output = T> + 'static) -> T {
    eventlet::run(async {
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, test).await.expect("the test hangs")
    })
}

/// Runs a test on a clock that stands still, and goes on by itself only when nothing else can
/// happen.
pub(crate) fn run_paused<T>(test: impl Future<Output = T> + 'static) -> T {
    Builder::new().start_paused(true).run(test).unwrap()
}

/// Listens on a port that the operating system chooses.
pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Reads until the other end closes; a reset counts as that.
pub(crate) async fn read_all(mut conn: TcpStream) -> String {
    let mut text = Vec::new();
    let _reset = conn.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

/// Lets everyone who is ready run a few times.
pub(crate) async fn turns() {
    for _ in 0..10 {
        // Through Tokio's driver, which looks at the sockets.
        tokio::task::yield_now().await;
    }
}
