//! A hundred synchronous clients at a time, unmodified, on one OS thread.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eventlet::{Block, spawn, stackful};

const MS: Duration = Duration::from_millis(1);

/// Calls a function in a hundred green threads at once, and returns what they returned and how long
/// they took.
fn hundred<T: Send + 'static>(each: impl Fn() -> T + Clone + 'static) -> (Vec<T>, Duration) {
    eventlet_shim::monkey_patch();
    eventlet::run(stackful(move || {
        let start = Instant::now();
        let all: Vec<_> = (0..100).map(|_| spawn(stackful(each.clone()))).collect();
        let values = all.into_iter().map(|one| one.block().unwrap()).collect();
        (values, start.elapsed())
    }))
}

/// A server of HTTP on OS threads, which thinks for a while about each request.
fn http_server(thinks: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            std::thread::spawn(move || {
                let lines = BufReader::new(&client).lines().map_while(Result::ok);
                let _head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                std::thread::sleep(thinks);
                let answer =
                    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
                let _gone = (&client).write_all(answer);
            });
        }
    });
    address
}

#[test]
fn ureq_gets_a_hundred_pages_at_once() {
    let address = http_server(100 * MS);
    let (pages, took) = hundred(move || {
        let mut answer = ureq::get(format!("http://{address}/")).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    });
    assert!(pages.iter().all(|page| page == "hello"));
    println!("100 x ureq::get, the server thinks 100 ms: {took:?}");
    assert!(took < 3_000 * MS, "{took:?}");
}

#[test]
fn the_limits_of_ureq_hold() {
    let address = http_server(5_000 * MS);
    let (late, took) = hundred(move || {
        let agent = ureq::Agent::config_builder().timeout_global(Some(60 * MS)).build().new_agent();
        agent.get(format!("http://{address}/")).call().is_err()
    });
    assert!(late.into_iter().all(|late| late));
    assert!(took < 3_000 * MS, "{took:?}");
}

/// A server of Redis, until it is dropped.
struct Redis {
    server: Child,
    address: String,
}

impl Redis {
    /// Starts it, if it is installed.
    fn start() -> Option<Redis> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let port_text = port.to_string();
        let options =
            ["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let mut command = Command::new("redis-server");
        let server = command.args(options).stdout(Stdio::null()).spawn().ok()?;
        let address = format!("redis://127.0.0.1:{port}/");
        let redis = Redis { server, address };
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "redis-server does not start");
            std::thread::sleep(10 * MS);
        }
        Some(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

#[test]
fn redis_waits_for_a_hundred_lists_at_once() {
    let Some(redis) = Redis::start() else {
        println!("SKIPPED: redis-server is not installed");
        return;
    };
    let address = redis.address.clone();
    let (nothing, took) = hundred(move || {
        let client = redis::Client::open(address.as_str()).unwrap();
        let mut connection = client.get_connection().unwrap();
        let popped =
            redis::cmd("BLPOP").arg("empty").arg(0.1).query::<Option<Vec<String>>>(&mut connection);
        popped.unwrap().is_none()
    });
    assert!(nothing.into_iter().all(|nothing| nothing));
    println!("100 x BLPOP of 100 ms: {took:?}");
    assert!(took < 3_000 * MS, "{took:?}");
}
