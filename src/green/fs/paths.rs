//! What is done to a path.

use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::green::blocking::blocking;

/// Reads a whole file.
///
/// Corresponds to [`std::fs::read`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-read-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::write(&path, "hello").unwrap();
///     assert_eq!(fs::read(&path).unwrap(), b"hello");
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn read<P: AsRef<Path>>(path: P) -> io::Result<Vec<u8>> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::read(path))
}

/// Reads a whole file as text.
///
/// Corresponds to [`std::fs::read_to_string`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-read-to-string-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::write(&path, "hello").unwrap();
///     assert_eq!(fs::read_to_string(&path).unwrap(), "hello");
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn read_to_string<P: AsRef<Path>>(path: P) -> io::Result<String> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::read_to_string(path))
}

/// Writes a whole file, replacing one that exists.
///
/// Corresponds to [`std::fs::write`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-write-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::write(&path, "hello").unwrap();
///     assert_eq!(fs::read(&path).unwrap(), b"hello");
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    let contents = contents.as_ref().to_owned();
    blocking(move || std::fs::write(path, contents))
}

/// Removes a file.
///
/// Corresponds to [`std::fs::remove_file`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-remove-file-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::write(&path, "hello").unwrap();
///     fs::remove_file(&path).unwrap();
///     assert!(!fs::exists(&path).unwrap());
/// }));
/// ```
#[track_caller]
pub fn remove_file<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::remove_file(path))
}

/// Returns the metadata of a file, following symbolic links.
///
/// Corresponds to [`std::fs::metadata`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-metadata-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::write(&path, "hello").unwrap();
///     assert_eq!(fs::metadata(&path).unwrap().len(), 5);
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::metadata(path))
}

/// Looks at a file, or at the symbolic link itself.
///
/// Corresponds to [`std::fs::symlink_metadata`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-symlink-metadata-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::write(&path, "hello").unwrap();
///     assert!(fs::symlink_metadata(&path).unwrap().is_file());
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn symlink_metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::symlink_metadata(path))
}

/// Renames a file, replacing one that has the name.
///
/// Corresponds to [`std::fs::rename`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-rename-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     let other = path.with_extension("other");
///     fs::write(&path, "hello").unwrap();
///     fs::rename(&path, &other).unwrap();
///     assert!(fs::exists(&other).unwrap() && !fs::exists(&path).unwrap());
///     fs::remove_file(&other).unwrap();
/// }));
/// ```
#[track_caller]
pub fn rename<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<()> {
    let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
    blocking(move || std::fs::rename(from, to))
}

/// Copies a file with its permissions, and returns how many bytes it has.
///
/// Corresponds to [`std::fs::copy`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-copy-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     let other = path.with_extension("other");
///     fs::write(&path, "hello").unwrap();
///     assert_eq!(fs::copy(&path, &other).unwrap(), 5);
///     assert_eq!(fs::read(&other).unwrap(), b"hello");
///     # fs::remove_file(&other).unwrap();
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn copy<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<u64> {
    let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
    blocking(move || std::fs::copy(from, to))
}

/// Gives a file a second name.
///
/// Corresponds to [`std::fs::hard_link`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-hard-link-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     let other = path.with_extension("other");
///     fs::write(&path, "hello").unwrap();
///     fs::hard_link(&path, &other).unwrap();
///     fs::remove_file(&path).unwrap();
///     assert_eq!(fs::read(&other).unwrap(), b"hello");
///     # fs::remove_file(&other).unwrap();
/// }));
/// ```
#[track_caller]
pub fn hard_link<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    blocking(move || std::fs::hard_link(original, link))
}

/// Returns where a symbolic link leads.
///
/// Corresponds to [`std::fs::read_link`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-read-link-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::write(&path, "hello").unwrap();
///     assert!(fs::read_link(&path).is_err(), "no link");
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn read_link<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::read_link(path))
}

/// Returns the absolute path, without links and dots.
///
/// Corresponds to [`std::fs::canonicalize`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     assert_eq!(fs::canonicalize("/.").unwrap().to_str(), Some("/"));
/// }));
/// ```
#[track_caller]
pub fn canonicalize<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::canonicalize(path))
}

/// Makes a directory.
///
/// Corresponds to [`std::fs::create_dir`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-create-dir-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::create_dir(&path).unwrap();
///     assert!(fs::metadata(&path).unwrap().is_dir());
///     fs::remove_dir(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn create_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::create_dir(path))
}

/// Makes a directory and its missing parents.
///
/// Corresponds to [`std::fs::create_dir_all`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-create-dir-all-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::create_dir_all(path.join("a/b")).unwrap();
///     assert!(fs::metadata(path.join("a/b")).unwrap().is_dir());
///     fs::remove_dir_all(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn create_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::create_dir_all(path))
}

/// Removes a directory that is empty.
///
/// Corresponds to [`std::fs::remove_dir`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-remove-dir-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::create_dir(&path).unwrap();
///     fs::remove_dir(&path).unwrap();
///     assert!(!fs::exists(&path).unwrap());
/// }));
/// ```
#[track_caller]
pub fn remove_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::remove_dir(path))
}

/// Removes a directory with everything in it.
///
/// Corresponds to [`std::fs::remove_dir_all`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-remove-dir-all-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::create_dir_all(path.join("a/b")).unwrap();
///     fs::remove_dir_all(&path).unwrap();
///     assert!(!fs::exists(&path).unwrap());
/// }));
/// ```
#[track_caller]
pub fn remove_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::remove_dir_all(path))
}

/// Sets the permissions of a file.
///
/// Corresponds to [`std::fs::set_permissions`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-set-permissions-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     fs::write(&path, "hello").unwrap();
///     let mut permissions = fs::metadata(&path).unwrap().permissions();
///     permissions.set_readonly(true);
///     fs::set_permissions(&path, permissions).unwrap();
///     assert!(fs::metadata(&path).unwrap().permissions().readonly());
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn set_permissions<P: AsRef<Path>>(path: P, perm: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::set_permissions(path, perm))
}

/// Returns whether a path exists.
///
/// Corresponds to [`std::fs::exists`].
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
///
/// eventlet::run(eventlet::stackful(|| {
///     assert!(fs::exists("/").unwrap());
///     assert!(!fs::exists("/no/such/file").unwrap());
/// }));
/// ```
#[track_caller]
pub fn exists<P: AsRef<Path>>(path: P) -> io::Result<bool> {
    let path = path.as_ref().to_owned();
    blocking(move || std::fs::exists(path))
}
