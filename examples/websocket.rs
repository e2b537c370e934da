//! A websocket echo, in both colours, and its client.
//!
//! ```sh
//! cargo run --features websocket --example websocket
//! cargo run --features websocket --example websocket -- ws://127.0.0.1:8092/ hello world       # an async fn answers
//! cargo run --features websocket --example websocket -- ws://127.0.0.1:8092/plain hello world  # a plain one
//! ```
//!
//! The server serves until Ctrl-C or SIGTERM, and then says goodbye to its clients.

use std::env::args;
use std::io;

use eventlet::websocket::{Deflate, WebSocket, WebSocketWSGI, connect};
use eventlet::wsgi::{self, Environ};
use eventlet::{Block, interrupted, listen, run, spawn, stackful};

async fn echo(ws: WebSocket) -> io::Result<()> {
    while let Some(message) = ws.wait().await? {
        ws.send(message).await?;
    }
    Ok(())
}

fn plain_echo(ws: WebSocket) -> io::Result<()> {
    while let Some(message) = ws.wait().block()? {
        ws.send(message).block()?;
    }
    Ok(())
}

async fn serve(address: String) -> io::Result<()> {
    let listener = listen(address.as_str()).await?;
    println!("listening on {}", listener.local_addr()?);
    let stackless = WebSocketWSGI::new(echo);
    let plain = WebSocketWSGI::new(|ws| stackful(move || plain_echo(ws)));
    let site = move |env: Environ| {
        let response = match env.path_info().as_str() {
            "/plain" => plain.call(&env),
            _ => stackless.call(&env),
        };
        async move { response }
    };
    wsgi::server(listener, site).shutdown_on(interrupted()).await
}

/// Sends all words while their echoes come back.
async fn say(url: &str, words: Vec<String>) -> io::Result<()> {
    let ws = connect(url).compression(Deflate::default()).await?;
    let (sender, count) = (ws.clone(), words.len());
    let sending = spawn(async move {
        for word in words {
            sender.send(word).await?;
        }
        io::Result::Ok(())
    });
    for _ in 0..count {
        match ws.wait().await? {
            Some(echo) => println!("{}", echo.as_text().unwrap_or("bytes")),
            None => break,
        }
    }
    sending.await.map_err(io::Error::other)??;
    ws.close(1000).await
}

fn main() -> io::Result<()> {
    let mut arguments = args().skip(1);
    match arguments.next() {
        Some(url) if url.contains("://") => {
            run(async move { say(&url, arguments.collect()).await })
        }
        address => run(serve(address.unwrap_or("127.0.0.1:8092".to_owned()))),
    }
}
