//! Asks several servers the same thing at once, and prints the answers in the order of the
//! questions.
//!
//!     cargo run --release --example connect
//!     cargo run --release --example connect www.rust-lang.org:80 tokio.rs:80
//!
//! Without hosts it queries three servers of its own, on loopback. Corresponds to eventlet's
//! `examples/connect.py`.

use std::env;
use std::io;

use eventlet::{GreenPile, connect, listen, run, serve, spawn_n};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Asks one server for its start page, and returns the first line of its answer.
async fn ask(host: String) -> io::Result<String> {
    let mut server = BufReader::new(connect(host.as_str()).await?);
    let question = format!("HEAD / HTTP/1.0\r\nHost: {host}\r\n\r\n");
    server.get_mut().write_all(question.as_bytes()).await?;
    let mut answer = String::new();
    server.read_line(&mut answer).await?;
    Ok(answer.trim_end().to_owned())
}

fn main() {
    let hosts: Vec<String> = env::args().skip(1).collect();
    run(async move {
        let hosts = if hosts.is_empty() { start_servers().await } else { hosts };
        let pile = GreenPile::new(200);
        for host in &hosts {
            pile.spawn(ask(host.clone())).await;
        }
        for host in &hosts {
            match pile.next().await.expect("one answer for each host") {
                Ok(Ok(answer)) => println!("{host}: {answer}"),
                Ok(Err(error)) => println!("{host}: {error}"),
                Err(exit) => println!("{host}: {exit}"),
            }
        }
    });
}

async fn start_servers() -> Vec<String> {
    let mut hosts = Vec::new();
    for status in ["200 OK", "404 Not Found", "418 I'm a teapot"] {
        let server = listen("127.0.0.1:0").await.expect("loopback has a free port");
        hosts.push(server.local_addr().expect("it listens").to_string());
        spawn_n(serve(server, move |client, _| answer(client, status), 1000));
    }
    hosts
}

async fn answer(client: TcpStream, status: &str) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut line = String::from("question");
    while !line.trim_end().is_empty() {
        line.clear();
        client.read_line(&mut line).await?;
    }
    client.write_all(format!("HTTP/1.0 {status}\r\n\r\n").as_bytes()).await
}
