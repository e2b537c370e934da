//! Sleeping, `poll`, `select` and `epoll_wait`.

#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use eventlet::{Block, Timeout};
use support::{MS, NEVER, alone, crowd, errno, green, run, run_paused, timed};

#[test]
fn a_hundred_sleep_at_once_each_way() {
    run(|| {
        let ways: [fn(); 5] = [
            || std::thread::sleep(100 * MS),
            // SAFETY: it has no arguments but numbers.
            || assert_eq!(unsafe { libc::usleep(100_000) }, 0),
            || {
                let time = libc::timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                // SAFETY: the time is there.
                assert_eq!(unsafe { libc::nanosleep(&time, ptr::null_mut()) }, 0);
            },
            // SAFETY: there are no descriptors.
            || assert_eq!(unsafe { libc::poll(ptr::null_mut(), 0, 100) }, 0),
            || {
                let mut time = libc::timeval { tv_sec: 0, tv_usec: 100_000 };
                let none = ptr::null_mut();
                // SAFETY: the time is there, and there are no sets.
                assert_eq!(unsafe { libc::select(0, none, none, none, &mut time) }, 0);
            },
        ];
        for way in ways {
            let (_, took) = timed(|| crowd(100, move |_| way()));
            // One after the other they take ten seconds.
            assert!(took >= 100 * MS && took < Duration::from_secs(5), "{took:?}");
        }
    });
}

#[test]
fn sleeps_are_on_virtual_time() {
    run_paused(|| {
        let ((), took) = timed(|| {
            std::thread::sleep(Duration::from_secs(3600));
            // SAFETY: it has no arguments but numbers.
            assert_eq!(unsafe { libc::sleep(3600) }, 0);
            // SAFETY: there are no descriptors.
            assert_eq!(unsafe { libc::poll(ptr::null_mut(), 0, 3_600_000) }, 0);
        });
        assert!(took < NEVER, "{took:?}");
    });
}

#[test]
fn what_is_no_time_is_refused() {
    run(|| {
        let time = libc::timespec { tv_sec: 0, tv_nsec: 2_000_000_000 };
        // SAFETY: the time is there.
        assert_eq!(unsafe { libc::nanosleep(&time, ptr::null_mut()) }, -1);
        assert_eq!(errno(), libc::EINVAL);
    });
}

#[test]
fn a_kill_ends_a_sleep_of_c_and_a_limit_that_of_std() {
    run(|| {
        let seen = Rc::new(Cell::new(0));
        let noted = seen.clone();
        let victim = green(move || {
            // SAFETY: it has no arguments but numbers.
            assert_eq!(unsafe { libc::usleep(60_000_000) }, -1);
            noted.set(errno());
            eventlet::sleep(MS).block();
            noted.set(0);
        });
        victim.kill();
        assert_eq!(seen.get(), libc::ECANCELED);
        let limit = Timeout::new(5 * MS);
        let late = limit.run_blocking(|| {
            std::thread::sleep(Duration::from_secs(60));
            eventlet::sleep(MS).block();
        });
        assert_eq!(late, Err(limit));
    });
}

#[test]
fn a_loop_of_c_that_takes_no_notice_is_left_to_itself() {
    run(|| {
        let stop = Rc::new(Cell::new(false));
        let stopped = stop.clone();
        let victim = green(move || {
            while !stopped.get() {
                // SAFETY: it has no arguments but numbers.
                unsafe { libc::usleep(1_000) };
            }
        });
        let ((), took) = timed(|| victim.kill());
        assert!(victim.dead() && took < NEVER, "{took:?}");
        stop.set(true);
        eventlet::sleep(5 * MS).block();
    });
}

/// A pair, and the element of `poll` for one end.
fn pair() -> (UnixStream, UnixStream, libc::pollfd) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let wanted = libc::pollfd { fd: ours.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    (ours, theirs, wanted)
}

#[test]
fn poll_sees_what_is_ready_among_what_is_not() {
    run(|| {
        let (_first, _kept, one) = pair();
        let (_second, theirs, two) = pair();
        let unused = libc::pollfd { fd: -1, events: libc::POLLIN, revents: 7 };
        let mut all = [one, unused, two];
        let polling = green(move || {
            // SAFETY: there are three.
            let count = unsafe { libc::poll(all.as_mut_ptr(), 3, 60_000) };
            (count, all.map(|one| one.revents))
        });
        assert!(!polling.dead());
        (&theirs).write_all(b"x").unwrap();
        assert_eq!(polling.block().unwrap(), (1, [0, 0, libc::POLLIN]));
        let mut closed = [libc::pollfd { fd: 99_999, events: libc::POLLIN, revents: 0 }];
        // SAFETY: there is one.
        assert_eq!(unsafe { libc::poll(closed.as_mut_ptr(), 1, 60_000) }, 1);
        assert_eq!(closed[0].revents, libc::POLLNVAL);
    });
}

