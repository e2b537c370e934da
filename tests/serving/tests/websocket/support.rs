//! Servers under test, and peers that say exactly what they are told to.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use eventlet::debug::green_threads;
use eventlet::runtime::Builder;
use eventlet::websocket::{WebSocket, WebSocketWSGI};
use eventlet::wsgi::{self, Drained, Server, Site};
use eventlet::{Block, GreenThread, listen, sleep, spawn, stackful};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Longer than anything that works takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a test on a hub, and fails where green threads are left behind.
pub(crate) fn test(body: impl Future<Output = ()> + 'static) {
    eventlet::run(watched(body));
}

/// Runs a test on a hub whose clock stands still while anybody has something to do.
pub(crate) fn paused(body: impl Future<Output = ()> + 'static) {
    Builder::new().start_paused(true).run(body_then_clean(body)).unwrap();
}

async fn watched(body: impl Future<Output = ()> + 'static) {
    tokio::time::timeout(PATIENCE, body_then_clean(body)).await.expect("the test hangs");
}

async fn body_then_clean(body: impl Future<Output = ()> + 'static) {
    body.await;
    // A handshake of closing that goes on ends soon.
    let soon = Instant::now() + Duration::from_secs(30);
    while green_threads().len() > 1 && Instant::now() < soon {
        sleep(Duration::from_millis(1)).await;
    }
    let left = green_threads();
    assert_eq!(left.len(), 1, "green threads are left behind: {left:#?}");
}

/// A server under test.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) addr: SocketAddr,
    served: GreenThread<io::Result<()>>,
}

pub(crate) async fn serve<S: Site<K>, K: 'static>(site: S) -> Running {
    let listener = listen("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = wsgi::server(listener, site).log_output(false);
    let server = serving.handle();
    Running { server, addr, served: spawn(serving.into_future()) }
}

impl Running {
    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.addr)
    }

    pub(crate) async fn connect(&self) -> Peer<TcpStream> {
        Peer::new(TcpStream::connect(self.addr).await.unwrap())
    }

    /// Makes a raw websocket.
    pub(crate) async fn websocket(&self) -> Peer<TcpStream> {
        self.offering("").await
    }

    /// Makes a raw websocket with more headers.
    pub(crate) async fn offering(&self, headers: &str) -> Peer<TcpStream> {
        let mut peer = self.connect().await;
        peer.send(request(headers)).await;
        let head = peer.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer
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

/// The request of RFC 6455, with more headers.
pub(crate) fn request(headers: &str) -> String {
    format!(
        "GET /chat?room=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    )
}

pub(crate) async fn echo(ws: WebSocket) -> io::Result<()> {
    while let Some(message) = ws.wait().await? {
        ws.send(message).await?;
    }
    Ok(())
}

pub(crate) fn plain_echo(ws: WebSocket) -> io::Result<()> {
    while let Some(message) = ws.wait().block()? {
        ws.send(message).block()?;
    }
    Ok(())
}

/// Serves the echo in either colour, and runs a check on each.
pub(crate) async fn both<F: Future<Output = ()>>(check: impl Fn(Running) -> F) {
    check(serve(WebSocketWSGI::new(echo).max_frame_length(1000)).await).await;
    let plain = |ws| stackful(move || plain_echo(ws));
    check(serve(WebSocketWSGI::new(plain).max_frame_length(1000)).await).await;
}

/// A peer of raw bytes.
#[derive(Debug)]
pub(crate) struct Peer<T> {
    pub(crate) io: T,
    read: Vec<u8>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Peer<T> {
    pub(crate) fn new(io: T) -> Peer<T> {
        Peer { io, read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A peer that has refused the beginning may have closed before the end.
        let _ = self.io.write_all(bytes.as_ref()).await;
    }

    /// Reads the head of a request or of a response.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(at) = self.read.windows(4).position(|end| end == b"\r\n\r\n") {
                return String::from_utf8(self.read.drain(..at + 4).collect()).unwrap();
            }
            assert!(self.io.read_buf(&mut self.read).await.unwrap() > 0, "closed in the head");
        }
    }

    /// Reads so many bytes.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(
                self.io.read_buf(&mut self.read).await.unwrap() > 0,
                "closed after {:?}",
                self.read
            );
        }
        self.read.drain(..count).collect()
    }

    /// Reads a frame without a mask: its first byte and its payload.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.take(2).await;
        let length = match head[1] {
            126 => u16::from_be_bytes(self.take(2).await.try_into().unwrap()) as usize,
            127 => u64::from_be_bytes(self.take(8).await.try_into().unwrap()) as usize,
            length => length as usize,
        };
        (head[0], self.take(length).await)
    }

    /// Reads everything until the end.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let _ = self.io.read_to_end(&mut self.read).await;
        std::mem::take(&mut self.read)
    }

    /// Expects a close frame, answers it, and expects the end. Returns the code.
    pub(crate) async fn is_closed(&mut self) -> u16 {
        let (first, payload) = self.frame().await;
        assert_eq!(first, 0x88, "{payload:?}");
        self.send(frame(0x88, &payload[..2])).await;
        assert_eq!(self.rest().await, b"");
        u16::from_be_bytes([payload[0], payload[1]])
    }
}

/// Makes a frame of a client.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | length as u8),
        length @ ..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Makes a frame of a server, with a short payload.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, payload.len() as u8], payload].concat()
}
