//! `green::process` does what `std::process` does, and only the green thread waits.
//!
//! Case names after `library/std/src/process/tests.rs` of Rust 1.95.

use std::cell::Cell;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::os::unix::process::CommandExt;
use eventlet::green::process::{Child, Command, Signal, Stdio};
use eventlet::green::thread;
use eventlet::{Block, GreenThread, Timeout, spawn, stackful};

use crate::child;
use crate::support::{green, green_paused, open_descriptors};

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    shell
}

/// Starts a process that ends when its standard input does.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Runs `work` in a green thread, and returns how many turns others had meanwhile.
fn turns_during(work: impl FnOnce() + 'static) -> u32 {
    let work = thread::spawn(work);
    let mut turns = 0;
    while !work.is_finished() {
        turns += 1;
        thread::yield_now();
    }
    work.join().unwrap();
    turns
}

#[test]
fn smoke_and_its_failure() {
    green(|| {
        assert!(Command::new("true").spawn().unwrap().wait().unwrap().success());
        let error = Command::new("/no-binary-by-this-name").spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(shell("exit 1").status().unwrap().code(), Some(1));
    });
}

#[test]
fn signal_reported_right() {
    green(|| {
        let mut child = shell("read a").stdin(Stdio::piped()).spawn().unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert!(child.kill().is_ok());
        assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(9));
    });
}

#[test]
fn stdout_and_stdin_work() {
    green(|| {
        let mut child = shell("read line; echo $line")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(b"foobar\n").unwrap();
        let mut text = String::new();
        child.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "foobar\n");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_dialogue() {
    green(|| {
        let mut child = cat();
        let mut stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in ["one", "two", "three"] {
            writeln!(stdin, "{line}").unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), line);
        }
        drop(stdin);
        assert!(lines.next().is_none());
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn set_current_dir_and_environment_work() {
    green(|| {
        assert_eq!(Command::new("pwd").current_dir("/").output().unwrap().stdout, b"/\n");
        let output = Command::new("env").env("RUN_TEST_NEW_ENV", "123").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("RUN_TEST_NEW_ENV=123") && text.contains("PATH="), "{text}");
        let mut cleared = Command::new("/usr/bin/env");
        cleared
            .env("A", "1")
            .env("B", "2")
            .env_clear()
            .envs([("C", "3"), ("D", "4")])
            .env_remove("D");
        assert_eq!(cleared.output().unwrap().stdout, b"C=3\n");
        assert_eq!(cleared.get_program(), "/usr/bin/env");
        assert_eq!(cleared.get_envs().count(), 1);
        assert_eq!(cleared.get_current_dir(), None);
        assert!(format!("{cleared:?}").contains("/usr/bin/env"));
    });
}

#[test]
fn test_process_output_output() {
    green(|| {
        let output = shell("echo hello; echo bad >&2; exit 3").output().unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"hello\n"[..], &b"bad\n"[..]));
        assert_eq!(output.status.code(), Some(3));
    });
}

#[test]
fn output_captures_what_nobody_said_anything_of() {
    green(|| {
        // Nothing to read: it ends.
        let mut command = Command::new("cat");
        assert!(command.output().unwrap().stdout.is_empty());
        command.args(["/nowhere"]).stderr(Stdio::null());
        assert!(command.output().unwrap().stderr.is_empty());
        // What `output` chose is forgotten: a process that is started has no pipes.
        let mut child = command.spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none());
        child.wait().unwrap();
    });
}

#[test]
fn test_wait_with_output_once() {
    green(|| {
        let mut child = cat();
        child.stdin.as_mut().unwrap().write_all(b"hello").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"hello"[..], &b""[..]));
        assert!(output.status.success());
    });
}

#[test]
fn much_on_both_streams_at_once() {
    green(|| {
        let script =
            "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero";
        let output = shell(script).output().unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (600_000, 300_000));
    });
}

#[test]
fn others_run_while_one_waits() {
    green(|| {
        let waits: [fn(Child); 3] = [
            |mut child| assert!(child.wait().unwrap().success()),
            |child| drop(child.wait_with_output().unwrap()),
            |mut child| assert!(child.wait_timeout(Duration::MAX).unwrap().unwrap().success()),
        ];
        for wait in waits {
            let mut child = cat();
            // It ends with this, which `wait` does not know of.
            let stdin = child.stdin.take().unwrap();
            let ended = Rc::new(Cell::new(false));
            let turns = turns_during({
                let ended = Rc::clone(&ended);
                move || {
                    thread::spawn(move || {
                        (0..10).for_each(|_| thread::yield_now());
                        ended.set(true);
                        drop(stdin);
                    });
                    wait(child);
                }
            });
            assert!(ended.get() && turns > 3, "{turns}");
        }
    });
}

