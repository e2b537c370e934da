//! `green::io`'s standard streams. Each test runs in a process of its own, whose streams it has.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::{io, thread};
use eventlet::{Block, GreenThread, Timeout, spawn, stackful};

use crate::child;
use crate::support::green;

/// Starts this test again in a process of its own, or returns `None` if this is that process.
fn in_a_process_of_its_own(test: &str) -> Option<Child> {
    if child::is_child() {
        return None;
    }
    let mut command = child::command(test);
    command.arg("--quiet");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command.spawn().unwrap())
}

/// Waits until the process writes a line that says `text`.
fn expect(errors: &mut dyn BufRead, text: &str) {
    let mut line = String::new();
    while line.trim() != text {
        line.clear();
        assert_ne!(errors.read_line(&mut line).unwrap(), 0, "it ended before it said {text}");
    }
}

/// Talks to the process, and waits until it has ended well.
fn ends_well(mut child: Child, talk: impl FnOnce(ChildStdin, &mut dyn BufRead)) -> String {
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    talk(child.stdin.take().unwrap(), &mut errors);
    let rest = std::thread::spawn(move || io::read_to_string(errors).unwrap());
    let output = child.wait_with_output().unwrap();
    let rest = rest.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{rest}");
    text
}

#[test]
fn lines_of_standard_input() {
    if let Some(child) = in_a_process_of_its_own("io::lines_of_standard_input") {
        ends_well(child, |mut stdin, errors| {
            for part in ["one\ntw", "o\n", "three"] {
                expect(errors, "more");
                stdin.write_all(part.as_bytes()).unwrap();
            }
        });
        return;
    }
    green(|| {
        let read = Rc::new(Cell::new(0));
        let reader = thread::spawn({
            let read = Rc::clone(&read);
            move || {
                let lines = io::stdin().lines().inspect(|_| read.set(read.get() + 1));
                lines.collect::<Result<Vec<_>, _>>().unwrap()
            }
        });
        // This runs while the other waits, and there is only more when this says so.
        for expected in [0, 1, 2] {
            while read.get() < expected {
                thread::yield_now();
            }
            eprintln!("more");
        }
        assert_eq!(reader.join().unwrap(), ["one", "two", "three"]);
    });
}

#[test]
fn bytes_of_standard_input() {
    if let Some(child) = in_a_process_of_its_own("io::bytes_of_standard_input") {
        ends_well(child, |mut stdin, _| stdin.write_all(b"12345line\n67\xffrest").unwrap());
        return;
    }
    green(|| {
        let mut buf = [0; 3];
        io::stdin().read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"123");
        assert_eq!(io::stdin().read(&mut buf[..2]).unwrap(), 2);
        assert_eq!(&buf, b"453");
        let mut text = "a ".to_owned();
        assert_eq!(io::stdin().read_line(&mut text).unwrap(), 5);
        assert_eq!(text, "a line\n");
        let mut lock = io::stdin().lock();
        assert_eq!(lock.fill_buf().unwrap()[..2], *b"67");
        lock.consume(2);
        let mut bytes = Vec::new();
        assert_eq!(lock.read_until(b'r', &mut bytes).unwrap(), 2);
        drop(lock);
        assert_eq!(bytes, b"\xffr");
        assert_eq!(io::stdin().read_to_end(&mut bytes).unwrap(), 3);
        assert_eq!(bytes, b"\xffrest");
        assert_eq!(io::stdin().read_line(&mut text).unwrap(), 0);
        let error = io::stdin().read_exact(&mut buf).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(!io::stdin().is_terminal());
    });
}

#[test]
fn a_killed_reader_loses_not_even_half_a_line() {
    if let Some(child) = in_a_process_of_its_own("io::a_killed_reader_loses_not_even_half_a_line") {
        ends_well(child, |mut stdin, errors| {
            stdin.write_all(b"hel").unwrap();
            expect(errors, "more");
            stdin.write_all(b"lo\n").unwrap();
        });
        return;
    }
    green(|| {
        let mut line = String::new();
        let limit = Timeout::new(Duration::from_millis(50));
        assert_eq!(limit.run_blocking(|| io::stdin().read_line(&mut line).unwrap()), Err(limit));
        let victim = GreenThread::from(thread::spawn(|| io::stdin().lines().next()));
        let other = GreenThread::from(thread::spawn(|| io::stdin().read(&mut [0])));
        thread::yield_now();
        // The one reads, the other stands in line.
        other.kill();
        victim.kill();
        eprintln!("more");
        assert_eq!(io::stdin().read_line(&mut line).unwrap(), 6);
        assert_eq!(line, "hello\n");
    });
}

