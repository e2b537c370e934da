//! How `green::net` waits: in line, within limits, killed, and where it cannot.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use eventlet::green::thread;
use eventlet::{Block, GreenThread, Timeout, is_timeout, spawn, stackful};
use tokio::time::Instant;

use crate::support::{run, run_paused};

const LIMIT: Duration = Duration::from_secs(10);

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Writes until the buffers of both ends are full.
fn fill(conn: &TcpStream) {
    conn.set_nonblocking(true).unwrap();
    while (&*conn).write(&[0; 65536]).is_ok() {}
    conn.set_nonblocking(false).unwrap();
}

#[test]
fn timeouts() {
    run_paused(stackful(|| {
        let (client, conn) = pair();
        assert_eq!(client.read_timeout().unwrap(), None);
        client.set_read_timeout(Some(LIMIT)).unwrap();
        client.set_write_timeout(Some(LIMIT * 2)).unwrap();
        let clone = client.try_clone().unwrap();
        assert_eq!(clone.read_timeout().unwrap(), Some(LIMIT));
        assert_eq!(clone.write_timeout().unwrap(), Some(LIMIT * 2));
        assert_eq!(conn.read_timeout().unwrap(), None);
        clone.set_read_timeout(None).unwrap();
        assert_eq!(client.read_timeout().unwrap(), None);
    }));
}

