//! Sends every line back to the client that sent it.
//!
//!     cargo run --release --example echoserver
//!     nc 127.0.0.1 6000
//!
//! Another address can be given as the argument. Corresponds to eventlet's
//! `examples/echoserver.py`.

use std::env;
use std::io;

use eventlet::{listen, run, serve};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

async fn echo(client: TcpStream) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut line = Vec::new();
    while client.read_until(b'\n', &mut line).await? > 0 {
        client.write_all(&line).await?;
        line.clear();
    }
    Ok(())
}

fn main() {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:6000".to_owned());
    run(async move {
        let server = match listen(address).await {
            Ok(server) => server,
            Err(error) => return eprintln!("{error}"),
        };
        println!("listening on {}", server.local_addr().expect("it listens"));
        serve(server, |client, _| echo(client), 1000).await.expect("nobody stops it");
    });
}
