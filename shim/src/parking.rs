//! Parking, which has one word for each OS thread.
//!
//! `std::thread::park` counts that word down from `EMPTY`, and waits while it is `PARKED`. All
//! green threads of a hub share it, and a second one would count it on and never wait. So a green
//! thread that parks clears the word. That hides that one is parked, so an unpark makes no call
//! that wakes: the first parked green thread looks at the word from time to time, and wakes all of
//! them when there is a token. Each of them then gets a token of its own.
//!
//! While it holds a paused clock ([`clock`](crate::clock)) it looks by real time.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Deadline, Hold, Pause, pause};
use crate::futex::{self, LOOKS, Place, TOGETHER, WOKEN, Waited, Word};
use crate::gate;
use crate::identity;

/// As [`futex::wait`], where it may be by parking.
pub(crate) fn wait(word: Word, expected: u32, bits: u32, deadline: Deadline) -> Waited {
    if LEARNS.get() {
        PARKING.set(Some(word));
        return Waited::Late;
    }
    if expected == PARKED && bits == !0 {
        match PARKING.get() {
            Some(parking) if parking == word => return park(word, deadline),
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

thread_local! {
    /// The word with which this OS thread parks, once it is known.
    static PARKING: Cell<Option<Word>> = const { Cell::new(None) };

    /// Set while that is found out.
    static LEARNS: Cell<bool> = const { Cell::new(false) };

    /// When all that are parked were last sent to look for themselves. Those that park again at the
    /// same time of a paused clock go on with a wait that has held it.
    static SENT_TO_LOOK: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Finds out with which word this OS thread parks. Locks have such values, too.
fn learn(word: Word) -> Waited {
    LEARNS.set(true);
    // The first may find a token, or that somebody is parked. Both leave the word clear.
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
    let mut is_first = false;
    let place = Place::take(word, TOGETHER, |others| {
        is_first = !others.iter().any(|other| other.is_one_of(word, TOGETHER));
        clear(word)
    });
    let Some(place) = place else {
        return Waited::Changed;
    };
    let holds = deadline.is_never() && SENT_TO_LOOK.get() != Some(Instant::now());
    let mut parked = Parked { word, place, holds, hold: Hold::default(), ticks: None };
    let poll = |cx: &mut Context<'_>| parked.poll(&mut deadline, is_first, cx);
    let mut waited = gate::wait_shielded(poll_fn(poll));
    let looked = parked.ticks.is_some();
    drop(parked);
    if waited == Waited::Late && word.load() == NOTIFIED {
        waited = Waited::Changed;
    }
    match waited {
        // The token is for all.
        Waited::Changed => drop(futex::wake(word, usize::MAX, TOGETHER)),
        Waited::Late if looked => futex::hand_over(word),
        Waited::Woken | Waited::Paused | Waited::Late => {}
    }
    if waited != Waited::Late {
        word.store(NOTIFIED);
    }
    waited
}

/// One that is parked.
struct Parked {
    word: Word,
    place: Place,
    /// Whether it holds a paused clock, and how.
    holds: bool,
    hold: Hold,
    /// When it looks at the word, if it is the one that does.
    ticks: Option<Ticks>,
}

impl Parked {
    fn poll(&mut self, deadline: &mut Deadline, looks: bool, cx: &mut Context<'_>) -> Poll<Waited> {
        let told = self.place.told(cx);
        if told == WOKEN {
            return Poll::Ready(Waited::Woken);
        }
        if self.holds {
            self.hold.begin();
        }
        if told == LOOKS || looks && self.ticks.is_none() {
            self.ticks = Some(Ticks::new(&self.hold));
        }
        if let Some(ticks) = &mut self.ticks {
            while ticks.poll(&self.hold, cx).is_ready() {
                if ticks.are_many() {
                    SENT_TO_LOOK.set(Some(Instant::now()));
                    if deadline.is_never() {
                        identity::is_parked_for_long();
                    }
                }
                if self.word.load() == NOTIFIED || ticks.are_many() {
                    return Poll::Ready(Waited::Changed);
                }
            }
        }
        deadline.poll(cx).map(|()| Waited::Late)
    }
}

/// When one of those who are parked looks at their word: after half a millisecond, one, two, up to
/// eight.
struct Ticks {
    count: u32,
    next: Pause,
}

impl Ticks {
    fn new(hold: &Hold) -> Ticks {
        Ticks { count: 0, next: Ticks::pause(hold, 0) }
    }

    fn pause(hold: &Hold, count: u32) -> Pause {
        hold.pause(pause(count, Duration::from_millis(8)))
    }

    fn poll(&mut self, hold: &Hold, cx: &mut Context<'_>) -> Poll<()> {
        if self.next.poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.count += 1;
        self.next = Ticks::pause(hold, self.count);
        Poll::Ready(())
    }

    /// Returns whether it is time to let all look for themselves: half a second. A token may have
    /// gone to one who parked just after it came, and who knows nothing of it.
    fn are_many(&self) -> bool {
        self.count >= 64
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
