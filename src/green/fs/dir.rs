//! Directories.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::{FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::green::blocking::blocking;

/// Iterates over the entries of a directory.
///
/// Corresponds to [`std::fs::read_dir`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-read-dir-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::create_dir(&path).unwrap();
///     fs::write(path.join("a"), "").unwrap();
///     let mut entries = fs::read_dir(&path).unwrap();
///     assert_eq!(entries.next().unwrap().unwrap().file_name(), "a");
///     assert!(entries.next().is_none());
///     fs::remove_dir_all(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    let unread = blocking(|| std::fs::read_dir(path))?;
    let listing = Listing { unread, read: VecDeque::new(), ended: false };
    Ok(ReadDir { listing: Arc::new(Mutex::new(listing)) })
}

/// The entries of a directory: what [`read_dir`] returns.
///
/// It waits for some dozens of entries at a time. Entries that were read for a killed green thread
/// are kept for the next caller.
///
/// Corresponds to [`std::fs::ReadDir`].
#[must_use = "iterators do nothing unless consumed"]
pub struct ReadDir {
    /// Shared with the pool while it reads.
    listing: Arc<Mutex<Listing>>,
}

struct Listing {
    unread: std::fs::ReadDir,
    read: VecDeque<io::Result<std::fs::DirEntry>>,
    ended: bool,
}

/// How many entries are read in one call.
const SOME: usize = 64;

impl Listing {
    /// Returns the next entry, or the end, if that is known without reading.
    fn next_known(&mut self) -> Option<Option<io::Result<std::fs::DirEntry>>> {
        match self.read.pop_front() {
            Some(entry) => Some(Some(entry)),
            None if self.ended => Some(None),
            None => None,
        }
    }

    fn fill(&mut self) {
        let wanted = SOME - self.read.len().min(SOME);
        let before = self.read.len();
        self.read.extend(self.unread.by_ref().take(wanted));
        self.ended = self.read.len() < before + wanted;
    }
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        let known = lock(&self.listing).next_known();
        let next = known.unwrap_or_else(|| {
            let listing = Arc::clone(&self.listing);
            let filled = blocking(move || {
                lock(&listing).fill();
                Ok(())
            });
            match filled {
                Ok(()) => lock(&self.listing).read.pop_front(),
                Err(error) => Some(Err(error)),
            }
        });
        next.map(|entry| entry.map(|entry| DirEntry(Arc::new(entry))))
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.listing).unread.fmt(f)
    }
}

/// One entry of a directory.
///
/// On Unix it has the methods of [`DirEntryExt`](std::os::unix::fs::DirEntryExt), too.
///
/// Corresponds to [`std::fs::DirEntry`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     for entry in fs::read_dir("/").unwrap() {
///         assert!(entry.unwrap().path().is_absolute());
///     }
/// }));
/// ```
pub struct DirEntry(Arc<std::fs::DirEntry>);

impl DirEntry {
    /// Returns the path: that of the directory, and the name.
    ///
    /// Corresponds to [`std::fs::DirEntry::path`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-entry-path-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::create_dir(&path).unwrap();
    ///     fs::write(path.join("name"), "hello").unwrap();
    ///     let entry = fs::read_dir(&path).unwrap().next().unwrap().unwrap();
    ///     assert_eq!(entry.path(), path.join("name"));
    ///     fs::remove_dir_all(&path).unwrap();
    /// }));
    /// ```
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// Returns the name.
    ///
    /// Corresponds to [`std::fs::DirEntry::file_name`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-entry-name-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::create_dir(&path).unwrap();
    ///     fs::write(path.join("name"), "hello").unwrap();
    ///     let entry = fs::read_dir(&path).unwrap().next().unwrap().unwrap();
    ///     assert_eq!(entry.file_name(), "name");
    ///     fs::remove_dir_all(&path).unwrap();
    /// }));
    /// ```
    pub fn file_name(&self) -> OsString {
        self.0.file_name()
    }

    /// Returns the metadata of the file, or of the symbolic link itself.
    ///
    /// Corresponds to [`std::fs::DirEntry::metadata`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-entry-metadata-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::create_dir(&path).unwrap();
    ///     fs::write(path.join("name"), "hello").unwrap();
    ///     let entry = fs::read_dir(&path).unwrap().next().unwrap().unwrap();
    ///     assert_eq!(entry.metadata().unwrap().len(), 5);
    ///     fs::remove_dir_all(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        let entry = Arc::clone(&self.0);
        blocking(move || entry.metadata())
    }

    /// Returns whether it is a file, a directory or something else.
    ///
    /// Corresponds to [`std::fs::DirEntry::file_type`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-entry-type-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::create_dir(&path).unwrap();
    ///     fs::write(path.join("name"), "hello").unwrap();
    ///     let entry = fs::read_dir(&path).unwrap().next().unwrap().unwrap();
    ///     assert!(entry.file_type().unwrap().is_file());
    ///     fs::remove_dir_all(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn file_type(&self) -> io::Result<FileType> {
        let entry = Arc::clone(&self.0);
        blocking(move || entry.file_type())
    }
}

#[cfg(unix)]
impl std::os::unix::fs::DirEntryExt for DirEntry {
    fn ino(&self) -> u64 {
        self.0.ino()
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How to make a directory, for code on a green stack.
///
/// On Unix it has the method of [`DirBuilderExt`](std::os::unix::fs::DirBuilderExt), too.
///
/// Corresponds to [`std::fs::DirBuilder`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs::{self, DirBuilder};
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-dir-builder-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     DirBuilder::new().recursive(true).create(path.join("a/b")).unwrap();
///     assert!(fs::exists(path.join("a/b")).unwrap());
///     fs::remove_dir_all(&path).unwrap();
/// }));
/// ```
#[derive(Debug)]
pub struct DirBuilder {
    /// Shared with the pool while it makes one.
    std: Arc<Mutex<std::fs::DirBuilder>>,
}

impl DirBuilder {
    /// Makes a builder that does what [`create_dir`](super::create_dir) does.
    ///
    /// Corresponds to [`std::fs::DirBuilder::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::DirBuilder;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert!(DirBuilder::new().create("/").is_err());
    /// }));
    /// ```
    #[allow(clippy::new_without_default, reason = "as in std")]
    pub fn new() -> DirBuilder {
        DirBuilder { std: Arc::new(Mutex::new(std::fs::DirBuilder::new())) }
    }

    /// Sets whether parent directories are made too, and whether it may exist already.
    ///
    /// Corresponds to [`std::fs::DirBuilder::recursive`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::DirBuilder;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert!(DirBuilder::new().recursive(true).create("/").is_ok());
    /// }));
    /// ```
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        lock(&self.std).recursive(recursive);
        self
    }

    /// Makes a directory.
    ///
    /// Corresponds to [`std::fs::DirBuilder::create`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::DirBuilder;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert!(DirBuilder::new().create("/no/such/directory").is_err());
    /// }));
    /// ```
    #[track_caller]
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let (builder, path) = (Arc::clone(&self.std), path.as_ref().to_owned());
        blocking(move || lock(&builder).create(path))
    }
}

#[cfg(unix)]
impl std::os::unix::fs::DirBuilderExt for DirBuilder {
    fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        lock(&self.std).mode(mode);
        self
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
