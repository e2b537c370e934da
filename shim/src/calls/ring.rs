//! `accept` that does not wait. The kernel has it in its rings only (`io_uring`, since Linux 6.10).
//!
//! Where several processes accept from one listener, another may take the client after a look. To
//! set `O_NONBLOCK` for the call is no way out, as `connect` does: the flag is a part of what the
//! processes share, so the others' calls would fail, and two that restore it could leave it set.
//! So each OS thread that accepts for green threads has a ring for one call.
//!
//! # Invariants
//!
//! - **R1**: the mappings of a [`Ring`] are there as long as it, and laid out as the kernel has
//!   said when it made the ring.
//! - **R2**: only the OS thread of a ring uses it, for one call at a time, and the kernel only
//!   while that one is in `io_uring_enter`.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::real::{Call, failed};

/// What the kernel says of a ring.
#[repr(C)]
#[derive(Default)]
struct Parameters {
    entries: u32,
    completions: u32,
    flags: u32,
    others: [u32; 7],
    submission: Offsets,
    completion: Offsets,
}

/// Where in its mapping a queue has what.
#[repr(C)]
#[derive(Default)]
struct Offsets {
    head: u32,
    tail: u32,
    mask: u32,
    entries: u32,
    others: [u32; 4],
    address: u64,
}

impl Offsets {
    /// Returns where the completions are, by the offsets of their queue.
    fn first(&self) -> usize {
        self.others[1] as usize
    }
}

/// A call, as the kernel takes it.
#[repr(C)]
#[derive(Default)]
struct Entry {
    operation: u8,
    flags: u8,
    how: u16,
    descriptor: RawFd,
    length: u64,
    address: u64,
    size: u32,
    accept_flags: u32,
    others: [u64; 4],
}

/// What has come of a call.
#[repr(C)]
#[derive(Clone, Copy)]
struct Completion {
    user: u64,
    result: i32,
    flags: u32,
}

const _: () = assert!(size_of::<Parameters>() == 120 && size_of::<Entry>() == 64);

const WITHOUT_ARRAY: u32 = 1 << 16;
const OPERATION_ACCEPT: u8 = 13;
const DO_NOT_WAIT: u16 = 1 << 1;
const GET_EVENTS: usize = 1;
const OFFSET_OF_ENTRIES: usize = 0x1000_0000;

/// What is mapped of a ring.
struct Mapping {
    start: *mut c_void,
    length: usize,
}

impl Mapping {
    fn new(ring: &OwnedFd, offset: usize, length: usize) -> Option<Mapping> {
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = (libc::MAP_SHARED | libc::MAP_POPULATE) as usize;
        let at = [0, length, protection, flags, ring.as_raw_fd() as usize, offset];
        // SAFETY: it is new memory.
        match unsafe { Call::new(libc::SYS_mmap, at) }.make() {
            -4095..0 => None,
            start => {
                Some(Mapping { start: ptr::with_exposed_provenance_mut(start as usize), length })
            }
        }
    }

    /// Returns a counter that the kernel reads and writes, too.
    fn counter(&self, offset: u32) -> &AtomicU32 {
        let counter = self.start.wrapping_byte_add(offset as usize).cast();
        // SAFETY: by R1 it is there as long as this.
        unsafe { &*counter }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let at = [self.start.expose_provenance(), self.length];
        // SAFETY: it is ours, and nobody uses it any more.
        unsafe { Call::new(libc::SYS_munmap, at) }.make();
    }
}

/// A ring that takes one call at a time.
struct Ring {
    descriptor: OwnedFd,
    parameters: Parameters,
    queues: Mapping,
    entries: Mapping,
}

