//! Servers under test, and clients that send exactly the given bytes.

use std::future::IntoFuture;
use std::io;
use std::time::Duration;

use eventlet::debug::green_threads;
use eventlet::wsgi::{self, Drained, Server, Serving, Site};
use eventlet::{GreenThread, listen, run, spawn, with_timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than any test takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a test on a hub, and fails where green threads are left behind.
pub(crate) fn test(body: impl Future<Output = ()> + 'static) {
    run(async move {
        with_timeout(PATIENCE, body).await.expect("the test hangs");
        let left = green_threads();
        assert_eq!(left.len(), 1, "green threads are left behind: {left:#?}");
    });
}

/// A server under test.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) addr: std::net::SocketAddr,
    served: GreenThread<io::Result<()>>,
}

/// Serves a site with the default options, but without a log.
pub(crate) async fn serve<S, K: 'static>(site: S) -> Running
where
    S: Site<K>,
{
    serve_with(site, |serving| serving).await
}

/// Serves a site with options.
pub(crate) async fn serve_with<S, K: 'static>(
    site: S,
    options: impl FnOnce(Serving<TcpListener, S, K>) -> Serving<TcpListener, S, K>,
) -> Running
where
    S: Site<K>,
{
    let listener = listen("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = options(wsgi::server(listener, site).log_output(false));
    let server = serving.handle();
    Running { server, addr, served: spawn(serving.into_future()) }
}

impl Running {
    /// Sends bytes on a connection of its own, and returns all that comes back until the server
    /// closes.
    pub(crate) async fn says(&self, request: impl AsRef<[u8]>) -> String {
        let mut conn = self.connect().await;
        conn.send(request).await;
        conn.rest().await
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::to(self.addr).await
    }

    /// Waits until the server has ended by itself.
    pub(crate) async fn ended(self) {
        self.served.await.unwrap().unwrap();
        assert_eq!(self.server.stats().open, 0);
    }

    /// Ends the server, and checks that nothing of it is left.
    pub(crate) async fn stop(self) -> Drained {
        let drained = self.server.shutdown(Duration::from_secs(5)).await;
        self.served.await.unwrap().unwrap();
        let stats = self.server.stats();
        assert_eq!((stats.open, stats.idle, stats.in_flight, stats.handlers), (0, 0, 0, 0));
        drained
    }
}

/// A client of raw bytes.
pub(crate) struct Client {
    pub(crate) io: TcpStream,
    /// What came and was not returned yet.
    read: Vec<u8>,
}

impl Client {
    pub(crate) async fn to(addr: std::net::SocketAddr) -> Client {
        Client { io: TcpStream::connect(addr).await.unwrap(), read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has refused the beginning may have closed before the end.
        let _ = self.io.write_all(bytes.as_ref()).await;
    }

    /// Sends no more.
    pub(crate) async fn end(&mut self) {
        let _ = self.io.shutdown().await;
    }

    /// Returns all that comes until the server closes.
    pub(crate) async fn rest(&mut self) -> String {
        let _ = self.io.read_to_end(&mut self.read).await;
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    /// Returns the next response: its head, and a body whose length the head says.
    pub(crate) async fn response(&mut self) -> (String, String) {
        let end = self.until(|read| position(read, b"\r\n\r\n").map(|at| at + 4)).await;
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        self.until(|read| (read.len() >= length).then_some(length)).await;
        let body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        (head, body)
    }

    /// Reads until what was read has something, and returns where that ends.
    pub(crate) async fn until(&mut self, find: impl Fn(&[u8]) -> Option<usize>) -> usize {
        loop {
            if let Some(end) = find(&self.read) {
                return end;
            }
            let more = self.io.read_buf(&mut self.read).await.unwrap();
            assert!(more > 0, "closed after {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Reads until this text has come, and returns everything up to its end.
    pub(crate) async fn hears(&mut self, text: &str) -> String {
        let end =
            self.until(|read| position(read, text.as_bytes()).map(|at| at + text.len())).await;
        String::from_utf8(self.read.drain(..end).collect()).unwrap()
    }

    /// Returns whether the server closes the connection without a word more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.rest().await.is_empty()
    }
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Returns the value of a header in a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Returns the status of a response, or 0 where there is none.
pub(crate) fn status(answer: &str) -> u16 {
    let line = answer.strip_prefix("HTTP/1.1 ").or_else(|| answer.strip_prefix("HTTP/1.0 "));
    line.and_then(|line| line.get(..3)?.parse().ok()).unwrap_or(0)
}

/// A request for a path, after which the connection closes.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}
