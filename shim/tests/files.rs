//! Regular files, with their area named.

#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::ffi::c_int;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use eventlet::{Block, GreenThread, Timeout, spawn, stackful, tpool};
use eventlet_shim::{Area, Patch};
use support::temporary::Temporary;
use support::{MS, crowd, errno, green, turns, until};

/// Runs a test on a green stack, with all patched, files as well.
fn run(test: impl FnOnce() + 'static) {
    Patch::new().set(Area::File, true).apply();
    support::run(test);
}

/// Writes and reads in each way, and returns what came of it.
fn each_way() -> Vec<String> {
    let temporary = Temporary::file();
    let mut file = temporary.open();
    let mut seen = Vec::new();
    file.write_all(b"0123456789").unwrap();
    let pieces = [IoSlice::new(b"abc"), IoSlice::new(b""), IoSlice::new(b"def")];
    seen.push(format!("{:?}", file.write_vectored(&pieces)));
    seen.push(format!("{:?}", file.write_at(b"XY", 2)));
    seen.push(format!("{:?} {:?}", file.sync_all(), file.sync_data()));
    seen.push(format!("{:?}", file.seek(SeekFrom::Start(1))));
    let mut buffer = [0; 4];
    seen.push(format!("{:?} {buffer:?}", file.read(&mut buffer)));
    let (mut one, mut other) = ([0; 3], [0; 100]);
    let mut pieces = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
    seen.push(format!("{:?}", file.read_vectored(&mut pieces)));
    seen.push(format!("{one:?} {other:?} {:?}", file.stream_position()));
    seen.push(format!("{:?} {buffer:?}", file.read(&mut buffer)));
    seen.push(format!("{:?} {buffer:?}", file.read_at(&mut buffer, 14)));
    seen.push(format!("{:?} {buffer:?}", file.read_at(&mut buffer, 99)));
    let (descriptor, at) = (file.as_raw_fd(), buffer.as_mut_ptr());
    let mut piece = libc::iovec { iov_base: at.cast(), iov_len: 4 };
    // SAFETY: there is so much room.
    seen.push(format!("{}", unsafe { libc::preadv(descriptor, &piece, 1, 8) }));
    // SAFETY: likewise.
    seen.push(format!("{}", unsafe { libc::pwritev(descriptor, &piece, 1, 14) }));
    // SAFETY: likewise.
    seen.push(format!("{} {}", unsafe { libc::pread(descriptor, at.cast(), 4, -1) }, errno()));
    piece.iov_len = 0;
    // SAFETY: likewise.
    seen.push(format!("{}", unsafe { libc::preadv(descriptor, &piece, 1, 0) }));
    // SAFETY: likewise.
    seen.push(format!("{} {}", unsafe { libc::preadv(descriptor, &piece, -1, 0) }, errno()));
    seen.extend(each_way_with_flags(&file));
    seen.push(format!("{:?}", File::open(std::env::temp_dir()).unwrap().read(&mut buffer)));
    // SAFETY: it has no arguments but numbers.
    seen.push(format!("{} {}", unsafe { libc::fsync(-1) }, errno()));
    seen.push(format!("{:?}", std::fs::read_to_string(&temporary.path)));
    seen
}

/// The flag of a call that no kernel knows.
const UNKNOWN: c_int = 1 << 30;

/// Calls `preadv2` and `pwritev2`, and their names for large files, at each kind of offset.
fn each_way_with_flags(file: &File) -> Vec<String> {
    type Moves = unsafe extern "C" fn(c_int, *const libc::iovec, c_int, i64, c_int) -> isize;
    unsafe extern "C" {
        fn preadv64v2(fd: c_int, to: *const libc::iovec, n: c_int, at: i64, flags: c_int) -> isize;
        fn pwritev64v2(fd: c_int, of: *const libc::iovec, n: c_int, at: i64, flags: c_int)
        -> isize;
    }
    let writes: [Moves; 2] = [libc::pwritev2, pwritev64v2];
    let reads: [Moves; 2] = [libc::preadv2, preadv64v2];
    let mut seen = Vec::new();
    for (call, is_read) in
        writes.map(|call| (call, false)).into_iter().chain(reads.map(|call| (call, true)))
    {
        for flags in [0, libc::RWF_DSYNC, libc::RWF_HIPRI, UNKNOWN] {
            for offset in [-2, -1, 1, 99] {
                let (mut file, mut bytes) = (file, *b"wxyz");
                file.seek(SeekFrom::Start(2)).unwrap();
                let piece = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: 4 };
                // SAFETY: there are so many bytes, and there is so much room.
                let moved = unsafe { call(file.as_raw_fd(), &piece, 1, offset, flags) };
                let error = if moved < 0 { errno() } else { 0 };
                let (bytes, place) = (is_read.then_some(bytes), file.stream_position());
                seen.push(format!("{moved} {error} {bytes:?} {place:?}"));
            }
        }
    }
    seen
}

