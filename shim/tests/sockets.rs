//! Unmodified sockets of `std` and of C.

#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use eventlet::{Block, Timeout, spawn, stackful};
use support::temporary::Temporary;
use support::{MS, NEVER, crowd, errno, green, run, run_paused, timed, turns};

/// A server that echoes, with a green thread for each client.
fn echo_server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(spawn(stackful(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            drop(spawn(stackful(move || {
                let mut buffer = [0; 512];
                while let Ok(count @ 1..) = client.read(&mut buffer) {
                    std::thread::sleep(100 * MS);
                    client.write_all(&buffer[..count]).unwrap();
                }
            })));
        }
    })));
    address
}

#[test]
fn a_hundred_clients_of_std_on_one_os_thread() {
    let ((), took) = run(|| {
        let address = echo_server();
        let hub = std::thread::current().id();
        timed(|| {
            crowd(100, move |number| {
                let mut client = TcpStream::connect(address).unwrap();
                let text = format!("client {number}");
                client.write_all(text.as_bytes()).unwrap();
                let mut answer = vec![0; text.len()];
                client.read_exact(&mut answer).unwrap();
                assert_eq!(answer, text.as_bytes());
                assert_eq!(std::thread::current().id(), hub);
            });
        })
    });
    // One after the other they take ten seconds.
    assert!(took < Duration::from_secs(5), "a hundred of 100 ms each, at once: {took:?}");
}

#[test]
fn much_data_goes_through_sockets_and_pipes_whole() {
    run(|| {
        let data: Vec<u8> =
            (0..4 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let copy = data.clone();
        let sender = spawn(stackful(move || (&ours).write_all(&copy).unwrap()));
        let through = spawn(stackful(move || {
            let mut all = Vec::new();
            (&theirs).read_to_end(&mut all).unwrap();
            (&writer).write_all(&all).unwrap();
        }));
        let mut arrived = Vec::new();
        (&reader).read_to_end(&mut arrived).unwrap();
        sender.block().unwrap();
        through.block().unwrap();
        assert!(arrived == data);
    });
}

#[test]
fn io_copy_moves_files_pipes_and_sockets_while_others_run() {
    run(|| {
        let temporary = Temporary::path();
        let data: Vec<u8> = (0..3 << 20).map(|at: u32| at as u8).collect();
        std::fs::write(&temporary.path, &data).unwrap();
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let mut file = std::fs::File::open(&temporary.path).unwrap();
        let sending = green(move || std::io::copy(&mut file, &mut ours).unwrap());
        assert!(!sending.dead(), "the socket is full, and others run");
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let through = green(move || std::io::copy(&mut theirs, &mut writer).unwrap());
        let mut arrived = Vec::new();
        reader.read_to_end(&mut arrived).unwrap();
        assert_eq!(sending.block().unwrap(), 3 << 20);
        assert_eq!(through.block().unwrap(), 3 << 20);
        assert!(arrived == data);
    });
}

#[test]
fn the_limits_of_sockets_hold() {
    run(|| {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(200 * MS)).unwrap();
        let ours = Rc::new(ours);
        let (_, took) = timed(|| {
            crowd(50, move |_| {
                let error = (&*ours).read(&mut [0; 8]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            })
        });
        // One after the other they take ten seconds.
        assert!(took >= 200 * MS && took < Duration::from_secs(5), "{took:?}");
    });
}

#[test]
fn the_limit_of_a_listener_holds() {
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let limit = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
        let (raw, at, size) =
            (listener.as_raw_fd(), (&raw const limit).cast(), size_of_val(&limit) as u32);
        // SAFETY: the limit is there for the call.
        let set = unsafe { libc::setsockopt(raw, libc::SOL_SOCKET, libc::SO_RCVTIMEO, at, size) };
        assert_eq!(set, 0);
        for _ in 0..2 {
            let (result, took) = timed(|| listener.accept());
            assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
            assert!(took >= 20 * MS && took < NEVER, "{took:?}");
        }
        let address = listener.local_addr().unwrap();
        let accepting = green(move || listener.accept().is_ok());
        drop(TcpStream::connect(address).unwrap());
        assert!(accepting.block().unwrap());
    });
}

