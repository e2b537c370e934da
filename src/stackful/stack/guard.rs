//! Guard pages: what a stack that overflows runs into.
//!
//! Linux 6.13 has guard markers, `MADV_GUARD_INSTALL`, which split no mapping and cost no memory.
//! On older kernels the pages have to be protected, and each such guard splits a mapping in two. A
//! process has 65,530 mappings by default: room for 32,000 stacks.
//!
//! # Invariants
//!
//! - **I1**: the caller of [`Guards::install`] owns the pages, and keeps nothing in them.
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
    /// Makes guards of so many bytes, whole pages, at these addresses. Returns how many: on an
    /// error after the first, the number made before it.
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
                // rules markers out.
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