#[test]
fn timeout_zero_duration() {
    run_paused(stackful(|| {
        let (client, _conn) = pair();
        let zero = Some(Duration::ZERO);
        let addr = client.peer_addr().unwrap();
        for error in [
            client.set_read_timeout(zero).unwrap_err(),
            client.set_write_timeout(zero).unwrap_err(),
            TcpStream::connect_timeout(&addr, Duration::ZERO).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }));
}

#[test]
fn read_timeout() {
    run_paused(stackful(|| {
        let (mut client, mut conn) = pair();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let start = Instant::now();
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(start.elapsed(), LIMIT);
        assert_eq!(client.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(start.elapsed(), LIMIT * 2);
        // It reads as ever, and a limit that does not pass leaves nothing behind.
        conn.write_all(&[1]).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 1);
        assert_eq!(eventlet::hubs::get_hub().timers(), 0);
    }));
}

#[test]
fn write_timeout() {
    run_paused(stackful(|| {
        let (mut client, conn) = pair();
        client.set_write_timeout(Some(LIMIT)).unwrap();
        fill(&client);
        let start = Instant::now();
        assert_eq!(client.write(&[1]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(start.elapsed(), LIMIT);
        drop(conn);
    }));
}

#[cfg(target_os = "linux")]
#[test]
fn connect_timeout_unroutable() {
    run_paused(stackful(|| {
        // Nobody is accepted, so at some point the backlog is full, and there is no answer.
        let listener = eventlet::listen("127.0.0.1:0").backlog(1).block().unwrap();
        let addr = listener.local_addr().unwrap();
        let mut conns = Vec::new();
        let error = loop {
            match TcpStream::connect_timeout(&addr, LIMIT) {
                Ok(conn) => conns.push(conn),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(!conns.is_empty());
    }));
}

#[test]
fn connect_timeout_error() {
    run(stackful(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        assert!(TcpStream::connect_timeout(&addr, LIMIT).is_ok());
        drop(listener);
        let error = TcpStream::connect_timeout(&addr, LIMIT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }));
}

/// Who read what.
type Seen = Rc<RefCell<Vec<(u8, u8)>>>;

/// Starts readers of one connection that note who read what.
fn readers(conn: &TcpStream, count: u8) -> (Vec<thread::JoinHandle<()>>, Seen) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let start = |number| {
        let (mut conn, seen) = (conn.try_clone().unwrap(), Rc::clone(&seen));
        thread::spawn(move || {
            let mut buf = [0];
            conn.read_exact(&mut buf).unwrap();
            seen.borrow_mut().push((number, buf[0]));
        })
    };
    let readers = (0..count).map(start).collect();
    thread::yield_now();
    (readers, seen)
}

#[test]
fn tcp_clone_two_read() {
    run(stackful(|| {
        let (mut client, conn) = pair();
        let (readers, seen) = readers(&conn, 5);
        client.write_all(&[10, 11]).unwrap();
        thread::yield_now();
        client.write_all(&[12, 13, 14]).unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_eq!(*seen.borrow(), [(0, 10), (1, 11), (2, 12), (3, 13), (4, 14)]);
    }));
}

#[test]
fn the_end_reaches_every_reader() {
    run(stackful(|| {
        let (client, conn) = pair();
        let start = |_| {
            let mut conn = conn.try_clone().unwrap();
            thread::spawn(move || conn.read(&mut [0; 9]).unwrap())
        };
        let readers: Vec<_> = (0..5).map(start).collect();
        thread::yield_now();
        client.shutdown(Shutdown::Write).unwrap();
        readers.into_iter().for_each(|reader| assert_eq!(reader.join().unwrap(), 0));
    }));
}

#[test]
fn a_killed_reader_passes_its_turn_on() {
    run(stackful(|| {
        for victim in 0..3 {
            let (mut client, conn) = pair();
            let (readers, seen) = readers(&conn, 3);
            for (number, reader) in readers.into_iter().enumerate() {
                if number == victim {
                    GreenThread::from(reader).kill();
                }
            }
            client.write_all(&[10, 11]).unwrap();
            while seen.borrow().len() < 2 {
                thread::yield_now();
            }
            let read: Vec<u8> = seen.borrow().iter().map(|(_, byte)| *byte).collect();
            assert_eq!(read, [10, 11]);
        }
    }));
}

#[test]
fn a_reader_that_was_woken_and_killed_loses_nothing() {
    run(stackful(|| {
        let (mut client, conn) = pair();
        let (mut readers, seen) = readers(&conn, 2);
        client.write_all(&[10]).unwrap();
        // Tokio wakes the first reader while it looks at the sockets for us; the kill comes before
        // its turn.
        tokio::task::yield_now().block();
        GreenThread::from(readers.remove(0)).kill();
        if seen.borrow().is_empty() {
            readers.remove(0).join().unwrap();
        }
        assert_eq!(seen.borrow().len(), 1);
        assert_eq!(seen.borrow()[0].1, 10);
    }));
}

#[test]
fn a_reader_that_was_chosen_and_killed_passes_its_turn_on() {
    run(stackful(|| {
        let (mut client, conn) = pair();
        let (readers, seen) = readers(&conn, 3);
        let [first, second, third] = <[_; 3]>::try_from(readers).unwrap().map(GreenThread::from);
        // A link runs right at the end of the first, when the second was chosen and has not run
        // yet.
        let victim = *second;
        first.link(move |_| victim.kill());
        client.write_all(&[10, 11]).unwrap();
        third.block().unwrap();
        assert!(second.block().unwrap_err().is_killed());
        assert_eq!(*seen.borrow(), [(0, 10), (2, 11)]);
    }));
}

#[test]
fn waiting_in_line_counts_for_the_limit() {
    run_paused(stackful(|| {
        let (mut client, conn) = pair();
        let (readers, _seen) = readers(&conn, 1);
        conn.set_read_timeout(Some(LIMIT)).unwrap();
        let start = Instant::now();
        assert_eq!((&conn).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(start.elapsed(), LIMIT);
        client.write_all(&[1]).unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    }));
}

/// Everybody computes past both limits: only then does the clock get a look.
#[test]
fn of_the_limits_of_a_socket_and_around_it_the_earlier_takes_effect() {
    for [outer, inner] in [[1, 2], [2, 1]] {
        run_paused(stackful(move || {
            let (_client, mut conn) = pair();
            conn.set_read_timeout(Some(LIMIT * inner)).unwrap();
            let limit = Timeout::new(LIMIT * outer);
            let reader = thread::spawn(move || limit.run_blocking(|| conn.read(&mut [0])));
            thread::yield_now();
            tokio::time::advance(LIMIT * 3).block();
            match reader.join().unwrap() {
                Err(passed) => assert!(outer < inner && passed == limit),
                Ok(read) => {
                    assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
                    assert!(inner < outer);
                }
            }
        }));
    }
}

#[test]
fn two_writers_that_wait_both_finish() {
    run(stackful(|| {
        let (client, mut conn) = pair();
        fill(&client);
        let write = |byte| {
            let mut client = client.try_clone().unwrap();
            thread::spawn(move || client.write_all(&vec![byte; 300_000]).unwrap())
        };
        let writers = [write(1), write(2)];
        thread::yield_now();
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            conn.read_to_end(&mut all).unwrap();
            [1, 2].map(|byte| all.iter().filter(|read| **read == byte).count())
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.join().unwrap(), [300_000, 300_000]);
    }));
}

#[test]
fn a_reader_and_a_writer_do_not_wait_for_each_other() {
    run(stackful(|| {
        let (mut client, conn) = pair();
        let (readers, _seen) = readers(&conn, 1);
        (&conn).write_all(&[1]).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 1);
        client.write_all(&[1]).unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    }));
}

#[test]
fn a_connection_that_is_always_ready_starves_nobody() {
    run(stackful(|| {
        let (mut client, mut conn) = pair();
        let stop = Rc::new(Cell::new(false));
        let busy = thread::spawn({
            let stop = Rc::clone(&stop);
            move || {
                // It never finds the buffer empty.
                while !stop.get() {
                    client.write_all(&[0; 64]).unwrap();
                    conn.read_exact(&mut [0; 64]).unwrap();
                }
            }
        });
        for _ in 0..10 {
            thread::yield_now();
        }
        stop.set(true);
        busy.join().unwrap();
    }));
}

#[test]
fn what_can_be_done_at_once_keeps_the_turn() {
    run(stackful(|| {
        let (mut client, mut conn) = pair();
        // The first use of each end may wait for Tokio to hear of it.
        client.write_all(&[1]).unwrap();
        conn.read_exact(&mut [0]).unwrap();
        conn.write_all(&[1]).unwrap();
        client.write_all(&[2, 3]).unwrap();
        client.read_exact(&mut [0]).unwrap();
        conn.read_exact(&mut [0]).unwrap();

        let other = spawn(async {});
        conn.read_exact(&mut [0]).unwrap();
        conn.write_all(&[4]).unwrap();
        assert!(!other.dead());
        other.block().unwrap();
    }));
}

#[test]
fn whoever_only_writes_or_only_reads_lets_others_run() {
    run(stackful(|| {
        let (mut client, mut conn) = pair();
        let other = spawn(async {});
        for _ in 0..1000 {
            client.write_all(&[1]).unwrap();
        }
        assert!(other.dead(), "nobody ran while one wrote");

        let other = spawn(async {});
        for _ in 0..1000 {
            conn.read_exact(&mut [0]).unwrap();
        }
        assert!(other.dead(), "nobody ran while one read");
    }));
}

fn panic_text(code: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(code)).expect_err("no panic");
    payload.downcast_ref::<&str>().map(|text| text.to_string()).expect("not a text")
}

#[test]
fn without_a_green_stack_it_panics_with_the_cure() {
    run(async {
        let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let conn = TcpStream::from(eventlet::connect(addr).await.unwrap());
        let listener = TcpListener::from(listener);
        let (mut buf, mut conn) = ([0], conn);
        for text in [
            panic_text(|| drop(conn.read(&mut buf))),
            panic_text(|| drop(conn.peek(&mut buf))),
            panic_text(|| drop(conn.write(&buf))),
            panic_text(|| drop(listener.accept())),
            panic_text(|| drop(TcpStream::connect(addr))),
            panic_text(|| drop(TcpStream::connect("localhost:1"))),
            panic_text(|| thread::sleep(LIMIT)),
            panic_text(|| drop(thread::spawn(|| ()).join())),
        ] {
            assert!(text.contains("run the closure with `spawn(stackful(closure))`"), "{text}");
        }
        // What does not wait works anywhere.
        conn.set_nonblocking(true).unwrap();
        assert_eq!(conn.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(TcpListener::bind("127.0.0.1:0").is_ok());
    });
}

#[test]
fn the_panic_is_in_the_callers_line() {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let here = std::thread::current().id();
    let (tx, rx) = std::sync::mpsc::channel();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == here {
            let _gone = tx.send(info.location().unwrap().file().to_owned());
        } else {
            before(info);
        }
    }));
    run({
        let lines = Rc::clone(&lines);
        async move {
            let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
            let addr: SocketAddr = listener.local_addr().unwrap();
            let mut conn = TcpStream::from(eventlet::connect(addr).await.unwrap());
            let listener = TcpListener::from(listener);
            panic_text(|| drop(conn.read(&mut [0])));
            panic_text(|| drop((&conn).write(&[0])));
            panic_text(|| drop(conn.peek(&mut [0])));
            panic_text(|| drop(listener.accept()));
            panic_text(|| drop(listener.incoming().next()));
            panic_text(|| drop(TcpStream::connect(addr)));
            panic_text(|| drop(TcpStream::connect(("localhost", 1))));
            #[allow(clippy::redundant_closure, reason = "the line of a call is what is tested")]
            panic_text(|| thread::yield_now());
            lines.borrow_mut().extend(rx.try_iter());
        }
    });
    drop(std::panic::take_hook());
    let lines = lines.borrow();
    assert_eq!(lines.len(), 8);
    assert!(lines.iter().all(|file| file == file!()), "{lines:?}");
}

