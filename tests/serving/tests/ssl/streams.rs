//! Reading, writing and ending, in both colours.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use eventlet::convenience::Listener;
use eventlet::green::{ssl as green, thread};
use eventlet::ssl::{Client, Context, TlsListener};
use eventlet::{Block, listen, serve, sleep, spawn, stackful, wrap_ssl};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::TcpListener;

use crate::support::{dial, test};
use eventlet_serving::Authority;

/// More than sockets keep.
const LARGE: usize = 4 << 20;

async fn listener() -> (TlsListener<TcpListener>, u16, Context<Client>) {
    let authority = Authority::new("ours");
    let server = authority.sign("127.0.0.1").server();
    let listener = wrap_ssl(listen("127.0.0.1:0").await.unwrap(), &server);
    let port = listener.local_addr().unwrap().port();
    (listener, port, authority.client())
}

#[test]
fn who_ends_without_a_word_gives_an_error() {
    test(async {
        let (mut listener, port, context) = listener().await;
        let dropped = spawn(async move {
            let (mut conn, _) = listener.accept().await.unwrap();
            conn.write_all(b"half a mess").await.unwrap();
            conn.flush().await.unwrap();
        });
        let mut conn = dial(port, &context, "127.0.0.1").await.unwrap();
        let mut heard = Vec::new();
        let error = conn.read_to_end(&mut heard).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(heard, b"half a mess");
        dropped.await.unwrap();
    });
}

#[test]
fn two_tasks_share_the_handshake_and_the_stream() {
    test(async {
        let (mut listener, port, context) = listener().await;
        let served = spawn(async move {
            let (conn, _) = listener.accept().await.unwrap();
            let (mut reader, mut writer) = split(conn);
            // The reader begins the handshake, the writer takes it over, and the reader is woken
            // all the same.
            let reading = spawn(async move {
                let mut heard = Vec::new();
                reader.read_to_end(&mut heard).await.unwrap();
                heard.len()
            });
            sleep(Duration::ZERO).await;
            writer.write_all(&vec![1; LARGE]).await.unwrap();
            writer.shutdown().await.unwrap();
            reading.await.unwrap()
        });
        sleep(Duration::ZERO).await;
        let (mut reader, mut writer) = split(dial(port, &context, "127.0.0.1").await.unwrap());
        let writing = spawn(async move {
            writer.write_all(&vec![2; LARGE]).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard.len(), LARGE);
        writing.await.unwrap();
        assert_eq!(served.await.unwrap(), LARGE);
    });
}

#[test]
fn a_writer_that_goes_away_leaves_the_handshake_to_the_reader() {
    test(async {
        let (mut listener, port, context) = listener().await;
        let served = spawn(async move {
            let (conn, _) = listener.accept().await.unwrap();
            let (mut reader, mut writer) = split(conn);
            let reading = spawn(async move {
                let mut heard = [0; 4];
                reader.read_exact(&mut heard).await.unwrap();
                heard
            });
            sleep(Duration::ZERO).await;
            let writing = spawn(async move { writer.write_all(b"lost").await });
            sleep(Duration::ZERO).await;
            writing.kill();
            reading.await.unwrap()
        });
        for _ in 0..10 {
            sleep(Duration::ZERO).await;
        }
        let mut conn = dial(port, &context, "127.0.0.1").await.unwrap();
        conn.write_all(b"kept").await.unwrap();
        conn.flush().await.unwrap();
        assert_eq!(&served.await.unwrap(), b"kept");
    });
}

#[test]
fn two_green_threads_read_and_write_at_once() {
    test(async {
        let (mut listener, port, context) = listener().await;
        let served = spawn(stackful(move || {
            let (conn, _) = listener.accept().block().unwrap();
            both_at_once(&conn.into())
        }));
        let client = spawn(stackful(move || {
            let conn = green::TlsStream::connect(("127.0.0.1", port), &context).unwrap();
            assert!(conn.version().is_some() && conn.peer_certificates().is_some());
            both_at_once(&conn)
        }));
        assert_eq!(client.await.unwrap(), LARGE);
        assert_eq!(served.await.unwrap(), LARGE);
    });
}

fn both_at_once(conn: &green::TlsStream) -> usize {
    thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut heard = Vec::new();
            (&mut &*conn).read_to_end(&mut heard).unwrap()
        });
        (&mut &*conn).write_all(&vec![7; LARGE]).unwrap();
        conn.shutdown(Shutdown::Write).unwrap();
        reading.join().unwrap()
    })
}

#[test]
fn serve_takes_it_in_both_colours() {
    test(async {
        let (tls, port, context) = listener().await;
        let plain = |conn, _addr| {
            stackful(move || {
                let mut conn = green::TlsStream::from(conn);
                conn.handshake()?;
                conn.write_all(b"hello")?;
                conn.shutdown(Shutdown::Write)
            })
        };
        let server = spawn(serve(tls, plain, 10));
        let mut heard = String::new();
        dial(port, &context, "127.0.0.1").await.unwrap().read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
        server.kill();

        let (tls, port, context) = listener().await;
        let async_fn = |mut conn: eventlet::ssl::TlsStream<_>, _addr| async move {
            conn.write_all(b"hello").await?;
            conn.shutdown().await
        };
        let server = spawn(serve(tls, async_fn, 10));
        dial(port, &context, "127.0.0.1").await.unwrap().read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hellohello");
        server.kill();
    });
}

#[test]
fn a_green_read_is_limited() {
    test(async {
        let (mut listener, port, context) = listener().await;
        let served = spawn(stackful(move || {
            let conn = green::TlsStream::from(listener.accept().block().unwrap().0);
            conn.handshake().unwrap();
            conn.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            let error = (&conn).read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            assert!(conn.set_read_timeout(Some(Duration::ZERO)).is_err());
            conn.set_read_timeout(None).unwrap();
            (&conn).write_all(b"now").unwrap();
            let mut heard = [0; 3];
            (&conn).read_exact(&mut heard).unwrap();
            let clone = conn.clone();
            let conn = conn.into_tokio().unwrap_err();
            drop(clone);
            assert!(conn.into_tokio().is_ok());
            heard
        }));
        let mut conn = dial(port, &context, "127.0.0.1").await.unwrap();
        let mut heard = [0; 3];
        conn.read_exact(&mut heard).await.unwrap();
        conn.write_all(&heard).await.unwrap();
        conn.flush().await.unwrap();
        assert_eq!(&served.await.unwrap(), b"now");
    });
}
