//! Ctrl-C and SIGTERM reach the main green thread of a process. Each test is the parent of a
//! process that runs the same test as its child.
#![cfg(unix)]

#[path = "support/child.rs"]
mod child;

use std::future::pending;
use std::io::{BufRead, BufReader, Read};
use std::process::{Stdio, exit};

use eventlet::runtime::{Builder, KeyboardInterrupt};
use eventlet::{getcurrent, interrupted, run, spawn_n};
use rustix::process::{Pid, Signal, kill_process};

/// Says so when it is dropped.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

/// Runs `body` in a process of its own, sends it a signal when it says `ready`, and returns what
/// it printed and its exit code.
fn signalled(test: &str, signal: Signal, body: impl FnOnce()) -> (Vec<String>, Option<i32>) {
    if child::is_child() {
        body();
        exit(0);
    }
    let mut process = child::command(test).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the child ended early");
    }
    kill_process(Pid::from_child(&process), signal).unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    (rest.lines().map(str::to_owned).collect(), process.wait().unwrap().code())
}

/// Runs a main green thread that waits for ever, and exits as a shell expects it.
fn wait_for_ever(main: impl Future<Output = ()> + 'static) {
    let ended = Builder::new().keyboard_interrupt(true).run(async {
        let _main = Says("main's destructor");
        let other = Says("another's destructor");
        spawn_n(async move {
            let _other = other;
            pending::<()>().await;
        });
        main.await;
    });
    let interrupt = KeyboardInterrupt::from_error(&ended.unwrap_err()).unwrap();
    println!("{interrupt}");
    exit(interrupt.exit_code().into());
}

#[test]
fn it_ends_the_wait_of_main_and_destructors_run() {
    let (said, code) =
        signalled("it_ends_the_wait_of_main_and_destructors_run", Signal::INT, || {
            wait_for_ever(async {
                println!("ready");
                pending::<()>().await;
            });
        });
    assert_eq!(said, ["main's destructor", "another's destructor", "SIGINT"]);
    assert_eq!(code, Some(130));
}

#[cfg(feature = "stackful")]
#[test]
fn it_unwinds_a_main_on_a_green_stack() {
    use eventlet::{Block, stackful};

    let (said, code) = signalled("it_unwinds_a_main_on_a_green_stack", Signal::TERM, || {
        wait_for_ever(stackful(|| {
            let _deep = Says("a destructor on the stack");
            println!("ready");
            pending::<()>().block();
        }));
    });
    let expected =
        ["a destructor on the stack", "main's destructor", "another's destructor", "SIGTERM"];
    assert_eq!(said, expected);
    assert_eq!(code, Some(143));
}

#[test]
fn a_program_can_wait_for_it() {
    let (said, code) = signalled("a_program_can_wait_for_it", Signal::TERM, || {
        run(async {
            let interrupt = interrupted();
            println!("ready");
            println!("{}: closing", interrupt.await.unwrap());
        });
    });
    assert_eq!((said, code), (vec!["SIGTERM: closing".to_owned()], Some(0)));
}

#[test]
fn an_interrupt_that_the_program_throws_itself_is_none_of_the_builder() {
    let ended = std::panic::catch_unwind(|| {
        run(async {
            getcurrent().throw(KeyboardInterrupt::SIGINT);
            pending::<()>().await;
        });
    });
    let message = *ended.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("SIGINT"), "{message}");
}
