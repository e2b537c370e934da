//! `green::os::unix::net` does what `std::os::unix::net` does, and waits as `green::net` does.
//!
//! Case names after `library/std/src/os/unix/net/tests.rs` of Rust 1.95.

use std::cell::Cell;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use eventlet::green::thread;
use eventlet::{Block, GreenThread, spawn, stackful};
use tokio::time::Instant;

use crate::support::{run, run_paused};

const LIMIT: Duration = Duration::from_secs(10);

fn green<T: 'static>(test: impl FnOnce() -> T + 'static) -> T {
    run(stackful(test))
}

/// A path for a socket, which is removed when the test ends.
struct Path(PathBuf);

impl Path {
    fn new(test: &str) -> Path {
        Path(env::temp_dir().join(format!("eventlet-green-{}-{test}", std::process::id())))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _already_gone = fs::remove_file(&self.0);
    }
}

#[test]
fn basic() {
    green(|| {
        let path = Path::new("basic");
        let listener = UnixListener::bind(&path.0).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path.0));
        let server = thread::spawn(move || {
            let (mut conn, addr) = listener.accept().unwrap();
            assert!(addr.is_unnamed());
            let mut buf = [0; 5];
            conn.read_exact(&mut buf).unwrap();
            assert_eq!(&buf, b"hello");
            conn.write_all(b"world!").unwrap();
        });
        let mut conn = UnixStream::connect(&path.0).unwrap();
        assert_eq!(conn.peer_addr().unwrap().as_pathname(), Some(&*path.0));
        conn.write_all(b"hello").unwrap();
        let mut text = String::new();
        conn.read_to_string(&mut text).unwrap();
        assert_eq!(text, "world!");
        server.join().unwrap();
    });
}

#[test]
fn pair() {
    green(|| {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let echo = thread::spawn(move || {
            let mut buf = [0; 11];
            one.read_exact(&mut buf).unwrap();
            one.write_all(&buf).unwrap();
        });
        other.write_all(b"hello world").unwrap();
        let mut buf = [0; 11];
        other.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"hello world");
        echo.join().unwrap();
    });
}

#[test]
fn vectored() {
    green(|| {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let bufs = [IoSlice::new(&[10]), IoSlice::new(&[11, 12])];
        assert_eq!(one.write_vectored(&bufs).unwrap(), 3);
        let (mut a, mut b) = ([0], [0; 3]);
        let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(other.read_vectored(&mut bufs).unwrap(), 3);
        assert_eq!((a, b), ([10], [11, 12, 0]));
    });
}

#[test]
fn try_clone() {
    green(|| {
        let path = Path::new("try-clone");
        let listener = UnixListener::bind(&path.0).unwrap();
        thread::spawn(move || {
            let (mut conn, _) = listener.accept().unwrap();
            conn.write_all(b"hello").unwrap();
            thread::yield_now();
            conn.write_all(b"world").unwrap();
        });
        let mut one = UnixStream::connect(&path.0).unwrap();
        let mut other = one.try_clone().unwrap();
        let mut buf = [0; 5];
        one.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"hello");
        other.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"world");
    });
}

#[test]
fn iter() {
    green(|| {
        let path = Path::new("iter");
        let listener = UnixListener::bind(&path.0).unwrap();
        let server = thread::spawn(move || {
            for conn in listener.incoming().take(1).chain((&listener).into_iter().take(1)) {
                assert_eq!(conn.unwrap().read(&mut [0; 9]).unwrap(), 1);
            }
        });
        for _ in 0..2 {
            UnixStream::connect(&path.0).unwrap().write_all(&[0]).unwrap();
        }
        server.join().unwrap();
    });
}

