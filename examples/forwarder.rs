//! Forwards a port: whoever connects here talks to another server.
//!
//!     cargo run --release --example forwarder
//!     cargo run --release --example forwarder 127.0.0.1:7000 www.rust-lang.org:80
//!
//! Each connection has two green threads, each of which copies one way. When one side has nothing more
//! to say the other is told so, and may still answer. Without arguments it forwards to a server of its
//! own, and talks to that. Corresponds to eventlet's `examples/forwarder.py`.

use std::env;

use eventlet::{Flat, GreenThread, connect, listen, run, serve, spawn, spawn_n};
use tokio::io::{self, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Copies one way until there is no more to read, and tells the receiver that this is all.
async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}

async fn forward(client: TcpStream, target: String) -> io::Result<()> {
    let target = connect(target).await?;
    let (from_client, to_client) = client.into_split();
    let (from_target, to_target) = target.into_split();
    let mut there = spawn(one_way(from_client, to_target));
    let mut back = spawn(one_way(from_target, to_client));

    // One that ends leaves the other alone, but one that fails ends both.
    let outcome = tokio::try_join!(end(&mut there), end(&mut back));
    there.kill();
    back.kill();
    outcome.map(|_| ())
}

async fn end(direction: &mut GreenThread<io::Result<()>>) -> io::Result<()> {
    direction.await.flat()
}

async fn serve_forwarder(listener: TcpListener, target: String) -> io::Result<()> {
    serve(listener, |client, _| forward(client, target.clone()), 1000).await
}

/// Sends lines through a forwarder, says that this was all, and prints what comes back.
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

/// Sends every line back, and once there are no more, their number.
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
