//! Sleeping. On a hub whose clock is paused it is that clock that counts.
//!
//! A kill ends a sleep with `ECANCELED`. A time limit ends it as if it were over: what waits next
//! is told.

use std::ffi::{c_int, c_uint};
use std::time::Duration;

use libc::{clockid_t, timespec, useconds_t};

use crate::areas::Area;
use crate::gate;
use crate::real::{Call, set_errno};

/// Returns how long it is, unless it is no time at all.
pub(super) fn duration_of(time: &timespec) -> Option<Duration> {
    let nanos = u32::try_from(time.tv_nsec).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanos))
}

/// Sleeps greenly, and returns why not as long as it should.
fn sleep_green(duration: Duration) -> c_int {
    // What is over at once is no turn, as the kernel has it.
    match gate::wait(eventlet::sleep(duration.max(Duration::from_nanos(1)))) {
        Ok(()) | Err(libc::ETIMEDOUT) => 0,
        Err(error) => error,
    }
}

fn is_green() -> bool {
    // A stack that unwinds is not suspended: sleep as before.
    gate::is_green(Area::Time) && !gate::is_unwinding() && gate::may_suspend()
}

/// As `clock_nanosleep` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> c_int {
    // SAFETY: I1.
    match unsafe { green_duration(clock, flags, time) } {
        Some(duration) => sleep_green(duration),
        None => {
            let at = [clock as usize, flags as usize, time.addr(), left.addr()];
            // SAFETY: I1.
            let result = unsafe { Call::new(libc::SYS_clock_nanosleep, at) }.make();
            -result as c_int
        }
    }
}

/// Returns how long to sleep greenly, if at all: not on clocks that count what a process did, and
/// not what the kernel refuses.
///
/// # Safety
///
/// As `clock_nanosleep`.
unsafe fn green_duration(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
) -> Option<Duration> {
    let known = [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC, libc::CLOCK_BOOTTIME];
    if time.is_null() || !known.contains(&clock) || !is_green() {
        return None;
    }
    // SAFETY: I1.
    let duration = duration_of(unsafe { &*time })?;
    match flags {
        0 => Some(duration),
        libc::TIMER_ABSTIME => Some(duration.saturating_sub(now(clock)?)),
        _ => None,
    }
}

/// Pauses between two looks at what nobody tells of: 1, 2, 4 ms and so on.
pub(super) struct Pauses {
    next: u64,
    most: u64,
}

impl Pauses {
    /// None is longer than so many milliseconds.
    pub(super) fn up_to(most: u64) -> Pauses {
        Pauses { next: 1, most }
    }

    /// Returns the next one, which is longer than the last.
    pub(super) fn longer(&mut self) -> Duration {
        let pause = self.next.min(self.most);
        self.next = pause * 2;
        Duration::from_millis(pause)
    }
}

/// Returns what a clock shows.
pub(super) fn now(clock: clockid_t) -> Option<Duration> {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the answer.
    unsafe { libc::clock_gettime(clock, &mut now) };
    duration_of(&now)
}

/// As `nanosleep` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn nanosleep(time: *const timespec, left: *mut timespec) -> c_int {
    // SAFETY: I1.
    match unsafe { clock_nanosleep(libc::CLOCK_MONOTONIC, 0, time, left) } {
        0 => 0,
        error => {
            set_errno(error);
            -1
        }
    }
}

/// As `usleep` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn usleep(micros: useconds_t) -> c_int {
    let duration = Duration::from_micros(micros.into());
    // SAFETY: the time is there for the call.
    unsafe { nanosleep(&timespec_of(duration), std::ptr::null_mut()) }
}

/// As `sleep` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sleep(seconds: c_uint) -> c_uint {
    let mut left = timespec { tv_sec: seconds.into(), tv_nsec: 0 };
    let time = left;
    // SAFETY: the times are there for the call.
    match unsafe { nanosleep(&time, &mut left) } {
        0 => 0,
        _ => left.tv_sec as c_uint,
    }
}

fn timespec_of(duration: Duration) -> timespec {
    timespec { tv_sec: duration.as_secs() as _, tv_nsec: duration.subsec_nanos().into() }
}

/// As `sched_yield` of libc: one turn for all others of the hub.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sched_yield() -> c_int {
    if is_green() {
        let _cancelled = gate::wait(eventlet::sleep(Duration::ZERO));
        return 0;
    }
    // SAFETY: it has no arguments.
    unsafe { Call::new(libc::SYS_sched_yield, []) }.answer() as c_int
}

aliases! {
    __nanosleep = nanosleep(time: *const timespec, left: *mut timespec) -> c_int;
    __sched_yield = sched_yield() -> c_int;
}
