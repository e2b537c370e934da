//! Files of the tests' own.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A path that no other test has, and that is removed in the end.
pub(crate) struct Temporary {
    pub(crate) path: PathBuf,
}

impl Temporary {
    /// A path where nothing is yet.
    pub(crate) fn path() -> Temporary {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("eventlet-shim-{}-{number}", std::process::id());
        Temporary { path: std::env::temp_dir().join(name) }
    }

    /// An empty file.
    pub(crate) fn file() -> Temporary {
        let temporary = Temporary::path();
        File::create(&temporary.path).unwrap();
        temporary
    }

    /// Opens it to read and to write.
    pub(crate) fn open(&self) -> File {
        File::options().read(true).write(true).open(&self.path).unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