#[test]
fn what_has_flags_waits_for_streams() {
    run(|| {
        let (reader, writer) = std::io::pipe().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let pipe = [OwnedFd::from(reader), OwnedFd::from(writer)];
        for [reads, writes] in [pipe, [ours.into(), theirs.into()]] {
            for flags in [0, libc::RWF_HIPRI] {
                let (from, to) = (reads.as_raw_fd(), writes.as_raw_fd());
                let reading = green(move || {
                    let mut all = vec![0_u8; 1 << 20];
                    let mut done = 0;
                    while done < all.len() {
                        let piece = libc::iovec {
                            iov_base: all[done..].as_mut_ptr().cast(),
                            iov_len: all.len() - done,
                        };
                        // SAFETY: there is so much room.
                        let read = unsafe { libc::preadv2(from, &piece, 1, -1, flags) };
                        assert!(read > 0, "{}", errno());
                        done += read as usize;
                    }
                    all
                });
                assert!(!reading.dead());
                let mut all: Vec<u8> = (0..1 << 20).map(|at: u32| (at / 3) as u8).collect();
                let piece = libc::iovec { iov_base: all.as_mut_ptr().cast(), iov_len: all.len() };
                // SAFETY: there are so many bytes.
                let written = unsafe { libc::pwritev2(to, &piece, 1, -1, flags) };
                assert_eq!(written, 1 << 20, "{}", errno());
                assert!(reading.block().unwrap() == all);
                let mut byte = 0_u8;
                let piece = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
                // SAFETY: there is room for the byte.
                let read = unsafe { libc::preadv2(from, &piece, 1, -1, flags | libc::RWF_NOWAIT) };
                assert_eq!((read, errno()), (-1, libc::EAGAIN));
                let limit = Timeout::new(5 * MS);
                let late = limit.run_blocking(|| {
                    // SAFETY: likewise.
                    let read = unsafe { libc::preadv2(from, &piece, 1, -1, flags) };
                    assert_eq!((read, errno()), (-1, libc::ETIMEDOUT));
                    eventlet::sleep(MS).block();
                });
                assert_eq!(late, Err(limit));
            }
        }
    });
}

#[test]
fn each_way_to_read_and_write_is_as_off_green_stacks() {
    let plain = each_way();
    run(move || {
        let before = eventlet_shim::stats().waits;
        assert_eq!(each_way(), plain);
        // Whatever is read from memory, OS threads have written and synced.
        assert!(eventlet_shim::stats().waits >= before + 5);
        assert_eq!(crowd(20, |_| each_way()), vec![plain; 20]);
    });
}

#[test]
fn a_long_file_is_read_as_it_was_written() {
    run(|| {
        let temporary = Temporary::file();
        let written: Vec<u8> = (0..3_000_000_u32).map(|number| (number / 7) as u8).collect();
        temporary.open().write_all(&written).unwrap();
        let mut read = vec![0; written.len() + 1];
        assert_eq!(temporary.open().read(&mut read).unwrap(), written.len());
        read.pop();
        assert!(read == written);
    });
}

