//! Semaphores.
//!
//! A signal handler may post one, in the middle of anything. So a post takes no lock and wakes
//! nobody itself: it writes to an event of each hub on which green threads wait for a semaphore,
//! and all of these try theirs again.
//!
//! # Invariants
//!
//! - **E1**: the event of an [`Events`] is open for good once it is there, so a post never writes
//!   to another descriptor of that number.

use std::cell::Cell;
use std::ffi::c_int;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering, fence};

use libc::{clockid_t, sem_t, timespec};

use super::{Mark, Own, SHARED, UNSEEN, Until, is_green, libc_own, may_suspend, pauses};
use crate::areas::{self, Area};
use crate::clock::Deadline;
use crate::futex::{self, Word};
use crate::reactor::{Woken, wait_shielded_for};
use crate::real::{self, Call};

unsafe extern "C" {
    fn sem_init(semaphore: *mut sem_t, shared: c_int, value: u32) -> c_int;
}

/// Where the posts of semaphores are told to one hub.
struct Events {
    /// Whether an OS thread has it.
    taken: AtomicBool,
    /// `NONE` before it is made.
    event: AtomicI32,
    /// How many green threads wait for a semaphore.
    waiting: AtomicUsize,
}

const NONE: RawFd = -1;

/// One for each of the hubs on which a green thread has waited for a semaphore. On more than these
/// semaphores are looked at again and again.
static EVENTS: [Events; 64] = [const {
    Events {
        taken: AtomicBool::new(false),
        event: AtomicI32::new(NONE),
        waiting: AtomicUsize::new(0),
    }
}; 64];

/// How many green threads wait for a semaphore on any hub that has one of them.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// That of this OS thread. It is given back when the OS thread ends.
struct Mine(Cell<Option<&'static Events>>);

thread_local! {
    static MINE: Mine = const { Mine(Cell::new(None)) };
}

impl Drop for Mine {
    fn drop(&mut self) {
        if let Some(events) = self.0.get() {
            events.taken.store(false, Ordering::Release);
        }
    }
}

impl Events {
    fn mine() -> Option<&'static Events> {
        MINE.with(|mine| {
            if mine.0.get().is_none() {
                mine.0.set(EVENTS.iter().find(|events| !events.taken.swap(true, Ordering::AcqRel)));
            }
            mine.0.get().filter(|events| events.is_open())
        })
    }

    /// Returns whether its event is open, once it was tried to open it.
    fn is_open(&self) -> bool {
        if self.event.load(Ordering::Relaxed) == NONE {
            let flags = (libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) as usize;
            // SAFETY: it has no arguments but numbers.
            let event = unsafe { Call::new(libc::SYS_eventfd2, [0, flags]) }.make();
            self.event.store(event.max(NONE as isize) as RawFd, Ordering::Release);
        }
        self.event.load(Ordering::Relaxed) != NONE
    }

    /// Makes a call to its event with eight bytes: what it reads is of no use.
    fn call(&self, number: libc::c_long) {
        let mut bytes = 1_u64.to_ne_bytes();
        let event = self.event.load(Ordering::Acquire) as usize;
        let arguments = [event, bytes.as_mut_ptr().addr(), bytes.len()];
        // SAFETY: there are eight bytes, and by E1 it is an event.
        unsafe { Call::new(number, arguments) }.make();
    }
}

/// Tells all hubs on which green threads wait.
fn tell() {
    // Inside libc the post was an instruction that is no less.
    fence(Ordering::SeqCst);
    if WAITING.load(Ordering::SeqCst) == 0 {
        return;
    }
    for events in EVENTS.iter().filter(|events| events.waiting.load(Ordering::SeqCst) > 0) {
        events.call(libc::SYS_write);
    }
}

