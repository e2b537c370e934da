//! A green thread that waits for a channel which its own hub cannot wake is reported, where no other
//! OS thread could; one that waits for a channel of `std` is not. So this is no test of the harness,
//! which has OS threads of its own.

mod support;

use std::env;
use std::process::Command;
use std::sync::mpsc;

use eventlet::Block;
use support::{MS, green, run, turns};

const CHILD: &str = "EVENTLET_TEST_CHILD";

#[inline(never)]
fn waits_for_an_item(receiver: &crossbeam_channel::Receiver<u32>) {
    let _never = std::hint::black_box(receiver.recv());
}

fn waits_alone() {
    run(|| {
        let (sender, receiver) = mpsc::channel();
        let waiting = green(move || receiver.recv());
        eventlet::sleep(700 * MS).block();
        assert_eq!(eventlet_shim::stats().mistaken, 0);
        sender.send(1).unwrap();
        assert_eq!(waiting.block().unwrap(), Ok(1));
        let (sender, receiver) = crossbeam_channel::unbounded();
        let _waiting = green(move || waits_for_an_item(&receiver));
        // It yields many times before it parks.
        turns(100);
        sender.send(1).unwrap();
        eventlet::sleep(1_200 * MS).block();
        assert_eq!(eventlet_shim::stats().mistaken, 1);
        std::process::exit(0);
    });
}

fn main() {
    if env::var_os(CHILD).is_some() {
        return waits_alone();
    }
    let child = Command::new(env::current_exe().unwrap()).env(CHILD, "1").output().unwrap();
    let text = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{text}");
    assert_eq!(text.matches("a green thread is parked").count(), 1, "{text}");
    assert!(text.contains("waits_for_an_item"), "its backtrace: {text}");
}
