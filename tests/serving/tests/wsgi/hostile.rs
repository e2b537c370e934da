//! Sites and clients that fail, in every way there is, and what is left of them: nothing.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get as at;
use bytes::Bytes;
use eventlet::wsgi::{self, Body, Environ, StartResponse};
use eventlet::{Block, GreenPool, Timeout, getcurrent, sleep};
use futures::stream;

use crate::support::{Running, get, header, serve, status, test};

/// Fails where the path says.
async fn fails(env: Environ) -> Result<Body, String> {
    match &*env.path_info() {
        "/panic" => panic!("by request"),
        "/late" => {
            sleep(Duration::from_millis(1)).await;
            panic!("by request")
        }
        "/kill" => {
            getcurrent().kill();
            std::future::pending().await
        }
        "/timeout" => {
            let _limit = Timeout::start(Duration::from_millis(1));
            std::future::pending().await
        }
        "/error" => Err("by request".to_owned()),
        "/body" => Ok(Body::from_stream(stream::iter([Ok("some"), Err("by request")]))),
        "/body-panics" => Ok(Body::from_iter((0..2).map(|n| {
            assert!(n == 0, "by request");
            "some"
        }))),
        _ => Ok("fine".into()),
    }
}

#[test]
fn a_site_that_fails_is_a_500_and_the_next_is_served() {
    test(async {
        let running = serve(fails).await;
        for path in ["/panic", "/late", "/kill", "/timeout", "/error"] {
            let answer = running.says(get(path)).await;
            assert_eq!(status(&answer), 500, "{path}: {answer}");
            assert_eq!(header(&answer, "connection"), Some("close"));
            assert!(!answer.contains("by request"), "{answer}");
            assert!(running.says(get("/")).await.ends_with("fine"));
        }
        for path in ["/body", "/body-panics"] {
            let answer = running.says(get(path)).await;
            assert!(!answer.ends_with("0\r\n\r\n"), "it must not look whole: {answer}");
            assert!(running.says(get("/")).await.ends_with("fine"));
        }
        running.stop().await;
    });
}

#[test]
fn a_plain_application_that_fails() {
    test(async {
        let site = wsgi::application(|env: Environ, start_response: StartResponse| {
            let path = env.path_info();
            if path != "/unstarted" {
                start_response.call("200 OK", [("x-a", "b")]);
            }
            let waits = path == "/waits";
            (0..2).map(move |n| {
                if n == 1 && waits {
                    sleep(Duration::from_millis(5)).block();
                }
                assert!(n == 0 || path == "/", "by request");
                if path == "/twice" {
                    start_response.call("200 OK", [("x", "a\r\nb")]);
                }
                Bytes::from_static(b"some")
            })
        });
        let running = serve(site).await;
        assert!(running.says(get("/")).await.ends_with("somesome"));
        // Nothing of it was sent, for it had more ready.
        for path in ["/panic", "/unstarted", "/twice"] {
            assert_eq!(status(&running.says(get(path)).await), 500, "{path}");
        }
        let answer = running.says(get("/waits")).await;
        assert_eq!(status(&answer), 200);
        assert!(answer.contains("some") && !answer.ends_with("0\r\n\r\n"), "{answer}");
        running.stop().await;
    });
}

#[test]
fn a_service_that_fails() {
    test(async {
        let router = Router::new().route("/", at(|| async { "fine" })).route(
            "/panic",
            at(|| async {
                if true {
                    panic!("by request")
                }
            }),
        );
        let running = serve(wsgi::service(router)).await;
        assert_eq!(status(&running.says(get("/panic")).await), 500);
        assert!(running.says(get("/")).await.ends_with("fine"));
        running.stop().await;
    });
}

#[test]
fn lengths_that_are_wrong() {
    test(async {
        let running = serve(|env: Environ| async move {
            let body = match &env.path_info()[1..4] {
                "kno" => Body::from("12345"),
                _ => Body::from_stream(stream::iter([Ok::<_, String>("123"), Ok("45")])),
            };
            let length = env.query_string().unwrap();
            (200, [("content-length", length)], body)
        })
        .await;
        assert!(running.says(get("/known?5")).await.ends_with("\r\n\r\n12345"));
        for query in ["/known?4", "/known?6", "/known?x", "/stream?x"] {
            assert_eq!(status(&running.says(get(query)).await), 500, "{query}");
        }
        assert!(running.says(get("/stream?5")).await.ends_with("\r\n\r\n12345"));
        let long = running.says(get("/stream?4")).await;
        assert!(long.ends_with("\r\n\r\n1234") || long.ends_with("\r\n\r\n123"), "{long}");
        let short = running.says(get("/stream?6")).await;
        assert!(!short.contains("\r\n\r\n12345\r\n") && !short.contains("HTTP/1.1 500"), "{short}");
        let head = running.says("HEAD /known?7 HTTP/1.0\r\n\r\n").await;
        assert_eq!(header(&head, "content-length"), Some("7"), "{head}");
        running.stop().await;
    });
}

