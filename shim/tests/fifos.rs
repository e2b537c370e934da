//! Opening FIFOs.

#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;

use eventlet::{Block, Timeout};
use support::temporary::Temporary;
use support::{MS, errno, green, run};

unsafe extern "C" {
    fn __open_2(path: *const c_char, flags: c_int) -> c_int;
    fn __openat64_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int;
}

/// A FIFO of its own for each test.
struct Fifo(Temporary);

impl Fifo {
    fn new() -> Fifo {
        let fifo = Fifo(Temporary::path());
        // SAFETY: the path is there.
        assert_eq!(unsafe { libc::mkfifo(fifo.path().as_ptr(), 0o600) }, 0);
        fifo
    }

    fn path(&self) -> CString {
        CString::new(self.0.path.as_os_str().as_bytes()).unwrap()
    }

    fn reads(&self) -> impl FnOnce() -> std::io::Result<File> + Send + 'static {
        let path = self.0.path.clone();
        move || File::open(path)
    }

    fn writes(&self) -> impl FnOnce() -> std::io::Result<File> + Send + 'static {
        let path = self.0.path.clone();
        move || OpenOptions::new().write(true).open(path)
    }
}

fn nonblocking(file: &File) -> bool {
    // SAFETY: it has no arguments but numbers.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) & libc::O_NONBLOCK != 0 }
}

/// Whether what is written to one end is read from the other.
fn talk(mut reader: File, mut writer: File) {
    assert!(!nonblocking(&reader) && !nonblocking(&writer));
    let reading = green(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    writer.write_all(b"hello").unwrap();
    drop(writer);
    assert_eq!(reading.block().unwrap().unwrap(), "hello");
}

#[test]
fn two_green_threads_open_both_ends_in_either_order() {
    run(|| {
        let fifo = Fifo::new();
        let reader = green(fifo.reads());
        assert!(!reader.dead());
        let writer = fifo.writes()().unwrap();
        talk(reader.block().unwrap().unwrap(), writer);

        let writer = green(fifo.writes());
        assert!(!writer.dead());
        let reader = fifo.reads()().unwrap();
        talk(reader, writer.block().unwrap().unwrap());
    });
}

#[test]
fn the_other_end_may_be_an_os_threads() {
    run(|| {
        let fifo = Fifo::new();
        let reader = std::thread::spawn(fifo.reads());
        let writer = fifo.writes()().unwrap();
        talk(reader.join().unwrap().unwrap(), writer);

        let writer = std::thread::spawn(fifo.writes());
        let reader = fifo.reads()().unwrap();
        talk(reader, writer.join().unwrap().unwrap());
    });
    let fifo = Fifo::new();
    let writer = std::thread::spawn(fifo.writes());
    fifo.reads()().unwrap();
    writer.join().unwrap().unwrap();
}

#[test]
fn a_writer_that_is_gone_again_has_been_there() {
    run(|| {
        let fifo = Fifo::new();
        let reader = green(fifo.reads());
        let mut writer = fifo.writes()().unwrap();
        writer.write_all(b"hello").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.block().unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    });
}

/// Whether the FIFO is open to read, or a reader waits for a writer.
fn has_reader(fifo: &Fifo) -> bool {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NONBLOCK);
    match options.open(&fifo.0.path) {
        Ok(writer) => {
            assert!(nonblocking(&writer));
            true
        }
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
            false
        }
    }
}

#[test]
fn one_that_is_killed_or_late_leaves_nothing_open() {
    run(|| {
        let fifo = Rc::new(Fifo::new());
        for flags in [libc::O_RDONLY, libc::O_WRONLY] {
            let (theirs, seen) = (fifo.clone(), Rc::new(Cell::new((0, 0))));
            let noted = seen.clone();
            let victim = green(move || {
                // SAFETY: the path is there.
                noted.set((unsafe { libc::open(theirs.path().as_ptr(), flags) }, errno()));
                eventlet::sleep(MS).block();
            });
            assert!(!victim.dead());
            victim.kill();
            assert_eq!(seen.get(), (-1, libc::ECANCELED));
            assert!(!has_reader(&fifo));
            let limit = Timeout::new(5 * MS);
            let late = limit.run_blocking(|| {
                // SAFETY: the path is there.
                let opened = unsafe { libc::open(fifo.path().as_ptr(), flags) };
                assert_eq!((opened, errno()), (-1, libc::ETIMEDOUT));
                eventlet::sleep(MS).block();
            });
            assert_eq!(late, Err(limit));
            assert!(!has_reader(&fifo));
        }
        let reader = green(fifo.reads());
        let writer = fifo.writes()().unwrap();
        talk(reader.block().unwrap().unwrap(), writer);
    });
}

#[test]
fn each_name_opens() {
    let ways: [fn(&CString, c_int) -> c_int; 6] = [
        // SAFETY: the path is there.
        |path, flags| unsafe { libc::open(path.as_ptr(), flags) },
        // SAFETY: likewise.
        |path, flags| unsafe { libc::open64(path.as_ptr(), flags) },
        // SAFETY: likewise.
        |path, flags| unsafe { libc::openat(libc::AT_FDCWD, path.as_ptr(), flags) },
        // SAFETY: likewise.
        |path, flags| unsafe { libc::openat64(libc::AT_FDCWD, path.as_ptr(), flags) },
        // SAFETY: likewise.
        |path, flags| unsafe { __open_2(path.as_ptr(), flags) },
        // SAFETY: likewise.
        |path, flags| unsafe { __openat64_2(libc::AT_FDCWD, path.as_ptr(), flags) },
    ];
    run(move || {
        let fifo = Rc::new(Fifo::new());
        let open = |way: fn(&CString, c_int) -> c_int| {
            let fifo = fifo.clone();
            green(move || way(&fifo.path(), libc::O_RDONLY | libc::O_CLOEXEC))
        };
        let mut readers: Vec<_> = ways.into_iter().map(open).collect();
        assert!(readers.iter().all(|reader| !reader.dead()));
        // SAFETY: the path is there.
        let writer = unsafe { libc::creat(fifo.path().as_ptr(), 0o600) };
        for reader in readers.drain(..) {
            let reader = reader.block().unwrap();
            // SAFETY: it has no arguments but numbers.
            assert_eq!(unsafe { libc::fcntl(reader, libc::F_GETFD) }, libc::FD_CLOEXEC);
            // SAFETY: it is ours.
            assert_eq!(unsafe { libc::close(reader) }, 0);
        }
        // SAFETY: it is ours.
        assert_eq!(unsafe { libc::close(writer) }, 0);
    });
}

#[test]
fn all_else_is_opened_as_it_is() {
    run(|| {
        let suspended = Rc::new(Cell::new(false));
        let others = suspended.clone();
        drop(eventlet::spawn(async move { others.set(true) }));
        let fifo = Fifo::new();
        // Both ways is nobody's wait.
        let both = File::options().read(true).write(true).open(&fifo.0.path).unwrap();
        assert!(!nonblocking(&both));
        assert!(has_reader(&fifo));
        let file = fifo.0.path.with_extension("txt");
        File::create(&file).unwrap().write_all(b"text").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o600, 0o600);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(File::open(&file).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        assert!(!suspended.get());
    });
}
