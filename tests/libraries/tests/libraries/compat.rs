//! Libraries over `futures-io`, by `tokio_util::compat`.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use asynchronous_codec::{Framed, LengthCodec, LinesCodec};
use eventlet::greenio::GreenSocket;
use eventlet::{Block, Blocking, connect, listen, serve, sleep, spawn_n, stackful, with_timeout};
use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_util::compat::{FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};

use crate::support::{green, run};

/// Answers lines through a codec for `futures-io`, on a green stack.
fn shout(conn: TcpStream) {
    let mut framed = Framed::new(GreenSocket::new(conn).compat(), LinesCodec);
    while let Some(line) = framed.next().block() {
        framed.send(line.unwrap().to_uppercase()).block().unwrap();
    }
}

#[test]
fn a_codec_serves_and_asks_on_green_stacks() {
    run(|| {
        let listener = listen("127.0.0.1:0").block().unwrap();
        let address = listener.local_addr().unwrap();
        spawn_n(serve(listener, |conn, _| stackful(|| shout(conn)), 100));
        let clients: Vec<_> = (0..10)
            .map(|number| {
                green(move || {
                    let conn = GreenSocket::new(connect(address).block().unwrap());
                    let mut framed = Framed::new(conn.compat(), LinesCodec);
                    for word in ["hello", "world"] {
                        framed.send(format!("{word} {number}\n")).block().unwrap();
                        let answer = framed.next().block().unwrap().unwrap();
                        assert_eq!(answer, format!("{} {number}\n", word.to_uppercase()));
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.block().unwrap());
    });
}

#[test]
fn both_halves_are_used_at_once() {
    run(|| {
        let (here, there) = tokio::io::duplex(16);
        let (mut sink, stream) = Framed::new(there.compat(), LengthCodec).split();
        let echo = green(move || {
            for frame in stream.blocking() {
                sink.send(frame.unwrap()).block().unwrap();
            }
        });
        let conn = GreenSocket::new(here);
        let (mut reader, mut writer) = (conn.clone().compat(), conn.compat());
        // More than the pipe holds: it is written while the answer is read.
        let frame: Vec<u8> = [&1000_u64.to_be_bytes()[..], &[7; 1000]].concat();
        let expected = frame.clone();
        let writing = green(move || {
            writer.write_all(&frame).block().unwrap();
            writer.close().block().unwrap();
        });
        let mut answer = vec![0; expected.len()];
        reader.read_exact(&mut answer).block().unwrap();
        assert!(answer == expected);
        writing.block().unwrap();
        echo.block().unwrap();
    });
}

/// A stream that knows `futures-io` alone.
fn of_futures_io()
-> (impl futures::AsyncRead + futures::AsyncWrite + Unpin, tokio::io::DuplexStream) {
    let (here, there) = tokio::io::duplex(64);
    (here.compat(), there)
}

#[test]
fn a_stream_of_futures_io_is_read_by_plain_code() {
    run(|| {
        let (stream, there) = of_futures_io();
        let (conn, peer) = (GreenSocket::new(stream.compat()), GreenSocket::new(there));
        let same = conn.clone();
        let reader =
            green(move || BufReader::new(&same).lines().collect::<Result<Vec<_>, _>>().unwrap());
        writeln!(&peer, "hello").unwrap();
        sleep(Duration::ZERO).block();
        writeln!(&conn, "from here").unwrap();
        writeln!(&peer, "world").unwrap();
        let mut heard = String::new();
        BufReader::new(&peer).read_line(&mut heard).unwrap();
        assert_eq!(heard, "from here\n");
        drop(peer);
        assert_eq!(reader.block().unwrap(), ["hello", "world"]);
    });
}

#[test]
fn a_reader_that_is_given_up_leaves_the_bytes() {
    run(|| {
        let (here, there) = tokio::io::duplex(64);
        let conn = GreenSocket::new(here);
        let mut lines = futures::io::BufReader::new(conn.clone().compat()).lines();
        let limit = Duration::from_millis(1);
        assert!(with_timeout(limit, lines.next()).block().is_err());
        let victim = green(move || lines.next().block());
        sleep(Duration::ZERO).block();
        victim.kill();
        GreenSocket::new(there).write_all(b"not lost").unwrap();
        let mut text = String::new();
        (&conn).read_to_string(&mut text).unwrap();
        assert_eq!(text, "not lost");
    });
}
