//! Limits of time, on a paused clock and in memory: nothing here waits for a real clock or a real
//! socket.

use std::future::Future;
use std::io;
use std::time::Duration;

use eventlet::convenience::Listener;
use eventlet::queue::LightQueue;
use eventlet::runtime::Builder;
use eventlet::wsgi::{self, Body, Environ, Protocol, Server, Serving, Site};
use eventlet::{sleep, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use crate::support::status;

/// A listener in memory: each connection has room for 1000 bytes.
struct InMemory(LightQueue<DuplexStream>);

impl Listener for InMemory {
    type Io = DuplexStream;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(DuplexStream, &'static str)> {
        Ok((self.0.get().await, "memory"))
    }
}

struct Running {
    server: Server,
    queue: LightQueue<DuplexStream>,
}

impl Running {
    async fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(1000);
        self.queue.put(theirs).await;
        ours
    }
}

/// Serves a site on a paused clock, and ends it.
fn test<S, K, F>(
    site: S,
    options: impl FnOnce(Serving<InMemory, S, K>) -> Serving<InMemory, S, K> + 'static,
    body: impl FnOnce(Running) -> F + 'static,
) where
    S: Site<K>,
    K: 'static,
    F: Future<Output = ()>,
{
    let running = Builder::new().start_paused(true).run(async move {
        let queue = LightQueue::default();
        let serving = wsgi::server(InMemory(queue.clone()), site).log_output(false);
        let serving = options(serving);
        let server = serving.handle();
        let served = spawn(serving);
        body(Running { server: server.clone(), queue }).await;
        server.shutdown(Duration::from_secs(5)).await;
        served.await.unwrap().unwrap();
        let stats = server.stats();
        assert_eq!((stats.open, stats.in_flight, stats.handlers), (0, 0, 0));
        assert_eq!(eventlet::debug::green_threads().len(), 1, "green threads are left behind");
    });
    running.unwrap();
}

async fn hello(_: Environ) -> &'static str {
    "hello"
}

/// Reads until the server closes, and returns what came and after how many seconds it did.
async fn until_closed(conn: &mut DuplexStream) -> (String, u64) {
    let began = Instant::now();
    let mut text = Vec::new();
    let _ = conn.read_to_end(&mut text).await;
    (String::from_utf8(text).unwrap(), began.elapsed().as_secs())
}

#[track_caller]
fn assert_about(seconds: u64, limit: u64) {
    assert!((limit..=limit + 3).contains(&seconds), "{seconds} s instead of {limit} s");
}

#[test]
fn an_idle_connection_is_closed_before_its_first_request_and_between_two() {
    test(
        hello,
        |serving| serving,
        |running| async move {
            let mut conn = running.connect().await;
            let (text, seconds) = until_closed(&mut conn).await;
            assert_eq!(text, "");
            assert_about(seconds, 75);

            let mut conn = running.connect().await;
            for _ in 0..3 {
                conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
                sleep(Duration::from_secs(60)).await;
            }
            let (text, seconds) = until_closed(&mut conn).await;
            assert_eq!(text.matches("hello").count(), 3);
            assert_about(seconds + 60, 75);
        },
    );
}

#[test]
fn a_head_has_its_time_however_steadily_it_comes() {
    test(
        hello,
        |serving| serving,
        |running| async move {
            let mut conn = running.connect().await;
            sleep(Duration::from_secs(70)).await;
            let began = Instant::now();
            for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ".iter().chain([b'x'; 1000].iter()) {
                if conn.write_all(&[*byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_millis(500)).await;
            }
            assert_about(began.elapsed().as_secs(), 30);
            assert_eq!(until_closed(&mut conn).await.0, "");
        },
    );
}

#[test]
fn the_limit_of_idleness_is_none_of_a_head() {
    let options = |serving: Serving<InMemory, _, _>| {
        serving
            .keepalive(Duration::from_secs(2))
            .protocol(Protocol::http1().header_timeout(Duration::from_secs(20)))
    };
    test(hello, options, |running| async move {
        let mut conn = running.connect().await;
        conn.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
        sleep(Duration::from_secs(10)).await;
        conn.write_all(b"st: a\r\nConnection: close\r\n\r\n").await.unwrap();
        assert!(until_closed(&mut conn).await.0.ends_with("hello"));
    });
}

#[test]
fn a_body_that_stops_coming_is_a_408() {
    let site = |env: Environ| async move { env.input().read_all(1000).await };
    test(
        site,
        |serving| serving,
        |running| async move {
            let mut conn = running.connect().await;
            conn.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
                .await
                .unwrap();
            // A byte now and then is enough.
            for _ in 0..5 {
                sleep(Duration::from_secs(50)).await;
                conn.write_all(b"x").await.unwrap();
            }
            let (text, seconds) = until_closed(&mut conn).await;
            assert_eq!(status(&text), 408, "{text}");
            assert_about(seconds, 60);
        },
    );
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let site = |_: Environ| async { Body::from_iter((0..1000).map(|_| vec![b'x'; 1000])) };
    test(
        site,
        |serving| serving,
        |running| async move {
            let mut conn = running.connect().await;
            conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            let mut some = [0; 500];
            for _ in 0..5 {
                sleep(Duration::from_secs(50)).await;
                conn.read_exact(&mut some).await.unwrap();
            }
            assert_eq!(running.server.stats().open, 1, "who takes some now and then is served");
            sleep(Duration::from_secs(63)).await;
            assert_eq!(running.server.stats().open, 0);
        },
    );
}

