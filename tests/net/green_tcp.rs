//! `green::net` does what `std::net` does.
//!
//! Case names after `library/std/src/net/tcp/tests.rs` of Rust 1.95.

use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Ipv6Addr;
use std::rc::Rc;

use eventlet::green::net::{
    IpAddr, Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, TcpStream,
    ToSocketAddrs,
};
use eventlet::green::thread;
use eventlet::{Block, stackful};

use crate::support::run;

fn green<T: 'static>(test: impl FnOnce() -> T + 'static) -> T {
    run(stackful(test))
}

fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Makes both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let (listener, addr) = bind();
    let client = TcpStream::connect(addr).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn bind_error() {
    green(|| {
        let error = TcpListener::bind("1.1.1.1:9999").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn connect_error() {
    green(|| {
        let (_, closed) = bind();
        let error = TcpStream::connect(closed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.raw_os_error().is_some(), "as in std, nothing is wrapped around it");

        let nothing: &[SocketAddr] = &[];
        assert_eq!(TcpStream::connect(nothing).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(TcpListener::bind(nothing).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn connect_tries_each_address() {
    green(|| {
        let (_, closed) = bind();
        let (_listener, addr) = bind();
        let conn = TcpStream::connect(&[closed, addr][..]).unwrap();
        assert_eq!(conn.peer_addr().unwrap(), addr);
    });
}

#[test]
fn listen_localhost_connect_ip4_localhost() {
    green(|| {
        let listener = TcpListener::bind("localhost:0").unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || TcpStream::connect(addr).unwrap().write_all(&[144]).unwrap());
        let mut buf = [0];
        listener.accept().unwrap().0.read_exact(&mut buf).unwrap();
        assert_eq!(buf, [144]);
    });
}

#[test]
fn connect_ip6_loopback() {
    green(|| {
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            return eprintln!("skipped: this machine has no IPv6");
        };
        let conn = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(conn.peer_addr().unwrap().is_ipv6());
    });
}

#[test]
fn read_eof() {
    green(|| {
        let (client, mut conn) = pair();
        drop(client);
        let mut buf = [0];
        assert_eq!(conn.read(&mut buf).unwrap(), 0);
        assert_eq!(conn.read(&mut buf).unwrap(), 0);
    });
}

#[test]
fn write_close() {
    green(|| {
        let (client, mut conn) = pair();
        drop(client);
        let error = loop {
            match conn.write_all(&[1; 1024]) {
                Ok(()) => thread::yield_now(),
                Err(error) => break error.kind(),
            }
        };
        assert!(matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    });
}

#[test]
fn partial_read() {
    green(|| {
        let (mut client, mut conn) = pair();
        client.write_all(&[1, 2]).unwrap();
        for expected in [1, 2] {
            let mut buf = [0];
            assert_eq!(conn.read(&mut buf).unwrap(), 1);
            assert_eq!(buf, [expected]);
        }
    });
}

#[test]
fn short_read_then_more() {
    green(|| {
        let (mut client, mut conn) = pair();
        let mut buf = [0; 64];
        for round in 1..100_u8 {
            client.write_all(&[round; 3]).unwrap();
            assert_eq!(conn.read(&mut buf).unwrap(), 3);
            assert_eq!(buf[..3], [round; 3]);
        }
        let reader = thread::spawn(move || conn.read(&mut [0; 64]).unwrap());
        thread::yield_now();
        client.write_all(&[1; 7]).unwrap();
        assert_eq!(reader.join().unwrap(), 7);
    });
}

#[test]
fn read_vectored() {
    green(|| {
        let (mut client, mut conn) = pair();
        client.write_all(&[10, 11, 12]).unwrap();
        let (mut a, mut b, mut c) = ([], [0], [0; 3]);
        let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b), IoSliceMut::new(&mut c)];
        assert_eq!(conn.read_vectored(&mut bufs).unwrap(), 3);
        assert_eq!((b, c), ([10], [11, 12, 0]));
    });
}

#[test]
fn write_vectored() {
    green(|| {
        let (mut client, mut conn) = pair();
        let bufs = [IoSlice::new(&[]), IoSlice::new(&[10]), IoSlice::new(&[11, 12])];
        assert_eq!(client.write_vectored(&bufs).unwrap(), 3);
        let mut buf = [0; 4];
        assert_eq!(conn.read(&mut buf).unwrap(), 3);
        assert_eq!(buf, [10, 11, 12, 0]);
    });
}

#[test]
fn multiple_connect_serial() {
    green(|| {
        let (listener, addr) = bind();
        let clients = thread::spawn(move || {
            for _ in 0..10 {
                TcpStream::connect(addr).unwrap().write_all(&[99]).unwrap();
            }
        });
        for conn in listener.incoming().take(10) {
            let mut buf = [0];
            conn.unwrap().read_exact(&mut buf).unwrap();
            assert_eq!(buf, [99]);
        }
        clients.join().unwrap();
    });
}

#[test]
fn multiple_connect_interleaved() {
    green(|| {
        const MAX: u8 = 10;
        let (listener, addr) = bind();
        let server = thread::spawn(move || {
            let conns = listener.incoming().take(MAX.into());
            let readers: Vec<_> = conns
                .zip(0..)
                .map(|(conn, number)| {
                    thread::spawn(move || {
                        let mut buf = [0];
                        conn.unwrap().read_exact(&mut buf).unwrap();
                        assert_eq!(buf, [number]);
                    })
                })
                .collect();
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        });
        let mut clients: Vec<_> = (0..MAX).map(|_| TcpStream::connect(addr).unwrap()).collect();
        for (number, client) in clients.iter_mut().enumerate().rev() {
            client.write_all(&[number as u8]).unwrap();
        }
        server.join().unwrap();
    });
}

#[test]
fn socket_and_peer_name() {
    green(|| {
        let (client, conn) = pair();
        assert_eq!(client.local_addr().unwrap(), conn.peer_addr().unwrap());
        assert_eq!(client.peer_addr().unwrap(), conn.local_addr().unwrap());
    });
}

#[test]
fn double_bind() {
    green(|| {
        let (_listener, addr) = bind();
        assert_eq!(TcpListener::bind(addr).unwrap_err().kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn bind_again_after_close() {
    green(|| {
        let (listener, addr) = bind();
        let client = TcpStream::connect(addr).unwrap();
        drop(listener.accept().unwrap());
        drop((listener, client));
        TcpListener::bind(addr).unwrap();
    });
}

#[test]
fn tcp_clone_smoke() {
    green(|| {
        let (mut client, mut conn) = pair();
        let mut clone = conn.try_clone().unwrap();
        let writer = thread::spawn(move || clone.write_all(&[2]).unwrap());
        client.write_all(&[1]).unwrap();
        let mut buf = [0];
        client.read_exact(&mut buf).unwrap();
        assert_eq!(buf, [2]);
        conn.read_exact(&mut buf).unwrap();
        assert_eq!(buf, [1]);
        writer.join().unwrap();
    });
}

#[test]
fn tcp_clone_two_write() {
    green(|| {
        let (client, mut conn) = pair();
        let mut clone = client.try_clone().unwrap();
        let other = thread::spawn(move || clone.write_all(&[2]).unwrap());
        (&client).write_all(&[1]).unwrap();
        other.join().unwrap();
        let mut buf = [0; 2];
        conn.read_exact(&mut buf).unwrap();
        buf.sort_unstable();
        assert_eq!(buf, [1, 2]);
    });
}

#[test]
fn a_clone_keeps_the_connection_open() {
    green(|| {
        let (client, mut conn) = pair();
        let clone = client.try_clone().unwrap();
        drop(client);
        (&clone).write_all(&[7]).unwrap();
        drop(clone);
        let mut all = Vec::new();
        conn.read_to_end(&mut all).unwrap();
        assert_eq!(all, [7]);
    });
}

#[test]
fn shutdown_smoke() {
    green(|| {
        let (mut client, mut conn) = pair();
        client.shutdown(Shutdown::Write).unwrap();
        assert!(client.write(&[1]).is_err());
        assert_eq!(conn.read(&mut [0]).unwrap(), 0);
        conn.write_all(&[1]).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 1);
    });
}

#[test]
fn close_readwrite_smoke() {
    green(|| {
        let (mut client, _conn) = pair();
        let mut clone = client.try_clone().unwrap();
        client.shutdown(Shutdown::Both).unwrap();
        assert!(client.write(&[1]).is_err());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert!(clone.write(&[1]).is_err());
        assert_eq!(clone.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn close_read_wakes_up() {
    green(|| {
        let (client, _conn) = pair();
        let mut clone = client.try_clone().unwrap();
        let reader = thread::spawn(move || clone.read(&mut [0]).unwrap());
        thread::yield_now();
        client.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[test]
fn clone_while_reading() {
    green(|| {
        let (mut client, conn) = pair();
        let mut clone = conn.try_clone().unwrap();
        let reader = thread::spawn(move || clone.read(&mut [0]).unwrap());
        thread::yield_now();
        drop(conn.try_clone().unwrap());
        client.write_all(&[1]).unwrap();
        assert_eq!(reader.join().unwrap(), 1);
    });
}

#[test]
fn clone_accept_concurrent() {
    green(|| {
        let (listener, addr) = bind();
        let clone = listener.try_clone().unwrap();
        let accepting =
            [listener, clone].map(|listener| thread::spawn(move || listener.accept().unwrap().1));
        thread::yield_now();
        let clients = [TcpStream::connect(addr).unwrap(), TcpStream::connect(addr).unwrap()];
        let mut accepted = accepting.map(|accepting| accepting.join().unwrap());
        let mut connected = clients.each_ref().map(|client| client.local_addr().unwrap());
        accepted.sort_unstable();
        connected.sort_unstable();
        assert_eq!(accepted, connected);
    });
}

#[test]
fn nodelay() {
    green(|| {
        let (client, conn) = pair();
        assert!(!client.nodelay().unwrap());
        assert!(!conn.nodelay().unwrap());
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap());
        client.set_nodelay(false).unwrap();
        assert!(!client.nodelay().unwrap());
    });
}

#[test]
fn ttl() {
    green(|| {
        let (listener, addr) = bind();
        listener.set_ttl(100).unwrap();
        assert_eq!(listener.ttl().unwrap(), 100);
        let client = TcpStream::connect(addr).unwrap();
        client.set_ttl(101).unwrap();
        assert_eq!(client.ttl().unwrap(), 101);
    });
}

#[test]
fn set_nonblocking() {
    green(|| {
        let (listener, addr) = bind();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let client = TcpStream::connect(addr).unwrap();
        let (mut conn, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());

        client.set_nonblocking(true).unwrap();
        let mut clone = client.try_clone().unwrap();
        assert_eq!(clone.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(clone.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        conn.write_all(&[1, 2, 3, 4]).unwrap();

        // Tokio has not heard of the data, as nobody gave up the turn; the operating system has.
        let (mut a, mut b) = ([0], [0]);
        assert_eq!(clone.peek(&mut a).unwrap(), 1);
        assert_eq!(clone.read(&mut a).unwrap(), 1);
        let mut bufs = [IoSliceMut::new(&mut b), IoSliceMut::new(&mut a)];
        assert_eq!(clone.read_vectored(&mut bufs).unwrap(), 2);
        assert_eq!((b, a), ([2], [3]));

        client.set_nonblocking(false).unwrap();
        assert_eq!(clone.read(&mut [0; 9]).unwrap(), 1);
        let reader = thread::spawn(move || clone.read(&mut [0]).unwrap());
        thread::yield_now();
        conn.write_all(&[5]).unwrap();
        assert_eq!(reader.join().unwrap(), 1);
    });
}

#[test]
fn nonblocking_writes_until_full() {
    green(|| {
        let (mut client, mut conn) = pair();
        client.set_nonblocking(true).unwrap();
        let mut sent = 0;
        let error = loop {
            match client.write(&[1; 65536]) {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        client.set_nonblocking(false).unwrap();
        let rest = thread::spawn(move || client.write_all(&[1; 1000]).unwrap());
        let received = io::copy(&mut conn, &mut io::sink()).unwrap();
        assert_eq!(received, sent as u64 + 1000);
        rest.join().unwrap();
    });
}

#[test]
fn peek() {
    green(|| {
        let (mut client, mut conn) = pair();
        let mut buf = [0; 10];
        client.write_all(&[1, 3, 3, 7]).unwrap();
        for _ in 0..3 {
            assert_eq!(conn.peek(&mut buf).unwrap(), 4);
        }
        assert_eq!(conn.read(&mut buf).unwrap(), 4);
        assert_eq!(buf[..4], [1, 3, 3, 7]);

        let peeker = thread::spawn(move || conn.peek(&mut [0]).unwrap());
        thread::yield_now();
        drop(client);
        assert_eq!(peeker.join().unwrap(), 0);
    });
}

#[test]
fn take_error() {
    green(|| {
        let (client, _conn) = pair();
        assert!(client.take_error().unwrap().is_none());
    });
}

#[test]
fn debug_shows_the_addresses() {
    green(|| {
        let (listener, addr) = bind();
        assert!(format!("{listener:?}").contains(&format!("addr: {addr}")));
        let client = TcpStream::connect(addr).unwrap();
        assert!(format!("{client:?}").contains(&format!("peer: {addr}")));
    });
}

#[test]
fn to_socket_addrs() {
    green(|| {
        let v4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80);
        let v6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 0, 0);
        let one = |addr: &dyn Fn() -> Option<SocketAddr>| addr().unwrap();
        for addr in [
            one(&|| v4.to_socket_addrs().unwrap().next()),
            one(&|| SocketAddr::V4(v4).to_socket_addrs().unwrap().next()),
            one(&|| (Ipv4Addr::LOCALHOST, 80).to_socket_addrs().unwrap().next()),
            one(&|| (IpAddr::V4(Ipv4Addr::LOCALHOST), 80).to_socket_addrs().unwrap().next()),
            one(&|| "127.0.0.1:80".to_socket_addrs().unwrap().next()),
            one(&|| String::from("127.0.0.1:80").to_socket_addrs().unwrap().next()),
            one(&|| ("127.0.0.1", 80).to_socket_addrs().unwrap().next()),
            one(&|| (String::from("127.0.0.1"), 80).to_socket_addrs().unwrap().next()),
            one(&|| (&[SocketAddr::V4(v4)][..]).to_socket_addrs().unwrap().next()),
        ] {
            assert_eq!(addr, SocketAddr::V4(v4));
        }
        let six = "[::1]:80".to_socket_addrs().unwrap().next().unwrap();
        assert_eq!(six, SocketAddr::V6(v6));
        assert_eq!((Ipv6Addr::LOCALHOST, 80).to_socket_addrs().unwrap().next(), Some(six));
        assert!("localhost:80".to_socket_addrs().unwrap().all(|addr| addr.port() == 80));
        assert!("no port".to_socket_addrs().is_err());
    });
}

#[test]
fn buffered_lines() {
    green(|| {
        let (client, conn) = pair();
        let server = thread::spawn(move || {
            let mut answers = BufWriter::new(&conn);
            for line in BufReader::new(&conn).lines() {
                writeln!(answers, "<{}>", line.unwrap()).unwrap();
                answers.flush().unwrap();
            }
        });
        let mut answers = BufReader::new(&client);
        for line in ["one", "", "three"] {
            // Apart, so that a line arrives in pieces.
            (&client).write_all(line.as_bytes()).unwrap();
            thread::yield_now();
            (&client).write_all(b"\r\n").unwrap();
            let mut answer = String::new();
            answers.read_line(&mut answer).unwrap();
            assert_eq!(answer, format!("<{line}>\n"));
        }
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(answers.read_line(&mut String::new()).unwrap(), 0);
        server.join().unwrap();
    });
}

#[test]
fn full_duplex() {
    green(|| {
        const SIZE: usize = 4 << 20;
        let (client, conn) = pair();
        let echo = thread::spawn(move || io::copy(&mut &conn, &mut &conn).unwrap());
        let client = Rc::new(client);
        let sent: Rc<Vec<u8>> = Rc::new((0..SIZE).map(|at| (at % 251) as u8).collect());
        let writer = thread::spawn({
            let (client, sent) = (Rc::clone(&client), Rc::clone(&sent));
            move || {
                sent.chunks(1031).for_each(|part| (&*client).write_all(part).unwrap());
                client.shutdown(Shutdown::Write).unwrap();
            }
        });
        let mut received = Vec::new();
        (&*client).read_to_end(&mut received).unwrap();
        assert!(received == *sent);
        writer.join().unwrap();
        assert_eq!(echo.join().unwrap(), SIZE as u64);
    });
}

#[test]
fn a_large_write_waits_for_its_reader() {
    green(|| {
        let (mut client, conn) = pair();
        let writer = thread::spawn(move || client.write_all(&vec![1; 21 << 20]).unwrap());
        let mut received = 0;
        let mut buf = [0; 100_003];
        loop {
            match (&conn).read(&mut buf).unwrap() {
                0 => break,
                count => received += count,
            }
        }
        assert_eq!(received, 21 << 20);
        writer.join().unwrap();
    });
}

#[test]
fn conversions() {
    green(|| {
        let (listener, addr) = bind();
        let client = TcpStream::connect(addr).unwrap();
        let (mut conn, _) = listener.accept().unwrap();

        // With a clone, which goes on to work.
        let mut clone = client.try_clone().unwrap();
        let client = TcpStream::from(client.into_tokio().unwrap());
        (&client).write_all(&[1]).unwrap();
        clone.write_all(&[2]).unwrap();
        drop((client, clone));
        let mut all = Vec::new();
        conn.read_to_end(&mut all).unwrap();
        assert_eq!(all, [1, 2]);

        let clone = listener.try_clone().unwrap();
        let listener = TcpListener::from(listener.into_tokio().unwrap());
        for listener in [listener, clone] {
            let client = std::net::TcpStream::connect(addr).unwrap();
            let (mut conn, _) = listener.accept().unwrap();
            TcpStream::try_from(client).unwrap().write_all(&[3]).unwrap();
            assert_eq!(conn.read(&mut [0; 2]).unwrap(), 1);
        }

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::try_from(listener).unwrap();
        let _client = eventlet::connect(listener.local_addr().unwrap()).block().unwrap();
        listener.accept().unwrap();
    });
}

#[cfg(unix)]
#[test]
fn descriptors() {
    use std::os::fd::{AsFd, AsRawFd};

    green(|| {
        let (listener, addr) = bind();
        let client = TcpStream::connect(addr).unwrap();
        assert_eq!(client.as_fd().as_raw_fd(), client.as_raw_fd());
        assert_ne!(listener.as_fd().as_raw_fd(), client.as_raw_fd());
    });
}
