//! What happens on one connection: keep-alive, pipelining, half-closing, 100 Continue, taking it
//! over.

use std::rc::Rc;

use eventlet::wsgi::{Environ, Hijacked};
use eventlet::{Event, spawn_n};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{header, serve, serve_with, status, test};

async fn echo(env: Environ) -> std::io::Result<bytes::Bytes> {
    env.input().read_all(1 << 20).await
}

#[test]
fn a_connection_serves_one_request_after_another() {
    test(async {
        let running = serve(echo).await;
        let mut conn = running.connect().await;
        for body in ["one", "", "three"] {
            let length = body.len();
            conn.send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .await;
            let (head, echoed) = conn.response().await;
            assert_eq!((status(&head), &*echoed), (200, body));
            assert_eq!(header(&head, "connection"), None);
        }
        let stats = running.server.stats();
        assert_eq!((stats.accepted, stats.requests, stats.idle, stats.bytes), (1, 3, 1, 8));
        running.stop().await;
        assert!(conn.is_closed().await);
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    test(async {
        let running = serve(|env: Environ| async move { env.path_info() }).await;
        let mut conn = running.connect().await;
        let requests: String =
            (0..50).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
        conn.send(requests).await;
        for n in 0..50 {
            assert_eq!(conn.response().await.1, format!("/{n}"));
        }
        running.stop().await;
    });
}

#[test]
fn who_sends_no_more_gets_the_answer_all_the_same() {
    test(async {
        let go = Rc::new(Event::new());
        let site = {
            let go = Rc::clone(&go);
            move |_: Environ| {
                let go = Rc::clone(&go);
                async move {
                    go.wait().await.unwrap();
                    "late"
                }
            }
        };
        let running = serve(site).await;
        let mut conn = running.connect().await;
        conn.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        conn.io.shutdown().await.unwrap();
        spawn_n(async move { go.send(()) });
        assert!(conn.rest().await.ends_with("late"));
        running.stop().await;
    });
}

#[test]
fn a_client_is_told_to_go_on_when_the_body_is_read() {
    test(async {
        let running = serve(|env: Environ| async move {
            if env.path_info() == "/read" { echo(env).await } else { Ok("unread".into()) }
        })
        .await;
        let head = "HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n";

        let mut conn = running.connect().await;
        conn.send(format!("POST /read {head}")).await;
        assert_eq!(conn.hears("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        conn.send("abc").await;
        assert_eq!(conn.response().await.1, "abc");

        let mut conn = running.connect().await;
        conn.send(format!("POST /unread {head}")).await;
        let (head, body) = conn.response().await;
        assert_eq!((header(&head, "connection"), &*body), (Some("close"), "unread"));
        assert!(conn.is_closed().await);
        drop(conn);
        running.stop().await;
    });
}

#[test]
fn a_site_takes_a_connection_over() {
    test(async {
        let running = serve_with(
            |env: Environ| async move {
                env.hijack(|mut io: Hijacked| async move {
                    let mut word = [0; 4];
                    while io.read_exact(&mut word).await.is_ok() {
                        word.reverse();
                        io.write_all(&word).await.unwrap();
                    }
                })
            },
            |serving| serving,
        )
        .await;
        let mut conn = running.connect().await;
        // The first word comes in the same packet as the head.
        conn.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: turn\r\n\r\nabcd")
            .await;
        let head = conn.hears("\r\n\r\n").await;
        assert_eq!((status(&head), header(&head, "upgrade")), (101, Some("turn")));
        assert_eq!(conn.hears("dcba").await, "dcba");
        conn.send("efgh").await;
        assert_eq!(conn.hears("hgfe").await, "hgfe");
        assert_eq!(running.server.connections()[0].phase, "hijacked");

        let answer = running.says("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(status(&answer), 426);
        // The site does not wait for `closing`, so the connection is cut.
        running.stop().await;
        assert!(conn.is_closed().await);
    });
}

#[test]
fn who_took_a_connection_over_is_told_of_the_end() {
    test(async {
        let running = serve(|env: Environ| async move {
            env.hijack(|mut io: Hijacked| async move {
                io.closing().await;
                io.write_all(b"bye").await.unwrap();
            })
        })
        .await;
        let mut conn = running.connect().await;
        conn.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await;
        conn.hears("\r\n\r\n").await;
        let drained = running.stop().await;
        assert_eq!((drained.finished, drained.cut), (1, 0));
        assert_eq!(conn.rest().await, "bye");
    });
}