#[test]
fn long_path_and_other_errors() {
    green(|| {
        let long = env::temp_dir().join("x".repeat(200));
        let short = Path::new("errors");
        let unbound = UnixDatagram::unbound().unwrap();
        for error in [
            UnixStream::connect(&long).unwrap_err(),
            UnixListener::bind(&long).unwrap_err(),
            UnixDatagram::bind(&long).unwrap_err(),
            unbound.send_to(&[], &long).unwrap_err(),
            unbound.connect(&long).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(UnixStream::connect(&short.0).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(unbound.send_to(&[], &short.0).unwrap_err().kind(), ErrorKind::NotFound);
        let listener = UnixListener::bind(&short.0).unwrap();
        assert_eq!(UnixListener::bind(&short.0).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        assert_eq!(UnixStream::connect(&short.0).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let nowhere = UnixStream::pair().unwrap().0.local_addr().unwrap();
        let error = UnixStream::connect_addr(&nowhere).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn timeouts() {
    run_paused(stackful(|| {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        one.set_read_timeout(Some(LIMIT)).unwrap();
        one.set_write_timeout(Some(LIMIT * 2)).unwrap();
        let clone = one.try_clone().unwrap();
        assert_eq!(clone.read_timeout().unwrap(), Some(LIMIT));
        assert_eq!(clone.write_timeout().unwrap(), Some(LIMIT * 2));
        let zero = one.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(zero.kind(), ErrorKind::InvalidInput);

        let start = Instant::now();
        assert_eq!(one.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(start.elapsed(), LIMIT);
        let full = loop {
            if let Err(error) = one.write_all(&[0; 65536]) {
                break error.kind();
            }
        };
        assert_eq!((full, start.elapsed()), (ErrorKind::WouldBlock, LIMIT * 3));
        other.write_all(&[1]).unwrap();
        assert_eq!(one.read(&mut [0]).unwrap(), 1);
        assert_eq!(eventlet::hubs::get_hub().timers(), 0);
    }));
}

#[test]
fn set_nonblocking() {
    green(|| {
        let path = Path::new("nonblocking");
        let listener = UnixListener::bind(&path.0).unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut client = UnixStream::connect(&path.0).unwrap();
        // Tokio has not heard of it yet: the operating system is asked.
        let (mut conn, _) = listener.accept().unwrap();
        conn.set_nonblocking(true).unwrap();
        assert_eq!(conn.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        client.write_all(&[1]).unwrap();
        assert_eq!(conn.read(&mut [0; 9]).unwrap(), 1);
        while conn.write(&[0; 65536]).is_ok() {}
        assert_eq!(conn.write(&[0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn shutdown() {
    green(|| {
        let (one, mut other) = UnixStream::pair().unwrap();
        let reader = thread::spawn(move || other.read(&mut [0]).unwrap());
        thread::yield_now();
        one.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[test]
fn a_full_backlog_is_waited_out() {
    green(|| {
        let path = Path::new("backlog");
        let listener = eventlet::listen(&*path.0).backlog(1).block().unwrap();
        let listener = UnixListener::from(listener);
        let connected = Rc::new(Cell::new(0));
        let clients: Vec<_> = (0..10)
            .map(|_| {
                let (path, connected) = (path.0.clone(), Rc::clone(&connected));
                thread::spawn(move || {
                    let conn = UnixStream::connect(path).unwrap();
                    connected.set(connected.get() + 1);
                    conn
                })
            })
            .collect();
        (0..5).for_each(|_| thread::yield_now());
        assert!(connected.get() < 10);
        let conns: Vec<_> = listener.incoming().take(10).collect();
        clients.into_iter().for_each(|client| drop(client.join().unwrap()));
        assert_eq!(conns.len(), 10);
    });
}

#[test]
fn a_killed_reader_loses_nothing() {
    green(|| {
        let (mut one, other) = UnixStream::pair().unwrap();
        let read = |conn: UnixStream| {
            GreenThread::from(thread::spawn(move || {
                let mut line = String::new();
                BufReader::new(&conn).read_line(&mut line).unwrap();
                line
            }))
        };
        let victim = read(other.try_clone().unwrap());
        thread::yield_now();
        let next = read(other);
        thread::yield_now();
        one.write_all(b"hello\n").unwrap();
        tokio::task::yield_now().block();
        if victim.dead() {
            assert_eq!(victim.block().unwrap(), "hello\n");
            one.write_all(b"hello\n").unwrap();
        } else {
            victim.kill();
        }
        assert_eq!(next.block().unwrap(), "hello\n");
    });
}

#[test]
fn test_unix_datagram() {
    green(|| {
        let (path1, path2) = (Path::new("datagram-1"), Path::new("datagram-2"));
        let one = UnixDatagram::bind(&path1.0).unwrap();
        let other = UnixDatagram::bind_addr(&SocketAddr::from_pathname(&path2.0).unwrap()).unwrap();
        one.send_to(b"hello world", &path2.0).unwrap();
        let mut buf = [0; 99];
        let (length, from) = other.recv_from(&mut buf).unwrap();
        assert_eq!(&buf[..length], b"hello world");
        assert_eq!(from.as_pathname(), Some(&*path1.0));
        other.send_to_addr(b"hi", &from).unwrap();
        assert_eq!(one.recv(&mut buf).unwrap(), 2);
    });
}

#[test]
fn test_connect_unix_datagram() {
    green(|| {
        let path = Path::new("datagram-connect");
        let server = UnixDatagram::bind(&path.0).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        assert!(client.local_addr().unwrap().is_unnamed());
        assert_eq!(client.send(&[1]).unwrap_err().kind(), ErrorKind::NotConnected);
        client.connect_addr(&server.local_addr().unwrap()).unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path.0));
        client.send(&[1]).unwrap();
        assert_eq!(server.recv(&mut [0; 9]).unwrap(), 1);
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.send(&[1]).unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn datagrams_that_wait() {
    run_paused(stackful(|| {
        let (one, other) = UnixDatagram::pair().unwrap();
        one.set_read_timeout(Some(LIMIT)).unwrap();
        let start = Instant::now();
        assert_eq!(one.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(one.recv_from(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(start.elapsed(), LIMIT * 2);

        one.set_nonblocking(true).unwrap();
        assert_eq!(one.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        one.set_nonblocking(false).unwrap();
        one.set_read_timeout(None).unwrap();

        let receive = |socket: UnixDatagram| {
            GreenThread::from(thread::spawn(move || {
                let mut buf = [0];
                socket.recv(&mut buf).map(|_| buf[0]).unwrap()
            }))
        };
        let victim = receive(one.try_clone().unwrap());
        let next = receive(one);
        thread::yield_now();
        victim.kill();
        other.send(&[7]).unwrap();
        assert_eq!(next.block().unwrap(), 7);
    }));
}

/// Sends to a receiver that is full until it is told to go on.
fn fill(send: impl Fn() -> std::io::Result<usize>, set_nonblocking: impl Fn(bool)) {
    set_nonblocking(true);
    while send().is_ok() {}
    set_nonblocking(false);
}

/// Receives as long as it is one byte of value 1.
fn drain(socket: &UnixDatagram) {
    let mut buf = [1];
    while buf == [1] {
        assert_eq!(socket.recv(&mut buf).unwrap(), 1);
    }
}

#[test]
fn a_connected_sender_waits_for_room() {
    run_paused(stackful(|| {
        let path = Path::new("datagram-connected");
        let server = UnixDatagram::bind(&path.0).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.connect(&path.0).unwrap();
        fill(|| client.send(&[1]), |on| client.set_nonblocking(on).unwrap());
        client.set_write_timeout(Some(LIMIT)).unwrap();
        assert_eq!(client.send(&[2]).unwrap_err().kind(), ErrorKind::WouldBlock);
        client.set_write_timeout(None).unwrap();
        let sender = spawn(stackful(move || client.send(&[2]).unwrap()));
        thread::sleep(LIMIT);
        assert!(!sender.dead());
        drain(&server);
        assert_eq!(sender.block().unwrap(), 1);
    }));
}

#[test]
fn a_sender_waits_for_room_that_others_took() {
    run_paused(stackful(|| {
        let path = Path::new("datagram-full");
        let server = UnixDatagram::bind(&path.0).unwrap();
        let stranger = UnixDatagram::unbound().unwrap();
        fill(|| stranger.send_to(&[1], &path.0), |on| stranger.set_nonblocking(on).unwrap());
        let sender = UnixDatagram::unbound().unwrap();
        let to = path.0.clone();
        let sender = spawn(stackful(move || sender.send_to(&[2], to).unwrap()));
        // The clock goes on only when nobody is busy: it does not try without end.
        thread::sleep(LIMIT);
        assert!(!sender.dead());
        drain(&server);
        assert_eq!(sender.block().unwrap(), 1);
    }));
}

#[cfg(target_os = "linux")]
#[test]
fn test_abstract_stream_connect() {
    use std::os::linux::net::SocketAddrExt;

    green(|| {
        let name = format!("eventlet-{}", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        let addr = listener.local_addr().unwrap();
        assert_eq!(addr.as_abstract_name(), Some(name.as_bytes()));
        let mut client = UnixStream::connect_addr(&addr).unwrap();
        let (mut conn, _) = listener.accept().unwrap();
        client.write_all(b"x").unwrap();
        assert_eq!(conn.read(&mut [0; 9]).unwrap(), 1);

        let addr = SocketAddr::from_abstract_name(name + "-datagram").unwrap();
        let server = UnixDatagram::bind_addr(&addr).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.send_to_addr(b"hello", &addr).unwrap();
        client.connect_addr(&addr).unwrap();
        client.send(b"hi").unwrap();
        assert_eq!(server.recv(&mut [0; 9]).unwrap(), 5);
        assert_eq!(server.recv(&mut [0; 9]).unwrap(), 2);
    });
}

#[test]
fn conversions() {
    green(|| {
        let (one, mut other) = UnixStream::pair().unwrap();
        let clone = one.try_clone().unwrap();
        let one = UnixStream::from(one.into_tokio().unwrap());
        (&one).write_all(&[1]).unwrap();
        (&clone).write_all(&[2]).unwrap();
        drop((one, clone));
        let mut all = Vec::new();
        other.read_to_end(&mut all).unwrap();
        assert_eq!(all, [1, 2]);

        let (std, other) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let (green, other) =
            (UnixDatagram::try_from(std).unwrap(), UnixDatagram::try_from(other).unwrap());
        UnixDatagram::from(green.into_tokio().unwrap()).send(&[1]).unwrap();
        assert_eq!(other.recv(&mut [0]).unwrap(), 1);
    });
}

#[test]
fn descriptors_are_closed() {
    use std::os::fd::AsRawFd;

    green(|| {
        let (one, mut other) = UnixStream::pair().unwrap();
        let clone = one.try_clone().unwrap();
        assert_eq!(clone.as_raw_fd(), one.as_raw_fd());
        let reader = spawn(stackful(move || (&clone).read(&mut [0]).unwrap()));
        thread::yield_now();
        drop(one);
        // The reader has the last of it.
        reader.kill();
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
    });
}

/// The other end has turned to somebody else, and what was sent to it is lost: whoever waits is
/// told.
#[cfg(target_os = "linux")]
#[test]
fn an_error_ends_a_wait_for_a_datagram() {
    green(|| {
        let path = Path::new("datagram-turned");
        let _third = UnixDatagram::bind(&path.0).unwrap();
        let (socket, other) = UnixDatagram::pair().unwrap();
        let waiting = spawn(stackful({
            let socket = socket.try_clone().unwrap();
            move || socket.recv(&mut [0; 8])
        }));
        thread::yield_now();
        socket.send(b"lost").unwrap();
        other.connect(&path.0).unwrap();
        assert_eq!(waiting.block().unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}
