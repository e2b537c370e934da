//! Many stacks in one mapping, and how deep each has been used.
//!
//! ```text
//!   one slab, low addresses to the left                        one stack
//!   +-------+---------+-------+---------+----          +-------+- - - - -+--------+------+
//!   | guard | stack 0 | guard | stack 1 | ...          | guard |  unused |C  used | head |
//!   +-------+---------+-------+---------+----          +-------+- - - - -+--------+------+
//!                                                      limit             mark     base   top
//! ```
//!
//! A mapping of address space is free; a stack takes memory page by page as it is used. Asking the
//! kernel how far that went costs more than a green thread. So below what a stack is known to have
//! used, at its *mark*, is a canary (C): as long as that is intact, no code went deeper. Only a
//! frame that steps over it without writing to it goes unnoticed. The kernel is asked regardless
//! for one of every few hundred stacks that are given back, which finds those.
//!
//! # Invariants
//!
//! - **I1**: a slab is `len` bytes of private, anonymous memory from `start` on, mapped from its
//!   creation to its drop, and owned by it alone. It holds `len / stride` stacks; those with a
//!   number below `carved` have their guard.
//! - **I2**: each carved stack has exactly one `GreenStack` or one `Blank`, which keeps its slab
//!   alive.
//! - **I3**: while no code runs on a stack, only its `GreenStack` or `Blank` reads or writes its
//!   memory. On a `GreenStack` or `Blank` that is not inside a coroutine no code runs.
//! - **I4**: `SLABS` begins a list, through `Slab::next`, of exactly the slabs of this OS thread.
//!   It is changed by single stores, so that a signal handler can walk it at any moment.
//! - **I5**: at the top of the stack of a `GreenStack` is its `Head`, which code that runs on the
//!   stack does not touch, as its stack begins below. At the top of the stack of a `Blank` is a
//!   `Label` in any case, as a label is plain numbers that may be zero.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::atomic::{Ordering, compiler_fence};

use corosensei::stack::valgrind::ValgrindStackRegistration;
use corosensei::stack::{STACK_ALIGNMENT, Stack, StackPointer};

use super::guard::Guards;
use super::label::Label;
use super::{MadeAt, process_madvise};
use crate::hub;

/// Bytes of guard below each stack. Rust's frames touch every page on their way, so one page would
/// stop them; C's do not, and often step over several kilobytes at once.
const GUARD: usize = 16 * 1024;

/// The memory that an idle stack may keep. Deeper pages are given back.
const KEPT: usize = 32 * 1024;

/// The value of a canary, before its address is mixed in.
const CANARY: usize = 0x5eed_cafe_f00d_b1fd;

/// A slab makes one in so many of its stacks at a time.
const AT_ONCE: usize = 16;

/// Address space that stacks leave to the rest of the program. A stack can be refused with an
/// error, while a failed memory allocation aborts.
const ROOM: usize = 4 << 20;

thread_local! {
    /// Without a destructor, so that it can be read at any moment of an OS thread's life.
    static SLABS: Cell<*const Slab> = const { Cell::new(ptr::null()) };
}

/// One mapping with room for many stacks of one size.
pub(super) struct Slab {
    start: usize,
    len: usize,
    /// Bytes of guard below each stack.
    guard: usize,
    /// From one stack to the next: its guard and its size.
    stride: usize,
    /// How many stacks have been made. The others cost nothing yet, not even a guard.
    carved: Cell<usize>,
    /// How many of them are idle: used only while the pool searches for unused slabs.
    pub(super) idle: Cell<usize>,
    next: Cell<*const Slab>,
    /// Tells Valgrind, if it is running, that these are stacks.
    valgrind: RefCell<Vec<ValgrindStackRegistration>>,
}

impl Slab {
    /// Maps room for so many stacks of a size that is a number of whole pages.
    pub(super) fn map(size: usize, stacks: usize) -> io::Result<Rc<Slab>> {
        let guard = GUARD.next_multiple_of(page_size());
        let stride = size.checked_add(guard).ok_or_else(too_large)?;
        let len = stride.checked_mul(stacks).ok_or_else(too_large)?;
        let slab = Rc::new(Slab {
            start: map(len)?,
            len,
            guard,
            stride,
            carved: Cell::new(0),
            idle: Cell::new(0),
            next: Cell::new(SLABS.get()),
            valgrind: RefCell::default(),
        });
        // A signal handler that finds the slab finds it initialized.
        compiler_fence(Ordering::Release);
        SLABS.set(Rc::as_ptr(&slab));
        Ok(slab)
    }

