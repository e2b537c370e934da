//! What a connection is doing, as its socket sees it.
//!
//! The sweeper wants to know for how long a connection has been idle, has sent a head, or has stood
//! still. Reading the clock at each step would cost more than the steps. So a step only counts
//! itself, and the sweeper, which looks now and then, sees whether anything was counted since it
//! looked last.
//!
//! hyper's upgrades want a socket that is `Send`, hence the atomics. All are relaxed: one OS thread
//! uses them.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};

/// What a connection is about.
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
    /// Nothing more is sent, and what the peer still sends is read away.
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

/// A wait of the socket in which nothing moves.
const READING: u8 = 1;
const WRITING: u8 = 2;

/// What a connection is doing.
pub(super) struct Pulse {
    phase: AtomicU8,
    /// Counts changes of the phase and bytes that moved in a request.
    beats: AtomicU32,
    /// Which halves of the socket wait: [`READING`], [`WRITING`].
    waits: AtomicU8,
    /// Whether what comes between requests need not be a head: HTTP/2 has frames of other kinds.
    in_frames: AtomicBool,
    /// Whether the peer may still be sending when the connection closes.
    lingers: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Pulse {
        Pulse {
            phase: AtomicU8::new(Phase::Idle as u8),
            beats: AtomicU32::new(0),
            waits: AtomicU8::new(0),
            in_frames: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
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
        self.beat();
    }

    /// Says that what comes between requests need not be a head.
    pub(super) fn speaks_in_frames(&self) {
        self.in_frames.store(true, Relaxed);
    }

    /// Returns how much was counted, to be compared with another time.
    pub(super) fn beats(&self) -> u32 {
        self.beats.load(Relaxed)
    }

    /// Returns whether the socket has something to send that the peer does not take.
    pub(super) fn waits_writing(&self) -> bool {
        self.waits.load(Relaxed) & WRITING != 0
    }

    /// Returns whether the socket waits for a body that somebody wants.
    pub(super) fn waits_reading(&self) -> bool {
        self.waits.load(Relaxed) & READING != 0
    }

    /// Says whether the peer may still be sending when the connection closes.
    #[inline]
    pub(super) fn set_lingers(&self, lingers: bool) {
        self.lingers.store(lingers, Relaxed);
    }

    /// Notes that the sending side was shut. Where the peer may still be sending, the connection is
    /// closing now.
    pub(super) fn begin_closing(&self) {
        if self.lingers.load(Relaxed) || self.phase() == Phase::Head {
            self.enter(Phase::Closing);
        }
    }

    /// Counts bytes that came. In a head they do not count: a client that sends one byte at a time
    /// does not get more time for it.
    #[inline]
    pub(super) fn has_read(&self) {
        match self.phase() {
            Phase::Idle if self.in_frames.load(Relaxed) => self.beat(),
            Phase::Idle => self.enter(Phase::Head),
            Phase::Head | Phase::Closing => {}
            Phase::Busy | Phase::Hijacked => self.beat(),
        }
        self.waits_no_more(READING);
    }

    #[inline]
    pub(super) fn has_written(&self) {
        // An answer to half a head does not prolong it, and the end of a body may go out in an idle
        // phase.
        if !matches!(self.phase(), Phase::Head | Phase::Closing) {
            self.beat();
        }
        self.waits_no_more(WRITING);
    }

    #[inline]
    pub(super) fn waits_to_read(&self) {
        // An idle connection waits for its next request, and that has a limit of its own.
        if self.phase() == Phase::Busy {
            self.waits_now(READING);
        }
    }

    pub(super) fn waits_to_write(&self) {
        self.waits_now(WRITING);
    }

    /// Forgets that a body was waited for: the handler has ended, and nobody wants it any more.
    #[inline]
    pub(super) fn waits_no_more_to_read(&self) {
        self.waits_no_more(READING);
    }

    #[inline]
    fn beat(&self) {
        self.beats.store(self.beats.load(Relaxed).wrapping_add(1), Relaxed);
    }

    fn waits_now(&self, half: u8) {
        self.waits.store(self.waits.load(Relaxed) | half, Relaxed);
    }

    #[inline]
    fn waits_no_more(&self, half: u8) {
        self.waits.store(self.waits.load(Relaxed) & !half, Relaxed);
    }
}
