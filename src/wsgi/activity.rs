//! What a connection is doing, as its socket sees it.
//!
//! The sweeper needs to know for how long a connection has been idle, has been sending a head, or
//! has stood still. Reading the clock at each step would cost more than the steps. So each step
//! increments a counter, and the sweeper, which runs now and then, compares it with what it read
//! last.
//!
//! hyper's upgrades require a socket that is `Send`, hence the atomics. All accesses are relaxed:
//! they come from one OS thread.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Between requests, or before the first.
    Idle,
    /// Part of a head has come.
    Head,
    /// A request is being answered.
    Busy,
    /// The site has taken it over.
    Hijacked,
    /// Nothing more is sent, and what the peer still sends is discarded.
    Closing,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Head => "head",
            Phase::Busy => "busy",
            Phase::Hijacked => "hijacked",
            Phase::Closing => "closing",
        }
    }
}

/// The bits of [`Activity::waits`].
const READING: u8 = 1;
const WRITING: u8 = 2;

/// What a connection is doing, and how often that has changed.
pub(super) struct Activity {
    phase: AtomicU8,
    /// Counts changes of the phase, and reads and writes within a request.
    changes: AtomicU32,
    /// Which halves of the socket wait: [`READING`], [`WRITING`].
    waits: AtomicU8,
    /// Whether it speaks HTTP/2: what comes between requests need not be a head.
    is_http2: AtomicBool,
    /// Whether the peer may still be sending when the connection closes.
    lingering_close: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Activity {
        Activity {
            phase: AtomicU8::new(Phase::Idle as u8),
            changes: AtomicU32::new(0),
            waits: AtomicU8::new(0),
            is_http2: AtomicBool::new(false),
            lingering_close: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Busy,
            3 => Phase::Hijacked,
            _ => Phase::Closing,
        }
    }

    #[inline]
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.count_change();
    }

    pub(super) fn set_http2(&self) {
        self.is_http2.store(true, Relaxed);
    }

    /// Returns the count of changes, to be compared with another.
    pub(super) fn changes(&self) -> u32 {
        self.changes.load(Relaxed)
    }

    /// Returns whether the socket has something to send that the peer does not take.
    pub(super) fn waits_to_write(&self) -> bool {
        self.waits.load(Relaxed) & WRITING != 0
    }

    /// Returns whether the socket waits for more of a request body.
    pub(super) fn waits_to_read(&self) -> bool {
        self.waits.load(Relaxed) & READING != 0
    }

    /// Sets whether the peer may still be sending when the connection closes. Then what it sends is
    /// read and discarded for a while, as a socket that is closed with bytes unread resets the
    /// connection, and the peer may lose the answer.
    #[inline]
    pub(super) fn set_lingering_close(&self, lingering: bool) {
        self.lingering_close.store(lingering, Relaxed);
    }

    /// Notes that the sending side was shut down.
    pub(super) fn note_shutdown(&self) {
        if self.lingering_close.load(Relaxed) || self.phase() == Phase::Head {
            self.enter(Phase::Closing);
        }
    }

    /// Notes that bytes came. Within a head they are no change: a client that sends one byte at a
    /// time does not get more time for it.
    #[inline]
    pub(super) fn note_read(&self) {
        match self.phase() {
            Phase::Idle if self.is_http2.load(Relaxed) => self.count_change(),
            Phase::Idle => self.enter(Phase::Head),
            Phase::Head | Phase::Closing => {}
            Phase::Busy | Phase::Hijacked => self.count_change(),
        }
        self.clear_wait(READING);
    }

    /// Notes that bytes were sent, or the socket failed.
    #[inline]
    pub(super) fn note_write(&self) {
        // An answer to half a head does not prolong it. The last bytes of a body may be sent when
        // the phase is idle again.
        if !matches!(self.phase(), Phase::Head | Phase::Closing) {
            self.count_change();
        }
        self.clear_wait(WRITING);
    }

    /// Notes that a read waits.
    #[inline]
    pub(super) fn begin_read_wait(&self) {
        // An idle connection waits for its next request, and that has a limit of its own.
        if self.phase() == Phase::Busy {
            self.set_wait(READING);
        }
    }

    /// Notes that no read waits any more.
    #[inline]
    pub(super) fn end_read_wait(&self) {
        self.clear_wait(READING);
    }

    /// Notes that a write waits.
    pub(super) fn begin_write_wait(&self) {
        self.set_wait(WRITING);
    }

    #[inline]
    fn count_change(&self) {
        self.changes.store(self.changes.load(Relaxed).wrapping_add(1), Relaxed);
    }

    fn set_wait(&self, half: u8) {
        self.waits.store(self.waits.load(Relaxed) | half, Relaxed);
    }

    #[inline]
    fn clear_wait(&self, half: u8) {
        self.waits.store(self.waits.load(Relaxed) & !half, Relaxed);
    }
}
