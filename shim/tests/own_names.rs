//! What libc calls its functions itself, and `closefrom`. In a process of its own: the latter
//! closes what the tests beside it would have open.

#![allow(unsafe_code)]

mod support;

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use eventlet::Block;
use eventlet_shim::{Area, Patch};
use support::temporary::Temporary;
use support::{errno, green, run};

unsafe extern "C" {
    fn closefrom(first: c_int);
    fn __close(descriptor: c_int) -> c_int;
    fn __dup2(old: c_int, new: c_int) -> c_int;
    fn __fcntl(descriptor: c_int, command: c_int, argument: usize) -> c_int;
    fn __open(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int;
    fn __open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int;
    fn __read(descriptor: c_int, buffer: *mut c_void, size: usize) -> isize;
    fn __write(descriptor: c_int, buffer: *const c_void, size: usize) -> isize;
    fn __pread64(descriptor: c_int, buffer: *mut c_void, size: usize, offset: i64) -> isize;
    fn __pwrite64(descriptor: c_int, buffer: *const c_void, size: usize, offset: i64) -> isize;
    fn __sched_yield() -> c_int;
    fn __wait(status: *mut c_int) -> libc::pid_t;
    fn __waitpid(child: libc::pid_t, status: *mut c_int, options: c_int) -> libc::pid_t;
}

/// A number above those that anybody else has.
const HIGH: c_int = 900;

fn copy(socket: &UnixStream, number: c_int) {
    // SAFETY: it has no arguments but numbers.
    assert_eq!(unsafe { __dup2(socket.as_raw_fd(), number) }, number);
}

fn read(descriptor: c_int) -> (isize, u8) {
    let mut byte = 0_u8;
    // SAFETY: there is room for the byte.
    let read = unsafe { __read(descriptor, (&raw mut byte).cast(), 1) };
    (read, byte)
}

fn files() {
    let temporary = Temporary::path();
    let text = CString::new(temporary.path.to_str().unwrap()).unwrap();
    let flags = libc::O_CREAT | libc::O_RDWR | libc::O_CLOEXEC;
    // SAFETY: the path is there.
    let file = unsafe { __open(text.as_ptr(), flags, 0o600) };
    // SAFETY: the bytes are there.
    assert_eq!(unsafe { __pwrite64(file, b"abc".as_ptr().cast(), 3, 0) }, 3);
    let mut bytes = [0; 3];
    // SAFETY: there is room for them.
    assert_eq!(unsafe { __pread64(file, bytes.as_mut_ptr().cast(), 3, 1) }, 2);
    assert_eq!(&bytes, b"bc\0");
    // SAFETY: it has no arguments but numbers.
    assert_eq!(unsafe { __fcntl(file, libc::F_GETFD, 0) }, libc::FD_CLOEXEC);
    // SAFETY: the path is there.
    let same = unsafe { __open64(text.as_ptr(), libc::O_RDONLY, 0) };
    assert_eq!(read(same), (1, b'a'));
    for descriptor in [file, same] {
        // SAFETY: it is ours.
        assert_eq!(unsafe { __close(descriptor) }, 0);
    }
}

fn children() {
    let start = || Command::new("true").spawn().unwrap().id() as libc::pid_t;
    let child = start();
    let mut status = -1;
    // SAFETY: there is room for the status.
    assert_eq!(unsafe { __waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    let child = start();
    // SAFETY: likewise.
    assert_eq!(unsafe { __wait(&mut status) }, child);
}

#[test]
fn libcs_own_names_suspend_and_closefrom_tells_who_waits() {
    Patch::new().set(Area::File, true).apply();
    files();
    children();
    // SAFETY: it has no arguments.
    assert_eq!(unsafe { __sched_yield() }, 0);
    run(|| {
        files();
        children();
        let (ours, theirs) = UnixStream::pair().unwrap();
        copy(&ours, HIGH);
        let reading = green(|| read(HIGH));
        assert!(!reading.dead());
        // SAFETY: the byte is there.
        assert_eq!(unsafe { __write(theirs.as_raw_fd(), b"x".as_ptr().cast(), 1) }, 1);
        // SAFETY: it has no arguments.
        assert_eq!(unsafe { __sched_yield() }, 0);
        assert_eq!(reading.block().unwrap(), (1, b'x'));
        // SAFETY: nothing above is anybody else's.
        let ways: [fn(); 2] = [
            || unsafe { closefrom(HIGH) },
            || unsafe {
                assert_eq!(__close(HIGH), 0);
            },
        ];
        for close in ways {
            copy(&ours, HIGH);
            let reading = green(|| (read(HIGH).0, errno()));
            assert!(!reading.dead());
            close();
            assert_eq!(reading.block().unwrap(), (-1, libc::EBADF));
            (&theirs).write_all(b"y").unwrap();
            assert_eq!(read(HIGH).0, -1, "it is closed");
            assert_eq!(read(ours.as_raw_fd()), (1, b'y'));
        }
    });
}
