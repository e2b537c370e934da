//! What is remembered of a descriptor, which must be right, or heal.

#![allow(unsafe_code)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventlet::Block;
use support::{MS, green, run, run_paused, timed, turns};

/// What no wait on trust takes. A wrong memory costs 40 ms, and machines are slow.
const HEALED: Duration = Duration::from_secs(5);

/// A socket of which all is remembered, as a green thread has waited to read from it, and its peer.
fn known() -> (Rc<UnixStream>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let ours = Rc::new(ours);
    let reading = read(&ours);
    (&theirs).write_all(b"x").unwrap();
    assert_eq!(reading.block().unwrap().unwrap(), 1);
    (ours, theirs)
}

/// Makes sure that something happens at once: what a wrong memory delays takes 20 ms each time, but
/// a machine may be busy for once.
fn at_once(attempt: impl Fn() -> Duration) {
    assert!((0..10).any(|_| attempt() < 15 * MS));
}

/// A green thread that reads up to four bytes, and waits for them.
fn read(socket: &Rc<UnixStream>) -> eventlet::GreenThread<std::io::Result<usize>> {
    let socket = socket.clone();
    green(move || (&*socket).read(&mut [0; 4]))
}

fn would_block(result: std::io::Result<usize>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// A call past the functions of this crate.
fn unseen(number: i64, arguments: [usize; 3]) {
    let [a, b, c] = arguments;
    // SAFETY: it is one that takes these.
    assert!(unsafe { libc::syscall(number, a, b, c) } >= 0);
}

fn raw(socket: &UnixStream) -> usize {
    socket.as_raw_fd() as usize
}

/// Makes a socket one that does not wait, and nobody knows.
fn make_nonblocking_unseen(socket: &UnixStream) {
    let yes: i32 = 1;
    let at = (&raw const yes).addr();
    unseen(libc::SYS_ioctl, [raw(socket), libc::FIONBIO as usize, at]);
}

#[test]
fn a_socket_that_is_made_nonblocking_waits_no_more() {
    run(|| {
        at_once(|| {
            let (ours, _theirs) = known();
            ours.set_nonblocking(true).unwrap();
            let (result, took) = timed(|| (&*ours).read(&mut [0; 1]));
            assert!(would_block(result));
            ours.set_nonblocking(false).unwrap();
            assert!(!read(&ours).dead());
            took
        });
    });
}

/// Two descriptors that share their flags.
#[test]
fn so_it_does_by_another_descriptor_and_by_fcntl() {
    run(|| {
        at_once(|| {
            let (ours, _theirs) = known();
            let other = ours.try_clone().unwrap().into_raw_fd();
            // SAFETY: it has no arguments but numbers.
            assert_eq!(unsafe { libc::fcntl(other, libc::F_SETFL, libc::O_NONBLOCK) }, 0);
            let (result, took) = timed(|| (&*ours).read(&mut [0; 1]));
            assert!(would_block(result));
            // SAFETY: nobody else closes it.
            assert_eq!(unsafe { libc::close(other) }, 0);
            took
        });
    });
}

#[test]
fn a_limit_that_is_set_later_holds() {
    run(|| {
        let (ours, theirs) = known();
        ours.set_read_timeout(Some(5 * MS)).unwrap();
        assert!(would_block((&*ours).read(&mut [0; 1])));
        ours.set_read_timeout(None).unwrap();
        let reading = read(&ours);
        eventlet::sleep(100 * MS).block();
        assert!(!reading.dead());
        (&theirs).write_all(b"ab").unwrap();
        assert_eq!(reading.block().unwrap().unwrap(), 2);
    });
}

#[test]
fn what_changes_unseen_is_found_out() {
    run(|| {
        let (ours, _theirs) = known();
        make_nonblocking_unseen(&ours);
        let (result, took) = timed(|| (&*ours).read(&mut [0; 1]));
        assert!(would_block(result) && took < HEALED, "{took:?}");
        at_once(|| {
            let (result, took) = timed(|| (&*ours).read(&mut [0; 1]));
            assert!(would_block(result));
            took
        });
    });
}

/// The number is another descriptor's, which nobody has registered.
#[test]
fn what_is_replaced_unseen_is_found_out() {
    run(|| {
        let (ours, theirs) = known();
        let (next, peer) = UnixStream::pair().unwrap();
        unseen(libc::SYS_dup3, [raw(&next), raw(&ours), 0]);
        drop(theirs);
        let reading = read(&ours);
        assert!(!reading.dead());
        (&peer).write_all(b"abc").unwrap();
        let (count, took) = timed(|| reading.block().unwrap().unwrap());
        assert!(count == 3 && took < HEALED, "{took:?}");
    });
}

#[test]
fn who_waits_on_trust_for_long_goes_on_waiting() {
    run(|| {
        let (ours, theirs) = known();
        let readings = [read(&ours), read(&ours)];
        eventlet::sleep(150 * MS).block();
        assert!(readings.iter().all(|reading| !reading.dead()));
        (&theirs).write_all(b"abcde").unwrap();
        let counts = readings.map(|reading| reading.block().unwrap().unwrap());
        assert_eq!(counts.iter().sum::<usize>(), 5);
    });
}

/// The hub's clock has nothing to do with it.
#[test]
fn virtual_time_stands_still_for_who_waits_on_trust() {
    run_paused(|| {
        let (ours, theirs) = known();
        let start = tokio::time::Instant::now();
        let writer = std::thread::spawn(move || {
            std::thread::sleep(80 * MS);
            (&theirs).write_all(b"x").unwrap();
        });
        assert_eq!((&*ours).read(&mut [0; 4]).unwrap(), 1);
        assert_eq!(tokio::time::Instant::now(), start);
        writer.join().unwrap();
    });
}

/// Both ends write and read without waiting, while they are registered.
#[test]
fn events_that_find_nobody_do_no_harm() {
    run(|| {
        let (ours, theirs) = known();
        for _ in 0..100 {
            (&theirs).write_all(b"x").unwrap();
            turns(2);
            assert_eq!((&*ours).read(&mut [0; 4]).unwrap(), 1);
        }
        let reading = read(&ours);
        assert!(!reading.dead());
        (&theirs).write_all(b"ab").unwrap();
        assert_eq!(reading.block().unwrap().unwrap(), 2);
    });
}

/// OS threads close and open descriptors, so that numbers come and go, while green threads wait for
/// some of them.
#[test]
fn numbers_that_come_and_go_are_told_apart() {
    run(|| {
        let done = Arc::new(AtomicBool::new(false));
        let churn = || {
            let done = done.clone();
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    drop(UnixStream::pair().unwrap());
                }
            })
        };
        let churns = [churn(), churn()];
        let ((), took) = timed(|| {
            support::crowd(4, |_| {
                for round in 0..100 {
                    let (ours, theirs) = UnixStream::pair().unwrap();
                    let echo = eventlet::spawn(eventlet::stackful(move || {
                        let mut byte = [0];
                        while (&theirs).read(&mut byte).unwrap() == 1 {
                            (&theirs).write_all(&byte).unwrap();
                        }
                    }));
                    for _ in 0..3 {
                        let mut byte = [0];
                        (&ours).write_all(&[round]).unwrap();
                        (&ours).read_exact(&mut byte).unwrap();
                        assert_eq!(byte, [round]);
                    }
                    drop(ours);
                    echo.block().unwrap();
                }
            });
        });
        done.store(true, Ordering::Relaxed);
        churns.into_iter().for_each(|churn| churn.join().unwrap());
        println!("400 pairs: {took:?}");
        assert!(took < 4 * HEALED, "{took:?}");
    });
}
