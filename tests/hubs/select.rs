//! Follows eventlet tests/isolated/green_select.py and tests/greenio_test.py at c8f903a3, and the
//! defect of its `select`, which finds one descriptor at most.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use eventlet::hubs::select;
use eventlet::{sleep, spawn, spawn_n};
use tokio::time::Instant;

use crate::support::*;

/// The places in a list of those that were found.
fn places<F>(list: &[F], found: &[&F]) -> Vec<usize> {
    let place = |found: &&F| list.iter().position(|one| ptr::eq(one, *found)).unwrap();
    found.iter().map(place).collect()
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (here, listener.accept().unwrap().0)
}

both_colours! {
    fn all_that_are_ready_are_found() {
        let pairs: Vec<_> = (0..5).map(|_| UnixStream::pair().unwrap()).collect();
        let (here, mut there): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        for number in [1, 3] {
            there[number].write_all(b"x").unwrap();
        }
        let (read, write, except) = wait!(select(&here, &here, &here, None)).unwrap();
        assert_eq!(places(&here, &read), [1, 3]);
        assert_eq!(places(&here, &write), [0, 1, 2, 3, 4]);
        assert!(except.is_empty());
    }

    fn others_run_until_one_is_ready() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let (other, _other_end) = UnixStream::pair().unwrap();
        let writer = spawn(green!({
            wait!(sleep(ms(5)));
            there.write_all(b"x").unwrap();
            there
        }));
        let began = Instant::now();
        let list = [other, here];
        let (read, ..) = wait!(select(&list, [], [], ms(1000))).unwrap();
        assert_eq!((places(&list, &read), began.elapsed().as_millis()), (vec![1], 5));
        let _there = wait!(writer).unwrap();
    }

    fn none_are_found_when_the_limit_has_passed() {
        let (here, _there) = UnixStream::pair().unwrap();
        for limit in [ms(0), ms(7)] {
            let began = Instant::now();
            let (read, ..) = wait!(select([&here], [], [], limit)).unwrap();
            assert!(read.is_empty() && began.elapsed() == limit);
        }
    }

    fn without_descriptors_it_sleeps() {
        let began = Instant::now();
        let found = wait!(select([] as [File; 0], [], [], ms(7))).unwrap();
        assert!(found.0.is_empty() && began.elapsed() >= ms(7));
        let forever = spawn(green!({ wait!(select([] as [File; 0], [], [], None)).map(drop) }));
        wait!(sleep(ms(100)));
        assert!(!forever.dead());
        forever.kill();
    }

    fn regular_files_are_always_ready() {
        let file = File::open("/proc/self/status").unwrap();
        let (here, _there) = UnixStream::pair().unwrap();
        let list = [here.as_fd(), file.as_fd()];
        let (read, write, _) = wait!(select(list, [list[1]], [], None)).unwrap();
        assert_eq!((read.len(), write.len()), (1, 1));
    }

    fn the_end_is_read_and_an_error_is_told_to_who_writes() {
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        assert_eq!(wait!(select([&here], [], [], None)).unwrap().0.len(), 1);

        // Closed with something unread, a TCP connection is reset.
        let (mut here, there) = tcp_pair();
        here.write_all(b"never read").unwrap();
        wait!(select([&there], [], [], None)).unwrap();
        drop(there);
        let (read, write, _) = wait!(select([&here], [&here], [], None)).unwrap();
        assert_eq!((read.len(), write.len()), (1, 1));
        assert!(here.read(&mut [0]).is_err());
    }

    fn urgent_data_is_exceptional() {
        let (here, there) = tcp_pair();
        let urgent = spawn(green!({
            wait!(sleep(ms(1)));
            socket2::SockRef::from(&there).send_out_of_band(b"!").unwrap();
            there
        }));
        let (read, _, except) = wait!(select([], [], [&here], None)).unwrap();
        assert_eq!((read.len(), except.len()), (0, 1));
        wait!(urgent).unwrap();
    }

    /// Nor is one that has hung up told to who does not ask, or looked at again and again: then the
    /// paused clock would stand still.
    fn the_end_is_not_exceptional() {
        let (here, there) = UnixStream::pair().unwrap();
        let (other, _other_end) = UnixStream::pair().unwrap();
        drop(there);
        let began = Instant::now();
        let (read, _, except) = wait!(select([&other], [], [&here, &other], ms(7))).unwrap();
        assert!(read.is_empty() && except.is_empty() && began.elapsed() == ms(7));
        let (read, write, except) = wait!(select([&here], [&here], [&here], None)).unwrap();
        assert_eq!((read.len(), write.len(), except.len()), (1, 1, 0));
    }

    fn two_may_wait_for_the_same() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let here = Rc::new(here);
        let wait_for = || {
            let here = Rc::clone(&here);
            spawn(green!({ wait!(select([&*here], [], [], None)).unwrap().0.len() }))
        };
        let both = [wait_for(), wait_for()];
        wait!(sleep(ms(1)));
        there.write_all(b"x").unwrap();
        for one in both {
            assert_eq!(wait!(one).unwrap(), 1);
        }
    }

    fn one_that_is_killed_leaves_nothing_behind() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let victim = spawn(green!({ wait!(select([&here], [&here], [], None)).map(drop) }));
        wait!(sleep(ms(1)));
        assert!(victim.dead(), "it may be written to");

        let (here, mut other) = UnixStream::pair().unwrap();
        let victim = spawn(green!({ wait!(select([&here], [], [], None)).map(drop) }));
        wait!(sleep(ms(1)));
        victim.kill();
        for end in [&mut there, &mut other] {
            end.set_nonblocking(true).unwrap();
            assert_eq!(end.read(&mut [0]).unwrap(), 0, "no duplicate keeps it open");
        }
    }

    fn a_bad_descriptor_is_an_error() {
        let (here, _there) = UnixStream::pair().unwrap();
        for limit in [None, Some(ms(0))] {
            let error = wait!(select([here.as_fd(), nobody()], [], [], limit)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            let error = wait!(select([], [], [nobody()], limit)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        }
    }

    fn hundreds_at_once() {
        let pairs: Vec<_> = (0..200).map(|_| UnixStream::pair().unwrap()).collect();
        let (here, mut there): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let writer = spawn(green!({
            for number in [7, 150] {
                wait!(sleep(ms(1)));
                there[number].write_all(b"x").unwrap();
            }
            there
        }));
        assert_eq!(places(&here, &wait!(select(&here, [], [], None)).unwrap().0), [7]);
        let _there = wait!(writer).unwrap();
        assert_eq!(places(&here, &wait!(select(&here, [], [], None)).unwrap().0), [7, 150]);
    }

    fn a_limit_around_it_ends_it() {
        let (here, _there) = UnixStream::pair().unwrap();
        let late = wait!(eventlet::with_timeout(ms(1), select([&here], [], [], ms(60_000))));
        assert!(late.is_err());
    }

    /// Each look costs of Tokio's budget, as reading does.
    fn one_that_is_always_ready_does_not_keep_the_turn() {
        let (here, _there) = UnixStream::pair().unwrap();
        let others = Rc::new(std::cell::Cell::new(0));
        let counted = Rc::clone(&others);
        let other = spawn_n(green!({
            loop {
                counted.set(counted.get() + 1);
                wait!(sleep(Duration::ZERO));
            }
        }));
        for _ in 0..1000 {
            wait!(select([], [&here], [], None)).unwrap();
        }
        assert!(others.get() > 0);
        other.kill();
    }
}

/// A number that is no descriptor.
#[allow(unsafe_code)]
fn nobody() -> BorrowedFd<'static> {
    // SAFETY: nobody ever opens so many, so it is nobody else's either.
    unsafe { BorrowedFd::borrow_raw(999_999) }
}

#[test]
fn sockets_of_tokio_can_be_waited_for_too() {
    run_in_real_time(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let client = spawn(async move { tokio::net::TcpStream::connect(addr).await.unwrap() });
        let (read, ..) = select([&listener], [], [], None).await.unwrap();
        assert_eq!(read.len(), 1);
        let (server, _) = listener.accept().await.unwrap();
        client.await.unwrap().try_write(b"x").unwrap();
        select([&server], [], [], None).await.unwrap();
    });
}

#[test]
#[should_panic(expected = "waiting for descriptors")]
fn there_must_be_a_hub() {
    drop(select([] as [File; 0], [], [], None));
}