#[test]
fn wait_closes_standard_input() {
    green(|| {
        assert!(cat().wait().unwrap().success());
        assert!(cat().wait_timeout(Duration::from_secs(60)).unwrap().unwrap().success());
    });
}

/// Eventlet's subprocess_test.test_subprocess_wait.
#[test]
fn wait_timeout() {
    green_paused(|| {
        let mut child = cat();
        let stdin = child.stdin.take();
        assert!(child.wait_timeout(Duration::from_secs(10)).unwrap().is_none());
        assert!(child.try_wait().unwrap().is_none());
        assert_eq!(eventlet::hubs::get_hub().timers(), 0);
        drop(stdin);
        // A paused clock runs ahead of a process, so there is no limit here.
        assert!(child.wait().unwrap().success());
        assert!(child.wait_timeout(Duration::from_secs(10)).unwrap().unwrap().success());
    });
}

/// Eventlet's subprocess_test.test_communicate_with_poll.
#[test]
fn a_timeout_around_wait() {
    green_paused(|| {
        let mut child = cat();
        let stdin = child.stdin.take();
        let limit = Timeout::new(Duration::from_secs(10));
        assert_eq!(limit.run_blocking(|| child.wait().unwrap()), Err(limit));
        drop(stdin);
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_process_survives_whoever_waits_for_it() {
    green(|| {
        let mut child = cat();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let waiter = GreenThread::from(thread::spawn(move || child.wait().unwrap()));
        thread::yield_now();
        waiter.kill();
        stdin.write_all(b"still here").unwrap();
        let mut buf = [0; 10];
        stdout.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"still here");
    });
}

#[test]
fn bytes_are_not_lost_with_their_reader() {
    green(|| {
        let mut child = cat();
        let stdout = Rc::new(child.stdout.take().unwrap());
        let same = Rc::clone(&stdout);
        let victim = spawn(stackful(move || (&*same).read(&mut [0; 9]).unwrap()));
        thread::yield_now();
        victim.kill();
        child.stdin.as_mut().unwrap().write_all(b"hello").unwrap();
        assert_eq!((&*stdout).read(&mut [0; 9]).unwrap(), 5);
    });
}

#[test]
fn one_process_feeds_another() {
    green(|| {
        let mut echo = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn().unwrap();
        let upper =
            Command::new("tr").args(["a-z", "A-Z"]).stdin(echo.stdout.take().unwrap()).output();
        assert_eq!(upper.unwrap().stdout, b"HELLO\n");
        assert!(echo.wait().unwrap().success());
    });
}

/// Waits for its process when it is dropped.
struct Reaper(Child, Rc<Cell<Option<bool>>>);

impl Drop for Reaper {
    fn drop(&mut self) {
        assert!(std::thread::panicking());
        self.1.set(Some(self.0.wait().is_ok()));
    }
}

#[test]
fn a_destructor_does_not_wait_for_a_process() {
    green(|| {
        for ends in [false, true] {
            let noted = Rc::new(Cell::new(None));
            let mut child = cat();
            let stdin = child.stdin.take();
            if ends {
                drop(stdin);
                while child.try_wait().unwrap().is_none() {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            let reaper = Reaper(child, Rc::clone(&noted));
            let gt = spawn(stackful(move || {
                let _reaper = reaper;
                thread::sleep(Duration::MAX);
            }));
            thread::yield_now();
            gt.kill();
            assert_eq!(noted.get(), Some(ends));
        }
    });
}

#[test]
fn what_unix_adds() {
    green(|| {
        let output = shell("echo $0").arg0("alias").process_group(0).output().unwrap();
        assert_eq!(output.stdout, b"alias\n");
        let mut std = std::process::Command::new("echo");
        std.arg("hello");
        assert_eq!(Command::from(std).output().unwrap().stdout, b"hello\n");
    });
}

/// One that fails leaves `SIGPIPE` to end the process, which the other tests are in: so it is tried
/// in one of its own.
#[test]
fn exec_replaces_the_process_or_returns() {
    if !child::is_child() {
        let test = "process::exec_replaces_the_process_or_returns";
        let output = child::command(test).output().unwrap();
        assert!(output.status.success());
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.ends_with("replaced\n"), "{said}");
        return;
    }
    green(|| {
        let error = Command::new("/no-binary-by-this-name").exec();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        panic!("{}", Command::new("echo").arg("replaced").exec());
    });
}

#[test]
fn conversions() {
    green(|| {
        let child = tokio::process::Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = Child::try_from(child.unwrap()).unwrap();
        let stdin = child.stdin.take().unwrap().into_tokio().unwrap();
        let copied = eventlet::spawn(async move {
            let mut stdin = stdin;
            tokio::io::AsyncWriteExt::write_all(&mut stdin, b"hello").await.unwrap();
        });
        let mut text = String::new();
        copied.block().unwrap();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn no_descriptor_is_left() {
    // Other tests run in this process at the same time, so it is one of its own.
    if !child::is_child() {
        let output = child::command("process::no_descriptor_is_left").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    green(|| {
        let rounds = |count: usize| {
            for _ in 0..count {
                shell("echo out; echo err >&2").output().unwrap();
                cat().wait().unwrap();
                let mut child = cat();
                let stdout = child.stdout.take();
                let reader = spawn(stackful(move || stdout.unwrap().read(&mut [0])));
                thread::yield_now();
                reader.kill();
                child.wait_with_output().unwrap();
            }
            open_descriptors()
        };
        assert_eq!(rounds(1), rounds(10));
    });
}

#[test]
fn communicate_writes_and_reads_at_once() {
    green(|| {
        // More than any pipe holds, both ways.
        let input = b"0123456789abcdef".repeat(1 << 16);
        let mut child = cat();
        let output = child.communicate(&input).unwrap();
        assert!(output.status.success());
        assert!(output.stdout == input, "{} bytes came back", output.stdout.len());
        assert!(output.stderr.is_empty());
        assert!(child.wait().unwrap().success(), "it is known");
    });
}

#[test]
fn communicate_with_one_who_does_not_listen() {
    green(|| {
        let mut deaf = shell("exec <&-; echo out; echo err >&2; exit 3");
        let deaf = deaf.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = deaf.spawn().unwrap().communicate(vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
    });
}

#[test]
fn a_limit_around_communicate_leaves_the_process_to_be_killed() {
    green(|| {
        let mut child = Command::new("sleep").arg("60").stdout(Stdio::piped()).spawn().unwrap();
        let limit = Timeout::new(Duration::from_millis(1));
        assert_eq!(limit.run_blocking(|| child.communicate("").map_err(drop)), Err(limit));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    });
}

#[test]
fn many_wait_for_a_process_while_another_signals_it() {
    green(|| {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let waiters: Vec<GreenThread<_>> = (0..5)
            .map(|_| {
                let handle = child.handle();
                spawn(stackful(move || handle.wait().unwrap().signal()))
            })
            .collect();
        thread::yield_now();
        // The first asks for all, and passes that on.
        waiters[0].kill();
        let handle = child.handle();
        let killer = spawn(stackful(move || {
            assert_eq!(handle.wait_timeout(Duration::from_millis(1)).unwrap(), None);
            assert!(handle.try_wait().unwrap().is_none());
            handle.terminate().unwrap();
        }));
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
        killer.block().unwrap();
        for (number, waiter) in waiters.into_iter().enumerate() {
            match waiter.block() {
                Ok(signal) => assert_eq!(signal, Some(Signal::TERM.as_raw())),
                Err(exit) => assert!(number == 0 && exit.is_killed()),
            }
        }
        // There is nobody of that number any more.
        child.handle().kill().unwrap();
        child.send_signal(Signal::USR1).unwrap();
    });
}

#[test]
fn signals_have_names() {
    for name in ["SIGHUP", "SIGINT", "SIGKILL", "SIGUSR1", "SIGTERM", "SIGSTOP", "SIGCONT"] {
        let signal: Signal = name.parse().unwrap();
        assert_eq!((signal.to_string(), format!("{signal:?}")), (name.into(), name.into()));
        assert_eq!(name[3..].to_lowercase().parse(), Ok(signal));
    }
    assert!("9".parse::<Signal>().is_err());
}
