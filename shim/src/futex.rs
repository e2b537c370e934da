//! Who waits for which address, of the green threads of all hubs: futexes of this process.
//!
//! # No wakeup is lost
//!
//! A waiter counts itself, and then reads the word. A waker has written the word, and then reads
//! the count. Both are sequentially consistent, so one of them sees the other. A waiter that is
//! woken when its time is over counts as woken, and one that is dropped with a wakeup that it has
//! not used hands it on.
//!
//! # Locks of C
//!
//! A waiter waits at the address of the lock. Trying the lock stands for reading the word: a waiter
//! has found it locked after it was counted, and an unlock reads the count afterwards. A woken
//! waiter tries again, and competes with those inside libc.
//!
//! # Parking
//!
//! `std::thread::park` has one word for each OS thread, which it counts down from `EMPTY`, and
//! waits while the word is `PARKED`. All green threads of a hub share it, and a second one would
//! count it on and never wait. So a green thread that parks clears the word. That hides that one is
//! parked, so an unpark makes no call that wakes: the first parked green thread polls the word, and
//! wakes all of them when there is a token. Each of them then gets a token of its own.
//!
//! # Invariants
//!
//! - **I1**: the address of a [`Word`] is that of a futex, which is there as long as somebody waits
//!   or wakes there: the caller of the system call sees to it.

use std::cell::Cell;
use std::ffi::c_int;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering, fence};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::gate;
use crate::identity;
use crate::reactor::Deadline;
use crate::spin::Spin;

/// The address of a futex.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(usize);

impl Word {
    /// # Safety
    ///
    /// It is the address of a futex, for as long as somebody waits there.
    pub(crate) unsafe fn at(address: usize) -> Word {
        Word(address)
    }

    pub(crate) fn address(self) -> usize {
        self.0
    }

    fn word(self) -> &'static AtomicU32 {
        // SAFETY: I1. The reference does not leave the functions of `Word`.
        unsafe { &*(self.0 as *const AtomicU32) }
    }

    fn load(self) -> u32 {
        self.word().load(Ordering::SeqCst)
    }

    fn store(self, value: u32) {
        self.word().store(value, Ordering::SeqCst);
    }

    fn change(self, from: u32, to: u32) -> bool {
        self.word().compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    fn bucket(self) -> &'static Bucket {
        &BUCKETS[(self.0 >> 2).wrapping_mul(0x9e37_79b9) % BUCKETS.len()]
    }
}

/// Those who wait at some of the addresses.
struct Bucket {
    count: AtomicUsize,
    waiters: Spin<Vec<Waiter>>,
}

static BUCKETS: [Bucket; 256] =
    [const { Bucket { count: AtomicUsize::new(0), waiters: Spin::new(Vec::new()) } }; 256];

struct Waiter {
    word: Word,
    bits: u32,
    /// The number of the green thread.
    green_thread: u64,
    node: Arc<Node>,
}

impl Waiter {
    fn parks_at(&self, word: Word) -> bool {
        self.word == word && self.bits == PARKS
    }
}

const WAITS: u8 = 0;
/// Who looked at the word of `park` has left: it looks now.
const LOOKS: u8 = 1;
/// Somebody has woken it.
const WOKEN: u8 = 2;

struct Node {
    state: AtomicU8,
    waker: Spin<Option<Waker>>,
}

impl Node {
    fn wake(&self, state: u8) {
        self.state.fetch_max(state, Ordering::SeqCst);
        if let Some(waker) = self.waker.with(Option::take) {
            waker.wake();
        }
    }
}

/// What a wait for a word came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Woken,
    /// The word is not as expected.
    Changed,
    /// It is time to look again.
    Paused,
    Late,
}

/// Waits while the word is as expected, until somebody wakes it there.
pub(crate) fn wait(word: Word, expected: u32, bits: u32, mut deadline: Deadline) -> Waited {
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
    match Place::take(word, bits, |_| word.load() == expected) {
        Some(place) => place.wait(&mut deadline, Deadline::default()),
        None => Waited::Changed,
    }
}

/// As [`wait`], where another process may wake, of which nobody tells: the word is read again after
/// half a millisecond, one, two, up to 32. Then it is over without reason, as in the kernel it may
/// be.
pub(crate) fn wait_shared(word: Word, expected: u32, bits: u32, mut deadline: Deadline) -> Waited {
    for count in 0..7 {
        let place = Place::take(word, bits, |_| word.load() == expected);
        let Some(place) = place else {
            return if count == 0 { Waited::Changed } else { Waited::Paused };
        };
        let pause = Deadline::after(pause(count, Duration::MAX));
        match place.wait(&mut deadline, pause) {
            Waited::Paused => {}
            over => return over,
        }
    }
    Waited::Paused
}

