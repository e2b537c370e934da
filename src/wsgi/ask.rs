// The client of the examples in the documentation, whose hidden lines include it. It is not a
// module of the crate.

use std::net::SocketAddr;

use eventlet::wsgi::{self, IntoListener, Serving, Site};
use eventlet::{connect, listen, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Serves a site, sends it one request, and returns the body of the answer.
///
/// A request is its first line without the version, its headers, and after an empty line its body.
pub async fn body_of<S: Site<K>, K: 'static>(site: S, request: &str) -> String {
    let listener = listen("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let answer = answer_of(addr, wsgi::server(listener, site).log_output(false), request).await;
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Sends a server one request, shuts it down, and returns the whole answer.
pub async fn answer_of<L, S, K>(
    addr: SocketAddr,
    serving: Serving<L, S, K>,
    request: &str,
) -> String
where
    L: IntoListener,
    S: Site<K>,
    K: 'static,
{
    let server = serving.handle();
    let served = spawn(serving);
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
    let mut head = format!("{line} HTTP/1.1\r\nHost: a\r\n");
    headers.lines().for_each(|header| head += &format!("{header}\r\n"));
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    if !head.contains("Connection: ") {
        head += "Connection: close\r\n";
    }
    let mut conn = connect(addr).await.unwrap();
    conn.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    conn.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = conn.read_to_string(&mut answer).await;
    server.shutdown(None).await;
    served.await.unwrap().unwrap();
    answer
}
