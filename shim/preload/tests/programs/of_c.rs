//! Programs of C and C++, unmodified: their threads are green.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Ran, Running, build, preload, preloaded};

/// Runs a program of the folder `c`, if it can be built.
fn run(source: &str, flags: &[&str], arguments: &[&str]) -> Option<Ran> {
    let program = build(source, flags)?;
    Some(Ran::of(preloaded(program).args(arguments)))
}

const CLIENTS: usize = 200;
const MESSAGES: usize = 50;

/// Starts the echo server, and returns it with its port.
fn echo() -> Option<(Running, u16)> {
    let program = build("echo.c", &[])?;
    let mut command = Command::new("env");
    let command = command.arg(preload()).arg(program).env_remove("EVENTLET_SHIM");
    let mut server = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut port = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    Some((server, port.trim().parse().unwrap()))
}

fn connect(port: u16) -> TcpStream {
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(100))).unwrap();
    client
}

#[test]
fn a_server_with_a_thread_for_each_connection_has_one_os_thread() {
    let Some((server, port)) = echo() else { return };
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| connect(port)).collect();
    for round in 0..MESSAGES {
        for (number, client) in clients.iter_mut().enumerate() {
            write!(client, "{number:08} {round:08}").unwrap();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let mut answer = [0; 17];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, *format!("{number:08} {round:08}").as_bytes());
        }
    }
    let tasks = fs::read_dir(format!("/proc/{}/task", server.0.id())).unwrap();
    assert_eq!(tasks.count(), 1);
}

#[test]
fn threads_lock_wait_join_detach_and_have_values_of_their_own() {
    let Some(ran) = run("threads.c", &[], &[]) else { return };
    ran.check("green\n", 3);
}

#[test]
fn sleeps_and_polls_overlap() {
    let Some(ran) = run("waits.c", &[], &[]) else { return };
    ran.check("green\n", 0);
}

#[test]
fn main_returns_while_threads_wait() {
    let Some(ran) = run("ends.c", &[], &["return"]) else { return };
    ran.check("green\nreturns at exit green\njoined", 5);
}

#[test]
fn a_thread_exits() {
    let Some(ran) = run("ends.c", &[], &["exit"]) else { return };
    ran.check("green\nexits at exit green\njoined", 5);
}

#[test]
fn main_leaves_and_the_last_thread_ends_the_process() {
    let Some(ran) = run("ends.c", &[], &["pthread_exit"]) else { return };
    ran.check("went on at exit", 0);
}

#[test]
fn children_of_fork_and_vfork_call_libc() {
    let Some(ran) = run("forks.c", &[], &[]) else { return };
    ran.check("green\n", 0);
}

#[test]
fn threads_of_cpp_keep_their_exceptions_apart() {
    let Some(ran) = run("threads.cpp", &[], &[]) else { return };
    ran.check("green\n", 0);
}

#[test]
fn thread_locals_are_refused() {
    let Some(ran) = run("own.c", &[], &[]) else { return };
    ran.check_refused("plain\n", "own.c has thread-locals");
    let Some(ran) = run("threads.cpp", &["-DOWN"], &[]) else { return };
    ran.check_refused("plain\n", "threads.cpp-DOWN has thread-locals");
}

#[test]
fn threads_of_c11() {
    let Some(ran) = run("c11.c", &[], &[]) else { return };
    ran.check("green\n", 0);
}

#[test]
fn threads_meet_at_a_barrier() {
    let Some(ran) = run("barrier.c", &[], &[]) else { return };
    ran.check("green\n", 0);
}

#[test]
fn a_join_with_a_limit_is_refused() {
    let Some(ran) = run("late.c", &[], &[]) else { return };
    ran.check_refused("plain\n", "late.c calls pthread_timedjoin_np");
}

#[test]
fn thread_locals_are_shared_where_that_is_forced() {
    let Some(program) = build("own.c", &[]) else { return };
    let ran = Ran::of(preloaded(program).env("EVENTLET_SHIM", "force"));
    assert_eq!((&*ran.output, ran.status.code()), ("green\n", Some(99)), "{ran:?}");
    assert!(ran.errors.contains("own == 1"), "{ran:?}");
}

#[test]
fn nothing_is_green_where_it_is_switched_off() {
    for (source, code) in [("threads.c", 3), ("c11.c", 0), ("own.c", 0)] {
        let Some(program) = build(source, &[]) else { return };
        Ran::of(preloaded(program).env("EVENTLET_SHIM", "off")).check("plain\n", code);
    }
}

#[test]
fn the_doctor_looks_at_any_program() {
    let Some(program) = build("threads.c", &[]) else { return };
    let ran = Ran::of(preloaded(program).env("EVENTLET_SHIM", "doctor"));
    assert_eq!((ran.status.code(), &*ran.errors), (Some(0), ""));
    assert!(ran.output.starts_with("eventlet-preload: the threads of this program are green\n"));
    assert!(ran.output.contains("a round trip between two green threads: works"), "{}", ran.output);
    let Some(program) = build("own.c", &[]) else { return };
    let ran = Ran::of(preloaded(program).env("EVENTLET_SHIM", "doctor"));
    assert!(ran.output.contains("own.c has thread-locals"), "{}", ran.output);
}