/// Starts a process that answers clients of a listener, until this OS thread ends.
fn answer_in_child(listener: c_int) -> libc::pid_t {
    // SAFETY: the child calls nothing that may not be called in the child of a process with
    // threads.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child > 0 {
        return child;
    }
    // SAFETY: it has no arguments but numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    loop {
        // SAFETY: nobody asks for the address.
        let client = unsafe { libc::accept(listener, std::ptr::null_mut(), std::ptr::null_mut()) };
        // SAFETY: the bytes are there.
        unsafe { libc::write(client, b"child".as_ptr().cast(), 5) };
        // SAFETY: it is ours.
        unsafe { libc::close(client) };
    }
}

/// Another one may take the client before the hub does. There is one client at a time, a green
/// thread of the hub: a hub that waited inside `accept` would wait for the next one in vain.
#[test]
fn several_processes_accept_from_one_listener() {
    let does_not_wait = eventlet_shim::doctor().has_accept;
    let patience = if does_not_wait { Duration::from_secs(30) } else { 100 * MS };
    let temporary = Temporary::path();
    let listener = UnixListener::bind(&temporary.path).unwrap();
    let (path, same) = (temporary.path.clone(), temporary.path.clone());
    let children = [(); 3].map(|()| answer_in_child(listener.as_raw_fd()));
    let (running, ended) = channel::<()>();
    let rescue = std::thread::spawn(move || {
        let mut rescued = 0;
        while ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            rescued += 1;
            drop(UnixStream::connect(&path));
        }
        rescued
    });
    run(move || {
        let _running = running;
        drop(spawn(stackful(move || {
            while let Ok((client, _)) = listener.accept() {
                let _gone = (&client).write_all(b"green");
            }
        })));
        for _ in 0..20_000 {
            let mut answer = String::new();
            UnixStream::connect(&same).unwrap().read_to_string(&mut answer).unwrap();
            assert!(["green", "child"].contains(&answer.as_str()), "{answer:?}");
        }
    });
    assert!(rescue.join().unwrap() == 0 || !does_not_wait, "the hub waited inside `accept`");
    for child in children {
        // SAFETY: it is our child.
        assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0);
        // SAFETY: nobody asks for the status.
        assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
    }
}

#[test]
fn the_limits_of_sockets_are_on_virtual_time() {
    run_paused(|| {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(3600))).unwrap();
        let (result, took) = timed(|| (&ours).read(&mut [0; 8]));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(took < NEVER, "{took:?}");
    });
}

#[test]
fn who_asks_not_to_wait_does_not() {
    run(|| {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let buffer = [0_u8; 8].as_mut_ptr().cast::<c_void>();
        // SAFETY: there is room for eight bytes.
        let count = unsafe { libc::recv(ours.as_raw_fd(), buffer, 8, libc::MSG_DONTWAIT) };
        assert_eq!((count, errno()), (-1, libc::EAGAIN));
        ours.set_nonblocking(true).unwrap();
        assert_eq!((&ours).read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn o_nonblock_is_never_seen() {
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let flags = |descriptor| {
            // SAFETY: it has no arguments but numbers.
            unsafe { libc::fcntl(descriptor, libc::F_GETFL) & libc::O_NONBLOCK }
        };
        let accepting = green(move || listener.accept().unwrap().0);
        let client = TcpStream::connect(address).unwrap();
        let server = accepting.block().unwrap();
        let descriptor = client.as_raw_fd();
        let reading = green(move || (&client).read(&mut [0; 8]).unwrap());
        assert_eq!(flags(descriptor), 0, "while a read waits");
        (&server).write_all(b"x").unwrap();
        assert_eq!(reading.block().unwrap(), 1);
        assert_eq!(flags(server.as_raw_fd()), 0);
    });
}

#[test]
fn a_refused_connection_is_refused() {
    run(|| {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn datagrams_keep_their_bounds_and_an_empty_read_eats_none() {
    run(|| {
        let (one, two) = (udp(), udp());
        two.connect(one.local_addr().unwrap()).unwrap();
        let receiving = green(move || {
            let mut buffer = [0; 16];
            // SAFETY: it writes nothing.
            let none = unsafe { libc::read(one.as_raw_fd(), buffer.as_mut_ptr().cast(), 0) };
            assert_eq!(none, 0);
            let first = one.recv_from(&mut buffer).unwrap().0;
            (first, one.recv(&mut buffer).unwrap())
        });
        two.send(b"abc").unwrap();
        two.send(b"abcde").unwrap();
        assert_eq!(receiving.block().unwrap(), (3, 5));
    });
}

fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[test]
fn msg_waitall_waits_for_all() {
    run(|| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let receiving = green(move || {
            let mut buffer = [0_u8; 6];
            let at = buffer.as_mut_ptr().cast();
            // SAFETY: there is room for six bytes.
            let count = unsafe { libc::recv(ours.as_raw_fd(), at, 6, libc::MSG_WAITALL) };
            (count, buffer)
        });
        (&theirs).write_all(b"abc").unwrap();
        turns(20);
        assert!(!receiving.dead());
        (&theirs).write_all(b"def").unwrap();
        assert_eq!(receiving.block().unwrap(), (6, *b"abcdef"));
    });
}

#[test]
fn vectors_are_written_whole_and_read_in_parts() {
    run(|| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let big = vec![7_u8; 1 << 20];
        let writing = green(move || {
            let parts: Vec<_> = big.chunks(100_000).map(std::io::IoSlice::new).collect();
            let count = (&ours).write_vectored(&parts).unwrap();
            (count, parts.iter().map(|part| part.len()).sum::<usize>())
        });
        let mut arrived = Vec::new();
        (&theirs).read_to_end(&mut arrived).unwrap();
        let (written, all) = writing.block().unwrap();
        assert_eq!((written, arrived.len()), (all, all));
    });
}

#[test]
fn two_readers_of_one_socket_are_both_served() {
    run(|| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let ours = Rc::new(ours);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let ours = ours.clone();
                green(move || (&*ours).read(&mut [0; 1]).unwrap())
            })
            .collect();
        (&theirs).write_all(b"ab").unwrap();
        for reader in readers {
            assert_eq!(reader.block().unwrap(), 1);
        }
    });
}