/// Takes what others may have, which is waited for at its address: `attempt` returns 0, or `EBUSY`
/// as long as they have it. Where not all of them wake who waits there, it is tried again after
/// each of `pauses`.
pub(crate) fn acquire(
    word: Word,
    deadline: &mut Deadline,
    mut pauses: impl FnMut() -> Option<Duration>,
    mut attempt: impl FnMut() -> c_int,
) -> c_int {
    loop {
        let mut error = 0;
        let place = Place::take(word, !0, |_| {
            error = attempt();
            error == libc::EBUSY
        });
        let Some(place) = place else { return error };
        let pause = pauses().map(Deadline::after).unwrap_or_default();
        if place.wait(deadline, pause) == Waited::Late {
            return match attempt() {
                libc::EBUSY => libc::ETIMEDOUT,
                error => error,
            };
        }
    }
}

/// Returns the number of a green thread that waits at a word.
pub(crate) fn waiter_at(word: Word) -> Option<u64> {
    word.bucket()
        .waiters
        .with(|waiters| Some(waiters.iter().find(|waiter| waiter.word == word)?.green_thread))
}

/// Wakes so many of those who wait at a word, and returns how many it has woken.
pub(crate) fn wake(word: Word, most: usize, bits: u32) -> usize {
    fence(Ordering::SeqCst);
    wake_counted(word, most, bits)
}

/// As [`wake`] of any, by code that has just unlocked what they wait for: libc does so by an
/// instruction that is a fence on x86-64.
#[inline]
pub(crate) fn unlocked(word: Word, most: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(target_arch = "x86_64"))]
    fence(Ordering::SeqCst);
    wake_counted(word, most, !0)
}

#[inline]
fn wake_counted(word: Word, most: usize, bits: u32) -> usize {
    match word.bucket().count.load(Ordering::SeqCst) {
        0 => 0,
        _ => wake_there(word, most, bits),
    }
}

#[cold]
fn wake_there(word: Word, most: usize, bits: u32) -> usize {
    let woken = word.bucket().waiters.with(|waiters| {
        let mut woken = Vec::new();
        waiters.retain(|waiter| {
            let takes = waiter.word == word && waiter.bits & bits != 0;
            let takes = takes && (woken.len() < most || waiter.bits == PARKS);
            if takes {
                woken.push(Arc::clone(&waiter.node));
            }
            !takes
        });
        woken
    });
    woken.iter().for_each(|node| node.wake(WOKEN));
    woken.len().min(most)
}

/// A place among those who wait at a word, until it is dropped.
pub(crate) struct Place {
    word: Word,
    node: Arc<Node>,
}

impl Place {
    /// Takes a place if that is so when it is there.
    fn take(word: Word, bits: u32, waits: impl FnOnce(&[Waiter]) -> bool) -> Option<Place> {
        let (place, waiter) = Place::counted(word, bits);
        word.bucket().waiters.with(|waiters| {
            if !waits(waiters) {
                return None;
            }
            waiters.push(waiter);
            Some(())
        })?;
        Some(place)
    }

    /// Takes a place, whatever is there.
    pub(crate) fn new(word: Word) -> Place {
        let (place, waiter) = Place::counted(word, !0);
        word.bucket().waiters.with(|waiters| waiters.push(waiter));
        place
    }

    fn counted(word: Word, bits: u32) -> (Place, Waiter) {
        let node = Arc::new(Node { state: AtomicU8::new(WAITS), waker: Spin::new(None) });
        let green_thread = eventlet::getcurrent().id();
        let waiter = Waiter { word, bits, green_thread, node: Arc::clone(&node) };
        word.bucket().count.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        (Place { word, node }, waiter)
    }

    /// Waits until somebody wakes it, it is late, or it is time to look again.
    pub(crate) fn wait(self, deadline: &mut Deadline, mut pause: Deadline) -> Waited {
        gate::wait_shielded(poll_fn(move |cx| self.poll(deadline, &mut pause, cx)))
    }

