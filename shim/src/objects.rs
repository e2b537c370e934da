//! The objects of this process, the program and its libraries, and what their calls of libc's names
//! are bound to.
//!
//! The dynamic linker writes the address of each function that an object imports into a slot of
//! that object, when it is loaded or at the first call. This reads those slots.
//!
//! # Invariants
//!
//! - **I1**: while `dl_iterate_phdr` calls [`visit`], the object that it shows is mapped as its
//!   headers say, and nobody unloads it.
//! - **I2**: the tables of an object have the form that ELF gives them, and are where its dynamic
//!   section says.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem;
use std::ops::Range;
use std::ptr;
use std::slice;

use libc::{Elf64_Phdr, Elf64_Sym, dl_phdr_info};

use crate::calls::SYMBOLS;

/// An object that calls functions of this crate's names, or has such of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Object {
    /// Its file. Empty for the program itself.
    pub file: String,
    /// Those whose calls come to this crate.
    pub bound: Vec<&'static str>,
    /// Those that are bound at their first call, which was not made yet: to this crate, unless the
    /// object was opened with `RTLD_DEEPBIND`.
    pub unbound: Vec<&'static str>,
    /// Those whose calls go elsewhere, and to which object.
    pub bypassed: Vec<(&'static str, Option<String>)>,
    /// Those that it has itself, so that it calls its own.
    pub own: Vec<&'static str>,
    /// Whether it was linked with `-Bsymbolic`.
    pub symbolic: bool,
}

impl Object {
    /// Returns whether some of its calls do not come to this crate.
    pub fn bypasses(&self) -> bool {
        !self.bypassed.is_empty() || !self.own.is_empty()
    }
}

/// Returns those objects, without libc.
pub(crate) fn all() -> Vec<Object> {
    let mut found = Vec::<Found>::new();
    // SAFETY: `visit` is called with each object, and with the vector.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast()) };
    let libc = owner_of(libc::gnu_get_libc_version as *const c_void).unwrap_or_default();
    let others = found.into_iter().filter(|found| found.file != libc);
    others.map(Found::named).filter(|object| !object.is_empty()).collect()
}

/// Returns the file of the object that a function is in.
pub(crate) fn owner_of(function: *const c_void) -> Option<String> {
    // SAFETY: all zeroes is a value of it.
    let mut about: libc::Dl_info = unsafe { mem::zeroed() };
    // SAFETY: there is room for the answer.
    let found = unsafe { libc::dladdr(function, &mut about) };
    (found != 0 && !about.dli_fname.is_null()).then(|| text(about.dli_fname))
}

/// Returns whether a function is in the object that this crate is in.
pub fn is_own(function: *const c_void) -> bool {
    let base = |function: *const c_void| {
        // SAFETY: all zeroes is a value of it.
        let mut about: libc::Dl_info = unsafe { mem::zeroed() };
        // SAFETY: there is room for the answer.
        let found = unsafe { libc::dladdr(function, &mut about) };
        (found != 0).then(|| about.dli_fbase.addr())
    };
    let ours = base(is_own as *const c_void);
    ours.is_some() && base(function) == ours
}

/// An object of this process, but that which this crate is in.
#[derive(Debug)]
pub struct Loaded {
    /// Its file. Empty for the program itself.
    pub file: String,
    /// Whether it has thread-locals.
    pub has_thread_locals: bool,
    /// Those functions that it imports, of those that were asked for.
    pub imports: Vec<&'static CStr>,
}

/// What [`loaded`] asks each object.
struct Question<'a> {
    names: &'a [&'static CStr],
    answers: Vec<Loaded>,
}

/// Returns all objects, and which of some functions they import.
pub fn loaded(names: &[&'static CStr]) -> Vec<Loaded> {
    let mut question = Question { names, answers: Vec::new() };
    // SAFETY: `ask` is called with each object, and with the question.
    unsafe { libc::dl_iterate_phdr(Some(ask), (&raw mut question).cast()) };
    question.answers
}

fn text(text: *const c_char) -> String {
    // SAFETY: it is a string of the dynamic linker's.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// What is read of an object while the list of objects is locked. Whose the addresses are is asked
/// after that, as it takes another lock.
struct Found {
    file: String,
    /// Which of [`SYMBOLS`] it imports, and what is in the slot. `None` where that is still the
    /// object's own code that binds it.
    slots: Vec<(usize, Option<usize>)>,
    /// Which of [`SYMBOLS`] it has.
    defined: Vec<usize>,
    symbolic: bool,
}

/// Returns which of [`SYMBOLS`] has a name.
fn which(name: &CStr) -> Option<usize> {
    SYMBOLS.iter().position(|(known, ..)| *known == name)
}

fn name_of(at: usize) -> &'static str {
    SYMBOLS[at].0.to_str().unwrap_or_default()
}

impl Found {
    fn named(mut self) -> Object {
        self.slots.sort_unstable();
        self.slots.dedup();
        let is_ours = |at: usize, function: usize| SYMBOLS[at].2.addr() == function;
        let imported = |at: &usize| self.slots.iter().any(|(imported, _)| imported == at);
        // What the program has itself is this crate's.
        let own = self.defined.iter().filter(|at| !self.file.is_empty() && !imported(at));
        let mut object = Object {
            own: own.map(|at| name_of(*at)).collect(),
            file: self.file.clone(),
            symbolic: self.symbolic,
            bound: Vec::new(),
            unbound: Vec::new(),
            bypassed: Vec::new(),
        };
        for (at, function) in &self.slots {
            match function {
                None => object.unbound.push(name_of(*at)),
                Some(function) if is_ours(*at, *function) => object.bound.push(name_of(*at)),
                Some(function) => {
                    let owner = owner_of(ptr::without_provenance(*function));
                    object.bypassed.push((name_of(*at), owner));
                }
            }
        }
        object
    }
}

impl Object {
    fn is_empty(&self) -> bool {
        self.bound.is_empty() && self.unbound.is_empty() && !self.bypasses()
    }
}

/// An object that `dl_iterate_phdr` shows.
struct Shown<'a> {
    file: String,
    base: usize,
    headers: &'a [Elf64_Phdr],
    tables: Tables,
}