#[test]
fn errno_is_each_green_thread_s_own() {
    run(|| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let reading = green(move || {
            // SAFETY: it returns the place of `errno`.
            let place = unsafe { libc::__errno_location() };
            // SAFETY: that place is there.
            unsafe { *place = 77 };
            let mut byte = 0_u8;
            // SAFETY: there is room for a byte.
            let count = unsafe { libc::read(ours.as_raw_fd(), (&raw mut byte).cast(), 1) };
            (count, errno())
        });
        // SAFETY: it fails.
        assert_eq!(unsafe { libc::close(-1) }, -1);
        assert_eq!(errno(), libc::EBADF);
        (&theirs).write_all(b"x").unwrap();
        assert_eq!(reading.block().unwrap(), (1, 77));
    });
}

mod ending {
    use super::*;

    /// Reads below C, and notes the error.
    fn reader(socket: UnixStream, seen: &Rc<Cell<i32>>) -> impl FnOnce() + 'static {
        let seen = seen.clone();
        move || {
            let mut byte = 0_u8;
            // SAFETY: there is room for a byte.
            let count = unsafe { libc::read(socket.as_raw_fd(), (&raw mut byte).cast(), 1) };
            assert_eq!(count, -1);
            seen.set(errno());
            eventlet::sleep(MS).block();
            seen.set(0);
        }
    }

    #[test]
    fn a_kill_cancels_a_read() {
        run(|| {
            let (ours, _theirs) = UnixStream::pair().unwrap();
            let seen = Rc::new(Cell::new(0));
            let victim = green(reader(ours, &seen));
            let ((), took) = timed(|| victim.kill());
            assert_eq!(seen.get(), libc::ECANCELED);
            assert!(took < NEVER, "{took:?}");
            assert!(victim.block().unwrap_err().is_killed());
        });
    }

    #[test]
    fn a_limit_cancels_a_read_and_loses_nothing() {
        run(|| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let limit = Timeout::new(5 * MS);
            let late = limit.run_blocking(|| {
                let error = (&ours).read(&mut [0; 8]).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
                eventlet::sleep(MS).block();
            });
            assert_eq!(late, Err(limit));
            (&theirs).write_all(b"abc").unwrap();
            assert_eq!((&ours).read(&mut [0; 8]).unwrap(), 3);
        });
    }

    #[test]
    fn a_write_that_is_cancelled_says_how_much_it_wrote() {
        run(|| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let written = Rc::new(Cell::new(0));
            let count = written.clone();
            let victim = green(move || {
                let data = vec![1; 8 << 20];
                count.set((&ours).write(&data).unwrap());
                eventlet::sleep(MS).block();
            });
            victim.kill();
            let mut arrived = Vec::new();
            (&theirs).read_to_end(&mut arrived).unwrap();
            assert!(written.get() > 0 && written.get() == arrived.len());
        });
    }

    #[test]
    fn a_descriptor_that_is_closed_wakes_who_waits_for_it() {
        run(|| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let raw = ours.into_raw_fd();
            // SAFETY: it is ours, and is not closed by who reads it.
            let same = std::mem::ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(raw) });
            let reading = green(move || (&*same).read(&mut [0; 1]).unwrap_err().raw_os_error());
            // SAFETY: nobody else closes it.
            drop(unsafe { OwnedFd::from_raw_fd(raw) });
            assert_eq!(reading.block().unwrap(), Some(libc::EBADF));
            drop(theirs);
        });
    }

    #[test]
    fn so_it_does_from_another_os_thread_and_when_it_is_replaced() {
        run(|| {
            for replaces in [false, true] {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let raw = ours.into_raw_fd();
                // SAFETY: it is ours, and is not closed by who reads it.
                let same = std::mem::ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(raw) });
                let reading = green(move || (&*same).read(&mut [0; 1]).unwrap_err().raw_os_error());
                let other = theirs.as_raw_fd();
                std::thread::spawn(move || {
                    let closed = match replaces {
                        // SAFETY: nobody else closes it.
                        false => unsafe { libc::close(raw) },
                        // SAFETY: nobody else closes it.
                        true => unsafe { libc::dup2(other, raw) },
                    };
                    assert!(closed >= 0);
                });
                assert_eq!(reading.block().unwrap(), Some(libc::EBADF), "{replaces}");
                if replaces {
                    // SAFETY: nobody else closes it.
                    unsafe { libc::close(raw) };
                }
            }
        });
    }

    #[test]
    fn a_number_that_is_used_again_is_another_descriptor() {
        run(|| {
            for _ in 0..200 {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let reading = green(move || {
                    ours.set_read_timeout(Some(MS)).unwrap();
                    (&ours).read(&mut [0; 1]).is_err()
                });
                reading.kill();
                let (ours, same) = UnixStream::pair().unwrap();
                let reading = green(move || (&ours).read(&mut [0; 4]).unwrap());
                (&same).write_all(b"abcd").unwrap();
                assert_eq!(reading.block().unwrap(), 4);
                drop(theirs);
            }
        });
    }
}

