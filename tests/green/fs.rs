//! `green::fs` does what `std::fs` does, and only the green thread waits.
//!
//! Case names after `library/std/src/fs/tests.rs` of Rust 1.95.

use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::fs::{self, DirBuilder, File, FileTimes, OpenOptions};
use eventlet::green::os::unix::fs::{
    DirBuilderExt, DirEntryExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink,
};
use eventlet::green::process::Command;
use eventlet::green::thread;
use eventlet::{Block, GreenThread, Timeout, spawn, stackful};

use crate::support::{green, green_paused};

/// A directory for the files of a test, which is removed when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("eventlet-fs-{}-{test}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn file_test_io_smoke_test() {
    green(|| {
        let directory = Directory::new("smoke");
        let path = directory.join("file");
        File::create(&path).unwrap().write_all(b"it's alright. have a good time").unwrap();
        let mut text = String::new();
        assert_eq!(File::open(&path).unwrap().read_to_string(&mut text).unwrap(), 30);
        assert_eq!(text, "it's alright. have a good time");
        fs::remove_file(&path).unwrap();
        assert_eq!(File::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(fs::remove_file(&path).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn file_test_io_non_positional_read() {
    green(|| {
        let directory = Directory::new("read");
        let path = directory.join("file");
        fs::write(&path, "ten-four").unwrap();
        let mut file = File::open(&path).unwrap();
        let mut buf = [0; 8];
        assert_eq!(file.read(&mut buf[..4]).unwrap(), 4);
        assert_eq!(file.try_clone().unwrap().read(&mut buf[4..]).unwrap(), 4);
        assert_eq!(&buf, b"ten-four");
        assert_eq!(file.read(&mut buf).unwrap(), 0);
        assert_eq!(file.read(&mut []).unwrap(), 0);
    });
}

#[test]
fn file_test_io_seek_shakedown() {
    green(|| {
        let directory = Directory::new("seek");
        let path = directory.join("file");
        fs::write(&path, "qwer-asdf-zxcv").unwrap();
        let mut file = File::options().read(true).write(true).open(&path).unwrap();
        let mut buf = [0; 4];
        file.read_exact(&mut buf).unwrap();
        assert_eq!(file.stream_position().unwrap(), 4);
        for (to, text) in [
            (SeekFrom::Current(1), "asdf"),
            (SeekFrom::End(-4), "zxcv"),
            (SeekFrom::Start(0), "qwer"),
        ] {
            file.seek(to).unwrap();
            file.read_exact(&mut buf).unwrap();
            assert_eq!(buf, text.as_bytes());
        }
        file.write_all(b"!").unwrap();
        file.rewind().unwrap();
        let mut all = Vec::new();
        file.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"qwer!asdf-zxcv");
        assert!(file.seek(SeekFrom::End(-100)).is_err());
        assert_eq!(file.stream_position().unwrap(), 14);
    });
}

#[test]
fn file_test_io_read_write_at() {
    green(|| {
        let directory = Directory::new("at");
        let file = File::create_new(directory.join("file")).unwrap();
        assert_eq!(file.write_at(b"qwer-asdf", 0).unwrap(), 9);
        file.write_all_at(b"-zxcv", 9).unwrap();
        let mut buf = [0; 4];
        assert_eq!(file.read_at(&mut buf, 5).unwrap(), 4);
        assert_eq!(&buf, b"asdf");
        file.read_exact_at(&mut buf, 10).unwrap();
        assert_eq!(&buf, b"zxcv");
        assert_eq!(file.read_at(&mut buf, 12).unwrap(), 2);
        assert_eq!((&file).stream_position().unwrap(), 0);
    });
}

#[test]
fn open_flavors() {
    green(|| {
        let directory = Directory::new("flavors");
        let path = directory.join("file");
        assert_eq!(
            OpenOptions::new().write(true).open(&path).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        let again = OpenOptions::new().write(true).create_new(true).open(&path);
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(OpenOptions::new().open(&path).is_err());
        file.write_all(b"one").unwrap();
        assert_eq!(file.read(&mut [0]).unwrap_err().raw_os_error(), Some(9));
        let mut append = OpenOptions::new().append(true).open(&path).unwrap();
        file.rewind().unwrap();
        append.write_all(b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onetwo");
        OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    });
}

#[test]
fn what_is_said_of_a_file() {
    green(|| {
        let directory = Directory::new("metadata");
        let path = directory.join("file");
        let file = File::create(&path).unwrap();
        file.set_len(5).unwrap();
        file.sync_all().unwrap();
        file.sync_data().unwrap();
        let then = std::time::UNIX_EPOCH + Duration::from_secs(1_000);
        file.set_times(FileTimes::new().set_accessed(then)).unwrap();
        file.set_modified(then).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert!(metadata.is_file() && metadata.len() == 5);
        assert_eq!((metadata.accessed().unwrap(), metadata.modified().unwrap()), (then, then));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o640);
        file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    });
}

#[test]
fn names() {
    green(|| {
        let directory = Directory::new("names");
        let (one, other, link) =
            (directory.join("one"), directory.join("other"), directory.join("link"));
        fs::write(&one, "hello").unwrap();
        assert_eq!(fs::copy(&one, &other).unwrap(), 5);
        fs::rename(&other, &link).unwrap();
        assert!(!fs::exists(&other).unwrap());
        fs::remove_file(&link).unwrap();
        symlink(&one, &link).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), one);
        assert_eq!(fs::canonicalize(&link).unwrap(), std::fs::canonicalize(&one).unwrap());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::metadata(&link).unwrap().is_file());
        fs::hard_link(&one, &other).unwrap();
        assert_eq!(fs::metadata(&one).unwrap().nlink(), 2);
        assert_eq!(
            fs::copy(directory.join("none"), &other).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    });
}

#[test]
fn file_test_directoryinfo_readdir() {
    green(|| {
        let directory = Directory::new("readdir");
        let count = 300;
        for number in 0..count {
            fs::write(directory.join(&number.to_string()), [0; 3]).unwrap();
        }
        let mut entries = fs::read_dir(&directory.0).unwrap();
        let mut seen = Vec::new();
        for entry in &mut entries {
            let entry = entry.unwrap();
            assert_eq!(entry.path(), directory.0.join(entry.file_name()));
            assert!(entry.file_type().unwrap().is_file());
            assert_eq!(entry.metadata().unwrap().ino(), entry.ino());
            seen.push(entry.file_name().into_string().unwrap().parse::<i32>().unwrap());
        }
        assert!(entries.next().is_none());
        seen.sort();
        assert!(seen.into_iter().eq(0..count));
        assert_eq!(fs::read_dir(directory.join("0")).unwrap_err().kind(), ErrorKind::NotADirectory);
    });
}

#[test]
fn mkdir_and_rmdir() {
    green(|| {
        let directory = Directory::new("mkdir");
        let (one, deep) = (directory.join("one"), directory.join("a/b/c"));
        fs::create_dir(&one).unwrap();
        assert_eq!(fs::create_dir(&one).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::create_dir(&deep).unwrap_err().kind(), ErrorKind::NotFound);
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(
            fs::remove_dir(directory.join("a")).unwrap_err().kind(),
            ErrorKind::DirectoryNotEmpty
        );
        fs::remove_dir_all(directory.join("a")).unwrap();
        fs::remove_dir(&one).unwrap();
        DirBuilder::new().recursive(true).mode(0o700).create(&deep).unwrap();
        assert_eq!(fs::metadata(&deep).unwrap().mode() & 0o777, 0o700);
    });
}

#[test]
fn write_then_read() {
    green(|| {
        let directory = Directory::new("binary");
        let bytes: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 251) as u8).collect();
        let path = directory.join("file");
        File::create(&path).unwrap().write_all(&bytes).unwrap();
        assert!(fs::read(&path).unwrap() == bytes);
        let mut all = Vec::new();
        std::io::copy(&mut File::open(&path).unwrap(), &mut all).unwrap();
        assert!(all == bytes);
        let mut text = "as it was".to_owned();
        let error = File::open(&path).unwrap().read_to_string(&mut text).unwrap_err();
        assert_eq!((error.kind(), &*text), (ErrorKind::InvalidData, "as it was"));
        assert_eq!(fs::read_to_string(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn buffered() {
    green(|| {
        let directory = Directory::new("buffered");
        let path = directory.join("file");
        let mut out = BufWriter::new(File::create(&path).unwrap());
        (0..1000).for_each(|number| writeln!(out, "{number}").unwrap());
        drop(out);
        let lines = BufReader::new(File::open(&path).unwrap()).lines();
        assert!(lines.map(|line| line.unwrap().parse::<u32>().unwrap()).eq(0..1000));
    });
}

/// Opens a named pipe, of which one can tell that a read of it has not ended.
fn fifo(directory: &Directory) -> (File, File) {
    let path = directory.join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    (reader, OpenOptions::new().write(true).open(&path).unwrap())
}

#[test]
fn others_run_while_one_waits() {
    green(|| {
        let directory = Directory::new("waits");
        let (mut reader, mut writer) = fifo(&directory);
        let reading = thread::spawn(move || reader.read(&mut [0; 9]).unwrap());
        // As long as it takes the pool to read: it does not end.
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(1));
            assert!(!reading.is_finished());
        }
        writer.write_all(b"hello").unwrap();
        assert_eq!(reading.join().unwrap(), 5);
    });
}

#[test]
fn what_was_read_for_one_who_gave_up_is_for_the_next() {
    green(|| {
        let directory = Directory::new("ahead");
        let (reader, mut writer) = fifo(&directory);
        let limit = Timeout::new(Duration::from_millis(20));
        // The call has begun, and nobody can take it back.
        assert_eq!(limit.run_blocking(|| (&reader).read(&mut [0; 9]).unwrap()), Err(limit));
        let same = reader.try_clone().unwrap();
        let victim = spawn(stackful(move || (&same).read(&mut [0; 9]).unwrap()));
        thread::sleep(Duration::from_millis(20));
        victim.kill();
        writer.write_all(b"hello").unwrap();
        let mut buf = [0; 3];
        (&reader).read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"hel");
        // A pipe cannot be gone back in.
        (&reader).write_all(b"!").unwrap();
        (&reader).read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"lo!");
    });
}

#[test]
fn a_kill_at_any_time_loses_no_byte() {
    green(|| {
        let directory = Directory::new("kills");
        let path = directory.join("file");
        let bytes: Vec<u8> = (0..40_000_u32).map(|at| (at % 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        let file = Rc::new(File::options().read(true).write(true).open(&path).unwrap());
        let read = Rc::new(std::cell::RefCell::new(Vec::new()));
        for round in 0_u32.. {
            let (same, all) = (Rc::clone(&file), Rc::clone(&read));
            let victim = GreenThread::from(thread::spawn(move || {
                let mut buf = [0; 100];
                let count = (&*same).read(&mut buf).unwrap();
                all.borrow_mut().extend_from_slice(&buf[..count]);
                count
            }));
            (0..round % 7).for_each(|_| tokio::task::yield_now().block());
            if round % 2 == 0 {
                victim.kill();
            }
            if round % 5 == 0 {
                assert_eq!((&*file).stream_position().unwrap(), read.borrow().len() as u64);
            }
            if matches!(victim.block(), Ok(0)) {
                break;
            }
        }
        assert!(*read.borrow() == bytes);
    });
}

/// Waits, and lets nobody run, until the pool has read for somebody.
fn read_for_somebody(raw: &mut std::fs::File, from: u64) {
    while raw.stream_position().unwrap() == from {
        std::hint::spin_loop();
    }
}

#[test]
fn after_a_kill_the_file_is_where_its_user_thinks() {
    green(|| {
        let directory = Directory::new("place");
        let path = directory.join("file");
        let options = || std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let then: [fn(&mut File); 4] = [
            |file| file.write_all(b"xx").unwrap(),
            |file| assert_eq!(file.stream_position().unwrap(), 2),
            |file| assert_eq!(file.seek(SeekFrom::Current(1)).unwrap(), 3),
            |file| {
                let mut buf = [0; 3];
                file.read_exact(&mut buf).unwrap();
                assert_eq!(&buf, b"234");
            },
        ];
        for (then, expected) in
            then.into_iter().zip(["01xx456789", "0123456789", "0123456789", "0123456789"])
        {
            let (mut file, victim) = loop {
                fs::write(&path, "0123456789").unwrap();
                // Both are at the same place.
                let mut raw = options();
                let mut file = File::from(raw.try_clone().unwrap());
                file.read_exact(&mut [0; 2]).unwrap();
                let mut same = file.try_clone().unwrap();
                let victim = spawn(stackful(move || same.read(&mut [0; 5])));
                thread::yield_now();
                read_for_somebody(&mut raw, 2);
                // The pool may have been so quick that it got what was read.
                if !victim.dead() {
                    break (file, victim);
                }
            };
            victim.kill();
            then(&mut file);
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
            let place = file.stream_position().unwrap();
            assert_eq!(file.into_std().unwrap().stream_position().unwrap(), place);
        }
    });
}

#[test]
fn a_buffer_is_written_out_when_its_green_thread_is_killed() {
    green(|| {
        let directory = Directory::new("killed-buffer");
        let path = directory.join("file");
        let mut out = BufWriter::new(File::create(&path).unwrap());
        let gt = spawn(stackful(move || {
            write!(out, "hello").unwrap();
            thread::sleep(Duration::MAX);
        }));
        thread::yield_now();
        assert_eq!(fs::read(&path).unwrap(), b"");
        gt.kill();
        assert_eq!(fs::read(&path).unwrap(), b"hello");
    });
}

/// Reads while another one reads, and removes a file, in a destructor.
struct Goodbye(File, PathBuf);

impl Drop for Goodbye {
    fn drop(&mut self) {
        assert!(std::thread::panicking());
        assert_eq!(self.0.read(&mut [0; 9]).unwrap(), 9);
        fs::remove_file(&self.1).unwrap();
    }
}

#[test]
fn a_destructor_that_reads_takes_no_end_of_file_to_another() {
    green(|| {
        let directory = Directory::new("destructor");
        let path = directory.join("file");
        fs::write(&path, [1; 1000]).unwrap();
        let mut raw = std::fs::File::open(&path).unwrap();
        let mut file = File::from(raw.try_clone().unwrap());
        let goodbye = Goodbye(file.try_clone().unwrap(), path.clone());
        let victim = spawn(stackful(move || {
            let _goodbye = goodbye;
            thread::sleep(Duration::MAX);
        }));
        let mut same = file.try_clone().unwrap();
        let reader = thread::spawn(move || same.read(&mut [0; 9]).unwrap());
        thread::yield_now();
        read_for_somebody(&mut raw, 0);
        // It gets what was read for the other, who asks again.
        victim.kill();
        assert_eq!(reader.join().unwrap(), 9);
        assert_eq!(file.stream_position().unwrap(), 18);
        assert!(!fs::exists(&path).unwrap());
    });
}

#[test]
fn a_paused_clock_waits_for_files() {
    green_paused(|| {
        let start = tokio::time::Instant::now();
        let limit = Timeout::new(Duration::from_secs(1));
        let read = limit.run_blocking(|| fs::read("Cargo.toml").unwrap());
        assert!(read.is_ok_and(|bytes| !bytes.is_empty()));
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

#[test]
fn conversions() {
    green(|| {
        let directory = Directory::new("conversions");
        let path = directory.join("file");
        fs::write(&path, "hello").unwrap();
        let mut file = File::from(std::fs::File::open(&path).unwrap());
        file.read_exact(&mut [0; 2]).unwrap();
        let clone = file.try_clone().unwrap();
        let mut text = String::new();
        file.into_std().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "llo");
        assert!(clone.into_std().is_ok());
        assert!(fs::read(Path::new("/no/such/file")).is_err());
    });
}

#[test]
fn without_a_green_stack_it_panics_with_the_cure() {
    eventlet::run(async {
        let payload = std::panic::catch_unwind(|| fs::read("Cargo.toml")).unwrap_err();
        let text = payload.downcast_ref::<&str>().unwrap();
        assert!(text.contains("run the closure with `spawn(stackful(closure))`"), "{text}");
    });
}

/// To open a FIFO takes until somebody opens its other end, and nothing can interrupt that.
mod fifos {
    use eventlet::HubThread;
    use eventlet::runtime::Builder;
    use tokio::task::spawn_blocking;

    use super::*;
    use crate::ear::Ear;

    /// Makes a FIFO that nobody writes to.
    fn fifo(directory: &Directory) -> PathBuf {
        let path = directory.join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    /// Kills a green thread while it opens a FIFO. Returns the line that does.
    async fn give_up_opening(path: PathBuf) -> u32 {
        let (line, opening) = (line!(), spawn(stackful(move || File::open(path).map(drop))));
        eventlet::sleep(Duration::ZERO).await;
        // Calls begin in order.
        spawn_blocking(|| ()).await.unwrap();
        opening.kill();
        line
    }

    /// Lets those who wait for the other end of a FIFO go on.
    fn release(path: &Path) {
        std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    }

    #[test]
    fn a_hub_ends_without_the_call_and_says_so() {
        let directory = Directory::new("fifo-run");
        let path = fifo(&directory);
        let ear = Ear::open();
        let limit = Duration::from_millis(50);
        let line = Builder::new().shutdown_timeout(limit).run(give_up_opening(path.clone()));
        let text = ear.heard().join("\n");
        let words = format!("the call of `green::fs` at {}:{}:", file!(), line.unwrap());
        assert!(text.contains(&words), "{text}");
        assert!(text.ends_with(" goes on without it"), "{text}");
        release(&path);

        eventlet::run(async {});
        assert!(ear.heard().is_empty(), "the next hub has nothing to say of it");
    }

    #[test]
    fn a_hub_thread_ends_without_the_call() {
        let directory = Directory::new("fifo-thread");
        let path = fifo(&directory);
        let limit = Duration::from_millis(50);
        let hub: HubThread = Builder::new().shutdown_timeout(limit).start_thread().unwrap();
        let opens = path.clone();
        hub.spawn(move || give_up_opening(opens)).join().unwrap();
        hub.shutdown().join();
        release(&path);
    }
}
