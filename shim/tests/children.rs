//! Child processes, look-ups of names, and a child of `fork`.

#![allow(unsafe_code)]

mod support;

use std::net::ToSocketAddrs;
use std::process::Command;
use std::time::Duration;

use eventlet::Block;
use support::{MS, crowd, errno, green, run, timed};

#[test]
fn twenty_children_run_at_once() {
    run(|| {
        let (outputs, took) = timed(|| {
            crowd(20, |number| {
                let script = format!("sleep 1; echo {number}");
                let output = Command::new("sh").args(["-c", &script]).output().unwrap();
                String::from_utf8(output.stdout).unwrap().trim().to_owned()
            })
        });
        assert_eq!(outputs, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
        // One after the other they take twenty seconds.
        assert!(took < Duration::from_secs(15), "{took:?}");
    });
}

#[test]
#[expect(clippy::zombie_processes, reason = "it is waited for by number")]
fn a_child_is_waited_for_by_number_while_others_run() {
    run(|| {
        let child = Command::new("sh").args(["-c", "sleep 0.05; exit 3"]).spawn().unwrap();
        let number = child.id() as i32;
        let waiting = green(move || {
            let mut status = 0;
            // SAFETY: there is room for the status.
            let ended = unsafe { libc::waitpid(number, &mut status, 0) };
            (ended, libc::WEXITSTATUS(status))
        });
        assert!(!waiting.dead());
        assert_eq!(waiting.block().unwrap(), (number, 3));
    });
}

#[test]
fn one_that_is_killed_does_not_reap_its_child() {
    run(|| {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let number = child.id() as i32;
        let victim = green(move || {
            // SAFETY: it asks for no status.
            let ended = unsafe { libc::waitpid(number, std::ptr::null_mut(), 0) };
            assert_eq!((ended, errno()), (-1, libc::ECANCELED));
            eventlet::sleep(MS).block();
        });
        victim.kill();
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
    });
}

#[test]
fn names_are_looked_up_while_others_run() {
    run(|| {
        let found = crowd(20, |_| ("localhost", 80).to_socket_addrs().unwrap().count());
        assert!(found.iter().all(|count| *count > 0));
        assert!(("no-such-name.invalid", 80).to_socket_addrs().is_err());
    });
}

#[test]
fn a_child_of_fork_blocks_as_without_the_shim() {
    run(|| {
        // SAFETY: the child sleeps, which is a system call there, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: it has no arguments but numbers.
            let slept = unsafe { libc::usleep(1_000) };
            // SAFETY: it ends the child.
            unsafe { libc::_exit(if slept == 0 { 5 } else { 6 }) };
        }
        let mut status = 0;
        // SAFETY: there is room for the status.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(libc::WEXITSTATUS(status), 5);
    });
}