/// Counts one that waits, until it is dropped.
struct Waits(&'static Events);

impl Waits {
    fn new(events: &'static Events) -> Waits {
        events.waiting.fetch_add(1, Ordering::SeqCst);
        WAITING.fetch_add(1, Ordering::SeqCst);
        Waits(events)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::SeqCst);
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Where libc marks a semaphore that processes share. `None` where that cannot be seen.
fn shared_mark() -> Option<Mark> {
    static MARK: OnceLock<Option<Mark>> = OnceLock::new();
    *MARK.get_or_init(|| Mark::between(initialized(0), initialized(1)))
}

/// Returns what a semaphore looks like after its initialization.
fn initialized(shared: c_int) -> [u32; size_of::<sem_t>() / 4] {
    let mut words = [0; size_of::<sem_t>() / 4];
    // SAFETY: there is room for it, and nobody uses it ever.
    unsafe { sem_init(ptr::from_mut(&mut words).cast(), shared, 0) };
    words
}

/// Takes one of a semaphore. `EBUSY` where it has none.
///
/// # Safety
///
/// It is the address of a semaphore.
unsafe fn attempt(semaphore: *mut sem_t) -> c_int {
    let errno = real::errno();
    // SAFETY: the caller says so.
    if unsafe { libc_own::try_semaphore(semaphore) } == 0 {
        return 0;
    }
    let error = real::errno();
    real::set_errno(errno);
    if error == libc::EAGAIN { libc::EBUSY } else { error }
}

const OWN: Own<sem_t> = Own {
    ever: libc_own::wait_semaphore,
    timed: libc_own::timed_semaphore,
    clock: libc_own::clock_semaphore,
};

/// # Safety
///
/// As `sem_clockwait`.
unsafe fn take(semaphore: *mut sem_t, until: Until) -> c_int {
    if !is_green() {
        // SAFETY: the caller says so.
        return unsafe { OWN.take(semaphore, until) };
    }
    // SAFETY: the caller says so.
    let mut error = unsafe { attempt(semaphore) };
    if error == libc::EBUSY {
        // SAFETY: the caller says so.
        let deadline = unsafe { until.deadline() };
        let Some(mut deadline) = deadline.filter(|_| may_suspend()) else {
            // SAFETY: the caller says so.
            return unsafe { OWN.take(semaphore, until) };
        };
        // SAFETY: the caller says so.
        error = unsafe { take_green(semaphore, &mut deadline) };
    }
    if error == 0 {
        return 0;
    }
    real::set_errno(error);
    -1
}

/// # Safety
///
/// It is the address of a semaphore.
unsafe fn take_green(semaphore: *mut sem_t, deadline: &mut Deadline) -> c_int {
    // SAFETY: the caller says so.
    let attempt = || unsafe { attempt(semaphore) };
    // SAFETY: the caller says so.
    let shared = shared_mark().is_none_or(|mark| unsafe { mark.is_set(semaphore) });
    match Events::mine().filter(|_| !shared) {
        Some(events) => take_when_told(events, deadline, attempt),
        None => {
            let mut pauses = pauses(if shared { SHARED } else { UNSEEN });
            // SAFETY: nobody wakes who waits there, nor reads what is there.
            let word = unsafe { Word::at(semaphore.addr()) };
            futex::acquire(word, deadline, || Some(pauses()), attempt)
        }
    }
}

fn take_when_told(
    events: &'static Events,
    deadline: &mut Deadline,
    attempt: impl Fn() -> c_int,
) -> c_int {
    let _waits = Waits::new(events);
    loop {
        match attempt() {
            libc::EBUSY => {}
            error => return error,
        }
        let event = events.event.load(Ordering::Relaxed);
        match wait_shielded_for([(event, libc::POLLIN as u32)].into_iter(), deadline) {
            // Before the next attempt: a post from then on is told again.
            Ok(Woken::Ready | Woken::Closed) => events.call(libc::SYS_read),
            Ok(Woken::Late) => {
                return match attempt() {
                    libc::EBUSY => libc::ETIMEDOUT,
                    error => error,
                };
            }
            Err(error) => return error,
        }
    }
}

/// As `sem_wait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn sem_wait(semaphore: *mut sem_t) -> c_int {
    // SAFETY: I1.
    unsafe { take(semaphore, Until::Ever) }
}

/// As `sem_timedwait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn sem_timedwait(
    semaphore: *mut sem_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { take(semaphore, Until::Time(libc::CLOCK_REALTIME, time)) }
}

/// As `sem_clockwait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn sem_clockwait(
    semaphore: *mut sem_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: I1.
    unsafe { take(semaphore, Until::Time(clock, time)) }
}

/// As `sem_post` of libc. A signal handler may call it.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn sem_post(semaphore: *mut sem_t) -> c_int {
    // SAFETY: I1.
    let posted = unsafe { libc_own::post_semaphore(semaphore) };
    if posted == 0 && areas::is_patched(Area::Thread) {
        tell();
    }
    posted
}
