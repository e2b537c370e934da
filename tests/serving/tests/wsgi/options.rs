//! Each option of `wsgi::server`, by what a client sees of it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use axum::Router;
use axum::routing::get as at;
use eventlet::convenience::Listener;
use eventlet::wsgi::{self, Body, Environ, Server, StartResponse};
use eventlet::{Block, Event, GreenPool, listen, sleep, spawn, stackful};
use http::Version;
use tokio::net::TcpStream;

use crate::support::{Running, get, header, serve, serve_with, status, test};

async fn hello(_: Environ) -> &'static str {
    "hello"
}

/// Lines of a log, shared with the log.
#[derive(Clone, Default)]
struct Lines(Rc<RefCell<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

#[test]
fn log() {
    test(async {
        let lines = Lines::default();
        let running = serve_with(hello, |serving| serving.log(lines.clone())).await;
        running.says(get("/a?b")).await;
        running.says("nonsense\r\n\r\n").await;
        running.says("GET / HTTP/1.1\r\n\r\n").await;
        let addr = running.addr;
        running.stop().await;
        let text = lines.text();
        let logged: Vec<&str> = text.lines().collect();
        assert!(logged[0].ends_with(&format!(") wsgi starting up on http://{addr}")), "{text}");
        assert!(logged[1].starts_with("127.0.0.1 - - ["), "{text}");
        assert!(logged[1].contains("] \"GET /a?b HTTP/1.1\" 200 5 "), "{text}");
        assert!(logged[2].contains("] \"-\" 400 0 0.000000"), "{text}");
        assert!(logged[3].contains("] \"GET / HTTP/1.1\" 400 0 "), "{text}");
        for line in [logged[1], logged[3]] {
            let seconds: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!((0.0..60.0).contains(&seconds), "{line}");
        }
        assert!(logged[4].ends_with(") wsgi exited"), "{text}");
        assert_eq!(logged.len(), 5);
    });
}

#[test]
fn log_with() {
    test(async {
        let lines = Lines::default();
        let log = lines.clone();
        let running = serve_with(hello, move |serving| {
            serving.log_with(move |level, line| {
                io::Write::write_all(&mut log.clone(), format!("{level} {line}\n").as_bytes())
                    .unwrap();
            })
        })
        .await;
        running.says(get("/")).await;
        running.stop().await;
        let text = lines.text();
        assert!(text.contains("DEBUG (") && text.contains(") accepted (127.0.0.1:"), "{text}");
        assert!(text.contains("INFO 127.0.0.1 - - ["), "{text}");
    });
}

#[test]
fn a_log_that_fails_ends_the_log_alone() {
    struct Full(Rc<Cell<u32>>);
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.0.set(self.0.get() + 1);
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    test(async {
        let asked = Rc::new(Cell::new(0));
        let writer = Full(Rc::clone(&asked));
        let running = serve_with(hello, |serving| serving.log(writer)).await;
        assert!(running.says(get("/")).await.ends_with("hello"));
        running.stop().await;
        assert_eq!(asked.get(), 1);
    });
}

#[test]
fn log_format_and_forwarded_for() {
    test(async {
        for (forwarded, expected) in [(true, "1.2.3.4,\\x80,127.0.0.1|"), (false, "127.0.0.1|")] {
            let lines = Lines::default();
            let running = serve_with(hello, |serving| {
                let format = "%(client_ip)s|%(status_code)d|%(body_length)s|%(request_id)d|%(wall_seconds).1f%%";
                serving.log(lines.clone()).log_format(format).log_x_forwarded_for(forwarded)
            })
            .await;
            let request = b"GET / HTTP/1.0\r\nX-Forwarded-For: 1.2.3.4, \x80\r\n\r\n";
            running.says(request).await;
            running.stop().await;
            let text = lines.text();
            let line = text.lines().nth(1).unwrap();
            let seconds = line.strip_prefix(&format!("{expected}200|5|1|")).expect(line);
            let tenths = seconds.strip_suffix('%').expect(line).split_once('.').expect(line).1;
            assert_eq!(tenths.len(), 1, "{line}");
        }
    });
}

#[test]
#[should_panic(expected = "there is no key `who`; there are client_ip, client_port, date_time")]
fn log_format_with_an_unknown_key() {
    test(async {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let _ = wsgi::server(listener, hello).log_format("%(who)s");
    });
}

#[test]
fn environ() {
    test(async {
        let site = |env: Environ| async move {
            let get = |key| env.get(key).unwrap_or_default();
            format!("{} {} {}", get("app.name"), get("REQUEST_METHOD"), get("HTTP_X_A"))
        };
        let running = serve_with(site, |serving| {
            serving.environ([("app.name", "shop"), ("REQUEST_METHOD", "OTHER")])
        })
        .await;
        let answer = running.says("GET / HTTP/1.0\r\nX-A: 1\r\nX_A: 2\r\nX-A: 3\r\n\r\n").await;
        assert!(answer.ends_with("shop GET 1,3"), "{answer}");
        running.stop().await;
    });
}

#[test]
fn the_whole_environ() {
    test(async {
        let site = |env: Environ| async move {
            let map = env.to_map();
            map.iter().map(|(key, value)| format!("{key}={value}\n")).collect::<String>()
        };
        let running = serve_with(site, |serving| serving.environ([("x", "y")])).await;
        let answer = running
            .says("POST /a%20b?c=d HTTP/1.0\r\nCookie: a\r\nCookie: b\r\nContent-Type: t/x\r\nContent-Length: 0\r\n\r\n")
            .await;
        let port = running.addr.port();
        for line in [
            "CONTENT_LENGTH=0",
            "CONTENT_TYPE=t/x",
            "GATEWAY_INTERFACE=CGI/1.1",
            "HTTP_COOKIE=a; b",
            "PATH_INFO=/a b",
            "QUERY_STRING=c=d",
            "RAW_PATH_INFO=/a%20b",
            "REMOTE_ADDR=127.0.0.1",
            "REQUEST_METHOD=POST",
            "SCRIPT_NAME=",
            "SERVER_NAME=127.0.0.1",
            &format!("SERVER_PORT={port}"),
            "SERVER_PROTOCOL=HTTP/1.0",
            "wsgi.multithread=True",
            "wsgi.url_scheme=http",
            "x=y",
        ] {
            assert!(answer.contains(&format!("\n{line}\n")), "{line}: {answer}");
        }
        assert!(!answer.contains("HTTP_CONTENT") && !answer.contains("HTTPS="), "{answer}");
        running.stop().await;
    });
}

#[test]
fn max_size_and_which_connection_is_evicted() {
    test(async {
        let running = serve_with(hello, |serving| serving.max_size(1)).await;
        let mut first = running.connect().await;
        first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(first.response().await.1, "hello");
        // The second takes the place of the first, which is idle.
        assert!(running.says(get("/")).await.ends_with("hello"));
        assert!(first.is_closed().await);
        assert_eq!(running.server.stats().evicted, 1);
        running.stop().await;
    });
}

#[test]
fn at_the_bound_busy_connections_are_waited_for() {
    test(async {
        let go = Event::new();
        let gate = go.clone();
        let site = move |_: Environ| {
            let gate = gate.clone();
            async move {
                gate.wait().await.unwrap();
                "worked"
            }
        };
        let running = serve_with(site, |serving| serving.max_size(1)).await;
        let mut first = running.connect().await;
        first.send(get("/")).await;
        let mut second = running.connect().await;
        second.send(get("/")).await;
        while running.server.stats().in_flight == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_millis(20)).await;
        assert_eq!(running.server.stats().in_flight, 1);
        go.send(());
        assert!(first.rest().await.ends_with("worked"));
        assert!(second.rest().await.ends_with("worked"));
        running.stop().await;
    });
}