#[test]
fn how_a_body_is_framed_is_not_the_sites_to_say() {
    test(async {
        let running =
            serve(|_: Environ| async { (200, [("transfer-encoding", "gzip, chunked")], "body") })
                .await;
        let answer = running.says(get("/")).await;
        assert_eq!(header(&answer, "transfer-encoding"), None, "{answer}");
        assert_eq!(header(&answer, "content-length"), Some("4"));
        running.stop().await;
    });
}

#[test]
fn a_slow_client_slows_its_handler_alone() {
    test(async {
        let running = serve(|env: Environ| async move {
            if env.path_info() == "/" {
                return Body::from("fine");
            }
            let (write, body) = Body::channel();
            eventlet::spawn_n(async move {
                let mut sent = 0;
                while write.write(vec![b'x'; 10_000]).await.is_ok() {
                    sent += 1;
                    assert!(sent < 2000, "nothing holds the writer back");
                }
            });
            body
        })
        .await;
        let mut slow = running.connect().await;
        slow.send(get("/endless")).await;
        slow.hears("xxx").await;
        sleep(Duration::from_millis(50)).await;
        assert!(running.says(get("/")).await.ends_with("fine"));
        drop(slow);
        running.stop().await;
    });
}

/// A generator of numbers that anybody can check: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// One client that does what the dice say.
async fn hostile(running: &Running, mut dice: Dice) {
    const REQUESTS: &[&str] = &[
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /kill HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /timeout HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /error HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /body HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01",
    ];
    let mut conn = running.connect().await;
    let mut bytes = String::new();
    for _ in 0..=dice.roll(4) {
        bytes += REQUESTS[usize::try_from(dice.roll(REQUESTS.len() as u64)).unwrap()];
    }
    let cut = usize::try_from(dice.roll(bytes.len() as u64 + 1)).unwrap();
    let all = dice.roll(2) == 0;
    conn.send(&bytes.as_bytes()[..if all { bytes.len() } else { cut }]).await;
    match dice.roll(4) {
        0 => {}
        1 => {
            conn.end().await;
            conn.rest().await;
        }
        2 => conn.end().await,
        _ => sleep(Duration::from_micros(dice.roll(2000))).await,
    }
}

#[test]
fn ten_thousand_hostile_clients_leave_nothing_behind() {
    test(async {
        let running = std::rc::Rc::new(serve(fails).await);
        let clients = GreenPool::new(100);
        for seed in 0..10_000 {
            let running = std::rc::Rc::clone(&running);
            clients.spawn_n(async move { hostile(&running, Dice(seed)).await }).await;
        }
        clients.waitall().await;
        // Whoever has sent and gone may not have been accepted yet, but is before the next.
        assert!(running.says(get("/")).await.ends_with("fine"));
        assert_eq!(running.server.stats().accepted, 10_001);
        std::rc::Rc::into_inner(running).unwrap().stop().await;
    });
}

#[test]
fn other_peoples_clients() {
    test(async {
        let site = |env: Environ| async move { env.input().read_all(1 << 20).await };
        let running = serve(site).await;
        let url = format!("http://{}/", running.addr);
        let port = running.addr.port();
        let python = format!(
            "import http.client as h\n\
             c = h.HTTPConnection('127.0.0.1', {port})\n\
             for body in (b'one', b'', b'x' * 100000):\n \
              c.request('POST', '/', body); r = c.getresponse(); assert r.status == 200 and r.read() == body\n\
             c.request('POST', '/', iter([b'ab', b'cd']), encode_chunked=True, headers={{'Transfer-Encoding': 'chunked'}})\n\
             assert c.getresponse().read() == b'abcd'\n\
             c.request('HEAD', '/'); r = c.getresponse(); assert r.status == 200 and r.read() == b''\n\
             print('all right')\n"
        );
        let big = "x".repeat(300_000);
        let clients: [(&str, Vec<&str>, &str, &str); 2] = [
            ("curl", vec!["-sS", "--data-binary", "@-", &url], &big, &big),
            ("python3", vec!["-"], &python, "all right\n"),
        ];
        for (program, arguments, input, expected) in clients {
            let mut command = Command::new(program);
            command.args(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
            let Ok(mut child) = command.spawn() else {
                eprintln!("SKIPPED: {program} is not installed");
                continue;
            };
            let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
            let output = eventlet::tpool::execute(move || {
                stdin.write_all(input.as_bytes()).unwrap();
                drop(stdin);
                child.wait_with_output().unwrap()
            })
            .await;
            assert!(output.status.success(), "{program} failed");
            assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{program}");
        }
        running.stop().await;
    });
}
