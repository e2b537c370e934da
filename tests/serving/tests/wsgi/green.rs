//! The listeners of green stacks, plain and with TLS.

use std::io::{Read, Write};
use std::time::Duration;

use eventlet::green::net::{TcpListener, TcpStream};
use eventlet::green::os::unix::net::{UnixListener, UnixStream};
use eventlet::green::ssl::TlsStream;
use eventlet::wsgi::{self, Environ, IntoListener};
use eventlet::{Block, serve, spawn, stackful, wrap_ssl};
use eventlet_serving::Authority;

use crate::support::{get, test};

/// Serves one request, and returns what `ask` gets for it.
fn served(listener: impl IntoListener, ask: impl FnOnce() -> String) -> String {
    let site = |env: Environ| stackful(move || format!("{} {}", env.url_scheme(), env.path_info()));
    let serving = wsgi::server(listener, site).log_output(false);
    let server = serving.handle();
    let served = spawn(serving);
    let answer = ask();
    server.shutdown(Duration::from_secs(5)).block();
    served.block().unwrap().unwrap();
    answer
}

fn ask(mut conn: impl Read + Write) -> String {
    conn.write_all(get("/you").as_bytes()).unwrap();
    let mut answer = String::new();
    conn.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn tcp() {
    test(stackful(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        // A clone is no hindrance.
        let clone = listener.try_clone().unwrap();
        let answer = served(listener, || ask(TcpStream::connect(addr).unwrap()));
        assert!(answer.ends_with("\r\n\r\nhttp /you"), "{answer}");
        drop(clone);
    }));
}

#[test]
fn unix() {
    test(stackful(|| {
        let path = std::env::temp_dir().join(format!("eventlet-green-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let answer = served(listener, || ask(UnixStream::connect(&path).unwrap()));
        assert!(answer.ends_with("\r\n\r\nhttp /you"), "{answer}");
        std::fs::remove_file(&path).unwrap();
    }));
}

#[test]
fn tcp_with_tls() {
    test(stackful(|| {
        let authority = Authority::new("ours");
        let context = authority.sign("127.0.0.1").server();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let listener = wrap_ssl(listener, &context);
        let client = authority.client();
        let answer = served(listener, || ask(TlsStream::connect(addr, &client).unwrap()));
        assert!(answer.ends_with("\r\n\r\nhttps /you"), "{answer}");
    }));
}

#[test]
fn unix_with_tls() {
    test(stackful(|| {
        let authority = Authority::new("ours");
        let context = authority.sign("good.test").server();
        let path = std::env::temp_dir().join(format!("eventlet-green-tls-{}", std::process::id()));
        let listener = wrap_ssl(UnixListener::bind(&path).unwrap(), &context);
        let client = authority.client();
        let connect = || {
            let socket = UnixStream::connect(&path).unwrap().into_tokio().unwrap();
            let conn = wrap_ssl(socket, &client).server_hostname("good.test");
            TlsStream::from(conn.into_future().block().unwrap())
        };
        let answer = served(listener, || ask(connect()));
        assert!(answer.ends_with("\r\n\r\nhttps /you"), "{answer}");
        std::fs::remove_file(&path).unwrap();
    }));
}

#[test]
fn handlers_of_serve_get_the_stream_of_a_green_stack() {
    test(stackful(|| {
        let authority = Authority::new("ours");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let listener = wrap_ssl(listener, &authority.sign("127.0.0.1").server());
        let hello = |mut conn: TlsStream, _| {
            stackful(move || {
                conn.write_all(b"hello")?;
                conn.shutdown(std::net::Shutdown::Write)
            })
        };
        let served = spawn(serve(listener, hello, 10));
        let mut conn = TlsStream::connect(addr, &authority.client()).unwrap();
        let mut greeting = String::new();
        conn.read_to_string(&mut greeting).unwrap();
        assert_eq!(greeting, "hello");
        served.kill();
    }));
}
