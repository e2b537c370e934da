//! A process that is stopped and continued goes on: what waits for I/O or for the clock does not
//! notice.
//!
//! Follows eventlet tests/hub_test.py, class TestSuspend, at c8f903a3. On Linux a wait for I/O that
//! a stop interrupts fails with `EINTR` when the process goes on. The stopped process is a child;
//! no clock is slept on.
#![cfg(target_os = "linux")]

#[path = "support/child.rs"]
mod child;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Stdio};
use std::thread;
use std::time::Duration;

use eventlet::hubs::{Interest, get_hub, trampoline};
use eventlet::{run, sleep, spawn, tpool, with_timeout};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::thread::gettid;
use tokio::time::Instant;

const STOPS: usize = 5;

#[test]
fn what_waits_stackless() {
    if !child::is_child() {
        return stop_and_continue("what_waits_stackless");
    }
    run(async {
        let reader = spawn(async {
            for _ in 0..STOPS {
                trampoline(io::stdin(), Interest::Read, Duration::from_secs(3600)).await.unwrap();
                read_line();
            }
        });
        wait_for(reader).await;
    });
}

#[cfg(feature = "stackful")]
#[test]
fn what_waits_stackful() {
    use eventlet::{Block, stackful};

    if !child::is_child() {
        return stop_and_continue("what_waits_stackful");
    }
    run(async {
        let reader = spawn(stackful(|| {
            for _ in 0..STOPS {
                let wait = trampoline(io::stdin(), Interest::Read, Duration::from_secs(3600));
                wait.block().unwrap();
                read_line();
            }
        }));
        wait_for(reader).await;
    });
}

fn read_line() {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    assert_eq!(line, "go on\n");
    println!("went on");
}

/// The child: says that it is ready, and waits for the clock and for a blocking call besides.
async fn wait_for(reader: eventlet::GreenThread<()>) {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let blocking = spawn(tpool::execute(move || here.read(&mut [0]).unwrap()));
    let short = spawn(async {
        for length in [1, 10, 100].map(Duration::from_millis) {
            let start = Instant::now();
            sleep(length).await;
            assert!(start.elapsed() >= length);
        }
    });
    sleep(Duration::ZERO).await;
    println!("\nready, thread {}", gettid().as_raw_nonzero());
    with_timeout(Duration::from_secs(3600), reader).await.unwrap().unwrap();
    short.await.unwrap();
    there.write_all(b"!").unwrap();
    assert_eq!(blocking.await.unwrap(), 1);
    assert_eq!((get_hub().green_threads(), get_hub().timers()), (1, 0));
}

/// The parent.
fn stop_and_continue(test: &str) {
    let mut child =
        child::command(test).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let ready = line_with(&mut output, "ready, thread ");
    let thread = ready.rsplit(' ').next().unwrap().to_owned();
    for _ in 0..STOPS {
        stop_while_it_waits(&child, &thread);
        writeln!(child.stdin.as_mut().unwrap(), "go on").unwrap();
        line_with(&mut output, "went on");
    }
    drop(child.stdin.take());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
}

/// Returns the next line that begins so.
fn line_with(output: &mut BufReader<ChildStdout>, words: &str) -> String {
    let mut lines = output.lines().map(Result::unwrap);
    lines.find(|line| line.starts_with(words)).expect("the child has ended")
}

/// Stops the child in a wait of its hub, and lets it go on once it has stopped.
fn stop_while_it_waits(child: &Child, thread: &str) {
    let pid = Pid::from_child(child);
    while state(child, thread) != 'S' {
        thread::yield_now();
    }
    kill_process(pid, Signal::STOP).unwrap();
    let (_, stopped) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(stopped.stopped(), "{stopped:?}");
    kill_process(pid, Signal::CONT).unwrap();
    let (_, continued) = waitpid(Some(pid), WaitOptions::CONTINUED).unwrap().unwrap();
    assert!(continued.continued(), "{continued:?}");
}

/// Returns what an OS thread of the child is doing, in the letters of `ps`: S for a wait.
fn state(child: &Child, thread: &str) -> char {
    let stat = fs::read_to_string(format!("/proc/{}/task/{thread}/stat", child.id())).unwrap();
    let (_, after_the_name) = stat.rsplit_once(") ").unwrap();
    after_the_name.chars().next().unwrap()
}
