//! What the tests of sockets share.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventlet::runtime::Builder;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tracing::field::{Field, Visit};
use tracing::span;

/// Runs a test on a clock that goes. A test that hangs fails.
pub(crate) fn run<T>(test: impl Future<Output = T> + 'static) -> T {
    eventlet::run(async {
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, test).await.expect("the test hangs")
    })
}

/// Runs a test on a clock that stands still, and goes on by itself only when nothing else can happen.
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

/// Collects what the crate reports on this OS thread while the guard lives.
pub(crate) fn reports() -> (Reports, tracing::subscriber::DefaultGuard) {
    let reports = Reports::default();
    let guard = tracing::subscriber::set_default(reports.clone());
    (reports, guard)
}

#[derive(Clone, Default)]
pub(crate) struct Reports(Arc<Mutex<Vec<String>>>);

impl Reports {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl tracing::Subscriber for Reports {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "eventlet"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let message = Message(RefCell::default());
        event.record(&mut &message);
        self.0.lock().unwrap().push(message.0.into_inner());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Message(RefCell<String>);

impl Visit for &Message {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.0.borrow_mut().push_str(&format!("{value:?}"));
    }
}
