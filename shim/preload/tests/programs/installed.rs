//! Programs that are installed, with the library: they do what they do without it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use eventlet_servers::Redis;

use crate::support::{Ran, is_installed, preloaded};

#[test]
fn coreutils() {
    let script = "ls -a / | sort -r | tail -n 1; seq 3 | sort -r | xargs; exit 4";
    Ran::of(preloaded("sh").args(["-c", script])).check(".\n3 2 1\n", 4);
}

/// libcurl looks a name up in a thread.
#[test]
fn curl() {
    if !is_installed("curl") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        write!(client, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            .unwrap();
    });
    let ran = Ran::of(preloaded("curl").args(["--silent", "--show-error", "--noproxy", "*", &url]));
    assert_eq!((&*ran.output, ran.status.code()), ("hello", Some(0)), "{ran:?}");
    server.join().unwrap();
}

#[test]
fn redis_cli() {
    if !is_installed("redis-cli") {
        return;
    }
    let Some(server) = Redis::start() else { return };
    let port = server.port().to_string();
    let ask = |command: &[&str]| Ran::of(preloaded("redis-cli").args(["-p", &port]).args(command));
    ask(&["set", "key", "value"]).check("OK\n", 0);
    ask(&["get", "key"]).check("value\n", 0);
}

#[test]
fn python_keeps_its_os_threads() {
    if !is_installed("python3") {
        return;
    }
    const SCRIPT: &str = r#"
import os, threading
begun, ended = threading.Semaphore(0), threading.Event()
def work():
    begun.release()
    ended.wait()
threads = [threading.Thread(target=work) for _ in range(5)]
for thread in threads: thread.start()
for thread in threads: begun.acquire()
print(len(os.listdir("/proc/self/task")))
ended.set()
for thread in threads: thread.join()
"#;
    let mut command = preloaded("python3");
    Ran::of(command.args(["-c", SCRIPT])).check_refused("6\n", "Python");
}

/// This very program is one of Rust, whose test harness starts threads.
#[test]
fn a_program_of_rust_is_passed_through() {
    let this = std::env::current_exe().unwrap();
    let arguments = ["--test-threads=2", "--exact", "installed::coreutils"];
    let ran = Ran::of(preloaded(this).args(arguments));
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    assert_eq!(ran.errors.matches("has thread-locals").count(), 1, "{ran:?}");
}

/// The dynamic linker is not there in a static program, so nothing of this is, either.
#[test]
fn a_static_program_is_not_seen() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static");
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-x", "c", "-", "-o"]).arg(&program).stdin(Stdio::piped());
    let Ok(mut compiler) = compiler.stderr(Stdio::null()).spawn() else {
        println!("SKIPPED: there is no compiler of C");
        return;
    };
    compiler.stdin.take().unwrap().write_all(b"int main(void) { return 8; }\n").unwrap();
    if !compiler.wait().unwrap().success() {
        println!("SKIPPED: there is no static libc");
        return;
    }
    Ran::of(preloaded(program).env("EVENTLET_SHIM", "doctor")).check("", 8);
}
