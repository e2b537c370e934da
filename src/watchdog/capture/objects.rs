//! The unwind tables of the program and its libraries, as they lie in memory.
//!
//! # Invariants
//!
//! - **I1**: while `dl_iterate_phdr` shows an object, its program headers are there, and the
//!   segments that they say are loaded and readable.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ops::Range;
use std::ptr;
use std::slice;

use framehop::{ExplicitModuleSectionInfo, Module};
use libc::{Elf64_Phdr, c_int, dl_phdr_info};

/// The program, or a library that it has loaded. Addresses are what the object file says, from
/// `base` on.
pub(super) struct Object {
    base: usize,
    /// What is loaded.
    range: Range<usize>,
    index: Section,
    table: Section,
}

/// A part of an object, and a copy of it: the object may be gone when that is needed.
struct Section {
    range: Range<usize>,
    bytes: Vec<u8>,
}

impl Object {
    pub(super) fn into_module(self) -> Module<Vec<u8>> {
        let wide = |range: &Range<usize>| range.start as u64..range.end as u64;
        let loaded = self.base + self.range.start..self.base + self.range.end;
        let sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            eh_frame_hdr_svma: Some(wide(&self.index.range)),
            eh_frame_svma: Some(wide(&self.table.range)),
            eh_frame_hdr: Some(self.index.bytes),
            eh_frame: Some(self.table.bytes),
            ..ExplicitModuleSectionInfo::default()
        };
        Module::new(String::new(), wide(&loaded), self.base as u64, sections)
    }
}

/// Returns all objects that have unwind tables of the usual kind.
pub(super) fn objects() -> Vec<Object> {
    let mut objects = Vec::new();
    // SAFETY: the function takes what is passed for a `Vec<Object>`, which it is.
    unsafe { libc::dl_iterate_phdr(Some(note), ptr::from_mut(&mut objects).cast()) };
    objects
}

/// Notes an object.
unsafe extern "C" fn note(info: *mut dl_phdr_info, _size: usize, objects: *mut c_void) -> c_int {
    // SAFETY: the system calls this with the information about an object.
    let info = unsafe { &*info };
    // SAFETY: by I1.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    // SAFETY: `objects` passed it.
    let objects = unsafe { &mut *objects.cast::<Vec<Object>>() };
    objects.extend(object(info.dlpi_addr as usize, headers));
    0
}

/// How an index says where its table is: so many bytes from there, in four bytes with a sign.
const RELATIVE: u8 = 0x1b;

fn object(base: usize, headers: &[Elf64_Phdr]) -> Option<Object> {
    let range = |header: &Elf64_Phdr| {
        header.p_vaddr as usize..header.p_vaddr as usize + header.p_memsz as usize
    };
    let segments = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD).map(range);
    let index = range(headers.iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME)?);
    let index = section(base, index);
    let [_version, RELATIVE, _, _, a, b, c, d, ..] = *index.bytes else { return None };
    let table =
        (index.range.start + 4).checked_add_signed(i32::from_ne_bytes([a, b, c, d]) as isize)?;
    let end = segments().find(|segment| segment.contains(&table))?.end;
    let (start, last) = (segments().map(|it| it.start).min()?, segments().map(|it| it.end).max()?);
    Some(Object { base, range: start..last, index, table: section(base, table..end) })
}

fn section(base: usize, range: Range<usize>) -> Section {
    let start = ptr::with_exposed_provenance::<u8>(base + range.start);
    // SAFETY: by I1: it is within a segment that is loaded.
    let bytes = unsafe { slice::from_raw_parts(start, range.len()) }.to_vec();
    Section { range, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_itself_is_found() {
        let here = the_program_itself_is_found as fn() as usize;
        let within = |object: &Object| {
            (object.base + object.range.start..object.base + object.range.end).contains(&here)
        };
        assert_eq!(objects().iter().filter(|object| within(object)).count(), 1);
    }
}
