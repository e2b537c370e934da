//! Waiting for descriptors: eventlet tests/api_test.py and tests/hub_test.py at c8f903a3.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use eventlet::hubs::{Interest, notify_close, prevent_multiple_readers, trampoline};
use eventlet::{GreenThread, Timeout, is_timeout, sleep, spawn};
use futures::future::poll_immediate;
use tokio::net::{TcpListener, TcpStream};

use crate::real_time::both_colours_in_real_time;
use crate::support::{Log, ZERO, both_colours, keeps_turn, ms, panics_here, yields};

const FOR_EVER: Option<Duration> = None;

/// Two ends, neither of which blocks.
fn pair() -> (Rc<UnixStream>, Rc<UnixStream>) {
    let (one, other) = UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    (Rc::new(one), Rc::new(other))
}

/// Writes until there is no room; returns how much that was.
fn fill(stream: &UnixStream) -> usize {
    let mut written = 0;
    loop {
        match (&*stream).write(&[0; 4096]) {
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return written,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads all there is, or to the end; returns how much that was.
fn drain(stream: &UnixStream) -> usize {
    let mut read = 0;
    loop {
        match (&*stream).read(&mut [0; 4096]) {
            Ok(0) => return read,
            Ok(bytes) => read += bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return read,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A green thread that waits to read.
fn reader(stream: &Rc<UnixStream>) -> GreenThread<std::io::Result<()>> {
    spawn(trampoline(Rc::clone(stream), Interest::Read, FOR_EVER))
}

both_colours_in_real_time! {
    fn what_is_ready_costs_no_turn_and_stays_ready() {
        let (here, there) = pair();
        (&*there).write_all(b"ab").unwrap();
        // Nobody reads: each wait finds the same two bytes.
        for _ in 0..3 {
            keeps_turn!(wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap());
        }
        assert_eq!((&*here).read(&mut [0; 1]).unwrap(), 1);
        keeps_turn!(wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap());
        keeps_turn!(wait!(trampoline(&here, Interest::Write, FOR_EVER)).unwrap());
    }

    fn a_reader_waits_until_there_is_something() {
        let (here, there) = pair();
        let writer = spawn(green!({ (&*there).write_all(b"hello").unwrap(); there }));
        yields!(wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap());
        assert_eq!(drain(&here), 5);
        wait!(writer).unwrap();
    }

    fn a_writer_waits_until_there_is_room() {
        let (here, there) = pair();
        let written = fill(&here);
        let drainer = spawn(green!({ (drain(&there), there) }));
        yields!(wait!(trampoline(&here, Interest::Write, FOR_EVER)).unwrap());
        assert!((&*here).write(b"more").is_ok());
        assert_eq!(wait!(drainer).unwrap().0, written);
    }

    fn a_descriptor_waited_for_again_and_again() {
        let (here, there) = pair();
        let echo = spawn(green!({
            for _ in 0..100 {
                wait!(trampoline(&there, Interest::Read, FOR_EVER)).unwrap();
                assert_eq!(drain(&there), 1);
                (&*there).write_all(b"b").unwrap();
            }
        }));
        for _ in 0..100 {
            (&*here).write_all(b"a").unwrap();
            wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap();
            assert_eq!(drain(&here), 1);
        }
        wait!(echo).unwrap();
    }

    fn an_end_that_is_closed_is_ready() {
        let (here, there) = pair();
        let closer = spawn(green!({ drop(there) }));
        wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap();
        assert_eq!((&*here).read(&mut [0; 1]).unwrap(), 0);
        wait!(closer).unwrap();
    }

    fn a_pipe_that_nobody_reads_is_ready_for_its_writer() {
        let (writer, reader) = tokio::net::unix::pipe::pipe().unwrap();
        let writer: OwnedFd = writer.into_nonblocking_fd().unwrap();
        let reader: OwnedFd = reader.into_nonblocking_fd().unwrap();
        let mut file = std::fs::File::from(writer.try_clone().unwrap());
        while file.write(&[0; 4096]).is_ok() {}
        let closer = spawn(green!({ drop(reader) }));
        yields!(wait!(trampoline(&writer, Interest::Write, FOR_EVER)).unwrap());
        assert_eq!(file.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
        wait!(closer).unwrap();
    }

    fn a_socket_that_tokio_waits_for_too() {
        let listener = wait!(TcpListener::bind("127.0.0.1:0")).unwrap();
        let here = wait!(TcpStream::connect(listener.local_addr().unwrap())).unwrap();
        let (there, _) = wait!(listener.accept()).unwrap();
        let writer = spawn(green!({ assert_eq!(there.try_write(b"hello").unwrap(), 5); there }));
        wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap();
        wait!(here.readable()).unwrap();
        assert_eq!(here.try_read(&mut [0; 9]).unwrap(), 5);
        wait!(writer).unwrap();
    }

    fn a_reader_and_a_writer_do_not_disturb_each_other() {
        let (here, there) = pair();
        fill(&here);
        let log = Log::new();
        let reader = spawn({
            let (here, log) = (Rc::clone(&here), log.clone());
            green!({ wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap(); log.add("read") })
        });
        let writer = spawn({
            let (here, log) = (Rc::clone(&here), log.clone());
            green!({ wait!(trampoline(&here, Interest::Write, FOR_EVER)).unwrap(); log.add("write") })
        });
        wait!(sleep(ZERO));
        drain(&there);
        wait!(writer).unwrap();
        assert_eq!(log.text(), "write");
        (&*there).write_all(b"hello").unwrap();
        wait!(reader).unwrap();
        assert_eq!(log.text(), "write read");
    }

    fn a_second_reader_is_an_error_and_harms_nobody() {
        let (here, there) = pair();
        let first = reader(&here);
        wait!(sleep(ZERO));
        let error = keeps_turn!(wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        assert!(error.to_string().starts_with("Second simultaneous read on fileno "), "{error}");
        wait!(trampoline(&here, Interest::Write, FOR_EVER)).unwrap();

        (&*there).write_all(b"hello").unwrap();
        wait!(first).unwrap().unwrap();
        wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap();
    }

    fn a_second_writer_is_an_error() {
        let (here, there) = pair();
        fill(&here);
        let first = spawn(trampoline(Rc::clone(&here), Interest::Write, FOR_EVER));
        wait!(sleep(ZERO));
        let error = wait!(trampoline(&here, Interest::Write, FOR_EVER)).unwrap_err();
        assert!(error.to_string().starts_with("Second simultaneous write on fileno "), "{error}");
        drain(&there);
        wait!(first).unwrap().unwrap();
    }

    fn a_killed_reader_leaves_its_place() {
        let (here, there) = pair();
        let first = reader(&here);
        wait!(sleep(ZERO));
        first.kill();
        assert_eq!(Rc::strong_count(&here), 1, "it borrows nothing any more");
        let second = reader(&here);
        wait!(sleep(ZERO));
        (&*there).write_all(b"hello").unwrap();
        wait!(second).unwrap().unwrap();
    }

    fn two_readers_are_both_served_if_that_is_allowed() {
        prevent_multiple_readers(false);
        let (here, there) = pair();
        let log = Log::new();
        let readers = ["first", "second"].map(|name| {
            let (here, log) = (Rc::clone(&here), log.clone());
            spawn(green!({
                wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap();
                log.add(format!("{name} {}", drain(&here)));
            }))
        });
        wait!(sleep(ZERO));
        (&*there).write_all(b"hello").unwrap();
        while log.text().is_empty() {
            wait!(sleep(ZERO));
        }
        // Whoever was second is not told of what is gone, but of what comes.
        for _ in 0..10 {
            wait!(sleep(ZERO));
        }
        assert_eq!(log.text(), "first 5");
        (&*there).write_all(b"you").unwrap();
        for reader in readers {
            wait!(reader).unwrap();
        }
        assert_eq!(log.text(), "first 5 second 3");
        prevent_multiple_readers(true);
        let first = reader(&here);
        wait!(sleep(ZERO));
        assert!(wait!(trampoline(&here, Interest::Read, FOR_EVER)).is_err());
        first.kill();
    }

    fn a_kill_of_one_reader_loses_no_wakeup_of_the_other() {
        prevent_multiple_readers(false);
        for victim in 0..2 {
            let (here, there) = pair();
            let mut readers = vec![reader(&here), reader(&here)];
            wait!(sleep(ZERO));
            (&*there).write_all(b"hello").unwrap();
            readers.remove(victim).kill();
            wait!(readers.remove(0)).unwrap().unwrap();
        }
    }

    fn a_close_wakes_everybody_with_an_error() {
        let (here, there) = pair();
        fill(&here);
        let waiting = [
            reader(&here),
            spawn(trampoline(Rc::clone(&here), Interest::Write, FOR_EVER)),
        ];
        let (other, _other_end) = pair();
        let unconcerned = reader(&other);
        wait!(sleep(ZERO));
        keeps_turn!(notify_close(&here));
        notify_close(&here);
        for waiter in waiting {
            let error = wait!(waiter).unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotConnected);
            assert!(error.to_string().contains("was closed while a green thread waited"), "{error}");
        }
        assert!(Rc::into_inner(here).is_some(), "whoever waited has given it back");
        assert!(!unconcerned.dead());
        unconcerned.kill();
        drop(there);
    }

    fn after_a_close_the_number_is_free_for_another() {
        let (here, there) = pair();
        let old = reader(&here);
        wait!(sleep(ZERO));
        notify_close(&here);
        // The old one has not resumed yet. It is not in the way, and when it goes the new one
        // stays.
        let mut new = Box::pin(trampoline(&here, Interest::Read, FOR_EVER));
        assert!(wait!(poll_immediate(&mut new)).is_none());
        assert!(wait!(old).unwrap().is_err());
        let third = wait!(trampoline(&here, Interest::Read, FOR_EVER)).unwrap_err();
        assert_eq!(third.kind(), ErrorKind::ResourceBusy);
        (&*there).write_all(b"hello").unwrap();
        wait!(new).unwrap();
    }

    fn a_close_that_concerns_nobody() {
        let (here, _there) = pair();
        notify_close(&here);
        wait!(trampoline(&here, Interest::Write, FOR_EVER)).unwrap();
    }

    fn whoever_finds_it_always_ready_lets_others_run() {
        let (here, _there) = pair();
        let (_spinner, other) = (
            spawn({
                let here = Rc::clone(&here);
                green!({
                    loop {
                        wait!(trampoline(&here, Interest::Write, FOR_EVER)).unwrap();
                    }
                })
            }),
            spawn(green!({})),
        );
        wait!(other).unwrap();
        _spinner.kill();
    }
}

mod limits {
    use super::*;

    both_colours! {
        fn a_limit_passes() {
            let (here, _there) = pair();
            let start = tokio::time::Instant::now();
            let error = wait!(trampoline(&here, Interest::Read, ms(100))).unwrap_err();
            assert_eq!(start.elapsed(), ms(100));
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(is_timeout(&error));
            assert!(error.get_ref().unwrap().is::<Timeout>());
            assert_eq!(error.to_string(), "timed out after 100ms");
        }

        fn with_no_time_at_all_it_says_whether_it_is_ready() {
            let (here, there) = pair();
            assert!(wait!(trampoline(&here, Interest::Read, ZERO)).is_err());
            (&*there).write_all(b"hello").unwrap();
            wait!(trampoline(&here, Interest::Read, ZERO)).unwrap();
        }

        fn a_limit_around_it_is_told_apart() {
            let (here, _there) = pair();
            let outer = Timeout::new(ms(50));
            let ended = wait!(outer.run(trampoline(&here, Interest::Read, ms(100))));
            assert_eq!(ended.unwrap_err(), outer);
            assert_eq!(Rc::strong_count(&here), 1);
        }
    }
}

#[test]
fn it_needs_a_hub_and_says_so_in_the_caller_s_line() {
    let (here, _there) = pair();
    let read = Interest::Read;
    panics_here!("waiting for a descriptor needs a hub", drop(trampoline(&here, read, FOR_EVER)));
}

#[test]
fn a_regular_file_is_always_ready() {
    eventlet::run(async {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        trampoline(&file, Interest::Read, FOR_EVER).await.unwrap();
    });
}
