//! Files on Unix, under the names of [`std::os::unix::fs`].
//!
//! The traits are those of `std`: the types of [`green::fs`](crate::green::fs) implement them.
//!
//! Corresponds to [`std::os::unix::fs`].
//!
//! # Not here
//!
//! `chown`, `fchown`, `lchown` and `chroot`: those of `std` block, though not for long.

use std::io;
use std::path::Path;

#[doc(no_inline)]
pub use std::os::unix::fs::{
    DirBuilderExt, DirEntryExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt,
};

use crate::green::blocking::blocking;

/// Makes a symbolic link.
///
/// Corresponds to [`std::os::unix::fs::symlink`].
///
/// # Panics
///
/// If there is no green stack to wait on.
///
/// # Yields
///
/// Until it is done.
///
/// # Examples
///
/// ```
/// use eventlet::green::fs;
/// use eventlet::green::os::unix::fs::symlink;
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-symlink-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     symlink("/somewhere", &path).unwrap();
///     assert_eq!(fs::read_link(&path).unwrap().to_str(), Some("/somewhere"));
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[track_caller]
pub fn symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    blocking(move || std::os::unix::fs::symlink(original, link))
}
