//! Nothing happens while nothing happens. In a process of its own: the tests beside it would tell
//! this hub what they close.

#![allow(unsafe_code)]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use eventlet::{Block, spawn, stackful};
use support::{MS, run};

/// Runs one test after the other, and with nobody else.
fn run_alone(test: impl FnOnce() + 'static) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    run(test);
}

/// Each waits, is served, and waits again for a socket of which all is known then.
#[test]
fn nine_hundred_parked_readers_wake_nobody() {
    run_alone(|| {
        let pairs: Vec<_> = (0..300).map(|_| UnixStream::pair().unwrap()).collect();
        let readers: Vec<_> = pairs
            .iter()
            .flat_map(|(ours, theirs)| [ours, theirs, ours])
            .map(|socket| {
                let socket = socket.try_clone().unwrap();
                spawn(stackful(move || {
                    let mut bytes = 0;
                    for _ in 0..2 {
                        bytes += (&socket).read(&mut [0; 1]).unwrap();
                    }
                    bytes
                }))
            })
            .collect();
        let serve_all = || {
            for (ours, theirs) in &pairs {
                (&*ours).write_all(b"a").unwrap();
                (&*theirs).write_all(b"bc").unwrap();
            }
        };
        std::thread::sleep(50 * MS);
        serve_all();
        std::thread::sleep(200 * MS);
        let before = switches();
        std::thread::sleep(300 * MS);
        let woken = switches() - before;
        assert!(woken <= 10, "the hub was woken {woken} times");
        serve_all();
        readers.into_iter().for_each(|reader| assert_eq!(reader.block().unwrap(), 2));
    });
}

/// The socket lives on by another descriptor, and what comes for it is nobody's business.
#[test]
fn who_closes_a_descriptor_hears_of_it_no_more() {
    run_alone(|| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let other = ours.try_clone().unwrap();
        let reading = spawn(stackful(move || (&ours).read(&mut [0; 1]).unwrap()));
        std::thread::sleep(MS);
        (&theirs).write_all(b"x").unwrap();
        assert_eq!(reading.block().unwrap(), 1);
        let writer = std::thread::spawn(move || {
            for _ in 0..50 {
                std::thread::sleep(4 * MS);
                (&theirs).write_all(b"x").unwrap();
            }
        });
        let before = switches();
        std::thread::sleep(300 * MS);
        let woken = switches() - before;
        assert!(woken <= 10, "the hub was woken {woken} times");
        writer.join().unwrap();
        drop(other);
    });
}

/// Returns how often this OS thread has waited.
fn switches() -> i64 {
    // SAFETY: all zeroes is a value of it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: there is room for the answer.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) }, 0);
    usage.ru_nvcsw
}
