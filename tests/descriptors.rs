//! A server that runs out of file descriptors goes on once there are some again.
//!
//! The limit is one of the whole process, so the test runs in a child that has a low one.
#![cfg(unix)]

use std::env;
use std::fs::File;
use std::iter;
use std::process::Command;
use std::time::Duration;

use eventlet::{listen, runtime::Builder, serve, sleep, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[test]
fn survives_running_out_of_file_descriptors() {
    if env::var_os("EVENTLET_TEST_CHILD").is_some() {
        return child();
    }
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" --exact --nocapture \"$1\""])
        .arg(env::current_exe().unwrap())
        .arg("survives_running_out_of_file_descriptors")
        .env("EVENTLET_TEST_CHILD", "1")
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    // Once for each of the two times that there were none.
    assert_eq!(errors.matches("cannot accept connections for now").count(), 2, "{errors}");
}

fn child() {
    Builder::new().start_paused(true).run(shortage()).unwrap();
}

async fn shortage() {
    let listener = listen("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let handler = |mut conn: TcpStream, _addr| async move { conn.write_all(b"hello").await };
    let server = spawn(serve(listener, handler, 1000));
    for _ in 0..2 {
        // The clients first, as they need descriptors of their own; and without giving up the turn,
        // so that nobody accepts them yet.
        let connect = |_| std::net::TcpStream::connect(addr).unwrap();
        let clients: Vec<_> = (0..5).map(connect).collect();
        let hoard: Vec<File> = iter::from_fn(|| File::open("/dev/null").ok()).collect();
        assert!(!hoard.is_empty());
        sleep(Duration::from_secs(60)).await;
        drop(hoard);
        for client in clients {
            client.set_nonblocking(true).unwrap();
            let mut client = TcpStream::from_std(client).unwrap();
            let mut text = String::new();
            client.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "hello");
        }
    }
    assert!(!server.dead());
}