#[test]
fn the_end_of_a_hub_does_not_wait_for_input() {
    if let Some(child) = in_a_process_of_its_own("io::the_end_of_a_hub_does_not_wait_for_input") {
        ends_well(child, |mut stdin, errors| {
            expect(errors, "ended");
            stdin.write_all(b"hello").unwrap();
            // The process ends though its input goes on.
            let mut rest = String::new();
            errors.read_to_string(&mut rest).unwrap();
            assert!(rest.contains("read"), "{rest}");
        });
        return;
    }
    green(|| {
        thread::spawn(|| io::stdin().read(&mut [0; 9]));
        thread::yield_now();
    });
    eprintln!("ended");
    green(|| {
        assert_eq!(io::stdin().read(&mut [0; 9]).unwrap(), 5);
        thread::spawn(|| io::stdin().read(&mut [0; 9]));
        thread::yield_now();
        eprintln!("read");
    });
}

/// Reads when it is dropped.
struct Goodbye;

impl Drop for Goodbye {
    fn drop(&mut self) {
        assert!(std::thread::panicking());
        let error = io::stdin().read(&mut [0]).unwrap_err();
        assert!(error.to_string().contains("unwinds"), "{error}");
        writeln!(io::stdout(), "goodbye").unwrap();
    }
}

#[test]
fn destructors_write_and_do_not_wait() {
    if let Some(child) = in_a_process_of_its_own("io::destructors_write_and_do_not_wait") {
        let text = ends_well(child, |_stdin, errors| expect(errors, "done"));
        assert!(text.contains("goodbye\n"), "{text}");
        return;
    }
    green(|| {
        for holds in [false, true] {
            let reader = spawn(stackful(move || holds.then(|| io::stdin().read(&mut [0]))));
            let victim = spawn(stackful(|| {
                let _goodbye = Goodbye;
                thread::sleep(Duration::MAX);
            }));
            thread::yield_now();
            victim.kill();
            reader.kill();
        }
        eprintln!("done");
    });
}

#[test]
fn what_is_written_stays_whole_and_in_order() {
    if let Some(child) = in_a_process_of_its_own("io::what_is_written_stays_whole_and_in_order") {
        let text = ends_well(child, |_stdin, _| ());
        let lines: Vec<&str> = text.lines().collect();
        for who in ["a", "b", "c"] {
            let own = lines.iter().filter(|line| line.starts_with(who));
            let expected = (0..50).map(|number| format!("{who} {number} {who}"));
            assert!(own.eq(&expected.collect::<Vec<_>>()), "{text}");
        }
        let locked: Vec<_> =
            lines.iter().position(|line| *line == "locked 0").into_iter().collect();
        assert_eq!(lines[locked[0]..][..3], ["locked 0", "locked 1", "locked 2"], "{text}");
        let order = lines.iter().position(|line| *line == "first").unwrap();
        assert_eq!(lines[order..][..3], ["first", "second", "third"], "{text}");
        assert!(text.contains("no end"), "{text}");
        return;
    }
    green(|| {
        let mut writers: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|who| {
                thread::spawn(move || {
                    for number in 0..50 {
                        writeln!(io::stdout(), "{who} {number} {who}").unwrap();
                    }
                })
            })
            .collect();
        writers.push(thread::spawn(|| {
            let mut lock = io::stdout().lock();
            for number in 0..3 {
                writeln!(lock, "locked {number}").unwrap();
                thread::yield_now();
                // Who has it gets it again.
                io::stdout().flush().unwrap();
            }
        }));
        // A killed holder gives it back.
        let victim = spawn(stackful(|| {
            let _lock = io::stdout().lock();
            thread::sleep(Duration::MAX);
        }));
        thread::yield_now();
        victim.kill();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        writeln!(&io::stdout(), "first").unwrap();
        println!("second");
        io::stdout().write_all(b"third\n").unwrap();
        write!(io::stdout(), "no end").unwrap();
        write!(io::stderr(), "errors").unwrap();
        io::stderr().lock().flush().unwrap();
        assert!(!io::stdout().is_terminal() && !io::stderr().is_terminal());
    });
}

#[test]
fn others_run_while_nobody_reads_the_output() {
    if let Some(child) = in_a_process_of_its_own("io::others_run_while_nobody_reads_the_output") {
        // Its output is read after it said that.
        let text = ends_well(child, |_stdin, errors| expect(errors, "others run"));
        assert!(text.matches('x').count() >= 1 << 20);
        return;
    }
    green(|| {
        let writer = spawn(stackful(|| io::stdout().write_all(&vec![b'x'; 1 << 20]).unwrap()));
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(1));
            assert!(!writer.dead());
        }
        eprintln!("others run");
        writer.block().unwrap();
    });
}

#[test]
fn without_a_green_stack_it_panics_with_the_cure() {
    eventlet::run(async {
        for what in [
            || drop(io::stdin().lock()),
            || drop(io::stdout().lock()),
            || drop(io::stderr().write(b"x")),
        ] {
            let payload = std::panic::catch_unwind(what).unwrap_err();
            let text = payload.downcast_ref::<&str>().unwrap();
            assert!(text.contains("run the closure with `spawn(stackful(closure))`"), "{text}");
        }
    });
}