    pub(super) fn carved(&self) -> usize {
        self.carved.get()
    }

    pub(super) fn has_room(&self) -> bool {
        self.carved.get() < self.len / self.stride
    }

    /// Returns the bytes of address space.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Makes stacks where it [`has_room`](Slab::has_room): a [part](AT_ONCE) of what a full slab
    /// has, and at least one.
    ///
    /// Slabs are larger the more stacks there are, so that is one at first. With hundreds of stacks
    /// it is dozens: they will be needed, and one system call for many is faster.
    pub(super) fn carve(self: &Rc<Slab>, guards: &mut Guards) -> io::Result<Vec<Blank>> {
        let (carved, room) = (self.carved.get(), self.len / self.stride);
        let count = (room / AT_ONCE).clamp(1, room - carved);
        let limits: Vec<usize> =
            (carved..carved + count).map(|number| self.start + number * self.stride).collect();
        let guarded = guards.install(&limits, self.guard)?;
        self.carved.set(carved + guarded);
        let mut blanks = Vec::with_capacity(guarded);
        for limit in &limits[..guarded] {
            let registration = ValgrindStackRegistration::new(*limit as *mut u8, self.stride);
            self.valgrind.borrow_mut().push(registration);
            blanks.push(Blank { slab: Rc::clone(self), top: limit + self.stride });
        }
        populate(&blanks);
        Ok(blanks)
    }

    /// Asks the kernel how much memory the stacks of this slab have.
    pub(super) fn memory(&self) -> Memory {
        let of_each = (1..=self.carved.get()).map(|number| {
            let top = self.start + number * self.stride;
            Memory::of(top - self.size(), top)
        });
        of_each.fold(Memory::default(), |all, one| Memory {
            resident: all.resident + one.resident,
            depth: all.depth.max(one.depth),
        })
    }

    #[inline]
    fn size(&self) -> usize {
        self.stride - self.guard
    }

    /// Returns the stack whose guard an address is in, if it is in one.
    fn owner_of_guard(&self, address: usize) -> Option<Overflowed> {
        let offset = address.checked_sub(self.start)?;
        let number = offset / self.stride;
        if number >= self.carved.get() || offset % self.stride >= self.guard {
            return None;
        }
        let top = self.start + (number + 1) * self.stride;
        // SAFETY: by I1 the memory is mapped, by I5 it is a `Label`.
        let label = unsafe { head_below(top).cast::<Label>().read() };
        Some(Overflowed { label, size: self.size() })
    }

    /// Returns the end of the stack that an address is in, if it is in one.
    fn end_of_stack(&self, address: usize) -> Option<usize> {
        let offset = address.checked_sub(self.start)?;
        let (number, within) = (offset / self.stride, offset % self.stride);
        let is_stack = number < self.carved.get() && within >= self.guard;
        is_stack.then(|| self.start + (number + 1) * self.stride)
    }

    /// Takes the slab out of the list of all.
    fn unlink(&self) {
        let next = self.next.get();
        let skip = |slab: &Slab| ptr::eq(slab.next.get(), self).then(|| slab.next.set(next));
        if find_slab(skip).is_none() {
            SLABS.set(next);
        }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        self.unlink();
        self.valgrind.get_mut().clear();
        // SAFETY: by I1 it is ours, and by I2 no stack in it is left.
        if unsafe { libc::munmap(self.start as *mut _, self.len) } != 0 {
            // The kernel merged the mapping with its neighbours, and unmapping would split them
            // beyond the limit of mappings. At least the memory is freed.
            discard(self.start, self.len);
        }
    }
}

/// Returns the first `Some` of `find` among the slabs of this OS thread.
fn find_slab<R>(find: impl Fn(&Slab) -> Option<R>) -> Option<R> {
    let mut at = SLABS.get();
    // SAFETY: by I4 the list holds slabs that are alive.
    while let Some(slab) = unsafe { at.as_ref() } {
        let found = find(slab);
        if found.is_some() {
            return found;
        }
        at = slab.next.get();
    }
    None
}

/// A stack that has overflowed.
pub(super) struct Overflowed {
    pub(super) label: Label,
    pub(super) size: usize,
}

/// Returns the stack of this OS thread to whose guard the address belongs.
///
/// For a signal handler: it reads this OS thread's memory, and nothing else.
pub(super) fn overflowed(address: usize) -> Option<Overflowed> {
    find_slab(|slab| slab.owner_of_guard(address))
}

