//! Files.

use std::fmt;
use std::fs::{FileTimes, Metadata, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::SystemTime;

use super::handle::{Handle, Position};
use super::open_options::OpenOptions;
use crate::green::blocking::{Call, blocking};
use crate::green::wait::Direction;

/// An open file, for code on a green stack.
///
/// It reads, writes and seeks through [`Read`], [`Write`] and [`Seek`]. Each call goes to another
/// OS thread and back, which often takes longer than the call itself: a
/// [`BufReader`](io::BufReader) or a [`BufWriter`](io::BufWriter) around it saves most of that.
///
/// `File::from` makes one of a file of `std`, and [`into_std`](File::into_std) converts it back.
///
/// Corresponds to [`std::fs::File`].
///
/// # Killed
///
/// Data that was being read for a killed green thread is kept for the next reader. A write that has
/// begun is completed.
///
/// # Differences
///
/// A clone is not a second descriptor: it costs nothing, and has the same number. One call reads or
/// writes at most 2 MiB.
///
/// # Not here
///
/// `lock` and its relatives, which are newer than this crate's minimum Rust version.
///
/// # Examples
///
/// ```
/// use std::io::{BufRead, BufReader, Seek, Write};
///
/// use eventlet::green::fs::{self, File};
///
/// eventlet::run(eventlet::stackful(|| {
///     # let file = format!("eventlet-doc-file-{}", std::process::id());
///     let path = std::env::temp_dir().join(file);
///     let mut file = File::create_new(&path).unwrap();
///     file.write_all(b"one\ntwo\n").unwrap();
///
///     let lines = BufReader::new(File::open(&path).unwrap()).lines();
///     assert_eq!(lines.map(Result::unwrap).collect::<Vec<_>>(), ["one", "two"]);
///     fs::remove_file(&path).unwrap();
/// }));
/// ```
pub struct File {
    shared: Rc<Shared>,
}

/// A file and the state that its clones share, as those of `std` share the position in it.
struct Shared {
    handle: Arc<Handle>,
    turn: Direction,
}

/// The most bytes that are read or written in one call, each of which takes a buffer of its own.
const MOST: usize = 2 << 20;

impl File {
    /// Opens a file to read it.
    ///
    /// Corresponds to [`std::fs::File::open`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-open-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     assert!(File::open(&path).is_err());
    ///     fs::write(&path, "hello").unwrap();
    ///     assert!(File::open(&path).is_ok());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file for writing, and creates or truncates it.
    ///
    /// Corresponds to [`std::fs::File::create`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-create-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     fs::write(&path, "hello").unwrap();
    ///     File::create(&path).unwrap();
    ///     assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path)
    }

    /// Creates a file that must not exist yet, for reading and writing.
    ///
    /// Corresponds to [`std::fs::File::create_new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-create-new-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     assert!(File::create_new(&path).is_ok());
    ///     assert!(File::create_new(&path).is_err());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// Returns options for opening a file.
    ///
    /// Corresponds to [`std::fs::File::options`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-options-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     assert!(File::options().append(true).create(true).open(&path).is_ok());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Waits until everything that was written is on the disk.
    ///
    /// Corresponds to [`std::fs::File::sync_all`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-sync-all-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let file = File::create(&path).unwrap();
    ///     assert!(file.sync_all().is_ok());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn sync_all(&self) -> io::Result<()> {
        self.blocking(move |file| file.sync_all())
    }

    /// Waits until the contents that were written are on the disk.
    ///
    /// Corresponds to [`std::fs::File::sync_data`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-sync-data-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let file = File::create(&path).unwrap();
    ///     assert!(file.sync_data().is_ok());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn sync_data(&self) -> io::Result<()> {
        self.blocking(move |file| file.sync_data())
    }

    /// Truncates the file, or extends it with zeros.
    ///
    /// Corresponds to [`std::fs::File::set_len`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-set-len-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let file = File::create(&path).unwrap();
    ///     file.set_len(3).unwrap();
    ///     assert_eq!(fs::read(&path).unwrap(), [0; 3]);
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        self.blocking(move |file| file.set_len(size))
    }

    /// Looks at the file.
    ///
    /// Corresponds to [`std::fs::File::metadata`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-metadata-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let file = File::create(&path).unwrap();
    ///     assert_eq!(file.metadata().unwrap().len(), 0);
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.blocking(move |file| file.metadata())
    }

    /// Sets the permissions of the file.
    ///
    /// Corresponds to [`std::fs::File::set_permissions`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-set-permissions-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let file = File::create(&path).unwrap();
    ///     let mut permissions = file.metadata().unwrap().permissions();
    ///     permissions.set_readonly(true);
    ///     file.set_permissions(permissions).unwrap();
    ///     assert!(file.metadata().unwrap().permissions().readonly());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn set_permissions(&self, perm: Permissions) -> io::Result<()> {
        self.blocking(move |file| file.set_permissions(perm))
    }

    /// Sets the times of the file.
    ///
    /// Corresponds to [`std::fs::File::set_times`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-set-times-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let file = File::create(&path).unwrap();
    ///     let then = std::time::UNIX_EPOCH;
    ///     file.set_times(fs::FileTimes::new().set_accessed(then)).unwrap();
    ///     assert_eq!(file.metadata().unwrap().accessed().unwrap(), then);
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.blocking(move |file| file.set_times(times))
    }

    /// Sets the time of the file's last modification.
    ///
    /// Corresponds to [`std::fs::File::set_modified`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-set-modified-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let file = File::create(&path).unwrap();
    ///     file.set_modified(std::time::UNIX_EPOCH).unwrap();
    ///     assert_eq!(file.metadata().unwrap().modified().unwrap(), std::time::UNIX_EPOCH);
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.blocking(move |file| file.set_modified(time))
    }

    /// Makes a second handle of the file: both share one position in it.
    ///
    /// Corresponds to [`std::fs::File::try_clone`].
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::{self, File};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     # let file = format!("eventlet-doc-file-try-clone-{}", std::process::id());
    ///     let path = std::env::temp_dir().join(file);
    ///     let file = File::create(&path).unwrap();
    ///     assert!(file.try_clone().is_ok());
    ///     fs::remove_file(&path).unwrap();
    /// }));
    /// ```
    pub fn try_clone(&self) -> io::Result<File> {
        Ok(File { shared: Rc::clone(&self.shared) })
    }

    /// Converts into the type of `std`, which blocks.
    ///
    /// If there are clones, they keep the file, and this returns a second descriptor of it.
    ///
    /// # Errors
    ///
    /// If there are clones and the operating system refuses another descriptor.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::fs::File;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let file: std::fs::File = File::open("/").unwrap().into_std().unwrap();
    ///     assert!(file.metadata().unwrap().is_dir());
    /// }));
    /// ```
    pub fn into_std(self) -> io::Result<std::fs::File> {
        let handle = Arc::clone(&self.shared.handle);
        drop(self);
        match Arc::try_unwrap(handle) {
            Ok(handle) => Ok(handle.into_std()),
            Err(shared) => shared.std().try_clone(),
        }
    }

    #[track_caller]
    fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&std::fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let handle = Arc::clone(&self.shared.handle);
        blocking(move || call(handle.std()))
    }

    /// Performs an operation with exclusive use of the file position. `done` runs after each
    /// `call`, and returns whether the operation is complete.
    #[track_caller]
    fn in_turn<T: Send + 'static, R>(
        &self,
        call: impl Fn(&mut Position<'_>) -> io::Result<T> + Clone + Send + 'static,
        mut done: impl FnMut(&mut Position<'_>, T) -> Option<R>,
    ) -> io::Result<R> {
        let Shared { handle, turn } = &*self.shared;
        if std::thread::panicking() {
            return loop {
                let place = &mut handle.place();
                let made = call(place)?;
                if let Some(result) = done(place, made) {
                    break Ok(result);
                }
            };
        }
        let (at, mut current) = (Location::caller(), None);
        let waited = turn.wait(|cx| {
            loop {
                let moving = current.get_or_insert_with(|| Moving::start(handle, at, call.clone()));
                let made = ready!(Pin::new(&mut moving.call).poll(cx))?;
                current = None;
                if let Some(result) = done(&mut handle.place(), made) {
                    return Poll::Ready(Ok(result));
                }
            }
        });
        waited.unwrap_or_else(|unwinding| Err(unwinding.into()))
    }
}