mod elsewhere {
    use super::*;

    #[test]
    fn off_green_stacks_calls_go_straight_through() {
        eventlet_shim::monkey_patch();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let writer = std::thread::spawn(move || {
            std::thread::sleep(5 * MS);
            (&theirs).write_all(b"x").unwrap();
        });
        assert_eq!((&ours).read(&mut [0; 4]).unwrap(), 1);
        writer.join().unwrap();
        run(|| {
            // Inside a poll the OS thread is blocked.
            async {
                let (ours, theirs) = UnixStream::pair().unwrap();
                (&theirs).write_all(b"x").unwrap();
                assert_eq!((&ours).read(&mut [0; 4]).unwrap(), 1);
            }
            .block();
        });
    }

    #[test]
    fn tokio_beside_it_is_not_disturbed() {
        run(|| {
            let server = spawn(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                (listener, address)
            });
            let (listener, address) = server.block().unwrap();
            let accepting = spawn(async move { listener.accept().await.unwrap().0 });
            let client = TcpStream::connect(address).unwrap();
            let served = accepting.block().unwrap();
            (&client).write_all(b"hello").unwrap();
            let reading = async move {
                served.readable().await.unwrap();
                served.try_read(&mut [0; 16]).unwrap()
            };
            assert_eq!(reading.block(), 5);
        });
    }

    #[test]
    fn a_hub_that_ends_leaves_plain_calls_and_the_next_hub() {
        for _ in 0..3 {
            run(|| {
                let (ours, _theirs) = UnixStream::pair().unwrap();
                drop(green(move || (&ours).read(&mut [0; 1]).is_ok()));
            });
            let (ours, theirs) = UnixStream::pair().unwrap();
            (&theirs).write_all(b"x").unwrap();
            assert_eq!((&ours).read(&mut [0; 1]).unwrap(), 1);
        }
    }
}