/// Returns the end of the stack of this OS thread that an address is in: the first byte above it.
///
/// For a signal handler, as `overflowed` is.
#[cfg_attr(not(feature = "backtrace"), expect(dead_code))]
pub(crate) fn end_of_stack(address: usize) -> Option<usize> {
    find_slab(|slab| slab.end_of_stack(address))
}

/// A stack without memory.
pub(super) struct Blank {
    slab: Rc<Slab>,
    /// The first byte above it.
    top: usize,
}

impl Blank {
    pub(super) fn slab(&self) -> &Slab {
        &self.slab
    }

    /// Makes the stack ready for use, with one page.
    pub(super) fn prepare(self) -> GreenStack {
        let head = NonNull::new(head_below(self.top)).expect(NOT_NULL);
        // SAFETY: by I1 the memory is mapped, by I3 ours to write.
        unsafe { head.write(Head { label: Label::NONE, slab: self.slab, mark: 0 }) };
        let mut stack = GreenStack { head };
        stack.set_mark(page_size());
        stack
    }
}

/// Gives each of these stacks its first page, if there are many and the kernel knows how. If not,
/// each gets it when it is first used.
fn populate(blanks: &[Blank]) {
    let page = page_size();
    let pages: Vec<usize> = blanks.iter().map(|blank| blank.top - page).collect();
    // SAFETY: by I1 and I2 these are pages of ours. What is in them stays.
    let _some = unsafe { process_madvise::advise(&pages, page, libc::MADV_POPULATE_WRITE) };
}

/// What is at the top of a stack.
#[repr(C)]
struct Head {
    /// First, so that it is found without knowing whether the rest is there.
    label: Label,
    slab: Rc<Slab>,
    /// How far below the top the canary is: at the lower end of the pages that the stack is known
    /// to have.
    mark: usize,
}

/// The stack of one green thread at a time.
///
/// It is a single word, moved in a register: what belongs to it is on the stack, next to what its
/// user needs first. As a plain struct of three words it would make a spawn a fifth slower.
pub(in crate::stackful) struct GreenStack {
    head: NonNull<Head>,
}

impl GreenStack {
    /// Prefetches what its next user needs first.
    #[inline]
    pub(super) fn fetch(&self) {
        hub::fetch_top(self.top());
    }

    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: by I5 it is there.
        unsafe { self.head.as_ref() }
    }

    #[inline]
    fn head_mut(&mut self) -> &mut Head {
        // SAFETY: by I5 it is there, by I3 ours to write.
        unsafe { self.head.as_mut() }
    }

    #[inline]
    fn top(&self) -> usize {
        self.head.addr().get() + HEAD
    }

    #[inline]
    pub(super) fn size(&self) -> usize {
        self.slab().size()
    }

    #[inline]
    pub(super) fn slab(&self) -> &Slab {
        &self.head().slab
    }

    /// Returns the bytes of memory that it is known to have.
    #[inline]
    pub(super) fn mark(&self) -> usize {
        self.head().mark
    }

    /// Labels the stack with its user from now on.
    #[inline]
    pub(in crate::stackful) fn set_label(&mut self, id: u64, name: Option<&str>, made_at: MadeAt) {
        self.head_mut().label.set(id, name, made_at);
    }

    /// Returns whether its last user has certainly gone deeper than any before.
    #[inline]
    pub(super) fn went_deeper(&self) -> bool {
        // SAFETY: by I1 the memory is mapped, by I3 ours to read.
        unsafe { self.canary().read() != CANARY ^ self.top() }
    }

    /// Asks the kernel how deep the stack was used, gives back what is more than a kept stack may
    /// keep, and returns that depth.
    #[cold]
    pub(super) fn settle(&mut self) -> usize {
        let depth = Memory::of(self.top() - self.size(), self.top()).depth;
        let most = KEPT.max(page_size()).min(self.size());
        if depth > most {
            self.discard_below(most);
        }
        self.set_mark(depth.clamp(page_size(), most));
        depth
    }

    /// Gives all memory back.
    pub(super) fn clear(self) -> Blank {
        let stack = ManuallyDrop::new(self);
        // SAFETY: by I5 it is there. Nobody uses the head again: its memory goes, and the
        // `GreenStack` is not dropped.
        let slab = unsafe { ptr::read(&stack.head().slab) };
        let blank = Blank { slab, top: stack.top() };
        stack.discard_below(0);
        blank
    }

    fn discard_below(&self, depth: usize) {
        discard(self.top() - self.size(), self.size() - depth);
    }

    fn set_mark(&mut self, depth: usize) {
        self.head_mut().mark = depth;
        // SAFETY: by I1 the memory is mapped, by I3 ours to write.
        unsafe { self.canary().write(CANARY ^ self.top()) };
    }

    #[inline]
    fn canary(&self) -> *mut usize {
        (self.top() - self.mark()) as *mut usize
    }
}

