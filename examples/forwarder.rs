//! Forwards a port: clients that connect here talk to another server.
//!
//!     cargo run --release --example forwarder
//!     cargo run --release --example forwarder 127.0.0.1:7000 www.rust-lang.org:80
//!
//! Each connection has a green thread, which copies both ways. When one side ends, the other is
//! shut down for writing, and may still answer; a connection that is silent for a minute is closed.
//! Without arguments it forwards to a server of its own, and talks to that. Corresponds to
//! eventlet's `examples/forwarder.py`.

use std::env;
use std::time::Duration;

use eventlet::greenio::copy_bidirectional;
use eventlet::{connect, listen, run, serve, spawn_n};
use tokio::io::{self, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(60);

async fn forward(mut client: TcpStream, target: String) -> io::Result<()> {
    let mut target = connect(target).await?;
    copy_bidirectional(&mut client, &mut target, IDLE).await?;
    Ok(())
}

async fn serve_forwarder(listener: TcpListener, target: String) -> io::Result<()> {
    serve(listener, |client, _| forward(client, target.clone()), 1000).await
}

/// Sends lines through a forwarder, shuts down writing, and prints the answer.
async fn demonstrate() -> io::Result<()> {
    let target = listen("127.0.0.1:0").await?;
    let target_address = target.local_addr()?;
    spawn_n(serve(target, |client, _| echo(client), 1000));

    let forwarder = listen("127.0.0.1:0").await?;
    let address = forwarder.local_addr()?;
    spawn_n(serve_forwarder(forwarder, target_address.to_string()));

    let mut conn = connect(address).await?;
    conn.write_all(b"one\ntwo\nthree\n").await?;
    conn.shutdown().await?;
    let mut answer = String::new();
    conn.read_to_string(&mut answer).await?;
    print!("{answer}");
    Ok(())
}

/// Sends every line back and, at the end, their number.
async fn echo(client: TcpStream) -> io::Result<()> {
    let (input, mut output) = client.into_split();
    let (mut input, mut count) = (BufReader::new(input).lines(), 0);
    while let Some(line) = input.next_line().await? {
        output.write_all(format!("{line}\n").as_bytes()).await?;
        count += 1;
    }
    output.write_all(format!("{count} lines\n").as_bytes()).await
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    run(async move {
        match arguments.as_slice() {
            [] => demonstrate().await,
            [address, target] => {
                let listener = listen(address.as_str()).await?;
                println!("listening on {}", listener.local_addr()?);
                serve_forwarder(listener, target.clone()).await
            }
            _ => Err(io::Error::other("usage: forwarder [LISTEN TARGET]")),
        }
    })
}
