//! What an idle keep-alive connection costs a server, beside hyper alone.
//!
//!     ulimit -n 20000
//!     cargo run --release -p eventlet-serving --example idle_memory
//!
//! Each server is a process of its own. So many clients connect, each asks once, and then nobody
//! says anything.

use std::convert::Infallible;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use eventlet::wsgi::{self, Environ, IntoListener, Site};
use eventlet::{listen, run, stackful};
use http::Response;
use http_body_util::Full;
use hyper_util::rt::TokioIo;

const CONNECTIONS: usize = 10_000;

const REQUEST: &[u8] = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Serves until it is killed.
fn serve(kind: &str) {
    match kind {
        "hyper" => plain_hyper(),
        "function" => run(async {
            forever(opened(listen("127.0.0.1:0").await.unwrap()), |_: Environ| async { "hello" })
                .await
        }),
        "stackful" => run(async {
            let site = |_: Environ| stackful(|| "hello");
            forever(opened(listen("127.0.0.1:0").await.unwrap()), site).await;
        }),
        unknown => panic!("there is no kind `{unknown}`"),
    }
}

fn opened(listener: tokio::net::TcpListener) -> tokio::net::TcpListener {
    println!("{}", listener.local_addr().unwrap());
    listener
}

async fn forever<S: Site<K>, K: 'static>(listener: impl IntoListener, site: S) {
    let serving = wsgi::server(listener, site).log_output(false);
    serving.max_size(2 * CONNECTIONS).await.unwrap();
}

fn plain_hyper() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let listener = opened(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
        loop {
            let (io, _) = listener.accept().await.unwrap();
            tokio::task::spawn_local(async move {
                // With the one header that all the others send, too: hyper keeps the map for the
                // next request.
                let hello = || {
                    let response = Response::builder().header("content-type", "text/plain");
                    response.body(Full::new(Bytes::from_static(b"hello"))).unwrap()
                };
                let service =
                    hyper::service::service_fn(
                        move |_| async move { Ok::<_, Infallible>(hello()) },
                    );
                let http1 = hyper::server::conn::http1::Builder::new();
                let _ = http1.serve_connection(TokioIo::new(io), service).await;
            });
        }
    });
}

/// Bytes that a process has in memory.
fn resident(child: &Child) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn measure(kind: &str) -> usize {
    let mut command = Command::new(env::current_exe().unwrap());
    let mut child = command.arg(kind).stdout(Stdio::piped()).spawn().unwrap();
    let mut addr = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut addr).unwrap();
    let ask = |_| {
        let mut conn = TcpStream::connect(addr.trim()).unwrap();
        conn.write_all(REQUEST).unwrap();
        let mut answer = [0; 1024];
        let length = conn.read(&mut answer).unwrap();
        assert!(answer[..length].ends_with(b"hello"));
        conn
    };
    // What the first ones cost is the program's.
    let first: Vec<TcpStream> = (0..100).map(ask).collect();
    let before = resident(&child);
    let idle: Vec<TcpStream> = (0..CONNECTIONS).map(ask).collect();
    let each = (resident(&child) - before) / idle.len();
    drop(first);
    child.kill().unwrap();
    child.wait().unwrap();
    each
}

fn main() {
    match env::args().nth(1) {
        Some(kind) => serve(&kind),
        None => {
            for kind in ["hyper", "function", "stackful"] {
                println!("{kind}: {} bytes for an idle connection", measure(kind));
            }
        }
    }
}
