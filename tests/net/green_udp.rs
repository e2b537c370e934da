//! `green::net::UdpSocket` does what `std`'s does, and waits as `green::net` does.
//!
//! Case names after `library/std/src/net/udp/tests.rs` of Rust 1.95.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use eventlet::green::thread;
use eventlet::{Block, GreenThread, Timeout, spawn, stackful};
use tokio::time::Instant;

use crate::support::{run, run_paused};

const LIMIT: Duration = Duration::from_secs(10);

fn green<T: 'static>(test: impl FnOnce() -> T + 'static) -> T {
    run(stackful(test))
}

fn bind() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Makes two sockets that are connected to each other.
fn pair() -> (UdpSocket, UdpSocket) {
    let ((one, one_addr), (other, other_addr)) = (bind(), bind());
    one.connect(other_addr).unwrap();
    other.connect(one_addr).unwrap();
    (one, other)
}

#[test]
fn bind_error() {
    green(|| {
        let error = UdpSocket::bind("1.1.1.1:9999").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        let nothing: &[SocketAddr] = &[];
        let (socket, addr) = bind();
        for error in [
            UdpSocket::bind(nothing).unwrap_err(),
            socket.connect(nothing).unwrap_err(),
            socket.send_to(&[], nothing).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        let next =
            UdpSocket::bind(&[addr, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))][..]).unwrap();
        assert_ne!(next.local_addr().unwrap(), addr);
    });
}

#[test]
fn socket_smoke_test_ip4() {
    green(|| {
        let (server, addr) = bind();
        let client = thread::spawn(move || {
            let (client, from) = bind();
            client.send_to(&[99], ("localhost", addr.port())).unwrap();
            from
        });
        let mut buf = [0];
        let (length, from) = server.recv_from(&mut buf).unwrap();
        assert_eq!((length, buf), (1, [99]));
        assert_eq!(from, client.join().unwrap());
    });
}

#[test]
fn socket_smoke_test_ip6() {
    green(|| {
        let Ok(server) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) else {
            return eprintln!("skipped: this machine has no IPv6");
        };
        server.send_to(&[1, 2], server.local_addr().unwrap()).unwrap();
        assert_eq!(server.recv_from(&mut [0; 9]).unwrap(), (2, server.local_addr().unwrap()));
    });
}

#[test]
fn udp_clone_smoke() {
    green(|| {
        let ((one, one_addr), (other, other_addr)) = (bind(), bind());
        let clone = one.try_clone().unwrap();
        // The clone receives while this one sends.
        let reader = thread::spawn(move || clone.recv_from(&mut [0]).unwrap());
        thread::yield_now();
        one.send_to(&[1], other_addr).unwrap();
        let (_, from) = other.recv_from(&mut [0]).unwrap();
        assert_eq!(from, one_addr);
        other.send_to(&[2], from).unwrap();
        assert_eq!(reader.join().unwrap(), (1, other_addr));
    });
}

#[test]
fn connect_send_recv() {
    green(|| {
        let (socket, addr) = bind();
        socket.connect(addr).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), addr);
        assert_eq!(socket.send(b"hello world").unwrap(), 11);
        let mut buf = [0; 11];
        assert_eq!(socket.recv(&mut buf).unwrap(), 11);
        assert_eq!(&buf, b"hello world");
        assert!(bind().0.send(&[1]).unwrap_err().raw_os_error().is_some(), "as in std");
    });
}

#[test]
fn connect_send_peek_recv() {
    green(|| {
        let (one, other) = pair();
        one.send(b"hello world").unwrap();
        for _ in 0..2 {
            let mut buf = [0; 5];
            // What does not fit is cut off of the look only.
            assert_eq!(other.peek(&mut buf).unwrap(), 5);
            assert_eq!(&buf, b"hello");
        }
        assert_eq!(other.recv(&mut [0; 99]).unwrap(), 11);
    });
}

#[test]
fn peek_from() {
    green(|| {
        let ((one, from), (other, to)) = (bind(), bind());
        one.send_to(b"hello world", to).unwrap();
        for _ in 0..2 {
            assert_eq!(other.peek_from(&mut [0; 99]).unwrap(), (11, from));
        }
        assert_eq!(other.recv_from(&mut [0; 99]).unwrap(), (11, from));
    });
}

