//! Programs that are installed, or not, and where they work.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is removed at the end.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes a folder that nobody else has.
    #[expect(clippy::new_without_default)]
    pub fn new() -> TempDir {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("eventlet-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                // An earlier process of this number was ended before it could remove its own.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.unwrap(),
            }
            return TempDir(path);
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Finds a program in the folders of `PATH` and those given, or says that tests are skipped.
pub(crate) fn find(name: &str, more: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(more);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: {name} is not installed");
    }
    found
}

/// Runs a program to its end, which must be a good one.
pub(crate) fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A port of this machine that nobody has. Somebody may take it first: try again then.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
