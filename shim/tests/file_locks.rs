//! Locks of files: `flock`, `lockf`, `fcntl`.

#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use eventlet::{Block, Timeout};
use support::temporary::Temporary;
use support::{MS, alone, crowd, errno, green, run};

/// A way to take a lock of a whole file, and to give it back.
#[derive(Clone, Copy)]
struct Way {
    lock: fn(RawFd) -> i32,
    unlock: fn(RawFd) -> i32,
    /// Whether its owner is the process, and not the file as it was opened.
    of_process: bool,
}

fn record(kind: i32) -> libc::flock {
    // SAFETY: all zeroes is a value of it: from the start to the end.
    let mut record: libc::flock = unsafe { std::mem::zeroed() };
    record.l_type = kind as _;
    record
}

fn fcntl(file: RawFd, command: i32, kind: i32) -> i32 {
    // SAFETY: the record is there.
    unsafe { libc::fcntl(file, command, &record(kind)) }
}

const FLOCK: Way = Way {
    // SAFETY: it has no arguments but numbers.
    lock: |file| unsafe { libc::flock(file, libc::LOCK_EX) },
    // SAFETY: likewise.
    unlock: |file| unsafe { libc::flock(file, libc::LOCK_UN) },
    of_process: false,
};
const OFD: Way = Way {
    lock: |file| fcntl(file, libc::F_OFD_SETLKW, libc::F_WRLCK),
    unlock: |file| fcntl(file, libc::F_OFD_SETLK, libc::F_UNLCK),
    of_process: false,
};
const FCNTL: Way = Way {
    lock: |file| fcntl(file, libc::F_SETLKW, libc::F_WRLCK),
    unlock: |file| fcntl(file, libc::F_SETLK, libc::F_UNLCK),
    of_process: true,
};
const LOCKF: Way = Way {
    // SAFETY: it has no arguments but numbers.
    lock: |file| unsafe { libc::lockf(file, libc::F_LOCK, 0) },
    // SAFETY: likewise.
    unlock: |file| unsafe { libc::lockf(file, libc::F_ULOCK, 0) },
    of_process: true,
};
const WAYS: [Way; 4] = [FLOCK, OFD, FCNTL, LOCKF];

/// Who else has a lock of the file.
enum Holder {
    Here(File, Way),
    Process(Child),
}

impl Holder {
    fn of(file: &Temporary, way: Way) -> Holder {
        if !way.of_process {
            let file = file.open();
            assert_eq!((way.lock)(file.as_raw_fd()), 0);
            return Holder::Here(file, way);
        }
        let this = std::env::current_exe().unwrap();
        let test = ["--exact", "another_process", "--ignored", "--nocapture"];
        let mut child = Command::new(this)
            .args(test)
            .env("LOCKED", &file.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.map(Result::unwrap).any(|line| line.contains("locked")));
        Holder::Process(child)
    }

    fn unlock(self) {
        match self {
            Holder::Here(file, way) => assert_eq!((way.unlock)(file.as_raw_fd()), 0),
            Holder::Process(mut child) => {
                drop(child.stdin.take());
                child.wait().unwrap();
            }
        }
    }
}

