//! Streams with many handles, and copying between two: eventlet tests/greenio_test.py at c8f903a3,
//! and what its `examples/forwarder.py` does.

use std::io::ErrorKind;

use eventlet::greenio::{GreenSocket, copy_bidirectional};
use eventlet::{is_timeout, sleep, spawn, with_timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use crate::support::{ZERO, both_colours, idle, ms, run};

const SMALL: usize = 16;

/// A client and a server with a proxy between them that is to be run.
fn proxied() -> (DuplexStream, [DuplexStream; 2], DuplexStream) {
    let ((client, near), (far, server)) = (duplex(SMALL), duplex(SMALL));
    (client, [near, far], server)
}

both_colours! {
    fn bytes_go_both_ways_and_each_end_is_told() {
        let (mut client, [mut near, mut far], mut server) = proxied();
        let proxy = spawn(green!({ wait!(copy_bidirectional(&mut near, &mut far, None)) }));
        let answers = spawn(async move {
            let mut asked = Vec::new();
            server.read_to_end(&mut asked).await.unwrap();
            server.write_all(&asked.repeat(2)).await.unwrap();
        });
        let mut answer = Vec::new();
        wait!(client.write_all(&[7; 1000])).unwrap();
        wait!(client.shutdown()).unwrap();
        wait!(client.read_to_end(&mut answer)).unwrap();
        assert_eq!(answer, [7; 2000]);
        assert_eq!(wait!(proxy).unwrap().unwrap(), (1000, 2000));
        wait!(answers).unwrap();
    }

    fn a_proxy_gives_up_when_neither_end_has_said_anything_for_so_long() {
        let (mut client, [mut near, mut far], mut server) = proxied();
        let start = Instant::now();
        let proxy = spawn(green!({ wait!(copy_bidirectional(&mut near, &mut far, ms(100))) }));
        for _ in 0..5 {
            wait!(sleep(ms(60)));
            wait!(client.write_all(b"x")).unwrap();
            wait!(sleep(ms(60)));
            wait!(server.write_all(b"y")).unwrap();
        }
        let error = wait!(proxy).unwrap().unwrap_err();
        assert!(is_timeout(&error));
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let lived = start.elapsed();
        assert!((ms(700)..ms(710)).contains(&lived), "{lived:?}");
    }

    fn a_proxy_that_is_killed_closes_both_ends() {
        let (mut client, [mut near, mut far], mut server) = proxied();
        let proxy = spawn(green!({ wait!(copy_bidirectional(&mut near, &mut far, ms(100))) }));
        wait!(idle());
        proxy.kill();
        assert_eq!(wait!(client.read(&mut [0])).unwrap(), 0);
        assert_eq!(wait!(server.read(&mut [0])).unwrap(), 0);
    }
}

#[test]
fn one_reads_while_another_writes() {
    run(async {
        let (here, mut there) = duplex(SMALL);
        let mut writer = GreenSocket::new(here);
        let mut reader = writer.clone();
        let read = spawn(async move {
            let mut text = String::new();
            reader.read_to_string(&mut text).await.unwrap();
            text
        });
        let written = spawn(async move { writer.write_all(&[b'x'; 1000]).await });
        sleep(ZERO).await;
        // Both wait: the one for something to read, the other for room.
        assert!(!read.dead() && !written.dead());
        let mut taken = vec![0; 1000];
        there.read_exact(&mut taken).await.unwrap();
        written.await.unwrap().unwrap();
        assert!(!read.dead());
        there.write_all(b"hello").await.unwrap();
        drop(there);
        assert_eq!(read.await.unwrap(), "hello");
    });
}

#[test]
fn a_reader_that_gave_up_takes_no_news_from_another() {
    run(async {
        let (here, mut there) = duplex(SMALL);
        let (mut first, mut second) = {
            let conn = GreenSocket::new(here);
            (conn.clone(), conn)
        };
        let waiting = spawn(async move { second.read_u8().await });
        idle().await;
        assert!(with_timeout(ms(1), first.read_u8()).await.is_err());
        there.write_all(&[7]).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), 7);
    });
}

