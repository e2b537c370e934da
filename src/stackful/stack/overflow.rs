//! What happens to a green thread that runs over the end of its stack: the process says so, and
//! aborts.
//!
//! Touching a guard is a segmentation fault. The handler for that, one for the whole process, looks
//! whether the address is in a guard of a green stack of this OS thread. If it is, it prints whose
//! stack that is, how large, and what to do about it. If not, the fault goes to the previous
//! handler: as a rule std's, which does the same for the stacks of OS threads and leaves everything
//! else to the system.
//!
//! The handler runs on the signal stack of its OS thread, as there is no room on the one that
//! overflowed. std gives one to `main` and to each OS thread that it starts; any other OS thread
//! gets one here, when it makes its first green stack.
//!
//! # In a signal handler
//!
//! The code that was interrupted may hold any lock and be in the middle of anything. So the handler
//! takes no lock, allocates nothing, and reads only
//!
//! - the list of this OS thread's slabs, which is whole at any moment (I4 of `slab`), from a
//!   thread-local without destructor and lazy initialization: a read of memory. (In a library that
//!   was loaded at run time, the first such read of an OS thread allocates; an OS thread with green
//!   stacks has had its first.)
//! - the `Label` in the stack, plain data;
//! - `PREVIOUS`, which is set before the handler is.
//!
//! It formats numbers and text into a buffer of its own, which `core::fmt` does without memory or
//! locks, and calls `write` and `abort`, which POSIX allows.
//!
//! # Invariants
//!
//! - **I1**: `PREVIOUS` is what the kernel returned as the action for the signal, so its handler is
//!   a function of the kind that its flags say.
//! - **I2**: an `AlternateStack` owns its mapping, and no handler runs on it when it is dropped, as
//!   it is dropped by ordinary code of its OS thread.
#![allow(unsafe_code)]

use std::fmt::{self, Write};
use std::io;
use std::mem;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_int, c_void, siginfo_t};

use super::slab::{Overflowed, overflowed};

/// The action for segmentation faults before ours.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Keeps an OS thread able to report that a green stack has overflowed.
pub(super) struct Watch {
    /// `None` if the OS thread already had one.
    _signal_stack: Option<AlternateStack>,
}

impl Watch {
    /// Prepares this OS thread, and the process if this is its first.
    pub(super) fn start() -> Watch {
        PREVIOUS.get_or_init(|| {
            let previous = action();
            set_action(&ours(&previous));
            previous
        });
        Watch { _signal_stack: AlternateStack::where_there_is_none() }
    }
}

/// Our action in place of the previous one: it blocks the same signals.
fn ours(previous: &libc::sigaction) -> libc::sigaction {
    let mut action = *previous;
    action.sa_sigaction = on_fault as Handler as usize;
    action.sa_flags = previous.sa_flags & libc::SA_NODEFER | libc::SA_SIGINFO | libc::SA_ONSTACK;
    action
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Handles a segmentation fault.
extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel calls this with the information about the signal.
    let fault = unsafe { &*info };
    // SAFETY: a segmentation fault has an address. If a process sent the signal it is some other
    // number, which the next line ignores.
    let address = unsafe { fault.si_addr() } as usize;
    let by_kernel = fault.si_code > 0;
    if let Some(stack) = overflowed(address).filter(|_| by_kernel) {
        Message::of(&stack).print();
        // SAFETY: it may be called at any time.
        unsafe { libc::abort() };
    }
    hand_on(signal, info, context, by_kernel);
}

