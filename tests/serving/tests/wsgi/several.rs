//! Several hubs on one port, and HTTP/2.

use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use eventlet::wsgi::{self, Body, Environ, Protocol};
use eventlet::{prefork, sleep, spawn};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{Client, get, serve_with, test};

#[test]
fn several_hubs_serve_one_port() {
    test(async {
        let servers = prefork(2, "127.0.0.1:0", |listener| {
            wsgi::server(listener, |env: Environ| async move { env.path_info() }).log_output(false)
        });
        let servers = servers.await.unwrap();
        for n in 0..20 {
            let mut conn = Client::to(servers.local_addr()).await;
            conn.send(get(&format!("/{n}"))).await;
            assert!(conn.rest().await.ends_with(&format!("\r\n\r\n/{n}")));
        }
        servers.shutdown().await;
    });
}

/// Runs curl, where it is installed and can do this.
pub(crate) async fn curl(arguments: Vec<String>) -> Option<String> {
    let version = Command::new("curl").arg("-V").output().ok()?;
    if !String::from_utf8_lossy(&version.stdout).contains("HTTP2") {
        return None;
    }
    let mut command = Command::new("curl");
    command.args(arguments).stdin(Stdio::null());
    let output = eventlet::tpool::execute(move || command.output().unwrap()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn many_streams_of_one_connection() {
    test(async {
        let site = |env: Environ| async move {
            sleep(Duration::from_millis(1)).await;
            let body = env.input().read_all(1 << 20).await.unwrap();
            format!("{} {}", env.path_info(), body.len())
        };
        let running = serve_with(site, |serving| serving.protocol(Protocol::auto())).await;
        let io = tokio::net::TcpStream::connect(running.addr).await.unwrap();
        let (client, conn) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
        let talking = spawn(conn);
        let requests = (0..50).map(|n| {
            let mut client = client.clone();
            let body = Full::<Bytes>::from(vec![b'x'; 1000 * n]);
            let request = http::Request::post(format!("http://a/{n}")).body(body).unwrap();
            async move {
                let response = client.send_request(request).await.unwrap();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body, format!("/{n} {}", 1000 * n));
            }
        });
        futures::future::join_all(requests).await;
        let stats = running.server.stats();
        assert_eq!((stats.accepted, stats.requests, stats.in_flight), (1, 50, 0));
        running.stop().await;
        drop(client);
        talking.await.unwrap().unwrap();
    });
}

#[test]
fn http2_and_http1_at_one_listener() {
    test(async {
        let site = |env: Environ| async move {
            if env.path_info() == "/panic" {
                panic!("by request");
            }
            sleep(Duration::from_millis(1)).await;
            let body = env.input().read_all(1 << 20).await.unwrap();
            let text = format!("{:?} {} {} ", env.server_protocol(), env.path_info(), body.len());
            (200, Body::from_iter([Bytes::from(text), body]))
        };
        let running = serve_with(site, |serving| serving.protocol(Protocol::auto())).await;
        let url = |path: &str| format!("http://{}{path}", running.addr);
        assert!(running.says(get("/old")).await.contains("HTTP/1.1 /old 0 "));
        assert!(running.says("GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
        assert!(running.says("nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400 "));

        let body = "x".repeat(100_000);
        let arguments = ["-sS", "--http2-prior-knowledge", "-d", &body, &url("/1")];
        let Some(text) = curl(arguments.map(str::to_owned).into()).await else {
            eprintln!("SKIPPED: no curl with HTTP/2 is installed");
            running.stop().await;
            return;
        };
        assert_eq!(text, format!("HTTP/2.0 /1 100000 {body}"));
        let arguments = ["-sS", "--http2-prior-knowledge", "-w", "%{http_code}", &url("/panic")];
        assert_eq!(curl(arguments.map(str::to_owned).into()).await.unwrap(), "500");
        running.stop().await;
    });
}
