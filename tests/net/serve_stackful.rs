//! `connect`, `listen` and `serve` on green stacks.

use std::io::{self, BufRead, BufReader, Read, Write};

use eventlet::green::net::{TcpListener, TcpStream};
use eventlet::{Block, Flat, StopServe, connect, listen, serve, spawn, stackful};

use crate::ear::Ear;
use crate::support::run;

/// Answers lines in capitals until a line says `stop` or the client leaves.
fn shout(conn: TcpStream) -> io::Result<()> {
    let mut answers = conn.try_clone()?;
    for line in BufReader::new(conn).lines() {
        match line?.as_str() {
            "stop" => return Err(StopServe::with("told to").into()),
            "panic" => panic!("oops"),
            "fail" => return Err(io::Error::other("failed")),
            line => writeln!(answers, "{}", line.to_uppercase())?,
        }
    }
    Ok(())
}

fn ask(addr: std::net::SocketAddr, text: &str) -> String {
    let mut conn = TcpStream::from(connect(addr).block().unwrap());
    conn.write_all(text.as_bytes()).unwrap();
    conn.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    conn.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn stackful_handlers_answer_fail_panic_and_stop() {
    run(stackful(|| {
        let ear = Ear::open();
        let listener = listen("127.0.0.1:0").block().unwrap();
        let addr = listener.local_addr().unwrap();
        let handler = |conn: tokio::net::TcpStream, _addr| stackful(move || shout(conn.into()));
        let server = spawn(serve(listener, handler, 3));

        assert_eq!(ask(addr, "one\ntwo\n"), "ONE\nTWO\n");
        assert_eq!(ask(addr, "three\npanic\n"), "THREE\n");
        assert_eq!(ask(addr, "four\nfail\n"), "FOUR\n");
        assert_eq!(ask(addr, "five\nstop\n"), "FIVE\n");
        let error = server.block().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "told to");
        let heard = ear.heard();
        assert_eq!(heard.len(), 2, "{heard:?}");
    }));
}

#[test]
fn a_stackful_handler_without_a_result() {
    run(stackful(|| {
        let listener = listen("127.0.0.1:0").block().unwrap();
        let addr = listener.local_addr().unwrap();
        let handler = |conn: tokio::net::TcpStream, _addr| {
            stackful(move || TcpStream::from(conn).write_all(b"hello").unwrap())
        };
        let _server = spawn(serve(listener, handler, 1));
        for _ in 0..3 {
            assert_eq!(ask(addr, ""), "hello");
        }
    }));
}

#[test]
fn a_green_listener_hands_over_the_green_stream() {
    run(stackful(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = spawn(serve(listener, |conn, _| stackful(move || shout(conn)), 3));
        assert_eq!(ask(addr, "one\nstop\n"), "ONE\n");
        assert_eq!(server.block().flat().unwrap_err().to_string(), "told to");
    }));
}

#[test]
fn a_function_of_its_own_is_called_with_what_was_accepted() {
    fn greet(mut conn: TcpStream, peer: std::net::SocketAddr) -> io::Result<()> {
        writeln!(conn, "hello {}", peer.ip())
    }
    run(stackful(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let handler = |conn, peer| stackful::call(greet, (conn, peer));
        let _server = spawn(serve(listener, handler, 1));
        assert_eq!(ask(addr, ""), "hello 127.0.0.1\n");
    }));
}

#[test]
fn so_does_a_green_unix_listener() {
    use eventlet::green::os::unix::net::{UnixListener, UnixStream};

    run(stackful(|| {
        let path = std::env::temp_dir().join(format!("eventlet-serve-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let handler = |mut conn: UnixStream, _addr| stackful(move || conn.write_all(b"hello"));
        let _server = spawn(serve(listener, handler, 3));
        let mut answer = String::new();
        UnixStream::connect(&path).unwrap().read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello");
        std::fs::remove_file(&path).unwrap();
    }));
}
