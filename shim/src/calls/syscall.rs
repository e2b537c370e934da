//! `syscall`: the futexes of `std`, which its locks, condition variables and parking wait with. And
//! `pthread_join`.
//!
//! Every other number goes to the kernel as it is.

use std::ffi::{c_int, c_long, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::Duration;

use libc::{pthread_t, timespec};

use super::pool::caught;
use super::time::{duration_of, now};
use crate::areas::{self, Area};
use crate::clock::{Deadline, held};
use crate::futex::{self, Waited, Word};
use crate::gate;
use crate::identity;
use crate::parking::{self, Asleep};
use crate::real::{Call, Next, answer, failed};

const COMMAND: c_int = !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);

/// As `syscall` of libc. It takes as many arguments as the kernel at most does: where it is given
/// fewer the rest is not used.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    // SAFETY: I1.
    let plain = unsafe { Call::new(number, [a, b, c, d, e, f]) };
    if number != libc::SYS_futex || !areas::is_patched(Area::Thread) {
        return plain.answer() as c_long;
    }
    // SAFETY: I1.
    let word = unsafe { Word::at(a) };
    // SAFETY: I1: where it waits, the fourth is null or a time.
    let result = match unsafe { operate(word, b as c_int, c as u32, d, f as u32) } {
        Some(result) => result,
        None if waits(b as c_int) && eventlet::lowlevel::has_hub() => {
            let _waits = WaitsWithHub::enter();
            match Asleep::begin() {
                Some(asleep) if asleep.is_over() => 0,
                _asleep => plain.make(),
            }
        }
        None => plain.make(),
    };
    answer(result) as c_long
}

fn waits(operation: c_int) -> bool {
    matches!(operation & COMMAND, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET)
}

/// OS threads with a hub that wait in the kernel, as those that wait inside a poll.
///
/// A waiter counts itself before the kernel reads its word, and a waker has written the word before
/// it reads the count.
static WAITING_WITH_HUB: AtomicUsize = AtomicUsize::new(0);

/// Counts this OS thread in [`WAITING_WITH_HUB`].
struct WaitsWithHub;

impl WaitsWithHub {
    fn enter() -> WaitsWithHub {
        WAITING_WITH_HUB.fetch_add(1, Ordering::SeqCst);
        WaitsWithHub
    }
}

impl Drop for WaitsWithHub {
    fn drop(&mut self) {
        WAITING_WITH_HUB.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Does what concerns green threads. `None` where the call is to be made as it is.
///
/// # Safety
///
/// Where it waits, `time` is null or the address of a time.
unsafe fn operate(
    word: Word,
    operation: c_int,
    value: u32,
    time: usize,
    bits: u32,
) -> Option<isize> {
    let private = operation & libc::FUTEX_PRIVATE_FLAG != 0;
    match operation & COMMAND {
        command @ (libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET) => {
            // A stack that unwinds is not suspended.
            let stays = !gate::is_green(Area::Thread) || gate::is_unwinding();
            if stays || !gate::may_suspend() {
                return None;
            }
            let bits = if command == libc::FUTEX_WAIT { !0 } else { bits };
            // SAFETY: the caller says so.
            let time = unsafe { (time as *const timespec).as_ref() };
            let limit = time.map(|time| limit_of(operation, time));
            if limit == Some(None) || bits == 0 {
                return None;
            }
            let deadline = limit.flatten().map(Deadline::after).unwrap_or_default();
            // `std` waits with bits, and where many may wait.
            if let (libc::FUTEX_WAIT, Some(other)) = (command, futex::waiter_at(word)) {
                identity::waits_with(word, other);
            }
            let wait = if private { parking::wait } else { futex::wait_shared };
            Some(match wait(word, value, bits, deadline) {
                Waited::Woken | Waited::Paused => 0,
                Waited::Changed => failed(libc::EAGAIN),
                Waited::Late => failed(libc::ETIMEDOUT),
            })
        }
        libc::FUTEX_WAKE => wake(word, operation, value, !0),
        libc::FUTEX_WAKE_BITSET => wake(word, operation, value, bits),
        // Those that are to wait elsewhere may as well look again.
        libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE => {
            futex::wake(word, usize::MAX, !0);
            None
        }
        _ => None,
    }
}

/// Returns how long a wait may take, unless the time is none.
fn limit_of(operation: c_int, time: &timespec) -> Option<Duration> {
    let time = duration_of(time)?;
    if operation & COMMAND == libc::FUTEX_WAIT {
        return Some(time);
    }
    let realtime = operation & libc::FUTEX_CLOCK_REALTIME != 0;
    let clock = if realtime { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC };
    Some(time.saturating_sub(now(clock)?))
}

/// Wakes green threads first, and then others through the kernel.
///
/// A green thread whose hub waits in the kernel cannot run, so its wakeup is not taken off the
/// number for the kernel: one of the two waits in vain otherwise, and one too many is no harm.
fn wake(word: Word, operation: c_int, most: u32, bits: u32) -> Option<isize> {
    let most = most.min(c_int::MAX as u32) as usize;
    let woken = futex::wake(word, most, bits).min(most);
    if woken == 0 {
        return None;
    }
    fence(Ordering::SeqCst);
    let counts = WAITING_WITH_HUB.load(Ordering::Relaxed) == 0;
    let left = if counts { most - woken } else { most };
    if left == 0 {
        return Some(woken as isize);
    }
    let arguments = [word.address(), operation as usize, left, 0, 0, bits as usize];
    // SAFETY: as the call that this is a part of.
    let others = unsafe { Call::new(libc::SYS_futex, arguments) }.make();
    Some(woken as isize + others.max(0))
}

type Join = unsafe extern "C" fn(pthread_t, *mut *mut c_void) -> c_int;

/// What joins threads that are not libc's.
static OTHERS: OnceLock<JoinOther> = OnceLock::new();

type JoinOther = unsafe fn(pthread_t, *mut *mut c_void) -> Option<c_int>;

/// Sets what joins threads that are not libc's, for good. It returns `None` for those that are.
pub fn join_with(join: JoinOther) {
    OTHERS.get_or_init(|| join);
}

/// As `pthread_join` of libc. On a green stack an OS thread of `tpool` waits, and nothing cancels
/// that.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_join(thread: pthread_t, value: *mut *mut c_void) -> c_int {
    static JOIN: Next = Next::new(c"pthread_join");
    // SAFETY: I1.
    if let Some(error) = OTHERS.get().and_then(|join| unsafe { join(thread, value) }) {
        return error;
    }
    // SAFETY: it is the type of that function.
    let Some(join) = (unsafe { JOIN.get::<Join>() }) else {
        return libc::ENOSYS;
    };
    if !gate::is_green(Area::Thread) || gate::is_unwinding() || !gate::may_suspend() {
        // SAFETY: I1.
        return unsafe { join(thread, value) };
    }
    let job = eventlet::tpool::execute(move || {
        let mut value = std::ptr::null_mut();
        // SAFETY: I1, and there is room for the value.
        let error = unsafe { join(thread, &mut value) };
        (error, value.expose_provenance())
    });
    let Some((error, returned)) = gate::wait_shielded(held(caught(job))) else {
        // SAFETY: I1.
        return unsafe { join(thread, value) };
    };
    if error == 0 && !value.is_null() {
        // SAFETY: I1.
        unsafe { *value = std::ptr::with_exposed_provenance_mut(returned) };
    }
    error
}