/// Says goodbye on its connection when it is dropped, and notes what became of it.
struct Goodbye {
    conn: TcpStream,
    noted: Rc<RefCell<Vec<String>>>,
}

impl Drop for Goodbye {
    fn drop(&mut self) {
        assert!(std::thread::panicking());
        let mut noted = self.noted.borrow_mut();
        noted.push(format!("{:?}", self.conn.write(b"bye").unwrap()));
        noted.push(format!("{:?}", self.conn.read(&mut [0; 9]).unwrap()));
        noted.push(self.conn.read(&mut [0; 9]).unwrap_err().to_string());
        noted.push(self.conn.peek(&mut [0; 9]).unwrap_err().to_string());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        noted.push(listener.accept().unwrap_err().to_string());
        let addr = listener.local_addr().unwrap();
        noted.push(TcpStream::connect(addr).unwrap_err().to_string());
        // Tokio has not heard of these yet, and nobody gives it the turn to.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fresh = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        assert_eq!(TcpStream::try_from(fresh).unwrap().write(b"hi").unwrap(), 2);
        assert_eq!(accepted.read(&mut [0; 9]).unwrap(), 2);
        thread::sleep(LIMIT);
        let payload = thread::spawn(|| ()).join().unwrap_err();
        noted.push(*payload.downcast::<String>().unwrap());
    }
}

