//! `poll`, `select`, `epoll_wait`: the kernel is asked without waiting, and again whenever one of
//! the descriptors may be ready.
//!
//! With a mask of signals they are the kernel's, and counted as blocked: the mask would be that of
//! the OS thread.

use std::ffi::c_int;
use std::os::fd::RawFd;
use std::time::Duration;

use libc::{epoll_event, fd_set, nfds_t, pollfd, sigset_t, size_t, timespec, timeval};

use super::descriptor::{duration_of as duration_of_timeval, look};
use super::time::{duration_of, now};
use crate::areas::Area;
use crate::gate;
use crate::reactor::{Deadline, Woken, wait_for};
use crate::real::{Call, answer, failed};

/// Asks `look` until it has an answer other than none, or the time is over.
fn wait_until(
    limit: Option<Duration>,
    wanted: &[(RawFd, u32)],
    mut look: impl FnMut() -> isize,
) -> isize {
    let mut deadline = limit.map(Deadline::after).unwrap_or_default();
    loop {
        match wait_for(wanted.iter().copied(), &mut deadline) {
            Ok(Woken::Late) => return look(),
            // Of one that was closed the kernel tells more than we know.
            Ok(Woken::Ready | Woken::Closed) => {}
            Err(error) => return failed(error),
        }
        match look() {
            0 => {}
            seen => return seen,
        }
    }
}

fn limit_of(milliseconds: c_int) -> Option<Duration> {
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}

/// Polls greenly. `None` where the call is to be made as it is.
fn poll_green(descriptors: &mut [pollfd], limit: Option<Duration>) -> Option<isize> {
    match look(descriptors) {
        0 => {}
        seen => return Some(seen),
    }
    if limit == Some(Duration::ZERO) {
        return Some(0);
    }
    if !gate::may_suspend() {
        return None;
    }
    let open = descriptors.iter().filter(|descriptor| descriptor.fd >= 0);
    let wanted: Vec<_> = open.map(|one| (one.fd, one.events as u16 as u32)).collect();
    Some(wait_until(limit, &wanted, || look(descriptors)))
}

/// As `poll` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn poll(
    descriptors: *mut pollfd,
    count: nfds_t,
    timeout: c_int,
) -> c_int {
    let limit = limit_of(timeout);
    if gate::is_green(Area::Select) {
        // SAFETY: I1.
        if let Some(seen) = unsafe { poll_or_refuse(descriptors, count, limit) } {
            return answer(seen) as c_int;
        }
    }
    let time = limit.map(timespec_of);
    let time_at = time.as_ref().map_or(0, |time| std::ptr::from_ref(time).addr());
    let at = [descriptors.addr(), count as usize, time_at, 0, 8];
    // SAFETY: I1, and the time is there for the call.
    unsafe { Call::new(libc::SYS_ppoll, at) }.answer() as c_int
}

/// # Safety
///
/// As `poll`.
unsafe fn poll_or_refuse(
    descriptors: *mut pollfd,
    count: nfds_t,
    limit: Option<Duration>,
) -> Option<isize> {
    if count == 0 || descriptors.is_null() {
        return if count == 0 { poll_green(&mut [], limit) } else { None };
    }
    // SAFETY: I1.
    let descriptors = unsafe { std::slice::from_raw_parts_mut(descriptors, count as usize) };
    poll_green(descriptors, limit)
}

fn timespec_of(duration: Duration) -> timespec {
    timespec { tv_sec: duration.as_secs() as _, tv_nsec: duration.subsec_nanos().into() }
}

/// Returns whether a green thread waits here instead of its OS thread. With a mask of signals it
/// cannot: only the kernel sets one for the time of a call. Such a call blocks, and is counted.
fn is_green_with(mask: *const sigset_t) -> bool {
    let green = gate::is_green(Area::Select);
    if green && !mask.is_null() {
        gate::note_blocked();
    }
    green && mask.is_null()
}

/// As `ppoll` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn ppoll(
    descriptors: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // The kernel writes what is left of the time, libc does not.
    // SAFETY: I1.
    let mut time = unsafe { timeout.as_ref() }.copied();
    let limit = time.as_ref().map(duration_of);
    if limit != Some(None) && is_green_with(mask) {
        // SAFETY: I1.
        if let Some(seen) = unsafe { poll_or_refuse(descriptors, count, limit.flatten()) } {
            return answer(seen) as c_int;
        }
    }
    let time_at = time.as_mut().map_or(0, |time| std::ptr::from_mut(time).addr());
    let at = [descriptors.addr(), count as usize, time_at, mask.addr(), 8];
    // SAFETY: I1, and the time is there for the call.
    unsafe { Call::new(libc::SYS_ppoll, at) }.answer() as c_int
}

