//! How to open a file.

use std::io;
use std::path::Path;

use super::file::File;
use crate::green::blocking::blocking;

/// How to open a file, for code on a green stack.
///
/// On Unix it has the methods of
/// [`OpenOptionsExt`](std::os::unix::fs::OpenOptionsExt), too.
///
/// Corresponds to [`std::fs::OpenOptions`].
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use eventlet::green::fs::{self, OpenOptions};
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-open-options-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     for word in ["hello ", "world"] {
///         let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
///         file.write_all(word.as_bytes()).unwrap();
///     }
///     assert_eq!(fs::read_to_string(&path).unwrap(), "hello world");
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(std::fs::OpenOptions);

impl OpenOptions {
    /// Makes options with nothing enabled.
    ///
    /// Corresponds to [`std::fs::OpenOptions::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::OpenOptions;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert!(OpenOptions::new().open("/").is_err());
    /// }));
    /// ```
    #[allow(clippy::new_without_default, reason = "as in std")]
    pub fn new() -> OpenOptions {
        OpenOptions(std::fs::OpenOptions::new())
    }

    /// Sets whether it can be read.
    ///
    /// Corresponds to [`std::fs::OpenOptions::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, OpenOptions};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-open-read-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::write(&path, "hello").unwrap();
    ///     assert!(OpenOptions::new().read(true).open(&path).is_ok());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn read(&mut self, read: bool) -> &mut OpenOptions {
        self.0.read(read);
        self
    }

    /// Sets whether it can be written, from its beginning.
    ///
    /// Corresponds to [`std::fs::OpenOptions::write`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, OpenOptions};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-open-write-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::write(&path, "hello").unwrap();
    ///     assert!(OpenOptions::new().write(true).open(&path).is_ok());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn write(&mut self, write: bool) -> &mut OpenOptions {
        self.0.write(write);
        self
    }

    /// Sets whether each write appends to its end.
    ///
    /// Corresponds to [`std::fs::OpenOptions::append`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, OpenOptions};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-open-append-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::write(&path, "hello").unwrap();
    ///     assert!(OpenOptions::new().append(true).open(&path).is_ok());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn append(&mut self, append: bool) -> &mut OpenOptions {
        self.0.append(append);
        self
    }

    /// Sets whether it is emptied.
    ///
    /// Corresponds to [`std::fs::OpenOptions::truncate`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, OpenOptions};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-open-truncate-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::write(&path, "hello").unwrap();
    ///     OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    ///     assert!(fs::read(&path).unwrap().is_empty());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn truncate(&mut self, truncate: bool) -> &mut OpenOptions {
        self.0.truncate(truncate);
        self
    }

    /// Sets whether it is created if it does not exist.
    ///
    /// Corresponds to [`std::fs::OpenOptions::create`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, OpenOptions};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-open-create-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::write(&path, "hello").unwrap();
    ///     fs::remove_file(&path).unwrap();
    ///     OpenOptions::new().write(true).create(true).open(&path).unwrap();
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn create(&mut self, create: bool) -> &mut OpenOptions {
        self.0.create(create);
        self
    }

    /// Sets whether it is created, and must not exist.
    ///
    /// Corresponds to [`std::fs::OpenOptions::create_new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, OpenOptions};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-open-create-new-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::write(&path, "hello").unwrap();
    ///     assert!(OpenOptions::new().write(true).create_new(true).open(&path).is_err());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn create_new(&mut self, create_new: bool) -> &mut OpenOptions {
        self.0.create_new(create_new);
        self
    }

    /// Opens a file.
    ///
    /// Corresponds to [`std::fs::OpenOptions::open`].
    ///
    /// # Killed
    ///
    /// A file that was created stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::OpenOptions;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert!(OpenOptions::new().read(true).open("/no/such/file").is_err());
    /// }));
    /// ```
    #[track_caller]
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        let (options, path) = (self.0.clone(), path.as_ref().to_owned());
        blocking(move || options.open(path)).map(File::from)
    }
}

#[cfg(unix)]
impl std::os::unix::fs::OpenOptionsExt for OpenOptions {
    fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.0.mode(mode);
        self
    }

    fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.0.custom_flags(flags);
        self
    }
}
