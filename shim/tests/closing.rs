//! Descriptors that are closed while others begin to wait for them, and by signal handlers. A wait
//! that is lost hangs, which the limits tell. Each test has a process of its own: another would open
//! something by the number that was closed.

#![allow(unsafe_code)]

mod support;

use std::ffi::c_int;
use std::io::{Read, Write};
use std::mem;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use eventlet::{Block, Timeout, spawn, spawn_n, stackful};
use support::{NEVER, alone, errno, green, run, turns};

fn read(descriptor: RawFd) -> (isize, i32) {
    let mut byte = 0_u8;
    // SAFETY: there is room for the byte.
    let count = unsafe { libc::read(descriptor, (&raw mut byte).cast(), 1) };
    (count, if count < 0 { errno() } else { 0 })
}

/// Another OS thread closes a descriptor, or puts another in its place, while green threads begin
/// to read from it.
fn rounds(close: impl Fn(RawFd) -> c_int + Copy + Send + 'static, may_read: bool) {
    run(move || {
        // The first wait opens what the hub needs, which is not to have that number.
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let first = green(move || ours.read(&mut [0]));
        theirs.write_all(b"x").unwrap();
        assert_eq!(first.block().unwrap().unwrap(), 1);
        for round in 0..1_000 {
            let (ours, _theirs) = UnixStream::pair().unwrap();
            let descriptor = ours.into_raw_fd();
            let closes = std::thread::spawn(move || {
                for _ in 0..round % 60 * 20 {
                    std::hint::spin_loop();
                }
                assert!(close(descriptor) >= 0);
            });
            let all: Vec<_> = (0..3).map(|_| spawn(stackful(move || read(descriptor)))).collect();
            for one in all {
                let ended = Timeout::new(NEVER).run_blocking(|| one.block().unwrap());
                let ended = ended.unwrap_or_else(|_| panic!("lost in round {round}"));
                let replaced = may_read && ended == (0, 0);
                assert!(replaced || ended == (-1, libc::EBADF), "{ended:?} in round {round}");
            }
            closes.join().unwrap();
            if may_read {
                // SAFETY: it is ours.
                unsafe { libc::close(descriptor) };
            }
        }
    });
}

#[test]
fn one_that_begins_to_wait_amid_a_close_is_not_lost() {
    alone("one_that_begins_to_wait_amid_a_close_is_not_lost", || {
        // SAFETY: it is ours.
        rounds(|descriptor| unsafe { libc::close(descriptor) }, false);
    });
}

#[test]
fn one_that_begins_to_wait_amid_a_dup2_is_not_lost() {
    alone("one_that_begins_to_wait_amid_a_dup2_is_not_lost", || {
        // At its end.
        let (end, other) = UnixStream::pair().unwrap();
        drop(other);
        let end = end.into_raw_fd();
        // SAFETY: both are ours.
        rounds(move |descriptor| unsafe { libc::dup2(end, descriptor) }, true);
    });
}

static HANDLED: AtomicU64 = AtomicU64::new(0);
static STOPPED: AtomicBool = AtomicBool::new(false);

extern "C" fn closes(_signal: c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: it returns the place of this OS thread's `errno`.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: that place is there as long as the OS thread.
    let before = unsafe { *place };
    // SAFETY: standard input is open.
    let copy = unsafe { libc::dup(0) };
    // SAFETY: it is ours.
    unsafe { libc::close(copy) };
    // SAFETY: as before.
    unsafe { *place = before };
}

/// Has SIGALRM handled so often.
fn set_timer(microseconds: i64) {
    let every = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let time = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: the time is there.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &time, ptr::null_mut()) };
}

/// Raises the number of descriptors that this process may have.
fn allow_descriptors(count: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: there is room for the limit.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur = limit.rlim_cur.max(count.min(limit.rlim_max));
    // SAFETY: the limit is there.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
}

#[test]
fn a_signal_handler_may_close_something_amid_anything() {
    alone("a_signal_handler_may_close_something_amid_anything", || {
        allow_descriptors(4_096);
        run(|| {
            let _peers = wait_for_what_looks_like_the_next();
            // SAFETY: all zeroes is a value of it.
            let mut action: libc::sigaction = unsafe { mem::zeroed() };
            action.sa_sigaction = closes as *const () as usize;
            action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
            // SAFETY: the handler makes calls that a handler may make.
            unsafe { libc::sigaction(libc::SIGALRM, &action, ptr::null_mut()) };
            set_timer(60);
            let all: Vec<_> = (0..10).map(|_| spawn(stackful(talk))).collect();
            let end = Instant::now() + NEVER;
            while HANDLED.load(Ordering::SeqCst) < 100_000 && Instant::now() < end {
                turns(10);
            }
            STOPPED.store(true, Ordering::SeqCst);
            set_timer(0);
            all.into_iter().for_each(|one| one.block().unwrap());
        });
        assert!(HANDLED.load(Ordering::SeqCst) >= 1_000);
    });
}

/// Has a wait for each number that is 1,024 higher than one that the handler may get: it looks like
/// the same. Returns the other ends.
fn wait_for_what_looks_like_the_next() -> Vec<UnixStream> {
    let (free, peers): (Vec<_>, Vec<_>) = (0..64).map(|_| UnixStream::pair().unwrap()).unzip();
    for one in free {
        // SAFETY: it is open, and the other number is nobody's.
        let high = unsafe { libc::dup2(one.as_raw_fd(), one.as_raw_fd() + 1_024) };
        assert!(high > 1_024, "{}", std::io::Error::last_os_error());
        spawn_n(stackful(move || read(high)));
    }
    turns(3);
    peers
}

/// Writes and reads until it is stopped.
fn talk() {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let writes = spawn(stackful(move || {
        let mut count = 0;
        while !STOPPED.load(Ordering::SeqCst) {
            theirs.write_all(b"x").unwrap();
            count += 1;
            std::thread::yield_now();
        }
        count
    }));
    let mut all = Vec::new();
    ours.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), writes.block().unwrap());
}