#[test]
fn a_datagram_is_cut_off_and_an_empty_one_is_one() {
    green(|| {
        let (one, other) = pair();
        for text in ["hello", "", "x"] {
            one.send(text.as_bytes()).unwrap();
        }
        let mut buf = [0; 2];
        assert_eq!(other.recv(&mut buf).unwrap(), 2);
        assert_eq!(&buf, b"he");
        assert_eq!(other.recv(&mut buf).unwrap(), 0);
        assert_eq!(other.recv(&mut buf).unwrap(), 1);
    });
}

#[test]
fn ttl_and_the_other_options() {
    green(|| {
        let (socket, _) = bind();
        socket.set_ttl(100).unwrap();
        assert_eq!(socket.ttl().unwrap(), 100);
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_multicast_ttl_v4(7).unwrap();
        assert_eq!(socket.multicast_ttl_v4().unwrap(), 7);
        socket.set_multicast_loop_v4(false).unwrap();
        assert!(!socket.multicast_loop_v4().unwrap());
        assert!(socket.take_error().unwrap().is_none());
        let group = Ipv4Addr::new(224, 0, 0, 251);
        socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
        socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
        socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap_err();
    });
}

#[test]
fn set_nonblocking() {
    green(|| {
        let (one, other) = pair();
        one.set_nonblocking(true).unwrap();
        assert_eq!(one.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(one.recv_from(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(one.peek_from(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        // Tokio has not heard of it yet: the operating system is asked.
        other.send(&[1]).unwrap();
        assert_eq!(one.peek(&mut [0; 9]).unwrap(), 1);
        assert_eq!(one.recv(&mut [0; 9]).unwrap(), 1);
        assert_eq!(one.send(&[1]).unwrap(), 1);
        one.set_nonblocking(false).unwrap();
        other.send(&[1]).unwrap();
        assert_eq!(one.recv(&mut [0]).unwrap(), 1);
    });
}

#[test]
fn test_read_timeout() {
    run_paused(stackful(|| {
        let (one, other) = pair();
        assert_eq!(one.read_timeout().unwrap(), None);
        one.set_read_timeout(Some(LIMIT)).unwrap();
        one.set_write_timeout(Some(LIMIT * 2)).unwrap();
        assert_eq!(one.try_clone().unwrap().read_timeout().unwrap(), Some(LIMIT));
        assert_eq!(one.write_timeout().unwrap(), Some(LIMIT * 2));
        assert_eq!(
            one.set_read_timeout(Some(Duration::ZERO)).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        let start = Instant::now();
        assert_eq!(one.recv_from(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(start.elapsed(), LIMIT);
        assert_eq!(one.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(start.elapsed(), LIMIT * 2);
        other.send(&[1]).unwrap();
        assert_eq!(one.recv(&mut [0]).unwrap(), 1);
        assert_eq!(eventlet::hubs::get_hub().timers(), 0);
    }));
}

/// Who got what.
type Seen = Rc<RefCell<Vec<(u8, u8)>>>;

/// Starts receivers that note who got what.
fn receivers(socket: &UdpSocket, count: u8) -> (Vec<GreenThread<()>>, Seen) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let start = |number| {
        let (socket, seen) = (socket.try_clone().unwrap(), Rc::clone(&seen));
        spawn(stackful(move || {
            let mut buf = [0];
            socket.recv(&mut buf).unwrap();
            seen.borrow_mut().push((number, buf[0]));
        }))
    };
    let receivers = (0..count).map(start).collect();
    thread::yield_now();
    (receivers, seen)
}

#[test]
fn udp_clone_two_read() {
    green(|| {
        let (one, other) = pair();
        let (receivers, seen) = receivers(&one, 3);
        (10..13).for_each(|byte| assert_eq!(other.send(&[byte]).unwrap(), 1));
        receivers.into_iter().for_each(|gt| gt.block().unwrap());
        assert_eq!(*seen.borrow(), [(0, 10), (1, 11), (2, 12)]);
    });
}

#[test]
fn a_killed_receiver_loses_no_datagram() {
    green(|| {
        for victim in 0..3 {
            let (one, other) = pair();
            let (receivers, seen) = receivers(&one, 3);
            if victim == 0 {
                other.send(&[10]).unwrap();
                // Tokio wakes the first while it looks at the sockets; the kill comes before its
                // turn.
                tokio::task::yield_now().block();
                receivers[0].kill();
                other.send(&[11]).unwrap();
            } else {
                receivers[victim].kill();
                [10, 11].into_iter().for_each(|byte| assert_eq!(other.send(&[byte]).unwrap(), 1));
            }
            while seen.borrow().len() < 2 {
                thread::yield_now();
            }
            let got: Vec<u8> = seen.borrow().iter().map(|(_, byte)| *byte).collect();
            assert_eq!(got, [10, 11]);
            receivers.iter().for_each(|gt| gt.kill());
        }
    });
}

#[test]
fn a_timeout_around_a_receiver_loses_no_datagram() {
    run_paused(stackful(|| {
        let (one, other) = pair();
        let limit = Timeout::new(LIMIT);
        assert_eq!(limit.run_blocking(|| one.recv(&mut [0]).unwrap()), Err(limit));
        other.send(&[7]).unwrap();
        let mut buf = [0];
        assert_eq!(limit.run_blocking(|| one.recv(&mut buf).unwrap()), Ok(1));
        assert_eq!(buf, [7]);
    }));
}

#[test]
fn others_run_while_one_waits() {
    green(|| {
        let (one, other) = pair();
        let (receivers, seen) = receivers(&one, 1);
        // It waits, and this green thread has had its turn.
        assert!(!receivers[0].dead());
        other.send(&[1]).unwrap();
        receivers.into_iter().for_each(|gt| gt.block().unwrap());
        assert_eq!(*seen.borrow(), [(0, 1)]);
    });
}

#[test]
fn conversions() {
    green(|| {
        let (one, other) = pair();
        let clone = one.try_clone().unwrap();
        let one = UdpSocket::from(one.into_tokio().unwrap());
        one.send(&[1]).unwrap();
        clone.send(&[2]).unwrap();
        assert_eq!(other.recv(&mut [0]).unwrap(), 1);
        assert_eq!(other.recv(&mut [0]).unwrap(), 1);
        let std = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let green = UdpSocket::try_from(std.try_clone().unwrap()).unwrap();
        green.send_to(&[3], std.local_addr().unwrap()).unwrap();
        assert_eq!(green.recv(&mut [0]).unwrap(), 1);
    });
}

/// Does on its socket what it can when it is dropped.
struct Goodbye(UdpSocket, Rc<RefCell<Vec<String>>>);

impl Drop for Goodbye {
    fn drop(&mut self) {
        assert!(std::thread::panicking());
        let mut noted = self.1.borrow_mut();
        noted.push(format!("{:?}", self.0.send(b"bye").unwrap()));
        noted.push(format!("{:?}", self.0.recv(&mut [0; 9]).unwrap()));
        noted.push(self.0.recv(&mut [0; 9]).unwrap_err().to_string());
    }
}

#[test]
fn destructors_do_what_can_be_done_at_once() {
    green(|| {
        let (one, other) = pair();
        let noted = Rc::new(RefCell::new(Vec::new()));
        let goodbye = Goodbye(one, Rc::clone(&noted));
        let gt = spawn(stackful(move || {
            let _goodbye = goodbye;
            thread::sleep(Duration::MAX);
        }));
        thread::yield_now();
        other.send(b"hello").unwrap();
        gt.kill();
        assert_eq!(other.recv(&mut [0; 9]).unwrap(), 3);
        let refused = "this would have to wait, while its green stack unwinds";
        assert_eq!(*noted.borrow(), ["3", "5", refused]);
    });
}

/// Nobody listens where the datagram goes: whoever waits is told.
#[test]
fn an_error_ends_a_wait() {
    green(|| {
        let closed = bind().1;
        let (socket, addr) = bind();
        socket.connect(closed).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let waits: [fn(&UdpSocket) -> std::io::Result<usize>; 4] = [
            |socket| socket.recv(&mut [0; 8]),
            |socket| Ok(socket.recv_from(&mut [0; 8])?.0),
            |socket| socket.peek(&mut [0; 8]),
            |socket| Ok(socket.peek_from(&mut [0; 8])?.0),
        ];
        for wait in waits {
            // It is told whether it waits already or comes later.
            let other = socket.try_clone().unwrap();
            let waiting = spawn(stackful(move || wait(&other)));
            thread::yield_now();
            socket.send(b"x").unwrap();
            assert_eq!(waiting.block().unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
            socket.send(b"x").unwrap();
            assert_eq!(wait(&socket).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        // It is good for what comes then.
        let peer = UdpSocket::bind(closed).unwrap();
        peer.send_to(b"hello", addr).unwrap();
        assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 5);
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}