#[test]
fn a_client_that_takes_a_known_body_slowly_is_served() {
    let site = |_: Environ| async { vec![b'x'; 20_000] };
    test(
        site,
        |serving| serving,
        |running| async move {
            let mut conn = running.connect().await;
            conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            let mut read = 0;
            let mut some = [0; 500];
            loop {
                sleep(Duration::from_secs(50)).await;
                match conn.read(&mut some).await.unwrap() {
                    0 => break,
                    bytes => read += bytes,
                }
            }
            assert!(read > 20_000);
        },
    );
}

#[test]
fn a_site_may_take_its_time() {
    let site = |_: Environ| async {
        sleep(Duration::from_secs(5_000)).await;
        "at last"
    };
    test(
        site,
        |serving| serving,
        |running| async move {
            let mut conn = running.connect().await;
            conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            let (text, seconds) = until_closed(&mut conn).await;
            assert!(text.ends_with("at last"), "{text}");
            assert_eq!(seconds, 5_000);
        },
    );
}

#[test]
fn who_does_not_notice_that_it_is_refused_is_cut() {
    test(
        hello,
        |serving| serving,
        |running| async move {
            let mut conn = running.connect().await;
            conn.write_all(b"nonsense\r\n\r\n").await.unwrap();
            let mut text = [0; 12];
            conn.read_exact(&mut text).await.unwrap();
            assert_eq!(&text, b"HTTP/1.1 400");
            sleep(Duration::from_secs(5)).await;
            assert_eq!(running.server.stats().open, 0);
        },
    );
}

#[test]
fn a_shutdown_waits_for_what_runs_and_for_nothing_else() {
    let site = |env: Environ| async move {
        let seconds = env.path_info()[1..].parse().unwrap();
        sleep(Duration::from_secs(seconds)).await;
        "done"
    };
    for (limit, takes, finished, cut) in [(None, 20, 4, 0), (Some(10), 10, 3, 1)] {
        test(
            site,
            |serving| serving,
            move |running| async move {
                let mut idle = running.connect().await;
                idle.write_all(b"GET /0 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
                let mut untouched = running.connect().await;
                let mut in_head = running.connect().await;
                in_head.write_all(b"GET /0 HTT").await.unwrap();
                let mut runs = running.connect().await;
                runs.write_all(b"GET /20 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
                sleep(Duration::from_millis(1)).await;
                assert_eq!(running.server.stats().open, 4);

                let began = Instant::now();
                let drained = running.server.shutdown(limit.map(Duration::from_secs)).await;
                assert_eq!(began.elapsed().as_secs_f64().round() as u64, takes);
                assert_eq!((drained.finished, drained.cut), (finished, cut));
                assert!(until_closed(&mut idle).await.0.ends_with("done"));
                assert_eq!(until_closed(&mut untouched).await.0, "");
                assert_eq!(until_closed(&mut in_head).await.0, "");
                let answer = until_closed(&mut runs).await.0;
                assert_eq!(answer.ends_with("done"), cut == 0, "{answer}");
                assert_eq!(answer.contains("\r\nConnection: close\r\n"), cut == 0, "{answer}");
            },
        );
    }
}

#[test]
fn a_shutdown_waits_for_a_response_that_streams() {
    let site = |_: Environ| async {
        let (write, body) = Body::channel();
        eventlet::spawn_n(async move {
            for n in 0..10 {
                if write.write(format!("{n};")).await.is_err() {
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        body
    };
    for (limit, whole) in [(None, true), (Some(20), true), (Some(5), false)] {
        test(
            site,
            |serving| serving,
            move |running| async move {
                let mut conn = running.connect().await;
                conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
                let mut read = vec![0; 1000];
                let length = conn.read(&mut read).await.unwrap();
                let head = String::from_utf8_lossy(&read[..length]).into_owned();
                assert!(head.starts_with("HTTP/1.1 200 "), "{head}");

                let shutdown = running.server.clone();
                let shutdown =
                    spawn(async move { shutdown.shutdown(limit.map(Duration::from_secs)).await });
                let rest = until_closed(&mut conn).await.0;
                assert_eq!(rest.ends_with("\r\n0\r\n\r\n"), whole, "{rest}");
                assert_eq!(rest.contains("9;"), whole, "{rest}");
                assert!(rest.contains("3;"), "{rest}");
                let drained = shutdown.await.unwrap();
                assert_eq!((drained.finished, drained.cut), if whole { (1, 0) } else { (0, 1) });
                // The writer of one that was cut sees it at its next piece.
                sleep(Duration::from_secs(2)).await;
            },
        );
    }
}
