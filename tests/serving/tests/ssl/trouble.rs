//! Peers that do not speak TLS, or stop in the middle.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context as Waking, Poll};
use std::time::Duration;

use eventlet::convenience::Listener;
use eventlet::ssl::{Client, Context, Server, TlsStream};
use eventlet::{connect, listen, spawn, wrap_ssl};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::time::Instant;

use crate::support::{dial, is_handshake_error, serve_one, test, test_paused};
use eventlet_serving::Authority;

#[test]
fn what_is_no_tls_is_refused() {
    test(async {
        let server = Authority::new("ours").sign("good.test").server();
        let garbage: Vec<u8> = (0..1000_u32).map(|n| (n * n % 251) as u8).collect();
        for sent in
            [&b"GET / HTTP/1.1\r\nHost: good.test\r\n\r\n"[..], &garbage, &[22, 3, 1, 255, 255]]
        {
            let (port, served) = serve_one(&server).await;
            let mut conn = connect(("127.0.0.1", port)).await.unwrap();
            conn.write_all(sent).await.unwrap();
            conn.shutdown().await.unwrap();
            // An alert, or nothing; in no case data.
            let mut answer = Vec::new();
            let _ = conn.read_to_end(&mut answer).await;
            assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
            let error = served.await.unwrap().1.unwrap_err();
            assert!(is_handshake_error(&error), "{error:?}");
        }
    });
}

#[test]
fn a_server_that_speaks_no_tls_is_refused() {
    test(async {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plain = spawn(async move {
            let (mut conn, _) = listener.accept().await.unwrap();
            conn.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        let error = dial(port, &Authority::new("ours").client(), "good.test").await.unwrap_err();
        assert!(error.to_string().contains("does not speak TLS"), "{error}");
        plain.await.unwrap();
    });
}

/// Holds a connection open in silence, and returns what the other side gets and when.
async fn stays_silent(context: &Context<Server>) -> (io::Error, Duration) {
    let mut listener = wrap_ssl(listen("127.0.0.1:0").await.unwrap(), context);
    let _silent = connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut conn, _addr) = listener.accept().await.unwrap();
    let began = Instant::now();
    let error = conn.handshake().await.unwrap_err();
    // What failed has failed for all that follows.
    assert_eq!(conn.read(&mut [0]).await.unwrap_err().to_string(), error.to_string());
    (error, began.elapsed())
}

#[test]
fn silence_ends_a_handshake() {
    test_paused(async {
        let server = Authority::new("ours").sign("good.test").server();
        let (error, took) = stays_silent(&server).await;
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("handshake_timeout"), "{error}");
        assert!((10..11).contains(&took.as_secs()), "{took:?}");

        let (_, took) = stays_silent(&server.handshake_timeout(Duration::from_secs(3))).await;
        assert!((3..4).contains(&took.as_secs()), "{took:?}");
    });
}

#[test]
fn a_silent_server_ends_a_handshake() {
    test_paused(async {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let began = Instant::now();
        let error = dial(port, &Authority::new("ours").client(), "good.test").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!((10..11).contains(&began.elapsed().as_secs()));
    });
}

#[test]
fn a_silent_client_does_not_delay_others() {
    test(async {
        let authority = Authority::new("ours");
        let server = authority.sign("good.test").server();
        let mut listener = wrap_ssl(listen("127.0.0.1:0").await.unwrap(), &server);
        let port = listener.local_addr().unwrap().port();
        let _silent = connect(("127.0.0.1", port)).await.unwrap();
        let (_first, _) = listener.accept().await.unwrap();
        let second = spawn(async move {
            let (mut conn, _) = listener.accept().await.unwrap();
            conn.write_all(b"hello").await.unwrap();
            conn.shutdown().await.unwrap();
        });
        let mut conn = dial(port, &authority.client(), "good.test").await.unwrap();
        let mut greeting = String::new();
        conn.read_to_string(&mut greeting).await.unwrap();
        assert_eq!(greeting, "hello");
        second.await.unwrap();
    });
}

/// A socket that is cut after some bytes of what is written to it.
struct Cut {
    io: DuplexStream,
    left: usize,
    written: usize,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Waking<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cut {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Waking<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let part = &buf[..buf.len().min(self.left)];
        let polled = Pin::new(&mut self.io).poll_write(cx, part);
        if let Poll::Ready(Ok(written)) = &polled {
            self.left -= written;
            self.written += written;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Has a client whose connection is cut after `left` bytes. Returns how many it wrote in its
/// handshake, if it came to its end, and what the server made of it.
async fn client_cut_at(
    left: usize,
    server: &Context<Server>,
    client: &Context<Client>,
) -> (Option<usize>, io::Result<()>) {
    let (one, other) = duplex(64 * 1024);
    let mut served = TlsStream::server(one, server);
    let serving = spawn(async move { served.handshake().await });
    let cut = Cut { io: other, left, written: 0 };
    let connected = TlsStream::client(cut, client, "good.test").await.ok();
    let served = serving.await.unwrap();
    (connected.map(|conn| conn.get_ref().unwrap().written), served)
}

#[test]
fn a_client_may_be_cut_at_every_byte() {
    test(async {
        let authority = Authority::new("ours");
        let server = authority.sign("good.test").server();
        // Each has a context of its own, as a session that is resumed is shorter.
        let (whole, served) = client_cut_at(usize::MAX, &server, &authority.client()).await;
        served.unwrap();
        let whole = whole.unwrap();
        assert!(whole > 200, "{whole}");
        for left in 0..whole {
            let (written, served) = client_cut_at(left, &server, &authority.client()).await;
            let error = served.unwrap_err();
            assert!(written.is_none() && is_handshake_error(&error), "{left}: {error}");
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{left}: {error}");
        }
    });
}

#[test]
fn a_server_may_be_cut_at_every_byte() {
    test(async {
        let authority = Authority::new("ours");
        let server = authority.sign("good.test").server();
        // The server ends its handshake with what it says last: two sessions to resume.
        for left in 0..400 {
            let (one, other) = duplex(64 * 1024);
            let mut served = TlsStream::server(Cut { io: one, left, written: 0 }, &server);
            let serving = spawn(async move { served.handshake().await });
            let error =
                TlsStream::client(other, &authority.client(), "good.test").await.unwrap_err();
            assert!(is_handshake_error(&error), "{left}: {error}");
            let kinds = [ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe];
            assert!(kinds.contains(&error.kind()), "{left}: {error}");
            serving.await.unwrap().unwrap_err();
        }
    });
}
