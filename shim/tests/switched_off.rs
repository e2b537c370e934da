//! `EVENTLET_SHIM=off`, and parts of it. In a process of its own, as what is patched stays so.

use std::process::Command;

use eventlet::stackful;
use eventlet_shim::{Area, Patch, Symbol, doctor, is_monkey_patched, monkey_patch, stats};

#[test]
#[ignore = "run by the next one, with the environment changed"]
fn nothing_is_patched() {
    monkey_patch();
    assert!(Area::ALL.into_iter().all(|area| !is_monkey_patched(area)));
    eventlet::run(stackful(|| std::thread::sleep(std::time::Duration::from_millis(1))));
    assert_eq!(stats().waits, 0);
    let doctor = doctor();
    assert!(!doctor.is_well() && doctor.to_string().contains("EVENTLET_SHIM=off"));
}

#[test]
fn the_environment_has_the_last_word() {
    let this = std::env::current_exe().unwrap();
    let test = ["--exact", "nothing_is_patched", "--ignored"];
    let output = Command::new(this).args(test).env("EVENTLET_SHIM", "off").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn parts_are_patched_one_by_one_and_the_doctor_sees_them() {
    Patch::new().set(Area::Time, true).apply();
    assert!(is_monkey_patched(Area::Time) && !is_monkey_patched(Area::Dns));
    let before = doctor();
    assert!(!before.symbols.iter().any(Symbol::is_bypassed), "{before}");
    let interposed = |name| before.symbols.iter().any(|one| one.name == name && one.interposed);
    assert!(["read", "poll", "nanosleep", "syscall"].into_iter().all(interposed), "{before}");
    assert_eq!(before.round_trip, None);
    assert!(before.to_string().contains("interposed, not patched"));
    Patch::new().set(Area::Dns, false).apply();
    assert!(is_monkey_patched(Area::Os) && !is_monkey_patched(Area::Dns));
    assert!(!is_monkey_patched(Area::File));
    assert_eq!(doctor().round_trip, Some(true));
}
