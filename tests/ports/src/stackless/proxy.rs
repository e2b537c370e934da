//! A proxy that closes connections on which nobody says anything.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use eventlet::greenio::copy_bidirectional;
use eventlet::{connect, is_timeout, listen, serve, spawn_n};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const IDLE: Duration = Duration::from_secs(1);

async fn proxy(mut client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut server = connect(target).await?;
    match copy_bidirectional(&mut client, &mut server, IDLE).await {
        Err(error) if !is_timeout(&error) => Err(error),
        _ => Ok(()),
    }
}

async fn echo(conn: TcpStream) -> io::Result<()> {
    let mut conn = BufReader::new(conn);
    let mut line = String::new();
    while conn.read_line(&mut line).await? > 0 {
        conn.write_all(std::mem::take(&mut line).to_uppercase().as_bytes()).await?;
    }
    Ok(())
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(async {
        let (server, front) = (listen("127.0.0.1:0").await?, listen("127.0.0.1:0").await?);
        let (target, address) = (server.local_addr()?, front.local_addr()?);
        spawn_n(serve(server, |conn, _| echo(conn), 1000));
        spawn_n(serve(front, move |conn, _| proxy(conn, target), 1000));
        let mut conn = BufReader::new(connect(address).await?);
        conn.write_all(b"hello\n").await?;
        let mut lines = conn.lines();
        println!("{}", lines.next_line().await?.unwrap());
        println!("{:?}", lines.next_line().await?.unwrap_or_default());
        Ok(())
    })
}
