//! A real lack of file descriptors, in a process of its own.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use eventlet::wsgi::{self, Environ};
use eventlet::{listen, run};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// Set in the process that serves.
const SERVES: &str = "EVENTLET_TEST_SERVES";

/// How many descriptors the server may have, and how many clients want one at a time.
const LIMIT: u64 = 40;
const CLIENTS: usize = 80;

/// Serves with few descriptors until it is asked to end.
fn serves() {
    let limit = Rlimit { current: Some(LIMIT), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
    run(async {
        let listener = listen("127.0.0.1:0").await.unwrap();
        println!("listening on {}", listener.local_addr().unwrap());
        let serving = wsgi::server(listener, |_: Environ| async { "hello" });
        let serving = serving.log_with(|_, line| {
            if line.contains("cannot accept") {
                println!("{line}");
            }
        });
        let server = serving.handle();
        serving.shutdown_on(eventlet::interrupted()).await.unwrap();
        println!("accepted {}", server.stats().accepted);
    });
}

#[test]
fn too_few_descriptors_are_waited_for() {
    if env::var_os(SERVES).is_some() {
        return serves();
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "descriptors::too_few_descriptors_are_waited_for", "--nocapture"])
        .env(SERVES, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let addr = said.find_map(|line| Some(line.split_once("listening on ")?.1.to_owned())).unwrap();

    // No client closes its connection before all have sent a request.
    let ask = |_| {
        let mut conn = TcpStream::connect(&addr).unwrap();
        conn.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        conn
    };
    let conns: Vec<TcpStream> = (0..CLIENTS).map(ask).collect();
    assert!(said.next().unwrap().contains("cannot accept connections for now"));
    for (n, mut conn) in conns.into_iter().enumerate() {
        let mut answer = [0; 1000];
        let length = conn.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.ends_with("\r\n\r\nhello"), "{n}: {answer}");
    }

    kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(said.any(|line| line == format!("accepted {CLIENTS}")));
    assert!(child.wait().unwrap().success());
}
