//! Two ends of a connection.

use std::io;
use std::time::Duration;

use eventlet::convenience::Listener;
use eventlet::debug::green_threads;
use eventlet::ssl::{Client, Context, HandshakeError, Server, TlsStream};
use eventlet::{GreenThread, connect, listen, run, runtime, spawn, with_timeout, wrap_ssl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything that works takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a test on a hub, and fails where green threads are left behind.
pub(crate) fn test(body: impl Future<Output = ()> + 'static) {
    run(watched(body));
}

/// The same on a paused clock.
pub(crate) fn test_paused(body: impl Future<Output = ()> + 'static) {
    runtime::Builder::new().start_paused(true).run(watched(body)).unwrap();
}

async fn watched(body: impl Future<Output = ()> + 'static) {
    with_timeout(PATIENCE, body).await.expect("the test hangs");
    let left = green_threads();
    assert_eq!(left.len(), 1, "green threads are left behind: {left:#?}");
}

/// What a server learnt of one connection: the stream, after its handshake and all that was sent.
pub(crate) type Served = (TlsStream<TcpStream>, io::Result<String>);

/// Serves one connection: greets it, and reads to its end.
pub(crate) async fn serve_one(context: &Context<Server>) -> (u16, GreenThread<Served>) {
    let mut listener = wrap_ssl(listen("127.0.0.1:0").await.unwrap(), context);
    let port = listener.local_addr().unwrap().port();
    let served = spawn(async move {
        let (mut conn, _addr) = listener.accept().await.unwrap();
        let heard = greet(&mut conn).await;
        (conn, heard)
    });
    (port, served)
}

async fn greet(conn: &mut TlsStream<TcpStream>) -> io::Result<String> {
    let mut heard = String::new();
    conn.write_all(b"hello").await?;
    conn.flush().await?;
    conn.read_to_string(&mut heard).await?;
    conn.shutdown().await?;
    Ok(heard)
}

/// Connects to a port as to a host of that name.
pub(crate) async fn dial(
    port: u16,
    context: &Context<Client>,
    name: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let socket = connect(("127.0.0.1", port)).await.unwrap();
    wrap_ssl(socket, context).server_hostname(name).await
}

/// Hears the greeting, answers, and hears the end.
pub(crate) async fn talk(conn: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let mut greeting = [0; 5];
    conn.read_exact(&mut greeting).await?;
    assert_eq!(&greeting, b"hello");
    conn.write_all(b"thanks").await?;
    conn.shutdown().await?;
    assert_eq!(conn.read(&mut greeting).await?, 0);
    Ok(())
}

/// A client and a server that have met, and what each says of the connection.
pub(crate) async fn meet(
    server: &Context<Server>,
    client: &Context<Client>,
    name: &str,
) -> (TlsStream<TcpStream>, TlsStream<TcpStream>) {
    let (port, served) = serve_one(server).await;
    let mut conn = dial(port, client, name).await.unwrap();
    talk(&mut conn).await.unwrap();
    let (served, heard) = served.await.unwrap();
    assert_eq!(heard.unwrap(), "thanks");
    (conn, served)
}

pub(crate) fn is_handshake_error(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<HandshakeError>())
}