#[test]
#[should_panic(expected = "`max_size` must be at least 1")]
fn max_size_0() {
    test(async {
        let _ = wsgi::server(listen("127.0.0.1:0").await.unwrap(), hello).max_size(0);
    });
}

#[test]
fn custom_pool() {
    test(async {
        let pool = GreenPool::new(2);
        let running = serve_with(hello, |serving| serving.custom_pool(&pool)).await;
        let mut conn = running.connect().await;
        conn.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        conn.response().await;
        assert_eq!(pool.running(), 1);
        running.stop().await;
        assert_eq!(pool.running(), 0);
    });
}

#[test]
fn a_server_inside_its_own_pool() {
    test(async {
        let pool = GreenPool::new(2);
        let own = pool.clone();
        let listener = listen("127.0.0.1:0").await.unwrap();
        let served = pool.spawn(async move {
            wsgi::server(listener, hello).custom_pool(&own).log_output(false).await
        });
        let exit = served.await.await.unwrap_err();
        assert!(exit.to_string().contains("inside the pool of its own connections"), "{exit}");
    });
}

#[test]
fn max_http_version() {
    test(async {
        let site = |_: Environ| async { Body::from_iter(["a", "b"]) };
        let running = serve_with(site, |serving| serving.max_http_version(Version::HTTP_10)).await;
        let answer = running.says("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nab"), "{answer}");
        assert_eq!(header(&answer, "transfer-encoding"), None);
        assert_eq!(header(&answer, "connection"), Some("close"));
        running.stop().await;
    });
}

