//! `green::io::pipe`.
//!
//! Case names after `library/std/src/io/pipe/tests.rs` of Rust 1.95.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use eventlet::green::io::{PipeReader, PipeWriter, copy, pipe};
use eventlet::green::process::Command;
use eventlet::green::thread;
use eventlet::{Block, GreenThread, Timeout, spawn, stackful, tpool};

use crate::support::{green, green_paused};

#[test]
fn pipe_creation_clone_and_rw() {
    green(|| {
        let (reader, writer) = pipe().unwrap();
        writer.try_clone().unwrap().write_all(b"12345").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.try_clone().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "12345");
    });
}

#[test]
fn lines_come_as_they_are_written() {
    green(|| {
        let (reader, mut writer) = pipe().unwrap();
        let reader =
            thread::spawn(move || BufReader::new(reader).lines().collect::<Result<Vec<_>, _>>());
        for part in ["hel", "lo\n", "wor", "ld"] {
            thread::yield_now();
            writer.write_all(part.as_bytes()).unwrap();
        }
        drop(writer);
        assert_eq!(reader.join().unwrap().unwrap(), ["hello", "world"]);
    });
}

#[test]
fn a_large_write_waits_for_its_reader() {
    green(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        let sent: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
        let expected = sent.clone();
        let writer = thread::spawn(move || {
            assert!(
                writer.write_vectored(&[IoSlice::new(&sent[..9]), IoSlice::new(&[])]).unwrap() == 9
            );
            writer.write_all(&sent[9..]).unwrap();
        });
        let mut all = Vec::new();
        copy(&mut reader, &mut all).unwrap();
        assert!(all == expected);
        writer.join().unwrap();
    });
}

#[test]
fn who_writes_to_nobody_is_told() {
    green(|| {
        let (reader, mut writer) = pipe().unwrap();
        drop(reader);
        assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_killed_or_late_reader_loses_nothing() {
    green_paused(|| {
        let (reader, mut writer) = pipe().unwrap();
        let mut late = reader.try_clone().unwrap();
        let limit = Timeout::new(Duration::from_secs(9));
        assert_eq!(limit.run_blocking(|| late.read(&mut [0]).unwrap()), Err(limit));
        let mut clone = reader.try_clone().unwrap();
        let victim = spawn(stackful(move || clone.read(&mut [0; 9]).unwrap()));
        thread::yield_now();
        let mut next = reader;
        let next = GreenThread::from(thread::spawn(move || next.read(&mut [0; 9]).unwrap()));
        thread::yield_now();
        victim.kill();
        writer.write_all(b"hello").unwrap();
        assert_eq!(next.block().unwrap(), 5);
    });
}

/// Does on its pipes what it can when it is dropped.
struct Goodbye(PipeReader, PipeWriter, std::rc::Rc<std::cell::Cell<usize>>);

impl Drop for Goodbye {
    fn drop(&mut self) {
        assert!(std::thread::panicking());
        self.2.set(self.0.read(&mut [0; 9]).unwrap());
        assert!(self.0.read(&mut [0; 9]).unwrap_err().to_string().contains("unwinds"));
        self.1.write_all(b"bye").unwrap();
    }
}

#[test]
fn destructors_do_what_can_be_done_at_once() {
    green(|| {
        let ((in_reader, mut in_writer), (mut out_reader, out_writer)) =
            (pipe().unwrap(), pipe().unwrap());
        let read = std::rc::Rc::default();
        let goodbye = Goodbye(in_reader, out_writer, std::rc::Rc::clone(&read));
        let gt = spawn(stackful(move || {
            let _goodbye = goodbye;
            thread::sleep(Duration::MAX);
        }));
        thread::yield_now();
        in_writer.write_all(b"hello").unwrap();
        gt.kill();
        assert_eq!(read.get(), 5);
        let mut text = String::new();
        out_reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bye");
    });
}

#[test]
fn both_ends_serve_processes() {
    green(|| {
        let (reader, mut writer) = pipe().unwrap();
        let (mut answer, out) = pipe().unwrap();
        // Twice the same end, as in the documentation of `std`.
        let mut cat = Command::new("sh");
        cat.args(["-c", "echo err >&2; cat"]);
        let mut child =
            cat.stdin(reader).stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
        drop(cat);
        // More than fits: the process finds an end that waits.
        let big = vec![b'x'; 300_000];
        let writing = thread::spawn(move || writer.write_all(&big).unwrap());
        let mut text = String::new();
        answer.read_to_string(&mut text).unwrap();
        assert_eq!(text.len(), 300_004);
        writing.join().unwrap();
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn only_ends_of_pipes_are_taken() {
    green(|| {
        let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        assert_eq!(PipeReader::try_from(file).unwrap_err().kind(), ErrorKind::InvalidInput);
        let (reader, _writer) = pipe().unwrap();
        assert!(reader.as_raw_fd() > 2);
    });
}

#[test]
fn an_os_thread_reads_what_a_green_thread_writes_and_blocks_nobody() {
    green(|| {
        let (reader, mut writer) = pipe().unwrap();
        let reader = File::from(OwnedFd::try_from(reader).unwrap());
        let read = tpool::execute(|| BufReader::new(reader).lines().collect::<Result<Vec<_>, _>>());
        let read = spawn(read);
        for line in ["hello", "world"] {
            thread::yield_now();
            writeln!(writer, "{line}").unwrap();
        }
        drop(writer);
        assert_eq!(read.block().unwrap().unwrap(), ["hello", "world"]);
    });
}

#[test]
fn a_green_thread_reads_what_an_os_thread_writes_more_than_the_pipe_holds() {
    green(|| {
        let (mut reader, writer) = pipe().unwrap();
        let mut writer = File::from(OwnedFd::try_from(writer).unwrap());
        let write = spawn(tpool::execute(move || writer.write_all(&vec![7; 1 << 20])));
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert!(all == vec![7; 1 << 20]);
        write.block().unwrap().unwrap();
    });
}

#[test]
fn the_reader_of_an_os_thread_may_be_killed_and_another_goes_on() {
    green(|| {
        let (reader, writer) = pipe().unwrap();
        let mut writer = File::from(OwnedFd::try_from(writer).unwrap());
        let mut clone = reader.try_clone().unwrap();
        let victim = spawn(stackful(move || clone.read(&mut [0; 9]).unwrap()));
        thread::yield_now();
        victim.kill();
        std::thread::spawn(move || writer.write_all(b"not lost").unwrap());
        let mut text = String::new();
        { reader }.read_to_string(&mut text).unwrap();
        assert_eq!(text, "not lost");
    });
}

#[test]
fn a_descriptor_blocks_unless_a_clone_stays_behind() {
    green(|| {
        let (reader, mut writer) = pipe().unwrap();
        let kept = reader.try_clone().unwrap();
        let mut shared = File::from(OwnedFd::try_from(reader).unwrap());
        assert_eq!(shared.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut alone = File::from(OwnedFd::try_from(kept).unwrap());
        let read = spawn(tpool::execute(move || alone.read(&mut [0; 9])));
        thread::yield_now();
        writer.write_all(b"late").unwrap();
        assert_eq!(read.block().unwrap().unwrap(), 4);
    });
}
