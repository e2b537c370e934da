//! Barriers.
//!
//! libc's function counts its caller in and waits, in one: green threads would block their hub. So
//! all who meet at a barrier wait for a barrier of `std` instead, green threads and OS threads
//! alike, and `std` waits through the futexes of this crate. libc's barrier only says how many it
//! is for.
//!
//! A round is found by the address of libc's barrier until it is full. From then on it is on its
//! own, so the barrier may be used again, or destroyed, as soon as one thread has returned.

use std::ffi::{c_int, c_uint};
use std::mem;
use std::ptr;
use std::sync::{Arc, Barrier, OnceLock};

use libc::{pthread_barrier_t, pthread_barrierattr_t};

use super::{Mark, is_green, libc_own, word_of};
use crate::areas::{self, Area};
use crate::gate;
use crate::spin::Spin;

/// What libc has in a barrier.
#[derive(Clone, Copy)]
struct Layout {
    /// The word with the number of threads that it is for.
    count: usize,
    shared: Mark,
}

const WORDS: usize = size_of::<pthread_barrier_t>() / 4;

impl Layout {
    /// Looks where libc has it, in barriers that it initializes. `None` where that cannot be seen.
    fn get() -> Option<Layout> {
        static LAYOUT: OnceLock<Option<Layout>> = OnceLock::new();
        *LAYOUT.get_or_init(|| {
            let [private, shared] = [libc::PTHREAD_PROCESS_PRIVATE, libc::PTHREAD_PROCESS_SHARED];
            let (one, two) = (initialized(1, private), initialized(2, private));
            let count = Mark::between(one, two)?.word;
            let is_count = [one[count], two[count]] == [1, 2];
            let shared = Mark::between(one, initialized(1, shared))?;
            is_count.then_some(Layout { count, shared })
        })
    }
}

/// Returns what a barrier looks like after its initialization.
fn initialized(count: c_uint, shared: c_int) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    // SAFETY: all zeroes is a value of it.
    let mut attributes: pthread_barrierattr_t = unsafe { mem::zeroed() };
    // SAFETY: there is room for them.
    unsafe { libc::pthread_barrierattr_init(&mut attributes) };
    // SAFETY: they are attributes.
    unsafe { libc::pthread_barrierattr_setpshared(&mut attributes, shared) };
    // SAFETY: there is room for it, and nobody ever waits for it.
    unsafe { libc_own::init_barrier(ptr::from_mut(&mut words).cast(), &attributes, count) };
    words
}

/// Returns how many threads a barrier is for. `None` where libc is to count them: processes share
/// it.
///
/// # Safety
///
/// It is the address of a barrier.
unsafe fn count_of(barrier: *mut pthread_barrier_t) -> Option<u32> {
    let layout = Layout::get()?;
    // SAFETY: the caller says so.
    if unsafe { layout.shared.is_set(barrier) } {
        return None;
    }
    // SAFETY: the caller says so.
    Some(unsafe { word_of(barrier, layout.count) })
}

/// A round for which threads are missing yet.
struct Round {
    barrier: usize,
    arrived: u32,
    meeting: Arc<Barrier>,
}

static ROUNDS: Spin<Vec<Round>> = Spin::new(Vec::new());

/// Counts one in, and returns where it is to wait.
fn arrive(barrier: usize, count: u32) -> Arc<Barrier> {
    ROUNDS.with(|rounds| {
        let at = rounds.iter().position(|round| round.barrier == barrier);
        let at = at.unwrap_or_else(|| {
            let meeting = Arc::new(Barrier::new(count as usize));
            rounds.push(Round { barrier, arrived: 0, meeting });
            rounds.len() - 1
        });
        rounds[at].arrived += 1;
        if rounds[at].arrived < count {
            return Arc::clone(&rounds[at].meeting);
        }
        rounds.swap_remove(at).meeting
    })
}

/// As `pthread_barrier_init` of libc. A round that others have left unfinished at that address is
/// none of the new barrier's.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_barrier_init(
    barrier: *mut pthread_barrier_t,
    attributes: *const pthread_barrierattr_t,
    count: c_uint,
) -> c_int {
    if areas::is_patched(Area::Thread) {
        ROUNDS.with(|rounds| rounds.retain(|round| round.barrier != barrier.addr()));
    }
    // SAFETY: I1.
    unsafe { libc_own::init_barrier(barrier, attributes, count) }
}

/// As `pthread_barrier_wait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_barrier_wait(
    barrier: *mut pthread_barrier_t,
) -> c_int {
    if areas::is_patched(Area::Thread) {
        // SAFETY: I1.
        if let Some(count) = unsafe { count_of(barrier) } {
            let is_leader = arrive(barrier.addr(), count).wait().is_leader();
            return if is_leader { libc::PTHREAD_BARRIER_SERIAL_THREAD } else { 0 };
        }
        if is_green() {
            gate::note_blocked();
        }
    }
    // SAFETY: I1.
    unsafe { libc_own::wait_barrier(barrier) }
}
