//! Files under the names of [`std::fs`].
//!
//! No operating system says when a disk is ready, so each call is made in an OS thread of Tokio's
//! blocking pool, and only the green thread waits.
//!
//! ```
//! use eventlet::green::fs;
//!
//! eventlet::run(eventlet::stackful(|| {
//!     let manifest = fs::read_to_string("Cargo.toml").unwrap();
//!     assert!(manifest.contains("[package]"));
//! }));
//! ```
//!
//! Corresponds to [`std::fs`]. Eventlet has nothing like it: a file blocks its hub.
//!
//! # Panics
//!
//! Where there is no green stack to wait on, or no Tokio runtime.
//!
//! # Yields
//!
//! Always, until it is done. Only while the green stack unwinds, in destructors, nobody can wait,
//! and the call is made right there: so a [`BufWriter`](std::io::BufWriter) writes what it has kept
//! back.
//!
//! # Killed
//!
//! A call that has not begun is not made. One that has is made to its end.
//!
//! # Differences
//!
//! When the runtime ends it waits for calls that have begun, as Tokio does. One that may never end,
//! such as the opening of a named pipe that nobody writes to, is better made with
//! [`tpool::execute`](crate::tpool::execute).
//!
//! # Not here
//!
//! `soft_link`, which is deprecated: [`os::unix::fs::symlink`](super::os::unix::fs::symlink).

mod dir;
mod file;
mod handle;
mod open_options;
mod paths;

#[doc(no_inline)]
pub use std::fs::{FileTimes, FileType, Metadata, Permissions};

pub use dir::{DirBuilder, DirEntry, ReadDir, read_dir};
pub use file::File;
pub use open_options::OpenOptions;
pub use paths::{
    canonicalize, copy, create_dir, create_dir_all, exists, hard_link, metadata, read, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions,
    symlink_metadata, write,
};