/// The most descriptors that a set of `select` has room for.
const MOST: usize = libc::FD_SETSIZE;

const WORDS: usize = MOST / 64;

/// The three sets of `select`, without what is above the highest descriptor.
#[derive(Clone, Copy)]
struct Sets {
    count: usize,
    /// `None` where none was given.
    sets: [Option<[u64; WORDS]>; 3],
}

const READ: usize = 0;
const WRITE: usize = 1;

impl Sets {
    /// # Safety
    ///
    /// As `select` wants the sets, with `count` of at most [`MOST`].
    unsafe fn read(count: usize, given: [*mut fd_set; 3]) -> Sets {
        let sets = given.map(|set| {
            (!set.is_null()).then(|| {
                let mut words = [0; WORDS];
                let used = count.div_ceil(64);
                // SAFETY: the caller says so: C has its sets in whole words.
                let there = unsafe { std::slice::from_raw_parts(set.cast::<u64>(), used) };
                words[..used].copy_from_slice(there);
                words
            })
        });
        Sets { count, sets }
    }

    /// # Safety
    ///
    /// As [`Sets::read`].
    unsafe fn write(&self, given: [*mut fd_set; 3]) {
        for (words, set) in self.sets.iter().zip(given) {
            if let Some(words) = words {
                let used = self.count.div_ceil(64);
                // SAFETY: the caller says so.
                let there = unsafe { std::slice::from_raw_parts_mut(set.cast::<u64>(), used) };
                there.copy_from_slice(&words[..used]);
            }
        }
    }

    /// Asks the kernel, which leaves what is ready.
    fn look(&mut self) -> isize {
        let now = timespec { tv_sec: 0, tv_nsec: 0 };
        let at =
            |set: &mut Option<[u64; WORDS]>| set.as_mut().map_or(0, |set| set.as_mut_ptr().addr());
        let [read, write, other] = &mut self.sets;
        let arguments = [self.count, at(read), at(write), at(other), (&raw const now).addr(), 0];
        // SAFETY: the sets have room for all that `select` knows.
        unsafe { Call::new(libc::SYS_pselect6, arguments) }.make()
    }

    /// What each descriptor is wanted for, as the flags of `poll`.
    fn wanted(&self) -> Vec<(RawFd, u32)> {
        let is_in = |which: usize, descriptor: usize| {
            self.sets[which].is_some_and(|set| set[descriptor / 64] >> (descriptor % 64) & 1 != 0)
        };
        let events = |descriptor: usize| {
            let flags = [libc::POLLIN, libc::POLLOUT, libc::POLLPRI];
            let wanted = (READ..=2).filter(|which| is_in(*which, descriptor));
            wanted.fold(0, |events, which| events | flags[which] as u32)
        };
        let all = (0..self.count).map(|descriptor| (descriptor as RawFd, events(descriptor)));
        all.filter(|(_, events)| *events != 0).collect()
    }
}

const _: () = assert!(READ < WRITE && WORDS * 64 == MOST);

/// Selects greenly. `None` where the call is to be made as it is.
///
/// # Safety
///
/// As `select`.
unsafe fn select_green(
    count: c_int,
    given: [*mut fd_set; 3],
    limit: Option<Duration>,
) -> Option<isize> {
    let count = usize::try_from(count).ok().filter(|count| *count <= MOST)?;
    // SAFETY: I1.
    let asked = unsafe { Sets::read(count, given) };
    let mut seen = asked;
    let mut ready = seen.look();
    if ready == 0 && limit != Some(Duration::ZERO) {
        if !gate::may_suspend() {
            return None;
        }
        ready = wait_until(limit, &asked.wanted(), || {
            seen = asked;
            seen.look()
        });
    }
    if ready >= 0 {
        // SAFETY: I1.
        unsafe { seen.write(given) };
    }
    Some(ready)
}

/// As `select` of libc. What is left of the time is written back, as Linux does.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    other: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    // SAFETY: I1.
    let time = unsafe { timeout.as_mut() };
    let valid = time.as_ref().is_none_or(|time| time.tv_sec >= 0 && time.tv_usec >= 0);
    let limit = time.as_ref().map(|time| with_whole_seconds(**time));
    let start = now(libc::CLOCK_MONOTONIC).unwrap_or_default();
    if valid && gate::is_green(Area::Select) {
        // SAFETY: I1.
        if let Some(seen) = unsafe { select_green(count, [read, write, other], limit) } {
            if let (Some(time), Some(limit)) = (time, limit) {
                let passed = now(libc::CLOCK_MONOTONIC).unwrap_or_default().saturating_sub(start);
                let left = if seen == 0 { Duration::ZERO } else { limit.saturating_sub(passed) };
                time.tv_sec = left.as_secs() as _;
                time.tv_usec = left.subsec_micros().into();
            }
            return answer(seen) as c_int;
        }
    }
    // SAFETY: I1.
    unsafe { plain_select(count, [read, write, other], time) }
}

