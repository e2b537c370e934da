//! Sends every line back to the client that sent it, with a handler in plain synchronous Rust.
//!
//!     cargo run --release --example echoserver_stackful
//!     nc 127.0.0.1 6000
//!
//! Compare it with `echoserver`: the same server, but `echo` uses std's traits and can wait
//! anywhere.

use std::env;
use std::io::{self, BufRead, BufReader, Write};

use eventlet::green::net::TcpStream;
use eventlet::{Block, listen, run, serve, stackful};

fn echo(client: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(&client);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        (&client).write_all(&line)?;
        line.clear();
    }
    Ok(())
}

fn main() {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:6000".to_owned());
    run(stackful(move || {
        let server = match listen(address).block() {
            Ok(server) => server,
            Err(error) => return eprintln!("{error}"),
        };
        println!("listening on {}", server.local_addr().expect("it listens"));
        let handler = |client: tokio::net::TcpStream, _| stackful(move || echo(client.into()));
        serve(server, handler, 1000).block().expect("nobody stops it");
    }));
}
