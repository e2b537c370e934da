//! Files under the names of [`std::fs`].
//!
//! Operating systems do not report readiness of a disk, so each call is made on an OS thread of
//! Tokio's blocking pool, and only the green thread waits.
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
//! If there is no green stack to wait on, or no Tokio runtime.
//!
//! # Yields
//!
//! Always, until the call returns. While the green stack unwinds, in destructors, it cannot be
//! suspended, and the call blocks the OS thread: so a [`BufWriter`](std::io::BufWriter) writes its
//! buffer.
//!
//! # Killed
//!
//! A call that has not begun is not made. One that has begun is completed.
//!
//! # Differences
//!
//! When the runtime ends it waits for calls that have begun, as Tokio does. Make a call that may
//! never end, such as opening a named pipe that has no writer, with
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
