//! Parking, which has one word for each OS thread.
//!
//! `std::thread::park` counts that word down from `EMPTY`, and waits while it is `PARKED`. All
//! green threads of a hub share it, and a second one would count it on and never wait. So a green
//! thread that parks clears the word.
//!
//! That hides that one is parked, so an unpark makes no call that wakes. A green thread of the same
//! hub may have made it: the hub looks at the word whenever none of its green threads is ready.
//! While its OS thread waits in the kernel the word is `PARKED`, so another OS thread makes that
//! call.
//!
//! A token is for all that are parked: each of them gets one of its own. But it may go to one that
//! parks just after it came, and nobody knows of that. So who is parked for half a second looks for
//! itself.
//!
//! Who waits for a channel is parked, too, and knows what it waits for: see [`channel`].

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use eventlet::lowlevel;
use tokio::time::Instant;

use crate::channel;
use crate::clock::Deadline;
use crate::futex::{self, Place, TOGETHER, Waited, Word};
use crate::identity;

/// As [`futex::wait`], where it may be by parking.
pub(crate) fn wait(word: Word, expected: u32, bits: u32, deadline: Deadline) -> Waited {
    if LEARNS.get() {
        PARKING.set(Some(word));
        return Waited::Late;
    }
    if expected == PARKED && bits == !0 {
        match PARKING.get() {
            Some(parking) if parking == word => {
                return match channel::Context::find(word) {
                    Some(context) => wait_for_channel(word, context, deadline),
                    None => park(word, deadline),
                };
            }
            Some(_) => {}
            None => return learn(word),
        }
    }
    futex::wait(word, expected, bits, deadline)
}

/// What the word of `park` is while its OS thread is parked.
const PARKED: u32 = u32::MAX;
const EMPTY: u32 = 0;
const NOTIFIED: u32 = 1;

/// What those wait for who wait for a channel.
const CHANNEL: u32 = 1 << 30;

/// After how long one that is parked looks for itself.
const PATIENCE: Duration = Duration::from_millis(500);

thread_local! {
    /// The word with which this OS thread parks, once it is known.
    static PARKING: Cell<Option<Word>> = const { Cell::new(None) };

    /// Set while that is found out.
    static LEARNS: Cell<bool> = const { Cell::new(false) };

    /// The green threads of this OS thread that are parked.
    static COUNT: Cell<usize> = const { Cell::new(0) };

    /// When one that is parked last looked for itself. If it parks again at the same time of a
    /// paused clock it goes on with a wait that has held it.
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Finds out with which word this OS thread parks. Locks have such values, too.
fn learn(word: Word) -> Waited {
    LEARNS.set(true);
    // The first may find a token, or that another is parked. Both leave the word clear.
    thread::park_timeout(Duration::ZERO);
    thread::park_timeout(Duration::ZERO);
    LEARNS.set(false);
    // It may have cleared what was meant for the caller, who goes on.
    if PARKING.get() == Some(word) {
        word.store(NOTIFIED);
    }
    Waited::Woken
}

/// Parks a green thread. It may go on without reason, as `park` may.
fn park(word: Word, mut deadline: Deadline) -> Waited {
    let Some(place) = Place::take(word, TOGETHER, None, || clear(word)) else {
        return Waited::Changed;
    };
    let is_limited = !deadline.is_never();
    let holds = !is_limited && LOOKED.get() != Some(Instant::now());
    let _parked = Parked::begin();
    let waited = place.wait_holding(holds, &mut deadline, Deadline::after(PATIENCE));
    if waited == Waited::Paused {
        LOOKED.set(Some(Instant::now()));
        if !is_limited {
            lowlevel::without_waiting(identity::is_parked_for_long);
        }
    }
    ended(word, waited)
}

/// Parks a green thread that waits for a channel, until something is selected for it there.
fn wait_for_channel(word: Word, context: channel::Context, mut deadline: Deadline) -> Waited {
    let _another = context.be_another();
    let waits = || clear(word) && !context.is_selected();
    let Some(place) = Place::take(word, CHANNEL, Some(context), waits) else {
        // The token that it has found, if it has, may be another's.
        futex::wake(word, 0, TOGETHER);
        return ended(word, Waited::Changed);
    };
    let _parked = Parked::begin();
    ended(word, place.wait(&mut deadline, Deadline::default()))
}

/// Leaves the word as `std` wants it, who looks for a token unless it is late.
fn ended(word: Word, waited: Waited) -> Waited {
    if waited == Waited::Late && word.load() != NOTIFIED {
        return Waited::Late;
    }
    word.store(NOTIFIED);
    if waited == Waited::Late { Waited::Changed } else { waited }
}

/// Counts a green thread that is parked.
struct Parked;

impl Parked {
    fn begin() -> Parked {
        COUNT.set(COUNT.get() + 1);
        lowlevel::when_idle(look);
        Parked
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        COUNT.set(COUNT.get() - 1);
    }
}

/// Returns the word of this OS thread, if green threads are parked here.
fn word_of_parked() -> Option<Word> {
    PARKING.get().filter(|_| COUNT.get() > 0)
}

/// Wakes those that were unparked, or for whom something is selected, by green threads of this hub.
fn look() {
    if let Some(word) = word_of_parked() {
        let token = if word.load() == NOTIFIED { TOGETHER } else { 0 };
        futex::wake(word, 0, CHANNEL | token);
    }
}

/// This OS thread waits in the kernel. It is parked, so that another OS thread that unparks it
/// makes a call, by which its green threads are woken.
///
/// No other code of this OS thread runs meanwhile, which would count the word down once more.
pub(crate) struct Asleep {
    word: Word,
    had_token: bool,
}

impl Asleep {
    /// `None` where no green thread is parked.
    pub(crate) fn begin() -> Option<Asleep> {
        let word = word_of_parked()?;
        Some(Asleep { word, had_token: word.swap(PARKED) == NOTIFIED })
    }

    /// Returns whether there is nothing to wait for, as some were unparked since the hub looked.
    pub(crate) fn is_over(&self) -> bool {
        self.had_token && futex::wake(self.word, 0, CHANNEL | TOGETHER) > 0
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        self.word.change(PARKED, if self.had_token { NOTIFIED } else { EMPTY });
    }
}

/// Clears the word, so that the next green thread can count it down, unless there is a token.
fn clear(word: Word) -> bool {
    loop {
        match word.load() {
            NOTIFIED => return false,
            other if word.change(other, EMPTY) => return true,
            _ => {}
        }
    }
}
