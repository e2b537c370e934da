//! A file as the blocking pool uses it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file, and data that was read from it but not taken yet.
///
/// A call in the pool cannot be cancelled when its green thread is killed. So data that is read is
/// always stored here until it is taken. Until then the OS file offset is ahead of the logical one;
/// seeks and writes must subtract the difference.
pub(super) struct Handle {
    std: File,
    ahead: Mutex<Vec<u8>>,
}

impl Handle {
    pub(super) fn new(std: File) -> Handle {
        Handle { std, ahead: Mutex::default() }
    }

    pub(super) fn std(&self) -> &File {
        &self.std
    }

    /// Returns the file, at its logical position.
    pub(super) fn into_std(self) -> File {
        self.place().go_back();
        self.std
    }

    /// Waits for exclusive use of the file position.
    pub(super) fn place(&self) -> Position<'_> {
        Position {
            std: &self.std,
            ahead: self.ahead.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Exclusive use of a file position.
pub(super) struct Position<'a> {
    std: &'a File,
    ahead: MutexGuard<'a, Vec<u8>>,
}

impl Position<'_> {
    /// Reads up to `length` bytes, unless some are stored, and returns how many are stored.
    pub(super) fn fill(&mut self, length: usize) -> io::Result<usize> {
        if self.ahead.is_empty() {
            self.ahead.resize(length, 0);
            let read = self.std.read(&mut self.ahead);
            self.ahead.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok(self.ahead.len())
    }

    /// Reads all that is left.
    pub(super) fn fill_to_end(&mut self) -> io::Result<()> {
        self.std.read_to_end(&mut self.ahead)?;
        Ok(())
    }

    /// Takes the stored bytes. `None` if a destructor, which does not wait for its turn, took them
    /// first.
    pub(super) fn take(&mut self, there: usize, buf: &mut [u8]) -> Option<usize> {
        let count = self.ahead.len().min(buf.len());
        buf[..count].copy_from_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
        (count > 0 || there == 0 || buf.is_empty()).then_some(count)
    }

    pub(super) fn take_all(&mut self, buf: &mut Vec<u8>) -> usize {
        let count = self.ahead.len();
        buf.append(&mut self.ahead);
        count
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.go_back();
        self.std.write(bytes)
    }

    pub(super) fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        let ahead = self.ahead.len() as u64;
        let place = self.std.seek(match pos {
            SeekFrom::Current(by) => SeekFrom::Current(by.saturating_sub_unsigned(ahead)),
            other => other,
        })?;
        self.ahead.clear();
        Ok(place)
    }

    /// Seeks back to the logical position. A file that cannot seek, such as a terminal, keeps the
    /// stored bytes.
    fn go_back(&mut self) {
        let by = -(self.ahead.len() as i64);
        if by < 0 && self.std.seek(SeekFrom::Current(by)).is_ok() {
            self.ahead.clear();
        }
    }
}
