//! What a stack that runs over meets: pages that nobody can touch.
//!
//! Linux 6.13 has markers for that, `MADV_GUARD_INSTALL`, which split no mapping and cost no
//! memory. Before, the pages had to be protected, and each such guard makes two mappings out of
//! one, of which a process has 65,530 by default: room for 32,000 stacks.
//!
//! # Invariants
//!
//! - **I1**: who calls [`Guards::install`] owns the pages, and keeps nothing in them.
#![allow(unsafe_code)]

use std::io;

use super::process_madvise;

/// `MADV_GUARD_INSTALL` of Linux's `asm-generic/mman-common.h`.
const GUARD_INSTALL: libc::c_int = 102;

/// How guards are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guards {
    /// By markers, until the kernel turns out to have none.
    Markers,
    /// By protection.
    Protection,
}

impl Guards {
    /// Makes guards of so many bytes, whole pages, from these addresses on. Returns how many: where
    /// there is an error after the first, those before it.
    pub(super) fn install(&mut self, starts: &[usize], bytes: usize) -> io::Result<usize> {
        let mut installed = 0;
        if *self == Guards::Markers {
            // SAFETY: by I1.
            installed = unsafe { process_madvise::advise(starts, bytes, GUARD_INSTALL) };
        }
        for &start in &starts[installed..] {
            match self.install_one(start, bytes) {
                Ok(()) => installed += 1,
                Err(error) if installed == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(installed)
    }

    fn install_one(&mut self, start: usize, bytes: usize) -> io::Result<()> {
        if *self == Guards::Markers {
            match mark(start, bytes) {
                // The kernel is older than markers, or the pages are locked (`mlockall`), which
                // markers do not go with.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    *self = Guards::Protection;
                }
                marked => return marked,
            }
        }
        protect(start, bytes)
    }
}

fn mark(start: usize, bytes: usize) -> io::Result<()> {
    // SAFETY: by I1.
    done(unsafe { libc::madvise(start as *mut _, bytes, GUARD_INSTALL) })
}

fn protect(start: usize, bytes: usize) -> io::Result<()> {
    // SAFETY: by I1.
    done(unsafe { libc::mprotect(start as *mut _, bytes, libc::PROT_NONE) })
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