impl Shown<'_> {
    /// `None` where it has no dynamic section.
    ///
    /// # Safety
    ///
    /// `dl_iterate_phdr` shows it, for as long as this is there.
    unsafe fn read<'a>(info: *const dl_phdr_info) -> Option<Shown<'a>> {
        // SAFETY: by I1.
        let info = unsafe { &*info };
        // SAFETY: by I1.
        let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let file = if info.dlpi_name.is_null() { String::new() } else { text(info.dlpi_name) };
        let base = info.dlpi_addr as usize;
        let dynamic = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC)?;
        let start = base + dynamic.p_vaddr as usize;
        // SAFETY: by I1 and I2 it is there.
        let tables = unsafe { Tables::read(base, start as *const Entry) };
        Some(Shown { file, base, headers, tables })
    }

    fn has_thread_locals(&self) -> bool {
        self.headers.iter().any(|header| header.p_type == libc::PT_TLS && header.p_memsz > 0)
    }
}

/// Called with each object.
unsafe extern "C" fn visit(info: *mut dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
    // SAFETY: it is the vector that was handed on.
    let found = unsafe { &mut *found.cast::<Vec<Found>>() };
    // SAFETY: it is shown until this returns.
    if let Some(Shown { file, headers, tables, .. }) = unsafe { Shown::read(info) } {
        let (slots, defined) = (tables.slots(headers), tables.defined());
        found.push(Found { file, slots, defined, symbolic: tables.symbolic });
    }
    0
}

