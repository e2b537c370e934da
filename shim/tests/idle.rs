//! Nothing happens while nothing happens. In a process of its own: the tests beside it would tell
//! this hub what they close.

#![allow(unsafe_code)]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use eventlet::{Block, spawn, stackful};
use support::{MS, run};

#[test]
fn nine_hundred_parked_readers_wake_nobody() {
    run(|| {
        let pairs: Vec<_> = (0..300).map(|_| UnixStream::pair().unwrap()).collect();
        let readers: Vec<_> = pairs
            .iter()
            .flat_map(|(ours, theirs)| [ours, theirs, ours])
            .map(|socket| {
                let socket = socket.try_clone().unwrap();
                spawn(stackful(move || (&socket).read(&mut [0; 1]).unwrap()))
            })
            .collect();
        std::thread::sleep(50 * MS);
        let before = switches();
        std::thread::sleep(300 * MS);
        let woken = switches() - before;
        assert!(woken <= 10, "the hub was woken {woken} times");
        for (ours, theirs) in pairs {
            (&ours).write_all(b"a").unwrap();
            (&theirs).write_all(b"bc").unwrap();
        }
        readers.into_iter().for_each(|reader| assert_eq!(reader.block().unwrap(), 1));
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