/// A file that is made up as it is read comes in parts, and the next one may never come.
#[test]
fn what_only_looks_like_a_file_is_read_once() {
    run(|| {
        // A line for each of many pages, as no two in a row may be used alike.
        const PAGE: usize = 4_096;
        let (nowhere, private) = (std::ptr::null_mut(), libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: it is new memory.
        let pages = unsafe { libc::mmap(nowhere, 400 * PAGE, libc::PROT_NONE, private, -1, 0) };
        for page in (0..400).step_by(2).map(|number| pages.wrapping_byte_add(number * PAGE)) {
            // SAFETY: nobody uses it.
            assert_eq!(unsafe { libc::mprotect(page, PAGE, libc::PROT_READ) }, 0);
        }
        let maps = "/proc/self/maps";
        assert!(std::fs::read(maps).unwrap().len() > 2 * PAGE);
        let mut part = vec![0; 100_000];
        let read = File::open(maps).unwrap().read(&mut part).unwrap();
        assert!((1..=PAGE).contains(&read), "{read}");
        // SAFETY: nobody uses it.
        assert_eq!(unsafe { libc::munmap(pages, 400 * PAGE) }, 0);
    });
}

/// Takes the only OS thread of `tpool`, as a disk that is busy does.
fn busy() -> (Sender<()>, GreenThread<()>) {
    tpool::set_num_threads(1);
    let (stop, stopped) = channel::<()>();
    let wait = move || assert!(stopped.recv().is_err());
    let job = spawn(stackful(move || tpool::execute(wait).block()));
    turns(3);
    (stop, job)
}

/// Copies some of a file to the end of another, and returns what came of it.
fn copy(from: &File, to: &File) -> [isize; 3] {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    let (mut start, mut end) = (2, 4);
    let mut copy = |flags| {
        // SAFETY: the offsets are there.
        unsafe { libc::copy_file_range(from, &mut start, to, &mut end, 3, flags) }
    };
    let copied = [copy(0), copy(1), errno() as isize];
    assert_eq!((start, end), (5, 7));
    copied
}

#[test]
fn a_file_is_copied_by_an_os_thread() {
    const COPIED: [isize; 3] = [3, -1, libc::EINVAL as isize];
    let files = || {
        let all = [Temporary::file(), Temporary::file()];
        all.iter().for_each(|file| std::fs::write(&file.path, b"abcdefg").unwrap());
        all
    };
    let [from, to] = files();
    assert_eq!(copy(&from.open(), &to.open()), COPIED);
    assert_eq!(std::fs::read_to_string(&to.path).unwrap(), "abcdcde");
    run(move || {
        let [from, to] = files();
        let (stop, job) = busy();
        let opened = [from.open(), to.open()];
        let copying = green(move || copy(&opened[0], &opened[1]));
        turns(10);
        assert!(!copying.dead(), "it waits for an OS thread");
        drop(stop);
        job.block().unwrap();
        assert_eq!(copying.block().unwrap(), COPIED);
        assert_eq!(std::fs::read_to_string(&to.path).unwrap(), "abcdcde");
        assert_eq!(std::fs::copy(&to.path, &from.path).unwrap(), 7);
        assert_eq!(std::fs::read_to_string(&from.path).unwrap(), "abcdcde");
    });
}

#[test]
fn others_run_while_a_disk_is_busy_and_a_kill_does_not_wait_for_it() {
    run(|| {
        let temporary = Rc::new(Temporary::file());
        let (stop, job) = busy();
        let (file, theirs) = (temporary.open(), temporary.clone());
        let written = Rc::new(Cell::new(false));
        let seen = written.clone();
        let writer = green(move || {
            (&file).write_all(b"hello").unwrap();
            assert_eq!(std::fs::read_to_string(&theirs.path).unwrap(), "hello");
            seen.set(true);
            eventlet::sleep(MS).block();
            unreachable!("it is killed");
        });
        turns(10);
        assert!(!writer.dead());
        writer.kill();
        assert!(writer.dead() && !written.get());
        drop(stop);
        job.block().unwrap();
        // What has begun is done.
        until(|| written.get());
    });
}

#[test]
fn a_limit_is_told_by_the_next_wait() {
    run(|| {
        let temporary = Temporary::file();
        let file = temporary.open();
        let (stop, job) = busy();
        let stopper = spawn(async move {
            eventlet::sleep(20 * MS).await;
            drop(stop);
        });
        let limit = Timeout::new(MS);
        let late = limit.run_blocking(|| {
            (&file).write_all(b"hello").unwrap();
            file.sync_all().unwrap();
            eventlet::sleep(Duration::from_secs(60)).block();
        });
        assert_eq!(late, Err(limit));
        assert_eq!(std::fs::read_to_string(&temporary.path).unwrap(), "hello");
        stopper.block().unwrap();
        job.block().unwrap();
    });
}

#[test]
fn checked_builds_of_c_have_their_names() {
    unsafe extern "C" {
        fn __pread_chk(
            descriptor: c_int,
            buffer: *mut u8,
            size: usize,
            offset: i64,
            room: usize,
        ) -> isize;
    }
    run(|| {
        let temporary = Temporary::file();
        temporary.open().write_all(b"hello").unwrap();
        let mut buffer = [0; 3];
        let descriptor = temporary.open();
        // SAFETY: there is so much room.
        let read =
            unsafe { __pread_chk(descriptor.as_raw_fd(), buffer.as_mut_ptr(), 3, 1, buffer.len()) };
        assert_eq!((read, &buffer), (3, b"ell"));
    });
}
