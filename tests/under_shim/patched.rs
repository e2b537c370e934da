//! What the other tests of this package stand on.

use std::process::Command;

use eventlet::stackful;

#[test]
fn everything_is_patched_before_main() {
    assert!(eventlet::is_everything_patched());
}

/// Tokio's feature `full` brings parking_lot, nothing here brings crossbeam-channel.
#[test]
fn the_doctor_is_content_and_sees_what_is_in_the_program() {
    let found = eventlet::doctor();
    assert!(found.is_well(), "{found}");
    assert_eq!(found.round_trip, Some(true));
    assert_eq!(found.channel, Some(true));
    let names: Vec<_> = found.traces.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["parking_lot"], "{found}");
}

#[test]
#[ignore = "run by the next one, with the environment changed"]
fn nothing_is_patched() {
    assert!(!eventlet::is_everything_patched());
    eventlet::run(stackful(|| ()));
}

#[test]
fn the_environment_has_the_last_word() {
    let this = std::env::current_exe().unwrap();
    let test = ["--exact", "nothing_is_patched", "--ignored"];
    let status = Command::new(this).args(test).env("EVENTLET_SHIM", "off").status().unwrap();
    assert!(status.success());
}
