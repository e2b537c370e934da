//! A proxy that closes connections on which nobody says anything.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::time::Duration;

use eventlet::green::net::{TcpListener, TcpStream};
use eventlet::greenio::copy_bidirectional;
use eventlet::stackful::{call, stackful};
use eventlet::{Block, is_timeout, serve, spawn_n};

const IDLE: Duration = Duration::from_secs(1);

fn proxy(client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(target)?.into_tokio().unwrap();
    match copy_bidirectional(&mut client.into_tokio().unwrap(), &mut server, IDLE).block() {
        Err(error) if !is_timeout(&error) => Err(error),
        _ => Ok(()),
    }
}

fn echo(conn: TcpStream) -> io::Result<()> {
    for line in BufReader::new(&conn).lines() {
        writeln!(&conn, "{}", line?.to_uppercase())?;
    }
    Ok(())
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(stackful(|| {
        let [server, front] = [0; 2].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        let (target, address) = (server.local_addr()?, front.local_addr()?);
        spawn_n(serve(server, |conn, _| call(echo, (conn,)), 1000));
        spawn_n(serve(front, move |conn, _| call(proxy, (conn, target)), 1000));
        let conn = TcpStream::connect(address)?;
        let mut lines = BufReader::new(&conn).lines();
        writeln!(&conn, "hello")?;
        println!("{}", lines.next().unwrap()?);
        println!("{:?}", lines.next().transpose()?.unwrap_or_default());
        Ok(())
    }))
}
