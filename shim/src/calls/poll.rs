//! `poll`, `select`, `epoll_wait`: the kernel is asked without waiting, and again whenever one of
//! the descriptors may be ready.
//!
//! A mask of signals is not set while the green thread waits: it would be that of the OS thread. A
//! signal that it lets through is waited for beside the descriptors, and handled with the mask.

use std::ffi::c_int;
use std::os::fd::RawFd;
use std::time::Duration;

use libc::{epoll_event, fd_set, nfds_t, pollfd, sigset_t, size_t, timespec, timeval};

use super::descriptor::{duration_of as duration_of_timeval, look, wait_until};
use super::signals::{Mask, Pending};
use super::time::{duration_of, now};
use crate::areas::Area;
use crate::gate;
use crate::parking::Asleep;
use crate::real::{Call, answer, failed};

/// The kernel's masks have eight bytes.
const SIZE_OF_MASK: usize = 8;

fn limit_of(milliseconds: c_int) -> Option<Duration> {
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}

/// What a call looks at.
trait Watched {
    /// Returns how many are ready, without waiting.
    fn look(&mut self) -> isize;

    /// Returns the descriptors, and what they are wanted for, as the flags of `poll`.
    fn wanted(&self) -> Vec<(RawFd, u32)>;
}

/// Looks, and waits until there is something to see, a signal is handled, or the time is over.
/// `None` where the call is to be made as it is.
fn look_or_wait(watched: &mut impl Watched, limit: Option<Duration>, mask: Mask) -> Option<isize> {
    let look = |watched: &mut _| match Watched::look(watched) {
        0 => mask.deliver(),
        seen => seen,
    };
    match look(watched) {
        0 if limit == Some(Duration::ZERO) => return Some(0),
        0 => {}
        seen => return Some(seen),
    }
    if !gate::may_suspend() {
        return None;
    }
    let pending = match mask.pending() {
        Ok(pending) => pending,
        Err(error) => return Some(failed(error)),
    };
    let mut wanted = watched.wanted();
    wanted.extend(pending.as_ref().map(Pending::wanted));
    Some(wait_until(limit, &wanted, || look(watched)))
}

impl Watched for &mut [pollfd] {
    fn look(&mut self) -> isize {
        look(self)
    }

    fn wanted(&self) -> Vec<(RawFd, u32)> {
        let open = self.iter().filter(|descriptor| descriptor.fd >= 0);
        open.map(|one| (one.fd, one.events as u16 as u32)).collect()
    }
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
        if let Some(seen) = unsafe { poll_green(descriptors, count, limit, Mask::NONE) } {
            return answer(seen) as c_int;
        }
    }
    let time = limit.map(timespec_of);
    let time_at = time.as_ref().map_or(0, |time| std::ptr::from_ref(time).addr());
    let at = [descriptors.addr(), count as usize, time_at, 0, SIZE_OF_MASK];
    // SAFETY: I1, and the time is there for the call.
    unsafe { Call::new(libc::SYS_ppoll, at) }.answer() as c_int
}

/// Polls greenly. `None` where the call is to be made as it is.
///
/// # Safety
///
/// As `poll`.
unsafe fn poll_green(
    descriptors: *mut pollfd,
    count: nfds_t,
    limit: Option<Duration>,
    mask: Mask,
) -> Option<isize> {
    let mut descriptors = match count {
        0 => &mut [],
        _ if descriptors.is_null() => return None,
        // SAFETY: I1.
        _ => unsafe { std::slice::from_raw_parts_mut(descriptors, count as usize) },
    };
    look_or_wait(&mut descriptors, limit, mask)
}

fn timespec_of(duration: Duration) -> timespec {
    timespec { tv_sec: duration.as_secs() as _, tv_nsec: duration.subsec_nanos().into() }
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
    if limit != Some(None) && gate::is_green(Area::Select) {
        // SAFETY: I1.
        let mask = unsafe { Mask::read(mask) };
        // SAFETY: I1.
        if let Some(seen) = unsafe { poll_green(descriptors, count, limit.flatten(), mask) } {
            return answer(seen) as c_int;
        }
    }
    let time_at = time.as_mut().map_or(0, |time| std::ptr::from_mut(time).addr());
    let at = [descriptors.addr(), count as usize, time_at, mask.addr(), SIZE_OF_MASK];
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
    fn leave_ready(&mut self) -> isize {
        let now = timespec { tv_sec: 0, tv_nsec: 0 };
        let at =
            |set: &mut Option<[u64; WORDS]>| set.as_mut().map_or(0, |set| set.as_mut_ptr().addr());
        let [read, write, other] = &mut self.sets;
        let arguments = [self.count, at(read), at(write), at(other), (&raw const now).addr(), 0];
        // SAFETY: the sets have room for all that `select` knows.
        unsafe { Call::new(libc::SYS_pselect6, arguments) }.make()
    }
}

/// The sets as they were asked for, and what is ready of them.
struct Selection {
    asked: Sets,
    ready: Sets,
}

impl Watched for Selection {
    fn look(&mut self) -> isize {
        self.ready = self.asked;
        self.ready.leave_ready()
    }

