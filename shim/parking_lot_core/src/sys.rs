//! The kernel: futexes, pauses, and its clock.
//!
//! Waits and pauses go through libc's `syscall`. `eventlet-shim` replaces that function, and has a
//! look at futexes alone: every other call blocks the OS thread, on a green stack, too.

use std::hint;
use std::io;
use std::process;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use libc::{FUTEX_PRIVATE_FLAG, FUTEX_WAIT_BITSET, FUTEX_WAKE, timespec};

/// What the word of a futex is when its hub has ended and the wait is given up. That stack is never
/// used again, nor freed. `eventlet-shim` writes it where it sees [`TELLS`].
pub(crate) const GIVEN_UP: u32 = u32::MAX - 1;
/// Bits that are no others'. To the kernel they say nothing, as each wakeup names all bits.
const TELLS: u32 = 0x7061_726b;

/// Why a wait at a futex is over.
#[derive(PartialEq, Eq)]
pub(crate) enum Waited {
    /// The time is over.
    Late,
    /// The word is to be looked at again.
    Perhaps,
}

/// Waits at a futex while its word is as expected, with a green thread or an OS thread.
pub(crate) fn wait(word: &AtomicU32, expected: u32, limit: Option<Duration>) -> Waited {
    let time = limit.and_then(after);
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    let operation = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG;
    let (word, second) = (word.as_ptr(), ptr::null::<u32>());
    // SAFETY: the word and the time are there until it returns.
    let result =
        unsafe { libc::syscall(libc::SYS_futex, word, operation, expected, time, second, TELLS) };
    if result == 0 {
        return Waited::Perhaps;
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ETIMEDOUT) => Waited::Late,
        Some(libc::EAGAIN | libc::EINTR) => Waited::Perhaps,
        _ => fail(&error),
    }
}

/// Ends the process: a lock has no error to return, and its callers do not expect it to unwind.
#[cold]
fn fail(error: &io::Error) -> ! {
    // The doctor of `eventlet-shim` finds this crate in a program by these words.
    eprintln!("eventlet-shim's parking_lot_core cannot wait by a futex: {error}");
    process::abort()
}

/// Wakes who waits at that address, of which nothing is read: it may belong to something else by
/// now. If that is another futex, who waits there looks again, as everybody has to.
pub(crate) fn wake(address: *const u32) {
    // SAFETY: it takes any address.
    unsafe { libc::syscall(libc::SYS_futex, address, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1) };
}

/// Returns what the clock says after that time, unless that is never.
fn after(limit: Duration) -> Option<timespec> {
    let then = now().checked_add(limit)?;
    let tv_sec = then.as_secs().try_into().ok()?;
    Some(timespec { tv_sec, tv_nsec: i64::from(then.subsec_nanos()) })
}

/// Returns the time by the clock that only goes forward.
pub(crate) fn now() -> Duration {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Pauses of an OS thread that waits for what another one has for a few instructions.
#[derive(Default)]
pub(crate) struct Pauses {
    count: u32,
}

impl Pauses {
    /// Spins first, and then lets other OS threads run. At last it sleeps, as the other may have a
    /// lower priority.
    pub(crate) fn pause(&mut self) {
        self.count = self.count.saturating_add(1);
        if self.count < 100 {
            hint::spin_loop();
        } else if self.count < 1_000 {
            // SAFETY: it takes nothing.
            unsafe { libc::syscall(libc::SYS_sched_yield) };
        } else {
            let short = timespec { tv_sec: 0, tv_nsec: 50_000 };
            // SAFETY: the time is there, and nothing is written.
            unsafe { libc::syscall(libc::SYS_nanosleep, &short, ptr::null_mut::<timespec>()) };
        }
    }
}