#[test]
fn destructors_do_what_can_be_done_at_once() {
    for panics in [true, false] {
        run(stackful(move || {
            let (mut client, conn) = pair();
            let noted = Rc::new(RefCell::new(Vec::new()));
            let goodbye = Goodbye { conn, noted: Rc::clone(&noted) };
            let gt = GreenThread::from(thread::spawn(move || {
                let _goodbye = goodbye;
                thread::yield_now();
                assert!(!panics, "on purpose");
                thread::sleep(Duration::MAX);
            }));
            thread::yield_now();
            client.write_all(b"hello").unwrap();
            if !panics {
                gt.kill();
            }
            assert!(gt.block().is_err());

            let mut text = String::new();
            let _reset = client.read_to_string(&mut text);
            assert_eq!(text, "bye");
            let refused = "this would have to wait, while its green stack unwinds";
            assert_eq!(*noted.borrow(), ["3", "5", refused, refused, refused, refused, refused]);
        }));
    }
}

#[test]
fn a_stackless_green_thread_of_the_same_hub_uses_tokios_half() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    run(stackful(|| {
        let (mut client, conn) = pair();
        let mut conn = conn.into_tokio().unwrap();
        let echo = spawn(async move {
            let mut line = [0; 5];
            conn.read_exact(&mut line).await.unwrap();
            conn.write_all(&line).await.unwrap();
        });
        client.write_all(b"hello").unwrap();
        let mut line = [0; 5];
        client.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"hello");
        echo.block().unwrap();
    }));
}

#[test]
fn a_limit_of_a_socket_is_a_timeout() {
    run_paused(stackful(|| {
        let (mut client, _conn) = pair();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        client.set_write_timeout(Some(LIMIT)).unwrap();
        let reading = client.read(&mut [0]).unwrap_err();
        fill(&client);
        let writing = client.write(&[0; 65536]).unwrap_err();
        for error in [reading, writing] {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            assert!(is_timeout(&error));
            assert_eq!(error.to_string(), Timeout::new(LIMIT).to_string());
        }
        client.set_nonblocking(true).unwrap();
        assert!(!is_timeout(&client.read(&mut [0]).unwrap_err()), "it has not waited");
    }));
}