    fn wanted(&self) -> Vec<(RawFd, u32)> {
        let is_in = |which: usize, descriptor: usize| {
            self.asked.sets[which]
                .is_some_and(|set| set[descriptor / 64] >> (descriptor % 64) & 1 != 0)
        };
        let events = |descriptor: usize| {
            let flags = [libc::POLLIN, libc::POLLOUT, libc::POLLPRI];
            let wanted = (0..flags.len()).filter(|which| is_in(*which, descriptor));
            wanted.fold(0, |events, which| events | flags[which] as u32)
        };
        let all = (0..self.asked.count).map(|descriptor| (descriptor as RawFd, events(descriptor)));
        all.filter(|(_, events)| *events != 0).collect()
    }
}

const _: () = assert!(WORDS * 64 == MOST);

/// Selects greenly. `None` where the call is to be made as it is.
///
/// # Safety
///
/// As `select`.
unsafe fn select_green(
    count: c_int,
    given: [*mut fd_set; 3],
    limit: Option<Duration>,
    mask: Mask,
) -> Option<isize> {
    let count = usize::try_from(count).ok().filter(|count| *count <= MOST)?;
    // SAFETY: I1.
    let asked = unsafe { Sets::read(count, given) };
    let mut selection = Selection { asked, ready: asked };
    let seen = look_or_wait(&mut selection, limit, mask)?;
    if seen >= 0 {
        // SAFETY: I1.
        unsafe { selection.ready.write(given) };
    }
    Some(seen)
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
        if let Some(seen) = unsafe { select_green(count, [read, write, other], limit, Mask::NONE) }
        {
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
    if limit != Some(None) && gate::is_green(Area::Select) {
        // SAFETY: I1.
        let mask = unsafe { Mask::read(mask) };
        let (sets, limit) = ([read, write, other], limit.flatten());
        // SAFETY: I1.
        if let Some(seen) = unsafe { select_green(count, sets, limit, mask) } {
            return answer(seen) as c_int;
        }
    }
    let time_at = time.as_mut().map_or(0, |time| std::ptr::from_mut(time).addr());
    let mask_and_size = [mask.addr(), SIZE_OF_MASK];
    let mask_at = mask_and_size.as_ptr().addr();
    let at = [count as usize, read.addr(), write.addr(), other.addr(), time_at, mask_at];
    // SAFETY: I1, and the rest is there for the call.
    unsafe { Call::new(libc::SYS_pselect6, at) }.answer() as c_int
}

/// Another epoll, which is a descriptor like others.
struct Events {
    epoll: RawFd,
    attempt: Call,
}

impl Events {
    /// # Safety
    ///
    /// As `epoll_wait` wants them, until this is dropped.
    unsafe fn new(epoll: RawFd, events: *mut epoll_event, count: c_int) -> Events {
        let at = [epoll as usize, events.addr(), count as usize, 0, 0, SIZE_OF_MASK];
        // SAFETY: the caller says so.
        Events { epoll, attempt: unsafe { Call::new(libc::SYS_epoll_pwait, at) } }
    }
}

impl Watched for Events {
    fn look(&mut self) -> isize {
        self.attempt.make()
    }

    fn wanted(&self) -> Vec<(RawFd, u32)> {
        vec![(self.epoll, libc::POLLIN as u32)]
    }
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
    if timeout != 0 && gate::is_green(Area::Select) {
        // SAFETY: I1.
        let mask = unsafe { Mask::read(mask) };
        // SAFETY: I1.
        let mut events = unsafe { Events::new(epoll, events, count) };
        if let Some(seen) = look_or_wait(&mut events, limit_of(timeout), mask) {
            return answer(seen) as c_int;
        }
    }
    let asleep = if timeout == 0 { None } else { Asleep::begin() };
    let timeout = if asleep.as_ref().is_some_and(Asleep::is_over) { 0 } else { timeout };
    let at = [
        epoll as usize,
        events.addr(),
        count as usize,
        timeout as usize,
        mask.addr(),
        SIZE_OF_MASK,
    ];
    // SAFETY: I1.
    unsafe { Call::new(libc::SYS_epoll_pwait, at) }.answer() as c_int
}

/// As `epoll_pwait2` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_pwait2(
    epoll: c_int,
    events: *mut epoll_event,
    count: c_int,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: I1.
    let limit = unsafe { timeout.as_ref() }.map(duration_of);
    if limit != Some(None) && gate::is_green(Area::Select) {
        // SAFETY: I1.
        let mask = unsafe { Mask::read(mask) };
        // SAFETY: I1.
        let mut events = unsafe { Events::new(epoll, events, count) };
        if let Some(seen) = look_or_wait(&mut events, limit.flatten(), mask) {
            return answer(seen) as c_int;
        }
    }
    let at =
        [epoll as usize, events.addr(), count as usize, timeout.addr(), mask.addr(), SIZE_OF_MASK];
    // SAFETY: I1.
    unsafe { Call::new(libc::SYS_epoll_pwait2, at) }.answer() as c_int
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

aliases! {
    __poll = poll(descriptors: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int;
    __select = select(
        count: c_int,
        read: *mut fd_set,
        write: *mut fd_set,
        other: *mut fd_set,
        timeout: *mut timeval
    ) -> c_int;
}