#[test]
#[ignore = "run by the others, as another process that has a lock until its input ends"]
fn another_process() {
    let file = File::options().read(true).write(true).open(std::env::var("LOCKED").unwrap());
    let file = file.unwrap();
    assert_eq!((LOCKF.lock)(file.as_raw_fd()), 0);
    println!("locked");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn each_lock_is_waited_for_by_a_green_thread() {
    run(|| {
        for way in WAYS {
            let locked = Temporary::file();
            let holder = Holder::of(&locked, way);
            let file = locked.open();
            let waiting = green(move || ((way.lock)(file.as_raw_fd()), file));
            assert!(!waiting.dead());
            std::thread::sleep(5 * MS);
            assert!(!waiting.dead());
            holder.unlock();
            let (result, file) = waiting.block().unwrap();
            assert_eq!((result, (way.unlock)(file.as_raw_fd())), (0, 0));
            assert_eq!((way.lock)(file.as_raw_fd()), 0, "at once");
        }
    });
    for way in WAYS {
        let file = Temporary::file().open();
        assert_eq!((way.lock)(file.as_raw_fd()), 0, "off green stacks");
    }
}

#[test]
fn one_that_is_killed_or_late_has_no_lock() {
    run(|| {
        for way in WAYS {
            let locked = Temporary::file();
            let holder = Holder::of(&locked, way);
            let file = Rc::new(locked.open());
            let (theirs, seen) = (file.clone(), Rc::new(Cell::new((0, 0))));
            let noted = seen.clone();
            let victim = green(move || {
                noted.set(((way.lock)(theirs.as_raw_fd()), errno()));
                eventlet::sleep(MS).block();
            });
            victim.kill();
            assert_eq!(seen.get(), (-1, libc::ECANCELED));
            let limit = Timeout::new(5 * MS);
            let late = limit.run_blocking(|| {
                assert_eq!(((way.lock)(file.as_raw_fd()), errno()), (-1, libc::ETIMEDOUT));
                eventlet::sleep(MS).block();
            });
            assert_eq!(late, Err(limit));
            holder.unlock();
            std::thread::sleep(60 * MS);
            // Nobody has it, through whatever descriptor.
            Holder::of(&locked, way).unlock();
        }
    });
}

#[test]
fn who_does_not_want_to_wait_does_not() {
    alone("who_does_not_want_to_wait_does_not", || {
        run(|| {
            let locked = Temporary::file();
            let holder = Holder::of(&locked, FLOCK);
            let file = locked.open();
            let before = eventlet_shim::stats().waits;
            // SAFETY: it has no arguments but numbers.
            let refused = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_SH | libc::LOCK_NB) };
            assert_eq!((refused, errno()), (-1, libc::EWOULDBLOCK));
            assert_eq!((FLOCK.lock)(-1), -1);
            assert_eq!(errno(), libc::EBADF);
            assert_eq!(eventlet_shim::stats().waits, before);
            holder.unlock();
        });
    });
}

#[test]
fn a_file_that_is_closed_is_not_locked() {
    run(|| {
        let locked = Temporary::file();
        let holder = Holder::of(&locked, FLOCK);
        let file = locked.open().into_raw_fd();
        let waiting = green(move || ((FLOCK.lock)(file), errno()));
        // SAFETY: it is ours.
        assert_eq!(unsafe { libc::close(file) }, 0);
        assert_eq!(waiting.block().unwrap(), (-1, libc::EBADF));
        holder.unlock();
    });
}

#[test]
fn a_crowd_takes_turns() {
    run(|| {
        let locked = Rc::new(Temporary::file());
        let inside = Rc::new(Cell::new(0));
        crowd(10, move |_| {
            let file = locked.open();
            assert_eq!((FLOCK.lock)(file.as_raw_fd()), 0);
            assert_eq!(inside.replace(inside.get() + 1), 0);
            std::thread::sleep(MS);
            inside.set(inside.get() - 1);
        });
    });
}

#[test]
fn the_rest_of_fcntl_is_as_it_was() {
    let group = || {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let socket = ours.as_raw_fd();
        // SAFETY: it has no arguments.
        let group = unsafe { libc::getpgrp() };
        // SAFETY: it has no arguments but numbers.
        assert_eq!(unsafe { libc::fcntl(socket, libc::F_SETOWN, -group) }, 0);
        // SAFETY: likewise.
        assert_eq!(unsafe { libc::fcntl(socket, libc::F_GETOWN) }, -group);
        // SAFETY: likewise.
        let process = unsafe { libc::getpid() };
        // SAFETY: likewise.
        assert_eq!(unsafe { libc::fcntl(socket, libc::F_SETOWN, process) }, 0);
        // SAFETY: likewise.
        assert_eq!(unsafe { libc::fcntl(socket, libc::F_GETOWN) }, process);
        // SAFETY: likewise.
        assert_eq!(unsafe { libc::fcntl(-1, libc::F_GETOWN) }, -1);
        assert_eq!(errno(), libc::EBADF);
        // SAFETY: likewise.
        let copy = unsafe { libc::fcntl(socket, libc::F_DUPFD_CLOEXEC, 100) };
        assert!(copy >= 100);
        // SAFETY: likewise.
        assert_eq!(unsafe { libc::fcntl(copy, libc::F_GETFD) }, libc::FD_CLOEXEC);
        // SAFETY: it is ours.
        assert_eq!(unsafe { libc::close(copy) }, 0);
    };
    group();
    run(group);
}
