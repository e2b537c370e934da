//! The script for gdb, on a process that hangs.
//!
//! It is tried where gdb is, may look at other processes, and finds the types of this crate:
//! `cargo test --test seeing gdb --config profile.dev.package.eventlet.debug=2`.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use eventlet::spawn_n;

#[test]
#[ignore = "run by the next one, in a process of its own"]
fn hangs_until_it_is_told() {
    eventlet::run(async {
        spawn_n(std::future::pending::<()>());
        eventlet::sleep(std::time::Duration::ZERO).await;
        std::io::stderr().write_all(b"!").unwrap();
        // It blocks the hub: whoever hangs does not answer.
        let _end = std::io::stdin().read(&mut [0]);
    });
}

#[test]
fn green_threads_of_a_process_that_hangs_are_listed() {
    let mut hangs = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "gdb::hangs_until_it_is_told", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    hangs.stderr.take().unwrap().read_exact(&mut [0]).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/green_threads_gdb.py");
    let gdb = Command::new("gdb")
        .args(["-q", "-batch", "-p", &hangs.id().to_string(), "-x", script])
        .args(["-ex", "green-threads"])
        .output();
    drop(hangs.stdin.take());
    assert!(hangs.wait().unwrap().success(), "it did not go on");
    let Ok(gdb) = gdb else { return eprintln!("skipped: there is no gdb") };
    let (listed, errors) =
        (String::from_utf8_lossy(&gdb.stdout), String::from_utf8_lossy(&gdb.stderr));
    if errors.contains("ptrace") || errors.contains("no debug information of eventlet's types") {
        return eprintln!("skipped: gdb may not, or finds no types: {errors}");
    }
    assert!(listed.contains("green thread 1, running, spawned at "), "{listed}{errors}");
    let line = listed.lines().find(|line| line.contains("green thread 2, waiting")).unwrap();
    assert!(line.contains("tests/seeing/gdb.rs:15:"), "{listed}");
    assert!(listed.contains("1 OS threads run a hub"), "{listed}");
}