#[test]
fn the_news_may_come_from_another_os_thread() {
    crate::support::run_in_real_time(async {
        let (here, mut there) = duplex(1);
        let mut conn = GreenSocket::new(here);
        let other = std::thread::spawn(move || {
            futures::executor::block_on(there.write_all(&[7; 2000])).unwrap();
        });
        let mut bytes = vec![0; 2000];
        conn.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, [7; 2000]);
        other.join().unwrap();
    });
}

#[test]
fn the_stream_goes_with_its_last_handle() {
    run(async {
        let (here, mut there) = duplex(SMALL);
        let conn = GreenSocket::from(here);
        let same = conn.clone();
        let conn = conn.into_inner().unwrap_err();
        drop(same);
        assert!(futures::poll!(std::pin::pin!(there.read(&mut [0]))).is_pending());
        drop(conn);
        assert_eq!(there.read(&mut [0]).await.unwrap(), 0);
    });
}

#[cfg(feature = "stackful")]
mod on_a_green_stack {
    use std::io::{BufRead, BufReader, Read, Write};

    use eventlet::greenio::GreenSocket;
    use eventlet::{Block, Timeout, spawn, stackful};
    use tokio::io::duplex;

    use super::SMALL;
    use crate::support::{idle, ms, run};

    #[test]
    fn references_read_and_write_at_once() {
        run(stackful(|| {
            let (here, there) = duplex(SMALL);
            let (here, there) = (GreenSocket::new(here), GreenSocket::new(there));
            let echo = spawn(stackful({
                let there = there.clone();
                move || {
                    for line in BufReader::new(&there).lines() {
                        writeln!(&there, "{}", line.unwrap()).unwrap();
                    }
                }
            }));
            let writer = spawn(stackful({
                let here = here.clone();
                move || {
                    for number in 0..100 {
                        writeln!(&here, "line {number}").unwrap();
                    }
                }
            }));
            let mut lines = BufReader::new(&here).lines();
            for number in 0..100 {
                assert_eq!(lines.next().unwrap().unwrap(), format!("line {number}"));
            }
            writer.block().unwrap();
            echo.kill();
        }));
    }

    #[test]
    fn a_read_is_bounded_and_can_be_killed() {
        run(stackful(|| {
            let (here, there) = duplex(SMALL);
            let (mut conn, mut there) = (GreenSocket::new(here), GreenSocket::new(there));
            let limit = Timeout::new(ms(1));
            assert_eq!(limit.run_blocking(|| conn.read(&mut [0]).map_err(drop)), Err(limit));
            let victim = spawn(stackful({
                let mut conn = conn.clone();
                move || conn.read(&mut [0]).map_err(drop)
            }));
            idle().block();
            victim.kill();
            there.write_all(&[7]).unwrap();
            let mut byte = [0];
            assert_eq!(conn.read(&mut byte).unwrap(), 1);
            assert_eq!(byte, [7]);
        }));
    }
}

#[cfg(unix)]
#[test]
fn shutdown_safe_wakes_who_waits_and_may_be_repeated() {
    use std::os::unix::net::UnixStream;

    use eventlet::greenio::shutdown_safe;

    crate::support::run_in_real_time(async {
        let (here, _there) = tokio::net::UnixStream::pair().unwrap();
        let conn = GreenSocket::new(here);
        let mut same = conn.clone();
        let reader = spawn(async move { same.read(&mut [0]).await });
        sleep(ZERO).await;
        shutdown_safe(&*conn.get_ref()).unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), 0);
        shutdown_safe(&*conn.get_ref()).unwrap();

        let (one, other) = UnixStream::pair().unwrap();
        drop(other);
        shutdown_safe(&one).unwrap();
        // Never connected; and no socket at all.
        let unconnected = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        shutdown_safe(&unconnected).unwrap();
        shutdown_safe(&std::fs::File::open("/dev/null").unwrap()).unwrap();
    });
}