#[test]
fn poll_for_nothing_sees_a_hang_up() {
    run(|| {
        let (_ours, theirs, mut wanted) = pair();
        wanted.events = 0;
        let mut all = [wanted];
        let polling = green(move || {
            // SAFETY: there is one.
            let count = unsafe { libc::poll(all.as_mut_ptr(), 1, 60_000) };
            (count, all[0].revents)
        });
        drop(theirs);
        assert_eq!(polling.block().unwrap(), (1, libc::POLLHUP));
    });
}

#[test]
fn select_sees_what_is_ready_and_what_is_left_of_the_time() {
    run(|| {
        let (ours, theirs, _) = pair();
        let selecting = green(move || {
            // SAFETY: all zeroes is a value of it.
            let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
            // SAFETY: the descriptor is small.
            unsafe { libc::FD_SET(ours.as_raw_fd(), &mut set) };
            let mut time = libc::timeval { tv_sec: 60, tv_usec: 0 };
            let none = ptr::null_mut();
            let most = ours.as_raw_fd() + 1;
            // SAFETY: the set and the time are there.
            let count = unsafe { libc::select(most, &mut set, none, none, &mut time) };
            // SAFETY: the descriptor is small.
            (count, unsafe { libc::FD_ISSET(ours.as_raw_fd(), &set) }, time.tv_sec)
        });
        (&theirs).write_all(b"x").unwrap();
        let (count, is_in, left) = selecting.block().unwrap();
        assert!(count == 1 && is_in && (30..60).contains(&left), "{count} {is_in} {left}");
    });
}

#[test]
fn another_epoll_waits_greenly() {
    run(|| {
        let (ours, theirs, _) = pair();
        // SAFETY: it has no arguments but flags.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 42 };
        // SAFETY: the event is there.
        let added =
            unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, ours.as_raw_fd(), &mut event) };
        assert_eq!(added, 0);
        let waiting = green(move || {
            let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
            // SAFETY: there is room for four.
            let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 4, 60_000) };
            // SAFETY: there is room for four.
            let late = unsafe { libc::epoll_wait(-1, events.as_mut_ptr(), 4, 60_000) };
            (count, { events[0].u64 }, late, errno())
        });
        (&theirs).write_all(b"x").unwrap();
        assert_eq!(waiting.block().unwrap(), (1, 42, -1, libc::EBADF));
        // SAFETY: it is ours.
        unsafe { libc::close(epoll) };
    });
}

#[test]
fn sched_yield_is_a_turn() {
    run(|| {
        let (done, seen) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
        let (theirs, counted) = (done.clone(), seen.clone());
        let spinning = green(move || {
            while !theirs.get() {
                counted.set(counted.get() + 1);
                std::thread::yield_now();
            }
        });
        let before = seen.get();
        std::thread::yield_now();
        std::thread::yield_now();
        assert!(seen.get() > before);
        done.set(true);
        spinning.block().unwrap();
    });
}

#[test]
fn a_signal_handler_that_has_a_stack_of_its_own_is_not_put_aside() {
    use std::sync::atomic::{AtomicI64, Ordering};
    static BLOCKED: AtomicI64 = AtomicI64::new(-1);
    extern "C" fn handler(_: libc::c_int) {
        let before = eventlet_shim::stats().blocked;
        // SAFETY: it has no arguments but numbers.
        unsafe { libc::usleep(1_000) };
        BLOCKED.store((eventlet_shim::stats().blocked - before) as i64, Ordering::SeqCst);
    }
    alone("a_signal_handler_that_has_a_stack_of_its_own_is_not_put_aside", || {
        run(|| {
            // SAFETY: all zeroes is a value of it.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            // SAFETY: the handler calls nothing but `usleep`, which is a system call there.
            assert_eq!(unsafe { libc::sigaction(libc::SIGUSR2, &action, ptr::null_mut()) }, 0);
            // SAFETY: there is a handler.
            assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0);
        });
        assert_eq!(BLOCKED.load(Ordering::SeqCst), 1);
    });
}
