//! Programs of C, built here and run with the library.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

/// What the environment of a program has to have, with the library that Cargo builds before these
/// tests.
pub(crate) fn preload() -> String {
    let this = std::env::current_exe().unwrap();
    let library = this.with_file_name("libeventlet_preload.so");
    assert!(library.exists(), "{library:?}");
    format!("LD_PRELOAD={}", library.display())
}

/// Builds a program from a file of the folder `c`. `None` where there is no compiler, which is
/// said.
pub(crate) fn build(source: &str, flags: &[&str]) -> Option<PathBuf> {
    static BUILT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join(format!("{source}{}", flags.concat()));
    if built.contains(&program) {
        return Some(program);
    }
    let compiler = if source.ends_with(".cpp") { "c++" } else { "cc" };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/c").join(source);
    let mut command = Command::new(compiler);
    command.args(["-O1", "-g", "-pthread", "-Wall", "-Wextra", "-Werror"]).args(flags);
    match command.arg(&source).arg("-o").arg(&program).status() {
        Err(error) => {
            println!("SKIPPED: {compiler}: {error}");
            return None;
        }
        Ok(status) => assert!(status.success(), "{source:?} does not compile"),
    }
    built.insert(program.clone());
    Some(program)
}

/// Returns whether a program is installed, or says that the test is skipped.
pub(crate) fn is_installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").stdout(Stdio::null()).status();
    match there {
        Ok(status) if status.success() => true,
        _ => {
            println!("SKIPPED: {program} is not installed");
            false
        }
    }
}

/// A program to be run with the library. One that hangs is ended.
pub(crate) fn preloaded(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["100", "env", &preload()]).arg(program).env_remove("EVENTLET_SHIM");
    command
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Ran {
    /// Runs it to its end.
    pub(crate) fn of(command: &mut Command) -> Ran {
        let ran = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { status: ran.status, output: text(ran.stdout), errors: text(ran.stderr) }
    }

    /// Checks what it wrote to standard output, that it ended with a code, and that nobody
    /// complained.
    #[track_caller]
    pub(crate) fn check(&self, output: &str, code: i32) {
        assert_eq!((&*self.output, self.status.code(), &*self.errors), (output, Some(code), ""));
    }

    /// Checks likewise that it was passed through, for a reason.
    #[track_caller]
    pub(crate) fn check_refused(&self, output: &str, reason: &str) {
        assert_eq!((&*self.output, self.status.code()), (output, Some(0)), "{self:?}");
        assert_eq!(self.errors.lines().count(), 1, "{self:?}");
        assert!(self.errors.contains(reason) && self.errors.contains("EVENTLET_SHIM"), "{self:?}");
    }
}

/// A program that runs until this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}
