//! What all hubs know of a descriptor: how many wait for it, and how often it was closed.
//!
//! # Invariants
//!
//! - **I1**: `Inbox::event` is open as long as the `Inbox` is.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::real::Call;
use crate::spin::Spin;

/// What all hubs know of some descriptors.
pub(super) struct Shared {
    /// How many waits for them there are.
    pub(super) waiting: AtomicU32,
    /// How often one of them was closed.
    pub(super) generation: AtomicU32,
}

pub(super) static SHARED: [Shared; 1024] =
    [const { Shared { waiting: AtomicU32::new(0), generation: AtomicU32::new(0) } }; 1024];

pub(super) fn shared_by(descriptor: RawFd) -> &'static Shared {
    &SHARED[descriptor as usize % SHARED.len()]
}

/// What is asked at this moment is true of a descriptor as long as the moment is the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(super) generation: u32,
    settings: u32,
}

impl Moment {
    /// When nothing was asked yet. Nothing is known of a descriptor then.
    pub(super) const NEVER: Moment = Moment { generation: 0, settings: 0 };

    pub(crate) fn of(descriptor: RawFd) -> Moment {
        Moment {
            generation: shared_by(descriptor).generation.load(Ordering::SeqCst),
            settings: SETTINGS.load(Ordering::SeqCst),
        }
    }
}

/// How often flags or limits of any descriptor were changed.
static SETTINGS: AtomicU32 = AtomicU32::new(0);

/// Tells that flags or limits of some descriptor, and all that share them, have just been changed.
pub(crate) fn settings_changed() {
    SETTINGS.fetch_add(1, Ordering::SeqCst);
}

/// Why a wait for descriptors is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// One of them may be ready.
    Ready,
    /// One of them was closed.
    Closed,
    /// It took as long as it may.
    Late,
}

/// What a hub is told of a descriptor.
#[derive(Clone, Copy)]
pub(super) struct Closed {
    pub(super) descriptor: RawFd,
    /// Waits of an earlier generation are over.
    pub(super) generation: u32,
    /// How they end: it is about to be closed, or it is, and who began to wait in between tries
    /// again.
    pub(super) woken: Woken,
}

/// The inboxes of all hubs.
pub(super) static INBOXES: Spin<Vec<Arc<Inbox>>> = Spin::new(Vec::new());

/// Where a hub hears of descriptors that other OS threads close.
pub(super) struct Inbox {
    /// A child of this process has the same epoll. If it is one of `vfork` it has the same memory,
    /// too, but what it closes is still open here.
    process: u32,
    pub(super) event: OwnedFd,
    closed: Spin<Vec<Closed>>,
    /// Whether something was closed where nobody could say what.
    review: AtomicBool,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Inbox> {
        let flags = (libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) as usize;
        // SAFETY: it has no arguments but numbers.
        let event = descriptor(unsafe { Call::new(libc::SYS_eventfd2, [0, flags]) })?;
        Ok(Inbox {
            process: std::process::id(),
            event,
            closed: Spin::new(Vec::new()),
            review: AtomicBool::new(false),
        })
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    pub(super) fn tell(&self, closed: Closed) {
        self.closed.with(|all| all.push(closed));
        self.signal();
    }

    /// Has the hub review all its waits. A signal handler may ask for it, amid anything.
    pub(super) fn ask_for_review(&self) {
        self.review.store(true, Ordering::SeqCst);
        self.signal();
    }

    fn signal(&self) {
        let one = 1_u64.to_ne_bytes();
        let arguments = [self.event.as_raw_fd() as usize, one.as_ptr().addr(), one.len()];
        // SAFETY: it reads the eight bytes. It fails only where the hub has an event already.
        unsafe { Call::new(libc::SYS_write, arguments) }.make();
    }

    /// Returns what it was told, and whether it is to review all waits.
    pub(super) fn take(&self) -> (Vec<Closed>, bool) {
        let mut count = [0_u8; 8];
        let arguments = [self.event.as_raw_fd() as usize, count.as_mut_ptr().addr(), count.len()];
        // SAFETY: it writes eight bytes.
        unsafe { Call::new(libc::SYS_read, arguments) }.make();
        (self.closed.with(std::mem::take), self.review.swap(false, Ordering::SeqCst))
    }
}

pub(super) fn checked(result: isize) -> io::Result<isize> {
    match result {
        -4095..0 => Err(io::Error::from_raw_os_error(-result as c_int)),
        _ => Ok(result),
    }
}

/// Makes a call that opens a descriptor.
pub(super) fn descriptor(call: Call) -> io::Result<OwnedFd> {
    let descriptor = checked(call.make())? as RawFd;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
