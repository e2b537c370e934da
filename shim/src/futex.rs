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
//! # A paused clock
//!
//! A wait without a limit holds it while other OS threads work, as [`clock`](crate::clock) says.
//!
//! # Waits that are given up
//!
//! A hub that has ended gives up what still waits on a stack of it after a while, and never uses
//! that stack again, nor frees it. The place here goes with that. But the `parking_lot_core` beside
//! this crate has a queue of its own, which the word is in. It waits with bits of its own,
//! [`TELLS`], and where such a wait is given up its word becomes [`GIVEN_UP`].
//!
//! # Invariants
//!
//! - **I1**: the address of a [`Word`] is that of a futex, which is there as long as a thread waits
//!   or wakes there: the caller of the system call sees to it.

use std::cell::Cell;
use std::ffi::c_int;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::channel;
use crate::clock::{Deadline, held, pause};
use crate::gate;
use crate::spin::Spin;

/// The address of a futex.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(usize);

impl Word {
    /// # Safety
    ///
    /// It is the address of a futex, for as long as a thread waits there.
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

    pub(crate) fn load(self) -> u32 {
        self.word().load(Ordering::SeqCst)
    }

    pub(crate) fn store(self, value: u32) {
        self.word().store(value, Ordering::SeqCst);
    }

    pub(crate) fn swap(self, value: u32) -> u32 {
        self.word().swap(value, Ordering::SeqCst)
    }

    pub(crate) fn change(self, from: u32, to: u32) -> bool {
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
    /// Where it waits for a channel: it is woken when something is selected for it, and only then.
    channel: Option<channel::Context>,
    node: Arc<Node>,
}

impl Waiter {
    /// Returns whether it is woken, where `woken` of at most `most` others are.
    fn is_meant(&self, word: Word, bits: u32, woken: usize, most: usize) -> bool {
        self.word == word
            && self.bits & bits != 0
            && match self.channel {
                Some(context) => context.is_selected(),
                None => woken < most || self.bits == TOGETHER,
            }
    }
}

/// What those wait for who are woken all together, however few a waker wants.
pub(crate) const TOGETHER: u32 = 1 << 31;

struct Node {
    woken: AtomicBool,
    waker: Spin<Option<Waker>>,
}

impl Node {
    fn wake(&self) {
        self.woken.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.with(Option::take) {
            waker.wake();
        }
    }
}

/// The bits of who wants to be told that a wait is given up: `parking_lot_core/src/sys.rs` has
/// them, too.
const TELLS: u32 = 0x7061_726b;
/// What the word is then.
const GIVEN_UP: u32 = u32::MAX - 1;

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

/// Waits while the word is as expected, until it is woken there.
pub(crate) fn wait(word: Word, expected: u32, bits: u32, mut deadline: Deadline) -> Waited {
    match Place::take(word, bits, None, || word.load() == expected) {
        Some(place) => {
            place.tells.set((bits == TELLS).then_some(expected));
            place.wait(&mut deadline, Deadline::default())
        }
        None => Waited::Changed,
    }
}

/// As [`wait`], where another process may wake, of which nobody tells: the word is read again after
/// half a millisecond, one, two, up to 32. Then it is over without reason, as in the kernel it may
/// be.
pub(crate) fn wait_shared(word: Word, expected: u32, bits: u32, mut deadline: Deadline) -> Waited {
    for count in 0..7 {
        let place = Place::take(word, bits, None, || word.load() == expected);
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
        let place = Place::take(word, !0, None, || {
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

/// Wakes so many of those who wait at a word, all that are woken together, and all for whom a
/// channel has something. Returns how many it has woken.
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
            let takes = waiter.is_meant(word, bits, woken.len(), most);
            if takes {
                woken.push(Arc::clone(&waiter.node));
            }
            !takes
        });
        woken
    });
    woken.iter().for_each(|node| node.wake());
    woken.len()
}

/// A place among those who wait at a word, until it is dropped.
pub(crate) struct Place {
    word: Word,
    node: Arc<Node>,
    /// What the word changes from to [`GIVEN_UP`] if this is dropped amid its wait.
    tells: Cell<Option<u32>>,
}

impl Place {
    /// Takes a place if that is so when it is there.
    pub(crate) fn take(
        word: Word,
        bits: u32,
        channel: Option<channel::Context>,
        waits: impl FnOnce() -> bool,
    ) -> Option<Place> {
        let (place, mut waiter) = Place::counted(word, bits);
        waiter.channel = channel;
        word.bucket().waiters.with(|waiters| waits().then(|| waiters.push(waiter)))?;
        Some(place)
    }

    /// Takes a place, whatever is there.
    pub(crate) fn new(word: Word) -> Place {
        let (place, waiter) = Place::counted(word, !0);
        word.bucket().waiters.with(|waiters| waiters.push(waiter));
        place
    }

    fn counted(word: Word, bits: u32) -> (Place, Waiter) {
        let node = Arc::new(Node { woken: AtomicBool::new(false), waker: Spin::new(None) });
        let green_thread = eventlet::getcurrent().id();
        let waiter = Waiter { word, bits, green_thread, channel: None, node: Arc::clone(&node) };
        word.bucket().count.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        (Place { word, node, tells: Cell::new(None) }, waiter)
    }

    /// Waits until it is woken, it is late, or it is time to look again. Without a limit it
    /// holds a paused clock.
    pub(crate) fn wait(self, deadline: &mut Deadline, pause: Deadline) -> Waited {
        let holds = deadline.is_never();
        self.wait_holding(holds, deadline, pause)
    }

    /// As [`wait`](Place::wait), and says whether it holds a paused clock.
    pub(crate) fn wait_holding(
        self,
        holds: bool,
        deadline: &mut Deadline,
        mut pause: Deadline,
    ) -> Waited {
        let wait = poll_fn(move |cx| {
            let polled = self.poll(deadline, &mut pause, cx);
            if polled.is_ready() {
                self.tells.set(None);
            }
            polled
        });
        if holds { gate::wait_shielded(held(wait)) } else { gate::wait_shielded(wait) }
    }

    fn poll(
        &self,
        deadline: &mut Deadline,
        pause: &mut Deadline,
        cx: &mut Context<'_>,
    ) -> Poll<Waited> {
        self.node.waker.with(|waker| *waker = Some(cx.waker().clone()));
        if self.take_wakeup() {
            return Poll::Ready(Waited::Woken);
        }
        let over = match deadline.poll(cx).is_ready() {
            true => Waited::Late,
            false if pause.poll(cx).is_ready() => Waited::Paused,
            false => return Poll::Pending,
        };
        self.leave();
        // Nobody wakes it any more, but it may have been woken.
        Poll::Ready(if self.take_wakeup() { Waited::Woken } else { over })
    }

    fn take_wakeup(&self) -> bool {
        self.node.woken.swap(false, Ordering::SeqCst)
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
        if let Some(expected) = self.tells.get() {
            self.word.change(expected, GIVEN_UP);
        }
        if self.take_wakeup() {
            wake(self.word, 1, !0);
        }
    }
}