/// Lets the previous action handle it.
fn hand_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void, by_kernel: bool) {
    let Some(previous) = PREVIOUS.get() else { return };
    match previous.sa_sigaction {
        libc::SIG_IGN if !by_kernel => {}
        // With the default action in place, the instruction that faulted does so again when this
        // returns.
        libc::SIG_DFL | libc::SIG_IGN => {
            set_action(previous);
            if !by_kernel {
                // SAFETY: it may be called at any time.
                unsafe { libc::raise(signal) };
            }
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: by I1.
            let handler = unsafe { mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: by I1.
            let handler = unsafe { mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}

/// Returns the action for segmentation faults.
fn action() -> libc::sigaction {
    // SAFETY: all zero is an action: the default one.
    let mut action = unsafe { mem::zeroed() };
    // SAFETY: it only writes the action there.
    unsafe { libc::sigaction(libc::SIGSEGV, ptr::null(), &mut action) };
    action
}

fn set_action(action: &libc::sigaction) {
    // SAFETY: the action is ours, whose handler may be called at any time, or one that was in force
    // before.
    unsafe { libc::sigaction(libc::SIGSEGV, action, ptr::null_mut()) };
}

/// The message of an overflow. What does not fit is left out.
struct Message {
    text: [u8; 1024],
    len: usize,
}

impl Message {
    fn of(stack: &Overflowed) -> Message {
        let mut message = Message { text: [0; 1024], len: 0 };
        let _never = message.write_all(stack);
        message
    }

    fn write_all(&mut self, stack: &Overflowed) -> fmt::Result {
        match stack.label.id {
            0 => write!(self, "\na stackful future outside green threads")?,
            id => write!(self, "\ngreen thread {id}")?,
        }
        if let Some(name) = stack.label.name() {
            write!(self, " {name:?}")?;
        }
        writeln!(self, " has overflowed its stack of {} bytes", stack.size)?;
        if let Some(made_at) = stack.label.made_at {
            writeln!(self, "it runs the `stackful(..)` of {made_at}")?;
        }
        writeln!(
            self,
            "recurse less deep, or ask for more: with `stackful(..).stack_size(bytes)` for one green thread, with \
             `eventlet::runtime::Builder::stack_size(bytes)` for all of a hub\n\
             fatal runtime error: stack overflow, aborting"
        )
    }

    fn print(&self) {
        // SAFETY: these bytes are alive. If not all are written, there is no one to tell.
        unsafe { libc::write(libc::STDERR_FILENO, self.text.as_ptr().cast(), self.len) };
    }
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.text[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}

/// The stack on which this OS thread handles signals, if it had none.
struct AlternateStack {
    start: *mut c_void,
    len: usize,
}

impl AlternateStack {
    fn where_there_is_none() -> Option<AlternateStack> {
        let installed = exchange(None).ok()?;
        if installed.ss_flags & libc::SS_DISABLE == 0 {
            return None;
        }
        let stack = AlternateStack::map()?;
        exchange(Some(stack.description(0))).ok()?;
        Some(stack)
    }

    fn map() -> Option<AlternateStack> {
        // SAFETY: it may be called at any time.
        let least = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        // What the kernel puts there, and as much as a chained handler may be used to.
        let len = (least + 64 * 1024).next_multiple_of(super::slab::page_size());
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping, at an address of the kernel's choice, overlaps no other.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) };
        (start != libc::MAP_FAILED).then_some(AlternateStack { start, len })
    }

    fn description(&self, flags: c_int) -> libc::stack_t {
        libc::stack_t { ss_sp: self.start, ss_flags: flags, ss_size: self.len }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        if exchange(None).is_ok_and(|installed| installed.ss_sp == self.start) {
            let _kept = exchange(Some(self.description(libc::SS_DISABLE)));
        }
        // SAFETY: by I2.
        unsafe { libc::munmap(self.start, self.len) };
    }
}

/// Sets the signal stack of this OS thread, if there is one to be set, and returns the previous
/// one.
fn exchange(stack: Option<libc::stack_t>) -> io::Result<libc::stack_t> {
    let new = stack.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: all zero is a description of a stack.
    let mut previous: libc::stack_t = unsafe { mem::zeroed() };
    // SAFETY: the new stack, if any, is an `AlternateStack`'s, which takes it back before it is
    // gone.
    match unsafe { libc::sigaltstack(new, &mut previous) } {
        0 => Ok(previous),
        _ => Err(io::Error::last_os_error()),
    }
}