    fn poll(
        &self,
        deadline: &mut Deadline,
        pause: &mut Deadline,
        cx: &mut Context<'_>,
    ) -> Poll<Waited> {
        self.node.waker.with(|waker| *waker = Some(cx.waker().clone()));
        if self.is_woken() {
            return Poll::Ready(Waited::Woken);
        }
        let over = match deadline.poll(cx).is_ready() {
            true => Waited::Late,
            false if pause.poll(cx).is_ready() => Waited::Paused,
            false => return Poll::Pending,
        };
        self.leave();
        // Nobody wakes it any more, but somebody may have.
        Poll::Ready(if self.is_woken() { Waited::Woken } else { over })
    }

    /// Returns whether somebody has woken it, and takes note of that.
    fn is_woken(&self) -> bool {
        self.node.state.swap(WAITS, Ordering::SeqCst) != WAITS
    }

    fn leave(&self) {
        self.word.bucket().waiters.with(|waiters| {
            waiters.retain(|waiter| !Arc::ptr_eq(&waiter.node, &self.node));
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
        self.word.bucket().count.fetch_sub(1, Ordering::SeqCst);
        match self.node.state.load(Ordering::SeqCst) {
            WOKEN => drop(wake(self.word, 1, !0)),
            LOOKS => hand_over(self.word),
            _ => {}
        }
    }
}

/// What the word of `park` is while its OS thread is parked.
const PARKED: u32 = u32::MAX;
const EMPTY: u32 = 0;
const NOTIFIED: u32 = 1;

/// What those wait for who park: it marks them.
const PARKS: u32 = 1 << 31;

thread_local! {
    /// The word with which this OS thread parks, once it is known.
    static PARKING: Cell<Option<Word>> = const { Cell::new(None) };

    /// Set while that is found out.
    static LEARNS: Cell<bool> = const { Cell::new(false) };
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
    let place = Place::take(word, PARKS, |others| {
        is_first = !others.iter().any(|other| other.parks_at(word));
        clear(word)
    });
    let Some(place) = place else {
        return Waited::Changed;
    };
    let mut ticks = is_first.then(Ticks::default);
    let poll = |cx: &mut Context<'_>| poll_parked(&place, &mut ticks, &mut deadline, cx);
    let mut waited = gate::wait_shielded(poll_fn(poll));
    drop(place);
    if waited == Waited::Late && word.load() == NOTIFIED {
        waited = Waited::Changed;
    }
    match waited {
        // The token is for all.
        Waited::Changed => drop(wake(word, usize::MAX, PARKS)),
        Waited::Late if ticks.is_some() => hand_over(word),
        Waited::Woken | Waited::Paused | Waited::Late => {}
    }
    if waited != Waited::Late {
        word.store(NOTIFIED);
    }
    waited
}

fn poll_parked(
    place: &Place,
    ticks: &mut Option<Ticks>,
    deadline: &mut Deadline,
    cx: &mut Context<'_>,
) -> Poll<Waited> {
    place.node.waker.with(|waker| *waker = Some(cx.waker().clone()));
    match place.node.state.swap(WAITS, Ordering::SeqCst) {
        WOKEN => return Poll::Ready(Waited::Woken),
        LOOKS => *ticks = Some(Ticks::default()),
        _ => {}
    }
    if let Some(ticks) = ticks {
        while ticks.poll(cx).is_ready() {
            if ticks.are_many() && deadline.is_never() {
                identity::is_parked_for_long();
            }
            if place.word.load() == NOTIFIED || ticks.are_many() {
                return Poll::Ready(Waited::Changed);
            }
        }
    }
    deadline.poll(cx).map(|()| Waited::Late)
}

/// When the first of those who are parked looks at their word: after half a millisecond, one, two,
/// up to eight.
struct Ticks {
    count: u32,
    next: Deadline,
}

impl Default for Ticks {
    fn default() -> Ticks {
        Ticks { count: 0, next: Deadline::after(Ticks::pause(0)) }
    }
}

/// Returns how long to wait before something is looked at again: half a millisecond at first, twice
/// as long each time, up to `most`.
pub(crate) fn pause(count: u32, most: Duration) -> Duration {
    Duration::from_micros(500 << count.min(10)).min(most)
}

impl Ticks {
    fn pause(count: u32) -> Duration {
        pause(count, Duration::from_millis(8))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.next.poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.count += 1;
        self.next = Deadline::after(Ticks::pause(self.count));
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

/// Has another one look at the word from now on.
fn hand_over(word: Word) {
    let next = word.bucket().waiters.with(|waiters| {
        let next = waiters.iter().find(|waiter| waiter.parks_at(word))?;
        Some(Arc::clone(&next.node))
    });
    if let Some(next) = next {
        next.wake(LOOKS);
    }
}
