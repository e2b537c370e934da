//! Runs every example as its head says, and checks its output.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use eventlet::websocket::{WebSocket, connect};
use eventlet::{sleep, spawn_n, with_timeout};

/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before sending again to a client that may not have been subscribed yet.
const AGAIN: Duration = Duration::from_millis(20);

/// Returns the program of an example, which `cargo test` has built beside this one.
fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    assert!(path.exists(), "{} is not built: run `cargo build --examples`", path.display());
    Command::new(path)
}

/// A program that runs until this is dropped, and what it prints.
struct Program(Child, BufReader<ChildStdout>);

impl Program {
    fn start(name: &str, arguments: &[&str]) -> Program {
        let mut child = example(name).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Program(child, output)
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The address that a server prints first.
    fn address(&mut self) -> String {
        let line = self.says();
        line.strip_prefix("listening on ").expect(&line).to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn zmq_simple() {
    let output = example("zmq_simple").output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let count = |line: &str| lines.lines().filter(|said| *said == line).count();
    for line in ["BOB SENDING", "ALICE GOT: HI", "ALICE SENDING", "BOB GOT: HI BACK"] {
        assert_eq!(count(line), 10, "{line}:\n{lines}");
    }
}

#[test]
fn zmq_chat() {
    let mut server = Program::start("zmq_chat", &["127.0.0.1:0"]);
    let address = server.address();
    let join = || TcpStream::connect(&address).unwrap();
    let (ada, bob) = (join(), join());
    bob.set_read_timeout(Some(PATIENCE)).unwrap();

    let heard = Arc::new(AtomicBool::new(false));
    let speaker = thread::spawn({
        let (mut ada, heard) = (ada.try_clone().unwrap(), Arc::clone(&heard));
        move || -> io::Result<()> {
            writeln!(ada, "name: Ada")?;
            while !heard.load(Ordering::SeqCst) {
                writeln!(ada, "hello")?;
                thread::sleep(AGAIN);
            }
            Ok(())
        }
    });
    let mut lines = BufReader::new(&bob).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "Ada: hello"));
    heard.store(true, Ordering::SeqCst);
    speaker.join().unwrap().unwrap();

    // By now both are subscribed: a client that gets its own line gets all that follow.
    writeln!(&bob, "good morning").unwrap();
    assert!(lines.any(|line| line == "someone: good morning"));
    drop((ada, lines));
    drop(bob);
    let mut said = || server.says();
    let left = std::iter::from_fn(|| Some(said())).filter(|line| line == "Participant left chat.");
    assert_eq!(left.take(2).count(), 2);
}

/// Visits a server as a browser does.
async fn visit(address: &str) -> WebSocket {
    let visitor = connect(format!("ws://{address}/chat"));
    visitor.header("Origin", format!("http://{address}")).await.unwrap()
}

/// Waits until a visitor hears a line.
async fn hears(visitor: &WebSocket, line: &str) {
    let heard = async {
        while visitor.wait().await.unwrap().expect("the server stays").as_text() != Some(line) {}
    };
    with_timeout(PATIENCE, heard).await.unwrap();
}

#[test]
fn distributed_websocket_chat() {
    let mut bridge = Program::start("chat_bridge", &["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"]);
    let said = bridge.says();
    let endpoints = said.strip_prefix("publish to ").unwrap();
    let (publish, subscribe) = endpoints.split_once(", subscribe to ").unwrap();
    let mut servers = [(); 2].map(|()| {
        Program::start("distributed_websocket_chat", &["127.0.0.1:0", publish, subscribe])
    });
    let [one, other] = servers.each_mut().map(Program::address);

    eventlet::run(async move {
        let (ada, bob) = (visit(&one).await, visit(&other).await);
        let speaker = spawn_n({
            let ada = ada.clone();
            async move {
                while ada.send("hello").await.is_ok() {
                    sleep(AGAIN).await;
                }
            }
        });
        hears(&bob, "hello").await;
        hears(&ada, "hello").await;
        speaker.kill();
        // A client that gets others' lines may be heard only later.
        let speaker = spawn_n({
            let bob = bob.clone();
            async move {
                while bob.send("good morning").await.is_ok() {
                    sleep(AGAIN).await;
                }
            }
        });
        hears(&ada, "good morning").await;
        speaker.kill();
    });
}