impl Drop for GreenStack {
    fn drop(&mut self) {
        // SAFETY: by I5 it is there, and nobody uses it again. By I2 its memory may be gone with
        // it.
        drop(unsafe { ptr::read(&self.head().slab) });
    }
}

// SAFETY: by I1 and I2 the memory between `limit` and `base` is this stack's as long as this value
// exists, with a guard at its lower end; a stack has `STACK_SIZE_STEP` bytes at least, of which the
// head takes little.
unsafe impl Stack for GreenStack {
    #[inline]
    fn base(&self) -> StackPointer {
        self.head.addr()
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        StackPointer::new(self.top() - self.slab().stride).expect(NOT_NULL)
    }
}

const NOT_NULL: &str = "no stack is at address 0";

/// What a head takes, as a stack begins at a multiple of `STACK_ALIGNMENT`.
const HEAD: usize = mem::size_of::<Head>().next_multiple_of(STACK_ALIGNMENT);

fn head_below(top: usize) -> *mut Head {
    (top - HEAD) as *mut Head
}

/// The memory that stacks have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) resident: usize,
    /// How far below its top the lowest page of a stack is.
    pub(super) depth: usize,
}

/// Pages that the kernel is asked about at once.
const PAGES: usize = 256;

impl Memory {
    /// Asks about one stack, without its guard. What the kernel does not tell counts as resident.
    fn of(limit: usize, top: usize) -> Memory {
        let page = page_size();
        let mut memory = Memory::default();
        for start in (limit..top).step_by(PAGES * page) {
            let len = (top - start).min(PAGES * page);
            let there = resident(start, len);
            let pages =
                there[..len / page].iter().enumerate().filter(|(_, there)| **there & 1 == 1);
            for (number, _) in pages {
                memory.resident += page;
                memory.depth = memory.depth.max(top - start - number * page);
            }
        }
        memory
    }
}

/// Returns for each page of a range, of [`PAGES`] at most, whether it is in memory.
fn resident(start: usize, len: usize) -> [u8; PAGES] {
    let mut there = [1; PAGES];
    // SAFETY: it only looks; and `there` has an element for each page.
    let _unknown = unsafe { libc::mincore(start as *mut _, len, there.as_mut_ptr()) };
    there
}

/// Maps address space, without memory yet, and ensures that the program has some left.
fn map(len: usize) -> io::Result<usize> {
    let with_room = len.checked_add(ROOM).ok_or_else(too_large)?;
    let start = map_all(with_room)?;
    // SAFETY: nothing uses this mapping yet. If it cannot be split, the extra room stays with it,
    // which is only address space.
    let _kept = unsafe { libc::munmap((start + len) as *mut _, ROOM) };
    Ok(start)
}

fn map_all(len: usize) -> io::Result<usize> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    // SAFETY: a new mapping, at an address of the kernel's choice, overlaps no other.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A huge page would give each stack two megabytes. A kernel that has none refuses the advice.
    // SAFETY: by I1, which begins here.
    let _refused = unsafe { libc::madvise(start, len, libc::MADV_NOHUGEPAGE) };
    Ok(start as usize)
}

fn too_large() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOMEM)
}

/// Returns the address space that must be free for one stack more.
pub(super) fn needed_for(size: usize) -> usize {
    size.saturating_add(GUARD.next_multiple_of(page_size())).saturating_add(ROOM)
}

/// Returns how many bytes a page has.
pub(super) fn page_size() -> usize {
    // SAFETY: it may be called at any time.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Gives memory of ours that is not needed back to the system.
fn discard(start: usize, len: usize) {
    // SAFETY: by I1 these are pages of ours, and by I3 their contents are not needed. Pages that
    // the program has locked stay, as it asked for.
    let _locked = unsafe { libc::madvise(start as *mut _, len, libc::MADV_DONTNEED) };
}
