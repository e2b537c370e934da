//! Waiting for signals, and masks of signals.

#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::ffi::c_int;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eventlet::{Block, Timeout};
use libc::{epoll_event, pollfd, sigset_t, timespec};
use support::{MS, alone, errno, green, run, timed};

fn set(signals: &[c_int]) -> sigset_t {
    // SAFETY: all zeroes is a value of it: the empty set.
    let mut set: sigset_t = unsafe { std::mem::zeroed() };
    for signal in signals {
        // SAFETY: the set is there.
        assert_eq!(unsafe { libc::sigaddset(&mut set, *signal) }, 0);
    }
    set
}

/// Blocks a signal in this OS thread. Returns the mask as it was.
fn block(signal: c_int) -> sigset_t {
    let (set, mut old) = (set(&[signal]), set(&[]));
    // SAFETY: the sets are there.
    assert_eq!(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut old) }, 0);
    old
}

fn raise(signal: c_int) {
    // SAFETY: it has no arguments but numbers.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// Has a signal counted in `HANDLED`.
fn count(signal: c_int) {
    extern "C" fn handler(_: c_int) {
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
    // SAFETY: all zeroes is a value of it.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    // SAFETY: the handler only counts.
    assert_eq!(unsafe { libc::sigaction(signal, &action, ptr::null_mut()) }, 0);
}

/// What `sigtimedwait` returns for a signal, and `errno`.
fn take(signal: c_int, limit: Option<Duration>) -> (c_int, c_int) {
    let set = set(&[signal]);
    let time = limit.map(|limit| timespec {
        tv_sec: limit.as_secs() as _,
        tv_nsec: limit.subsec_nanos().into(),
    });
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: all zeroes is a value of it.
    let mut about: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set and the time are there, and there is room for the answer.
    let taken = unsafe { libc::sigtimedwait(&set, &mut about, time) };
    if taken > 0 {
        assert_eq!((about.si_signo, about.si_code), (taken, libc::SI_USER));
    }
    (taken, errno())
}

#[test]
fn each_way_to_wait_for_a_signal_suspends() {
    let signal = libc::SIGRTMIN() + 3;
    let ways: [fn(c_int) -> c_int; 3] = [
        |signal| take(signal, None).0,
        // SAFETY: the set is there, and nothing is asked about it.
        |signal| unsafe { libc::sigwaitinfo(&set(&[signal]), ptr::null_mut()) },
        |signal| {
            let mut taken = 0;
            // SAFETY: the set is there, and there is room for the answer.
            assert_eq!(unsafe { libc::sigwait(&set(&[signal]), &mut taken) }, 0);
            taken
        },
    ];
    run(move || {
        block(signal);
        for way in ways {
            let waiting = green(move || way(signal));
            assert!(!waiting.dead());
            raise(signal);
            assert_eq!(waiting.block().unwrap(), signal);
            raise(signal);
            assert_eq!(way(signal), signal, "one that is pending is taken at once");
        }
    });
    block(signal);
    raise(signal);
    assert_eq!(take(signal, None).0, signal, "off green stacks");
    assert_eq!(take(signal, Some(MS)), (-1, libc::EAGAIN));
}

#[test]
fn each_of_two_who_wait_for_a_signal_takes_one() {
    let signal = libc::SIGRTMIN() + 4;
    run(move || {
        block(signal);
        let both = [(); 2].map(|()| green(move || take(signal, None).0));
        raise(signal);
        support::turns(5);
        raise(signal);
        for one in both {
            assert_eq!(one.block().unwrap(), signal);
        }
        assert_eq!(take(signal, Some(Duration::ZERO)), (-1, libc::EAGAIN));
    });
}

#[test]
fn a_wait_for_a_signal_ends_late_or_cancelled_and_takes_none() {
    let signal = libc::SIGRTMIN() + 5;
    run(move || {
        block(signal);
        let (late, took) = timed(|| take(signal, Some(5 * MS)));
        assert!(late == (-1, libc::EAGAIN) && took >= 5 * MS, "{late:?} {took:?}");
        let no_time = timespec { tv_sec: 0, tv_nsec: -1 };
        // SAFETY: the set and the time are there.
        let refused = unsafe { libc::sigtimedwait(&set(&[signal]), ptr::null_mut(), &no_time) };
        assert_eq!((refused, errno()), (-1, libc::EINVAL));
        let seen = Rc::new(Cell::new((0, 0)));
        let noted = seen.clone();
        let victim = green(move || {
            noted.set(take(signal, None));
            eventlet::sleep(MS).block();
        });
        victim.kill();
        assert_eq!(seen.get(), (-1, libc::ECANCELED));
        let limit = Timeout::new(5 * MS);
        let late = limit.run_blocking(|| {
            let mut taken = 0;
            // SAFETY: the set is there, and there is room for the answer.
            assert_eq!(unsafe { libc::sigwait(&set(&[signal]), &mut taken) }, libc::ETIMEDOUT);
            eventlet::sleep(MS).block();
        });
        assert_eq!(late, Err(limit));
        raise(signal);
        assert_eq!(take(signal, None).0, signal);
    });
}

#[test]
fn a_signal_that_is_not_blocked_is_waited_for_as_before() {
    let signal = libc::SIGRTMIN() + 6;
    run(move || {
        let before = eventlet_shim::stats().blocked;
        assert_eq!(take(signal, Some(MS)), (-1, libc::EAGAIN));
        assert!(eventlet_shim::stats().blocked > before);
    });
}

/// Two ends of a stream, and an epoll that watches one.
struct Watched {
    ours: UnixStream,
    theirs: UnixStream,
    epoll: OwnedFd,
}

impl Watched {
    fn new() -> Watched {
        let (ours, theirs) = UnixStream::pair().unwrap();
        // SAFETY: it has no arguments but flags, and what it opens is new.
        let opened = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        // SAFETY: it is new, and nobody else's.
        let epoll = unsafe { OwnedFd::from_raw_fd(opened) };
        let mut event = epoll_event { events: libc::EPOLLIN as u32, u64: 1 };
        let (add, watched) = (libc::EPOLL_CTL_ADD, ours.as_raw_fd());
        // SAFETY: the event is there.
        assert_eq!(unsafe { libc::epoll_ctl(opened, add, watched, &mut event) }, 0);
        Watched { ours, theirs, epoll }
    }
}

const MINUTE: timespec = timespec { tv_sec: 60, tv_nsec: 0 };

/// Each call that takes a mask, waiting for a minute.
const CALLS: [fn(&Watched, *const sigset_t) -> c_int; 4] = [
    |watched, mask| {
        let mut one = pollfd { fd: watched.ours.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: all of it is there.
        unsafe { libc::ppoll(&mut one, 1, &MINUTE, mask) }
    },
    |watched, mask| {
        let (descriptor, none) = (watched.ours.as_raw_fd(), ptr::null_mut());
        // SAFETY: all zeroes is a value of it.
        let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is small.
        unsafe { libc::FD_SET(descriptor, &mut set) };
        // SAFETY: all of it is there.
        unsafe { libc::pselect(descriptor + 1, &mut set, none, none, &MINUTE, mask) }
    },
    |watched, mask| {
        let mut event = epoll_event { events: 0, u64: 0 };
        // SAFETY: there is room for one.
        unsafe { libc::epoll_pwait(watched.epoll.as_raw_fd(), &mut event, 1, 60_000, mask) }
    },
    |watched, mask| {
        unsafe extern "C" {
            fn epoll_pwait2(
                epoll: c_int,
                events: *mut epoll_event,
                count: c_int,
                timeout: *const timespec,
                mask: *const sigset_t,
            ) -> c_int;
        }
        let mut event = epoll_event { events: 0, u64: 0 };
        // SAFETY: there is room for one.
        unsafe { epoll_pwait2(watched.epoll.as_raw_fd(), &mut event, 1, &MINUTE, mask) }
    },
];

#[test]
fn a_signal_that_the_mask_lets_through_ends_the_call() {
    let signal = libc::SIGRTMIN() + 7;
    count(signal);
    run(move || {
        let open = block(signal);
        for call in CALLS {
            let before = HANDLED.load(Ordering::SeqCst);
            let waiting = green(move || (call(&Watched::new(), &open), errno()));
            assert!(!waiting.dead());
            raise(signal);
            assert_eq!(HANDLED.load(Ordering::SeqCst), before, "it is blocked here");
            assert_eq!(waiting.block().unwrap(), (-1, libc::EINTR));
            assert_eq!(HANDLED.load(Ordering::SeqCst), before + 1);
            raise(signal);
            assert_eq!((call(&Watched::new(), &open), errno()), (-1, libc::EINTR));
            assert_eq!(HANDLED.load(Ordering::SeqCst), before + 2);
        }
    });
}

#[test]
fn what_is_ready_is_seen_with_any_mask() {
    alone("what_is_ready_is_seen_with_any_mask", || {
        let signal = libc::SIGRTMIN() + 8;
        run(move || {
            let open = block(signal);
            let same = block(signal);
            let blocked = eventlet_shim::stats().blocked;
            for call in CALLS {
                for mask in [ptr::null(), ptr::from_ref(&same), ptr::from_ref(&open)] {
                    let watched = Rc::new(Watched::new());
                    let theirs = watched.clone();
                    let waiting = green(move || call(&theirs, mask));
                    assert!(!waiting.dead());
                    (&watched.theirs).write_all(b"x").unwrap();
                    assert_eq!(waiting.block().unwrap(), 1);
                    assert_eq!(call(&watched, mask), 1, "at once");
                }
            }
            assert_eq!(eventlet_shim::stats().blocked, blocked);
        });
        let watched = Watched::new();
        (&watched.theirs).write_all(b"x").unwrap();
        CALLS.iter().for_each(|call| assert_eq!(call(&watched, &set(&[])), 1, "off green stacks"));
    });
}

#[test]
fn calls_with_a_mask_are_killed_and_limited() {
    let signal = libc::SIGRTMIN() + 9;
    run(move || {
        let open = block(signal);
        for call in CALLS {
            let seen = Rc::new(Cell::new((0, 0)));
            let noted = seen.clone();
            let victim = green(move || {
                noted.set((call(&Watched::new(), &open), errno()));
                eventlet::sleep(MS).block();
            });
            victim.kill();
            assert_eq!(seen.get(), (-1, libc::ECANCELED));
            let limit = Timeout::new(5 * MS);
            let late = limit.run_blocking(|| {
                assert_eq!((call(&Watched::new(), &open), errno()), (-1, libc::ETIMEDOUT));
                eventlet::sleep(MS).block();
            });
            assert_eq!(late, Err(limit));
        }
    });
}