/// A call that uses the file position.
struct Moving<T> {
    call: Call<T>,
    /// Dropped when the call has no waiter any more.
    _wanted: Arc<()>,
}

impl<T: Send + 'static> Moving<T> {
    fn start(
        handle: &Arc<Handle>,
        at: &'static Location<'static>,
        call: impl Fn(&mut Position<'_>) -> io::Result<T> + Send + 'static,
    ) -> Moving<T> {
        let (handle, wanted) = (Arc::clone(handle), Arc::new(()));
        let still_wanted = Arc::downgrade(&wanted);
        let call = Call::start(at, move || {
            let mut place = handle.place();
            // Its green thread may have been killed while the call waited for that of another
            // killed one.
            match still_wanted.upgrade() {
                Some(_) => call(&mut place),
                None => Err(io::ErrorKind::Interrupted.into()),
            }
        });
        Moving { call, _wanted: wanted }
    }
}

impl Read for &File {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = buf.len().min(MOST);
        self.in_turn(move |place| place.fill(length), |place, there| place.take(there, buf))
    }

    /// Reads it all in one call.
    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        self.in_turn(|place| place.fill_to_end(), |place, ()| Some(place.take_all(buf)))
    }

    /// Reads it all in one call.
    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        let count = self.read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        buf.push_str(&text);
        Ok(count)
    }
}

impl Write for &File {
    #[track_caller]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let bytes: Arc<[u8]> = buf[..buf.len().min(MOST)].into();
        self.in_turn(move |place| place.write(&bytes), |_, count| Some(count))
    }

    /// Does nothing: nothing is kept back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &File {
    #[track_caller]
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.in_turn(move |place| place.seek(pos), |_, now| Some(now))
    }
}

impl Read for File {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    /// Reads it all in one call.
    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        (&*self).read_to_end(buf)
    }

    /// Reads it all in one call.
    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        (&*self).read_to_string(buf)
    }
}

impl Write for File {
    #[track_caller]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    /// Does nothing: nothing is kept back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    #[track_caller]
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        (&*self).seek(pos)
    }
}

/// Takes over a file of `std`.
impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> File {
        let (handle, turn) = (Arc::new(Handle::new(file)), Direction::new());
        File { shared: Rc::new(Shared { handle, turn }) }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.handle.std().fmt(f)
    }
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
    use std::os::unix::fs::FileExt;

    use super::{File, MOST};

    impl FileExt for File {
        #[track_caller]
        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
            let mut bytes = vec![0; buf.len().min(MOST)];
            let bytes = self.blocking(move |file| {
                let count = file.read_at(&mut bytes, offset)?;
                bytes.truncate(count);
                Ok(bytes)
            })?;
            buf[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }

        #[track_caller]
        fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
            let bytes = buf[..buf.len().min(MOST)].to_owned();
            self.blocking(move |file| file.write_at(&bytes, offset))
        }
    }

    impl AsFd for File {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.shared.handle.std().as_fd()
        }
    }

    impl AsRawFd for File {
        fn as_raw_fd(&self) -> RawFd {
            self.shared.handle.std().as_raw_fd()
        }
    }
}