#[test]
fn server_event() {
    test(async {
        let event: Event<Server> = Event::new();
        let running = serve_with(hello, |serving| serving.server_event(&event)).await;
        let server = event.wait().await.unwrap();
        running.says(get("/")).await;
        assert_eq!(server.stats().accepted, 1);
        running.stop().await;
    });
}

#[test]
fn minimum_chunk_size() {
    async fn chunks(minimum: Option<usize>, own: Option<usize>, waits: bool) -> String {
        let site = move |env: Environ, start_response: StartResponse| async move {
            if let Some(own) = own {
                env.set_minimum_write_chunk_size(own);
            }
            let write = start_response.call(200, [("x-a", "b")]);
            for _ in 0..10 {
                write.write(vec![b'x'; 1000]).await.unwrap();
                if waits {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Body::empty()
        };
        let running = serve_with(site, |serving| serving.minimum_chunk_size(minimum)).await;
        let answer = running.says(get("/")).await;
        running.stop().await;
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        body.to_lowercase().replace('x', "").replace("\r\n\r\n", " ").replace("\r\n", " ")
    }
    test(async {
        let all = |size: &str, times: usize| format!("{}0 ", format!("{size} ").repeat(times));
        assert_eq!(chunks(None, None, false).await.trim(), "1388 1388 0", "5000 bytes each");
        assert_eq!(chunks(None, None, true).await.trim(), all("3e8", 10).trim());
        assert_eq!(chunks(Some(2500), None, true).await.trim(), "bb8 bb8 bb8 3e8 0");
        assert_eq!(chunks(None, Some(0), false).await.trim(), all("3e8", 10).trim());
    });
}

#[test]
fn keepalive() {
    test(async {
        let running = serve_with(hello, |serving| serving.keepalive(false)).await;
        let answer = running.says("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(header(&answer, "connection"), Some("close"), "{answer}");
        running.stop().await;

        for (limit, said) in [(5000, Some("timeout=5")), (900, None)] {
            let limit = Duration::from_millis(limit);
            let running = serve_with(hello, |serving| serving.keepalive(limit)).await;
            let mut conn = running.connect().await;
            conn.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").await;
            assert_eq!(header(&conn.response().await.0, "keep-alive"), said);
            conn.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(header(&conn.response().await.0, "keep-alive"), None);
            running.stop().await;
        }
    });
}

#[test]
fn url_length_limit() {
    test(async {
        let running = serve_with(hello, |serving| serving.url_length_limit(20)).await;
        assert_eq!(
            status(
                &running.says("GET /12345 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await
            ),
            200
        );
        assert_eq!(status(&running.says("GET /1234567 HTTP/1.1\r\nHost: a\r\n\r\n").await), 414);
        running.stop().await;
    });
}

#[test]
fn debug() {
    test(async {
        for debug in [false, true] {
            let site = |env: Environ| async move { fails(&env.path_info()) };
            explains(debug, serve_with(site, |serving| serving.debug(debug)).await).await;
            let site = |env: Environ| stackful(move || fails(&env.path_info()));
            explains(debug, serve_with(site, |serving| serving.debug(debug)).await).await;
            let router = Router::new().route("/panic", at(|| async { fails("/panic").unwrap() }));
            let running = serve_with(wsgi::service(router), |serving| serving.debug(debug)).await;
            panic_is_explained(debug, &running).await;
            running.stop().await;
        }
    });
}

fn fails(path: &str) -> Result<(), &'static str> {
    match path {
        "/panic" => panic!("the secret"),
        _ => Err("the secret"),
    }
}

/// Checks that a server explains its failures to clients, or does not.
async fn explains(debug: bool, running: Running) {
    panic_is_explained(debug, &running).await;
    let answer = running.says(get("/error")).await;
    assert_eq!((status(&answer), answer.contains("the secret")), (500, debug), "{answer}");
    assert!(!answer.contains("options::fails"), "a backtrace of another panic: {answer}");
    running.stop().await;
}

async fn panic_is_explained(debug: bool, running: &Running) {
    let answer = running.says(get("/panic")).await;
    assert_eq!(status(&answer), 500);
    for told in ["the secret", "options.rs", "options::fails"] {
        assert_eq!(answer.contains(told), debug, "{told}: {answer}");
    }
}

#[test]
fn capitalize_response_headers() {
    test(async {
        let site = |_: Environ| async { (200, [("x-FOO", "1")], "") };
        for (capitalize, name) in [(true, "\r\nX-Foo: 1\r\n"), (false, "\r\nx-foo: 1\r\n")] {
            let running =
                serve_with(site, |serving| serving.capitalize_response_headers(capitalize)).await;
            let answer = running.says(get("/")).await;
            assert!(answer.contains(name), "{answer}");
            running.stop().await;
        }
    });
}

#[test]
fn drain_unread() {
    test(async {
        let running = serve_with(hello, |serving| serving.drain_unread(1000)).await;
        for (length, connection) in [(1000, None), (1001, Some("close"))] {
            let mut conn = running.connect().await;
            conn.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"))
                .await;
            conn.send(vec![b'x'; length]).await;
            let (head, _) = conn.response().await;
            assert_eq!(header(&head, "connection"), connection, "{length}");
        }
        running.stop().await;
    });
}

#[test]
fn an_answer_reaches_a_client_that_still_sends() {
    test(async {
        let running = serve(hello).await;
        let mut conn = running.connect().await;
        conn.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n").await;
        conn.send(vec![b'x'; 200_000]).await;
        let (head, body) = conn.response().await;
        assert_eq!((header(&head, "connection"), &*body), (Some("close"), "hello"));
        drop(conn);
        running.stop().await;
    });
}

#[test]
fn shutdown_on() {
    test(async {
        let go = Event::new();
        let told = go.clone();
        let running =
            serve_with(hello, |serving| serving.shutdown_on(async move { told.wait().await }))
                .await;
        let mut idle = running.connect().await;
        idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        idle.response().await;
        go.send(());
        assert!(idle.is_closed().await);
        running.ended().await;
    });
}

#[test]
fn kill_on_disconnect() {
    struct Ends {
        event: Event<bool>,
        whole: bool,
    }
    impl Drop for Ends {
        fn drop(&mut self) {
            self.event.send(self.whole);
        }
    }
    async fn whole(kill: bool) -> bool {
        let ended: Event<bool> = Event::new();
        let end = ended.clone();
        let site = move |_: Environ| {
            let mut ends = Ends { event: end.clone(), whole: false };
            // Who is to be killed has not ended before that.
            let length = if kill { Duration::MAX } else { Duration::from_millis(50) };
            async move {
                sleep(length).await;
                ends.whole = true;
                drop(ends);
            }
        };
        let running = serve_with(site, |serving| serving.kill_on_disconnect(kill)).await;
        let mut conn = running.connect().await;
        conn.send(get("/")).await;
        while running.server.stats().handlers == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        drop(conn);
        let whole = ended.wait().await.unwrap();
        running.stop().await;
        whole
    }
    test(async {
        assert!(whole(false).await, "a site runs to its end");
        assert!(!whole(true).await, "unless it is to be killed");
    });
}

/// A custom listener, which fails at first.
struct Troubled {
    listener: tokio::net::TcpListener,
    errors: VecDeque<io::Error>,
}

impl Listener for Troubled {
    type Io = TcpStream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, std::net::SocketAddr)> {
        match self.errors.pop_front() {
            Some(error) => Err(error),
            None => self.listener.accept().await,
        }
    }
}

#[test]
fn a_lack_of_descriptors_is_waited_out() {
    test(async {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let errors = [libc_error(24), io::ErrorKind::ConnectionReset.into(), libc_error(23)].into();
        let lines = Lines::default();
        let serving = wsgi::server(Troubled { listener, errors }, hello).log(lines.clone());
        let server = serving.handle();
        let served = spawn(serving);
        let mut conn = crate::support::Client::to(addr).await;
        conn.send(get("/")).await;
        assert!(conn.rest().await.ends_with("hello"));
        server.shutdown(None).await;
        served.await.unwrap().unwrap();
        assert_eq!(lines.text().matches("cannot accept connections for now").count(), 1);
    });
}

/// `EMFILE` is 24, `ENFILE` is 23.
fn libc_error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

#[test]
fn a_listener_that_does_not_listen() {
    test(async {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let errors = [io::Error::from_raw_os_error(22)].into();
        let served = wsgi::server(Troubled { listener, errors }, hello).log_output(false).await;
        assert_eq!(served.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn unix_sockets() {
    test(async {
        let path = std::env::temp_dir().join(format!("eventlet-wsgi-{}", std::process::id()));
        let listener = listen(&path).await.unwrap();
        let site = |env: Environ| async move {
            format!("{} {} {:?}", env.remote_addr(), env.server_name(), env.remote_port())
        };
        let serving = wsgi::server(listener, site).log_output(false);
        let server = serving.handle();
        let served = spawn(serving);
        let mut idle = Vec::new();
        for _ in 0..10 {
            let mut conn = tokio::net::UnixStream::connect(&path).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut conn, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .await
                .unwrap();
            let mut answer = vec![0; 1024];
            let length = tokio::io::AsyncReadExt::read(&mut conn, &mut answer).await.unwrap();
            assert!(answer[..length].ends_with(b"\r\n\r\nunix unix None"));
            idle.push(conn);
        }
        // All of them are known, and closed.
        assert_eq!(server.stats().idle, 10);
        assert_eq!(server.shutdown(Duration::from_secs(5)).await.finished, 10);
        served.await.unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn posthooks_run_after_the_response_in_order() {
    test(async {
        let lines = Lines::default();
        let log = lines.clone();
        let site = wsgi::application(move |env: Environ, start_response: StartResponse| {
            for n in 0..3 {
                let mut log = log.clone();
                env.posthook(move |env| {
                    assert!(n != 1, "a hook that fails");
                    io::Write::write_all(&mut log, format!("{n} {}\n", env.path_info()).as_bytes())
                        .unwrap();
                });
            }
            start_response.call(200, [("x-a", "b")]);
            sleep(Duration::ZERO).block();
            ["body"]
        });
        let running = serve(site).await;
        assert!(running.says(get("/p")).await.ends_with("body"));
        running.stop().await;
        assert_eq!(lines.text(), "0 /p\n2 /p\n");
    });
}
