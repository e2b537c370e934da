//! The script for gdb, on a process that hangs and on its core file.
//!
//! It is tried where gdb is, may look at other processes, and finds the types of this crate:
//! `bash .ci/run debugger`, which sets `EVENTLET_GDB` for the tests to fail where they would skip.

use std::env;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use eventlet::spawn_n;

#[inline(never)]
#[cfg(feature = "stackful")]
fn waits_on_a_stack(depth: u32) {
    use eventlet::Block;

    match std::hint::black_box(depth) {
        0 => std::future::pending::<()>().block(),
        deeper => waits_on_a_stack(deeper - 1),
    }
    std::hint::black_box(depth);
}

/// Has two green threads that wait, and a hub that is blocked.
fn hang(blocks: impl FnOnce() + 'static) {
    eventlet::run(async {
        spawn_n(std::future::pending::<()>());
        #[cfg(feature = "stackful")]
        spawn_n(eventlet::stackful(|| waits_on_a_stack(2)));
        eventlet::sleep(std::time::Duration::ZERO).await;
        std::io::stderr().write_all(b"!").unwrap();
        blocks();
    });
}

#[test]
#[ignore = "run by another, in a process of its own"]
fn hangs_until_it_is_told() {
    hang(|| {
        let _end = std::io::stdin().read(&mut [0]);
    });
}

/// gdb reads expressions in the language of the frame that it finds, which is C's in the one above.
#[test]
#[ignore = "run by another, in a process of its own"]
fn hangs_in_a_frame_of_rust() {
    hang(|| {
        while std::hint::black_box(true) {
            std::hint::spin_loop();
        }
    });
}

/// Starts one of them in a folder, and returns once it hangs. If it is aborted it leaves a core
/// file.
fn hangs(test: &str, folder: &Path) -> Child {
    let mut hangs = Command::new("sh")
        .args(["-c", r#"ulimit -c unlimited; exec "$0" "$@""#])
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A shell that may not allow core files says so first.
    let mut said = BufReader::new(hangs.stderr.take().unwrap()).bytes();
    assert!(said.any(|byte| byte.unwrap() == b'!'), "it has ended");
    hangs
}

/// Lets it go on.
fn end(mut hangs: Child) {
    drop(hangs.stdin.take());
    assert!(hangs.wait().unwrap().success(), "it did not go on");
}

/// Returns what gdb says, if it can say anything here.
fn gdb(arguments: &[&str]) -> Option<String> {
    // Nobody's settings are read, and nothing is fetched.
    let mut gdb = Command::new("timeout");
    gdb.args(["300", "gdb", "-nx", "-q", "-batch"]).args(arguments).env_remove("DEBUGINFOD_URLS");
    let gdb = gdb.output().unwrap();
    let must = env::var_os("EVENTLET_GDB").is_some();
    assert_ne!(gdb.status.code(), Some(124), "gdb hangs");
    if gdb.status.code() == Some(127) {
        assert!(!must, "there is no gdb");
        eprintln!("skipped: there is no gdb");
        return None;
    }
    let (said, errors) =
        (String::from_utf8_lossy(&gdb.stdout), String::from_utf8_lossy(&gdb.stderr));
    if errors.contains("ptrace") || errors.contains("no debug information of eventlet's types") {
        assert!(!must, "gdb may not, or finds no types: {errors}");
        eprintln!("skipped: gdb may not, or finds no types: {errors}");
        return None;
    }
    Some(format!("{said}{errors}"))
}

fn assert_lists_all(listed: &str) {
    let line = listed.lines().find(|line| line.contains("green thread 2, waiting"));
    assert!(line.is_some_and(|line| line.contains("tests/seeing/gdb.rs:")), "{listed}");
    assert!(listed.contains("1 OS threads run a hub"), "{listed}");
    if cfg!(all(feature = "stackful", target_arch = "x86_64")) {
        let frames = listed.lines().skip_while(|line| !line.contains("green thread 3, waiting"));
        let frames: Vec<_> = frames.skip(1).take_while(|line| line.starts_with("    ")).collect();
        assert!(frames[0].contains("stack made at tests/seeing/gdb.rs:"), "{listed}");
        let waits = frames.iter().filter(|line| line.contains("waits_on_a_stack")).count();
        assert_eq!(waits, 3, "{listed}");
        assert!(
            frames[1].contains("waits_on_a_stack"),
            "nothing of how it was suspended: {listed}"
        );
        assert!(!listed.contains("Frame::run") && !listed.contains("(gdb: "), "{listed}");
    }
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/green_threads_gdb.py");

#[test]
fn green_threads_of_a_process_that_hangs_are_listed() {
    let hangs = hangs("gdb::hangs_until_it_is_told", Path::new("."));
    let pid = hangs.id().to_string();
    let listed = gdb(&["-p", &pid, "-x", SCRIPT, "-ex", "green-threads"]);
    end(hangs);
    let Some(listed) = listed else { return };
    assert!(listed.contains("green thread 1, running, spawned at "), "{listed}");
    assert_lists_all(&listed);
}

#[test]
fn green_threads_of_a_core_file_are_listed() {
    let folder = env::temp_dir().join(format!("eventlet-core-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let mut hangs = hangs("gdb::hangs_in_a_frame_of_rust", &folder);
    let pid = rustix::process::Pid::from_child(&hangs);
    rustix::process::kill_process(pid, rustix::process::Signal::ABORT).unwrap();
    hangs.wait().unwrap();
    let core = fs::read_dir(&folder).unwrap().next().map(|file| file.unwrap().path());
    let program = env::current_exe().unwrap();
    let listed = core.and_then(|core| {
        let files = [program.to_str().unwrap(), core.to_str().unwrap()];
        gdb(&[files[0], files[1], "-x", SCRIPT, "-ex", "green-threads"])
    });
    fs::remove_dir_all(&folder).unwrap();
    match listed {
        Some(listed) => assert_lists_all(&listed),
        None => eprintln!("skipped: no gdb, or the system puts core files elsewhere"),
    }
}
