//! Waiting for signals: `sigwait` and its like, and the masks of `ppoll`, `pselect` and
//! `epoll_pwait`.
//!
//! A descriptor of the kernel's tells that a signal is pending (`signalfd`), and then the kernel is
//! asked as it was to be, without waiting. Nothing is changed in the mask of the OS thread, which
//! all green threads of a hub share.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use libc::{siginfo_t, sigset_t, timespec};

use super::descriptor::{AGAIN, wait_until};
use super::time::duration_of;
use crate::areas::Area;
use crate::gate;
use crate::real::{Call, answer, failed};

/// Some signals as the kernel has them, a bit for each.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Signals(u64);

const SIZE: usize = size_of::<Signals>();

static NOW: timespec = timespec { tv_sec: 0, tv_nsec: 0 };

impl Signals {
    const NONE: Signals = Signals(0);

    /// # Safety
    ///
    /// It is a set of C.
    unsafe fn read(set: *const sigset_t) -> Signals {
        // SAFETY: the caller says so, and the kernel's part comes first.
        Signals(unsafe { *set.cast::<u64>() })
    }

    /// Returns those that are blocked in this OS thread.
    fn blocked() -> Signals {
        let mut blocked = Signals::NONE;
        let arguments = [libc::SIG_BLOCK as usize, 0, (&raw mut blocked).addr(), SIZE];
        // SAFETY: there is room for the answer, and nothing is changed.
        unsafe { Call::new(libc::SYS_rt_sigprocmask, arguments) }.make();
        blocked
    }

    fn without(self, others: Signals) -> Signals {
        Signals(self.0 & !others.0)
    }
}

/// A descriptor that is ready when one of some signals is pending.
pub(super) struct Pending(OwnedFd);

impl Pending {
    fn of(signals: Signals) -> Result<Pending, c_int> {
        let arguments = [usize::MAX, (&raw const signals).addr(), SIZE, libc::SFD_CLOEXEC as usize];
        // SAFETY: the signals are there.
        match unsafe { Call::new(libc::SYS_signalfd4, arguments) }.make() {
            // SAFETY: it is new, and nobody else's.
            opened @ 0.. => Ok(Pending(unsafe { OwnedFd::from_raw_fd(opened as RawFd) })),
            failure => Err(-failure as c_int),
        }
    }

    pub(super) fn wanted(&self) -> (RawFd, u32) {
        (self.0.as_raw_fd(), libc::POLLIN as u32)
    }
}

/// The mask of a call: signals that are blocked but for it end the call.
#[derive(Clone, Copy)]
pub(super) struct Mask {
    mask: Signals,
    lets_through: Signals,
}

impl Mask {
    /// That of a call that has none.
    pub(super) const NONE: Mask = Mask { mask: Signals::NONE, lets_through: Signals::NONE };

    /// # Safety
    ///
    /// It is null or a set of C.
    pub(super) unsafe fn read(mask: *const sigset_t) -> Mask {
        if mask.is_null() {
            return Mask::NONE;
        }
        // SAFETY: the caller says so.
        let mask = unsafe { Signals::read(mask) };
        Mask { mask, lets_through: Signals::blocked().without(mask) }
    }

    /// Returns what tells that a signal is to end the call. There is none for a mask that lets
    /// nothing through.
    pub(super) fn pending(self) -> Result<Option<Pending>, c_int> {
        match self.lets_through {
            Signals::NONE => Ok(None),
            signals => Pending::of(signals).map(Some),
        }
    }

    /// Has pending signals handled that it lets through. Returns `EINTR` where a handler has run,
    /// and else zero.
    pub(super) fn deliver(self) -> isize {
        if self.lets_through == Signals::NONE {
            return 0;
        }
        let arguments = [0, 0, (&raw const NOW).addr(), (&raw const self.mask).addr(), SIZE];
        // SAFETY: there are no descriptors, and the rest is there.
        unsafe { Call::new(libc::SYS_ppoll, arguments) }.make()
    }
}

/// Takes a pending signal, or waits for one. Without a limit it waits until there is one.
///
/// # Safety
///
/// They are what `sigtimedwait` wants.
unsafe fn take(set: *const sigset_t, about: *mut siginfo_t, limit: *const timespec) -> isize {
    let call = |limit: *const timespec| {
        let arguments = [set.addr(), about.addr(), limit.addr(), SIZE];
        // SAFETY: the caller says so.
        unsafe { Call::new(libc::SYS_rt_sigtimedwait, arguments) }
    };
    // SAFETY: the caller says so.
    let time = unsafe { limit.as_ref() }.map(duration_of);
    let waits = !matches!(time, Some(None | Some(Duration::ZERO)));
    // SAFETY: the caller says so.
    let taken = match waits.then(|| unsafe { signals_to_wait_for(set) }).flatten() {
        Some(signals) => take_green(call(&NOW), signals, time.flatten()),
        None => call(limit).make(),
    };
    // SAFETY: the caller says so.
    if let Some(about) = unsafe { about.as_mut() }.filter(|_| taken > 0) {
        // As libc has it.
        if about.si_code == libc::SI_TKILL {
            about.si_code = libc::SI_USER;
        }
    }
    taken
}

/// Returns the signals if a green thread may wait for them. One that is not blocked would be
/// handled meanwhile.
///
/// # Safety
///
/// It is a set of C.
unsafe fn signals_to_wait_for(set: *const sigset_t) -> Option<Signals> {
    if !gate::is_green(Area::Os) || gate::is_unwinding() || !gate::may_suspend() {
        return None;
    }
    // SAFETY: the caller says so.
    let signals = unsafe { Signals::read(set) };
    let are_blocked = signals.without(Signals::blocked()) == Signals::NONE;
    if !are_blocked {
        gate::note_blocked();
    }
    are_blocked.then_some(signals)
}

fn take_green(attempt: Call, signals: Signals, limit: Option<Duration>) -> isize {
    let look = || match attempt.make() {
        AGAIN => 0,
        taken => taken,
    };
    match look() {
        0 => {}
        taken => return taken,
    }
    let taken = match Pending::of(signals) {
        Ok(pending) => wait_until(limit, &[pending.wanted()], look),
        Err(error) => failed(error),
    };
    if taken == 0 { AGAIN } else { taken }
}

/// As `sigtimedwait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sigtimedwait(
    set: *const sigset_t,
    about: *mut siginfo_t,
    limit: *const timespec,
) -> c_int {
    // SAFETY: I1.
    answer(unsafe { take(set, about, limit) }) as c_int
}

/// As `sigwaitinfo` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sigwaitinfo(set: *const sigset_t, about: *mut siginfo_t) -> c_int {
    // SAFETY: I1.
    answer(unsafe { take(set, about, ptr::null()) }) as c_int
}

/// As `sigwait` of libc: it returns the error.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sigwait(set: *const sigset_t, signal: *mut c_int) -> c_int {
    loop {
        // SAFETY: I1.
        match unsafe { take(set, ptr::null_mut(), ptr::null()) } {
            taken @ 0.. => {
                // SAFETY: I1.
                unsafe { *signal = taken as c_int };
                return 0;
            }
            failure if failure == failed(libc::EINTR) => {}
            failure => return -failure as c_int,
        }
    }
}