/// Called with each object.
unsafe extern "C" fn ask(info: *mut dl_phdr_info, _: usize, question: *mut c_void) -> c_int {
    // SAFETY: it is what was handed on.
    let question = unsafe { &mut *question.cast::<Question<'_>>() };
    // SAFETY: it is shown until this returns.
    let Some(object) = (unsafe { Shown::read(info) }) else { return 0 };
    if is_in(object.headers, object.base, (is_own as *const c_void).addr()) {
        return 0;
    }
    let imports = |name: &&'static CStr| object.tables.imports().any(|(_, one)| one == *name);
    question.answers.push(Loaded {
        has_thread_locals: object.has_thread_locals(),
        imports: question.names.iter().copied().filter(imports).collect(),
        file: object.file,
    });
    0
}

/// An entry of a dynamic section.
#[repr(C)]
struct Entry {
    tag: i64,
    value: u64,
}

/// A relocation: what is written where.
#[repr(C)]
struct Relocation {
    offset: u64,
    /// The number of the symbol, and below that the kind.
    info: u64,
    addend: i64,
}

const DT_NULL: i64 = 0;
const DT_PLTRELSZ: i64 = 2;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_SYMBOLIC: i64 = 16;
const DT_JMPREL: i64 = 23;
const DT_FLAGS: i64 = 30;
const DT_GNU_HASH: i64 = 0x6fff_fef5;
const DF_SYMBOLIC: u64 = 2;

/// The kinds of relocations that are the address of a function: for data, for calls, as a pointer.
#[cfg(target_arch = "x86_64")]
const KINDS: [u32; 3] = [6, 7, 1];
#[cfg(target_arch = "aarch64")]
const KINDS: [u32; 3] = [1025, 1026, 257];

const FUNCTION: u8 = 2;

/// The tables of an object. Those that it has not are null.
struct Tables {
    base: usize,
    strings: *const c_char,
    symbols: *const Elf64_Sym,
    /// Where relocations are, and how many bytes they take.
    relocations: [(usize, usize); 2],
    hash: *const u32,
    symbolic: bool,
}

impl Tables {
    /// # Safety
    ///
    /// It is the dynamic section of the object that is visited, which is mapped at that base.
    unsafe fn read(base: usize, mut entry: *const Entry) -> Tables {
        let mut tables = Tables {
            base,
            strings: ptr::null(),
            symbols: ptr::null(),
            relocations: [(0, 0); 2],
            hash: ptr::null(),
            symbolic: false,
        };
        // The dynamic linker has made addresses of them, but for those of the vDSO.
        let place = |value: u64| match value as usize {
            offset if offset < base => base + offset,
            address => address,
        };
        loop {
            // SAFETY: by I2 the section ends with a null.
            let Entry { tag, value } = *unsafe { &*entry };
            match tag {
                DT_NULL => return tables,
                DT_STRTAB => tables.strings = place(value) as *const c_char,
                DT_SYMTAB => tables.symbols = place(value) as *const Elf64_Sym,
                DT_RELA => tables.relocations[0].0 = place(value),
                DT_RELASZ => tables.relocations[0].1 = value as usize,
                DT_JMPREL => tables.relocations[1].0 = place(value),
                DT_PLTRELSZ => tables.relocations[1].1 = value as usize,
                DT_GNU_HASH => tables.hash = place(value) as *const u32,
                DT_SYMBOLIC => tables.symbolic = true,
                DT_FLAGS => tables.symbolic |= value & DF_SYMBOLIC != 0,
                _ => {}
            }
            // SAFETY: it was not the last.
            entry = unsafe { entry.add(1) };
        }
    }

    /// Returns which of [`SYMBOLS`] the object imports, and what is in their slots.
    fn slots(&self, headers: &[Elf64_Phdr]) -> Vec<(usize, Option<usize>)> {
        let mut slots = Vec::new();
        for (offset, name) in self.imports() {
            let Some(at) = which(name) else { continue };
            let slot = (self.base + offset) as *const usize;
            // SAFETY: by I2 there is a word. The dynamic linker may write it now.
            let function = unsafe { slot.read_volatile() };
            let is_ours = SYMBOLS[at].2.addr() == function;
            let bound = is_ours || !is_in(headers, self.base, function);
            slots.push((at, bound.then_some(function)));
        }
        slots
    }

    /// Returns where the object keeps addresses of functions by name, and those names.
    fn imports(&self) -> impl Iterator<Item = (usize, &CStr)> {
        let is_there = !self.symbols.is_null() && !self.strings.is_null();
        let tables = self.relocations.iter().filter(move |(start, _)| is_there && *start != 0);
        let relocations = tables.flat_map(|(start, bytes)| {
            let count = bytes / size_of::<Relocation>();
            // SAFETY: by I2.
            unsafe { slice::from_raw_parts(*start as *const Relocation, count) }
        });
        let functions = relocations.filter(|one| KINDS.contains(&(one.info as u32)));
        functions.map(|one| (one.offset as usize, self.name((one.info >> 32) as usize)))
    }

    fn symbol(&self, number: usize) -> &Elf64_Sym {
        // SAFETY: by I2.
        let symbol = unsafe { self.symbols.add(number) };
        // SAFETY: by I1 and I2, for as long as the object is visited.
        unsafe { &*symbol }
    }

    /// Returns the name of a symbol.
    fn name(&self, number: usize) -> &CStr {
        let offset = self.symbol(number).st_name as usize;
        // SAFETY: by I2.
        let name = unsafe { self.strings.add(offset) };
        // SAFETY: by I1 and I2, for as long as the object is visited.
        unsafe { CStr::from_ptr(name) }
    }

    /// Returns which of [`SYMBOLS`] the object has.
    fn defined(&self) -> Vec<usize> {
        if self.hash.is_null() || self.symbols.is_null() || self.strings.is_null() {
            return Vec::new();
        }
        let is_function = |number: &usize| {
            let symbol = self.symbol(*number);
            symbol.st_shndx != 0 && symbol.st_info & 0xf == FUNCTION
        };
        self.hashed().filter(is_function).filter_map(|number| which(self.name(number))).collect()
    }

    /// Returns the numbers of the symbols that others can find: by I2 those in its hash table,
    /// which are the last.
    fn hashed(&self) -> Range<usize> {
        let word = |at: usize| {
            // SAFETY: by I2.
            let word = unsafe { self.hash.add(at) };
            // SAFETY: by I2.
            unsafe { *word }
        };
        let (buckets, first, blooms) = (word(0) as usize, word(1) as usize, word(2) as usize);
        let bucket = 4 + 2 * blooms;
        let chain = bucket + buckets;
        let Some(mut last) = (0..buckets).map(|at| word(bucket + at) as usize).max() else {
            return 0..0;
        };
        if last < first {
            return 0..0;
        }
        // The last of a chain is odd.
        while word(chain + last - first) & 1 == 0 {
            last += 1;
        }
        first..last + 1
    }
}

/// Returns whether an address is in the object itself: code that binds a function when it is called
/// first.
fn is_in(headers: &[Elf64_Phdr], base: usize, address: usize) -> bool {
    headers.iter().filter(|header| header.p_type == libc::PT_LOAD).any(|header| {
        let start = base + header.p_vaddr as usize;
        (start..start + header.p_memsz as usize).contains(&address)
    })
}