/// The microseconds may be more than a second's.
fn with_whole_seconds(time: timeval) -> Duration {
    let whole = timeval {
        tv_sec: time.tv_sec + time.tv_usec / 1_000_000,
        tv_usec: time.tv_usec % 1_000_000,
    };
    duration_of_timeval(whole)
}

/// # Safety
///
/// As `select`.
unsafe fn plain_select(
    count: c_int,
    [read, write, other]: [*mut fd_set; 3],
    time: Option<&mut timeval>,
) -> c_int {
    let mut left = time.as_ref().map(|time| timespec {
        tv_sec: time.tv_sec + time.tv_usec / 1_000_000,
        tv_nsec: time.tv_usec % 1_000_000 * 1_000,
    });
    let left_at = left.as_mut().map_or(0, |left| std::ptr::from_mut(left).addr());
    let at = [count as usize, read.addr(), write.addr(), other.addr(), left_at, 0];
    // SAFETY: I1, and the time is there for the call.
    let result = unsafe { Call::new(libc::SYS_pselect6, at) }.answer();
    if let (Some(time), Some(left)) = (time, left) {
        (time.tv_sec, time.tv_usec) = (left.tv_sec, left.tv_nsec / 1_000);
    }
    result as c_int
}

/// As `pselect` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pselect(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    other: *mut fd_set,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: I1.
    let mut time = unsafe { timeout.as_ref() }.copied();
    let limit = time.as_ref().map(duration_of);
    if limit != Some(None) && is_green_with(mask) {
        // SAFETY: I1.
        if let Some(seen) = unsafe { select_green(count, [read, write, other], limit.flatten()) } {
            return answer(seen) as c_int;
        }
    }
    let time_at = time.as_mut().map_or(0, |time| std::ptr::from_mut(time).addr());
    let mask_and_size = [mask.addr(), 8];
    let mask_at = mask_and_size.as_ptr().addr();
    let at = [count as usize, read.addr(), write.addr(), other.addr(), time_at, mask_at];
    // SAFETY: I1, and the rest is there for the call.
    unsafe { Call::new(libc::SYS_pselect6, at) }.answer() as c_int
}

/// As `epoll_pwait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_pwait(
    epoll: c_int,
    events: *mut epoll_event,
    count: c_int,
    timeout: c_int,
    mask: *const sigset_t,
) -> c_int {
    let call = |timeout: c_int| {
        let at = [
            epoll as usize,
            events.addr(),
            count as usize,
            timeout as usize,
            mask.addr(),
            size_of::<u64>() as size_t,
        ];
        // SAFETY: I1.
        unsafe { Call::new(libc::SYS_epoll_pwait, at) }
    };
    if timeout == 0 || !is_green_with(mask) {
        return call(timeout).answer() as c_int;
    }
    let seen = call(0).make();
    if seen != 0 {
        return answer(seen) as c_int;
    }
    if !gate::may_suspend() {
        return call(timeout).answer() as c_int;
    }
    let wanted = [(epoll, libc::POLLIN as u32)];
    answer(wait_until(limit_of(timeout), &wanted, || call(0).make())) as c_int
}

/// As `epoll_wait` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_wait(
    epoll: c_int,
    events: *mut epoll_event,
    count: c_int,
    timeout: c_int,
) -> c_int {
    // SAFETY: I1.
    unsafe { epoll_pwait(epoll, events, count, timeout, std::ptr::null()) }
}

/// As `poll`, by the name that checked builds of C call.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __poll_chk(
    descriptors: *mut pollfd,
    count: nfds_t,
    timeout: c_int,
    room: size_t,
) -> c_int {
    if room / size_of::<pollfd>() < count as usize {
        super::overflow();
    }
    // SAFETY: I1.
    unsafe { poll(descriptors, count, timeout) }
}

/// As `ppoll`, by the name that checked builds of C call.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __ppoll_chk(
    descriptors: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
    room: size_t,
) -> c_int {
    if room / size_of::<pollfd>() < count as usize {
        super::overflow();
    }
    // SAFETY: I1.
    unsafe { ppoll(descriptors, count, timeout, mask) }
}

/// As `poll`, by a name of libc's own.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __poll(
    descriptors: *mut pollfd,
    count: nfds_t,
    timeout: c_int,
) -> c_int {
    // SAFETY: I1.
    unsafe { poll(descriptors, count, timeout) }
}

/// As `select`, by a name of libc's own.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    other: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    // SAFETY: I1.
    unsafe { select(count, read, write, other, timeout) }
}