impl Ring {
    /// Makes one. `None` where the kernel has none, or none that accepts so.
    fn new() -> Option<Ring> {
        let mut parameters = Parameters { flags: WITHOUT_ARRAY, ..Parameters::default() };
        let at = [1, ptr::from_mut(&mut parameters).expose_provenance()];
        // SAFETY: there is room for the answer.
        let descriptor = match unsafe { Call::new(libc::SYS_io_uring_setup, at) }.make() {
            // SAFETY: it is new, and nobody else's.
            opened @ 0.. => unsafe { OwnedFd::from_raw_fd(opened as RawFd) },
            _ => return None,
        };
        let completions = parameters.completions as usize * size_of::<Completion>();
        let length = parameters.completion.first() + completions;
        let queues = Mapping::new(&descriptor, 0, length)?;
        let length = parameters.entries as usize * size_of::<Entry>();
        let entries = Mapping::new(&descriptor, OFFSET_OF_ENTRIES, length)?;
        let mut ring = Ring { descriptor, parameters, queues, entries };
        // An older kernel says that there is no such flag, before it looks for the descriptor.
        let nowhere = Accept { descriptor: -1, address: 0, length: 0, flags: 0 };
        (ring.make(nowhere) == Some(failed(libc::EBADF))).then_some(ring)
    }

    /// Makes a call. `None` where the kernel did not take it.
    fn make(&mut self, accept: Accept) -> Option<isize> {
        // SAFETY: by R1 there is room for one, and by R2 nobody else uses it.
        unsafe { self.entries.start.cast::<Entry>().write(accept.entry()) };
        let tail = self.queues.counter(self.parameters.submission.tail);
        tail.fetch_add(1, Ordering::Release);
        if self.enter(1, 0, 0) != 1 {
            tail.fetch_sub(1, Ordering::Release);
            return None;
        }
        let offsets = &self.parameters.completion;
        let (head, tail) = (self.queues.counter(offsets.head), self.queues.counter(offsets.tail));
        // It is there, as such a call ends at once.
        while head.load(Ordering::Relaxed) == tail.load(Ordering::Acquire) {
            self.enter(0, 1, GET_EVENTS);
        }
        let mask = self.queues.counter(offsets.mask).load(Ordering::Relaxed);
        let first = self.queues.start.wrapping_byte_add(offsets.first()).cast::<Completion>();
        let next = (head.load(Ordering::Relaxed) & mask) as usize;
        // SAFETY: by R1 it is one of them, and the kernel has written it.
        let completion = unsafe { first.wrapping_add(next).read() };
        head.fetch_add(1, Ordering::Release);
        Some(completion.result as isize)
    }

    /// Hands so many calls to the kernel, and waits until so many have ended.
    fn enter(&self, calls: usize, ended: usize, flags: usize) -> isize {
        let at = [self.descriptor.as_raw_fd() as usize, calls, ended, flags];
        // SAFETY: what the call names is there by the promise of `accept`.
        unsafe { Call::new(libc::SYS_io_uring_enter, at) }.make()
    }
}

/// The arguments of `accept4`, of which two are addresses.
#[derive(Clone, Copy)]
pub(super) struct Accept {
    pub(super) descriptor: RawFd,
    pub(super) address: usize,
    pub(super) length: usize,
    pub(super) flags: c_int,
}

impl Accept {
    fn entry(self) -> Entry {
        Entry {
            operation: OPERATION_ACCEPT,
            how: DO_NOT_WAIT,
            descriptor: self.descriptor,
            length: self.length as u64,
            address: self.address as u64,
            accept_flags: self.flags as u32,
            ..Entry::default()
        }
    }
}

/// What an OS thread has: the process that has made it, and the ring if there is one.
type Own = Option<(u32, Option<Ring>)>;

thread_local! {
    static OWN: RefCell<Own> = const { RefCell::new(None) };
}

/// Calls a function with the ring of this OS thread. `None` where there is none, and in a signal
/// handler that interrupts this.
fn with_own<R>(function: impl FnOnce(&mut Ring) -> R) -> Option<R> {
    let call = |own: &RefCell<Own>| {
        let mut own = own.try_borrow_mut().ok()?;
        // A child of this process would share its memory.
        let this = process::id();
        if own.as_ref().is_none_or(|(process, _)| *process != this) {
            *own = Some((this, Ring::new()));
        }
        own.as_mut()?.1.as_mut().map(function)
    };
    OWN.try_with(call).ok().flatten()
}

/// Returns whether the kernel accepts without waiting.
pub(crate) fn is_there() -> bool {
    with_own(|_| ()).is_some()
}

/// Accepts without waiting, and returns what the kernel does. `None` where it cannot do that.
///
/// # Safety
///
/// The addresses are as `accept4` wants them.
pub(super) unsafe fn accept(accept: Accept) -> Option<isize> {
    with_own(|ring| ring.make(accept)).flatten()
}
