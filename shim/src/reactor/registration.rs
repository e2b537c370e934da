//! The descriptors of a hub that its epoll watches, and the waits that trust in what is remembered
//! of them.
//!
//! # Invariants
//!
//! - **I1**: `Reactor::epoll` and `Reactor::timer` are open as long as the `Reactor` is.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use eventlet::lowlevel;

use super::shared::{Closed, Inbox, Moment, Woken, checked, descriptor, shared_by};
use super::table::{Entry, Registered, Table, Trust, Wait, Waiter, is_registered};
use crate::real::{Call, flags, limit};

/// The descriptors that the green threads of one hub wait for.
pub(super) struct Reactor {
    pub(super) epoll: OwnedFd,
    /// Ticks as long as there are waits on trust.
    timer: OwnedFd,
    ticks: Cell<bool>,
    pub(super) table: RefCell<Table>,
    pub(super) inbox: Arc<Inbox>,
}

/// What marks the event of the inbox.
pub(super) const INBOX: u64 = u64::MAX;

/// What marks the event of the timer.
pub(super) const TIMER: u64 = u64::MAX - 1;

/// A wait on trust is looked at again after one to two of these.
const TICK: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// So many events that find nobody, and a descriptor is registered no more.
const MOST_UNCLAIMED: u8 = 8;

/// What is reported whatever was asked for.
const FAILED: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;

const CLOEXEC: usize = libc::O_CLOEXEC as usize;

impl Reactor {
    /// Makes one, without anything to watch but its own.
    pub(super) fn new() -> io::Result<Reactor> {
        // SAFETY: it has no arguments but flags.
        let epoll = descriptor(unsafe { Call::new(libc::SYS_epoll_create1, [CLOEXEC]) })?;
        let (clock, flags) = (libc::CLOCK_MONOTONIC as usize, libc::TFD_CLOEXEC as usize);
        // SAFETY: it has no arguments but numbers.
        let timer = descriptor(unsafe { Call::new(libc::SYS_timerfd_create, [clock, flags]) })?;
        let reactor = Reactor {
            epoll,
            timer,
            ticks: Cell::new(false),
            table: RefCell::default(),
            inbox: Arc::new(Inbox::new()?),
        };
        let (timer, inbox) = (reactor.timer.as_raw_fd(), reactor.inbox.event.as_raw_fd());
        let edges = (libc::EPOLLIN | libc::EPOLLET) as u32;
        reactor.control(libc::EPOLL_CTL_ADD, timer, edges, TIMER)?;
        reactor.control(libc::EPOLL_CTL_ADD, inbox, libc::EPOLLIN as u32, INBOX)?;
        Ok(reactor)
    }

    fn control(
        &self,
        operation: c_int,
        descriptor: RawFd,
        events: u32,
        data: u64,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: data };
        let at = (&raw mut event).addr();
        let arguments =
            [self.epoll.as_raw_fd() as usize, operation as usize, descriptor as usize, at];
        // SAFETY: the event is there for the call.
        checked(unsafe { Call::new(libc::SYS_epoll_ctl, arguments) }.make()).map(|_| ())
    }

    /// Calls a function with the table. An allocator that locks lets nobody else run meanwhile.
    pub(super) fn with_table<R>(&self, function: impl FnOnce(&mut Table) -> R) -> R {
        lowlevel::without_waiting(|| function(&mut self.table.borrow_mut()))
    }

    /// Enters a wait for a descriptor.
    pub(super) fn enter(&self, descriptor: RawFd, interest: u32, wait: &Rc<Wait>) {
        let shared = shared_by(descriptor);
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        let generation = shared.generation.load(Ordering::SeqCst);
        let waiter = Waiter { interest, generation, trust: Trust::Asked, wait: Rc::clone(wait) };
        self.with_table(|table| table.entry(descriptor).waiters.push(waiter));
    }

    /// Takes a wait for a descriptor out, if it is in.
    pub(super) fn leave(&self, descriptor: RawFd, wait: &Rc<Wait>) {
        self.with_table(|table| {
            let waiters = &mut table.entry(descriptor).waiters;
            if let Some(at) = waiters.iter().position(|waiter| Rc::ptr_eq(&waiter.wait, wait)) {
                waiters.swap_remove(at);
                shared_by(descriptor).waiting.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }

    /// Has a descriptor watched for the wait that was entered last. That is on trust where it is
    /// watched already.
    pub(super) fn watch(&self, descriptor: RawFd) -> Result<(), c_int> {
        let mut table = self.table.borrow_mut();
        let entry = table.entry(descriptor);
        let Some(waiter) = entry.waiters.last_mut() else { return Ok(()) };
        let generation = waiter.generation;
        if !is_registered(entry.registered, waiter.interest, generation) {
            return self.register(descriptor, entry, generation);
        }
        waiter.trust = Trust::New;
        self.begin_to_tick();
        Ok(())
    }

    fn register(&self, descriptor: RawFd, entry: &mut Entry, generation: u32) -> Result<(), c_int> {
        let before = entry.registered.take().filter(|before| before.generation == generation);
        let interests = entry.waiters.iter().map(|waiter| waiter.interest);
        let interests =
            interests.fold(before.map_or(0, |before| before.interests), |all, one| all | one);
        let control = |operation| {
            let events = interests | libc::EPOLLET as u32;
            let done = self.control(operation, descriptor, events, descriptor as u64);
            done.map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
        };
        match control(libc::EPOLL_CTL_MOD) {
            Err(libc::ENOENT) => control(libc::EPOLL_CTL_ADD)?,
            done => done?,
        }
        (entry.registered, entry.unclaimed) = (Some(Registered { interests, generation }), 0);
        Ok(())
    }

    /// Takes a descriptor out that is about to be closed. If another one has the same description,
    /// its events would never stop, as no descriptor is left to unregister it by.
    pub(super) fn unregister(&self, descriptor: RawFd) {
        // A signal handler may close something amid anything.
        let Ok(mut table) = self.table.try_borrow_mut() else { return };
        let Some(entry) = table.get(descriptor) else { return };
        if entry.registered.take().is_some() && self.inbox.is_of_this_process() {
            let _done = self.control(libc::EPOLL_CTL_DEL, descriptor, 0, 0);
        }
    }

    /// Ends the waits for what has happened to a descriptor. One that nobody waits for any more is
    /// taken out in the end.
    pub(super) fn happened(&self, descriptor: RawFd, events: u32, wakers: &mut Vec<Waker>) {
        let failed = events & FAILED != 0;
        let concerns = |waiter: &mut Waiter| failed || waiter.interest & events != 0;
        let mut table = self.table.borrow_mut();
        let entry = table.entry(descriptor);
        if entry.end(descriptor, Woken::Ready, concerns, wakers) {
            entry.unclaimed = 0;
            return;
        }
        entry.unclaimed += 1;
        if entry.unclaimed == MOST_UNCLAIMED {
            entry.unclaimed = 0;
            if entry.waiters.is_empty() {
                entry.forget();
                let _done = self.control(libc::EPOLL_CTL_DEL, descriptor, 0, 0);
            }
        }
    }

    /// Ends the waits for a descriptor that began before it is closed.
    pub(super) fn closed(&self, closed: Closed) {
        let Closed { descriptor, generation, woken } = closed;
        let before = |waiter: &mut Waiter| (generation.wrapping_sub(waiter.generation) as i32) > 0;
        let mut wakers = Vec::new();
        self.with_table(|table| {
            table.entry(descriptor).end(descriptor, woken, before, &mut wakers);
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Has all try again who wait for a descriptor that may have been closed since they began.
    pub(super) fn review_closed(&self) {
        let mut wakers = Vec::new();
        self.with_table(|table| {
            for (descriptor, entry) in table.entries() {
                let now = shared_by(descriptor).generation.load(Ordering::SeqCst);
                let is_older = |waiter: &mut Waiter| waiter.generation != now;
                entry.end(descriptor, Woken::Ready, is_older, &mut wakers);
            }
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    fn begin_to_tick(&self) {
        if !self.ticks.replace(true) {
            self.set_timer();
        }
    }

    fn set_timer(&self) {
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let time = libc::itimerspec { it_interval: never, it_value: TICK };
        let arguments = [self.timer.as_raw_fd() as usize, 0, (&raw const time).addr(), 0];
        // SAFETY: the time is there for the call.
        unsafe { Call::new(libc::SYS_timerfd_settime, arguments) }.make();
    }

    /// Looks at the waits on trust.
    pub(super) fn tick(&self, wakers: &mut Vec<Waker>) {
        let mut younger = false;
        for (descriptor, entry) in self.table.borrow_mut().entries() {
            younger |= self.review(descriptor, entry, wakers);
        }
        self.ticks.set(younger);
        if younger {
            self.set_timer();
        }
    }

    /// Asks for those waits on trust that have seen a tick. Returns whether there are younger ones.
    fn review(&self, descriptor: RawFd, entry: &mut Entry, wakers: &mut Vec<Waker>) -> bool {
        let is_old = |waiter: &Waiter| waiter.trust == Trust::Old;
        if entry.waiters.iter().any(is_old) && !self.is_as_remembered(descriptor, entry) {
            entry.end(descriptor, Woken::Ready, |waiter| is_old(waiter), wakers);
            entry.forget();
        }
        let mut younger = false;
        for waiter in &mut entry.waiters {
            waiter.trust = match waiter.trust {
                Trust::New => Trust::Old,
                Trust::Old | Trust::Asked => Trust::Asked,
            };
            younger |= is_old(waiter);
        }
        younger
    }

    /// Asks for what is remembered of a descriptor, and has it watched, whether it was or not.
    fn is_as_remembered(&self, descriptor: RawFd, entry: &mut Entry) -> bool {
        let patient = entry.patient;
        let has_limit =
            |way, name| patient & way as u32 != 0 && limit(descriptor, name) != Duration::ZERO;
        let waits = patient == 0
            || flags(descriptor) & libc::O_NONBLOCK as isize == 0
                && !has_limit(libc::POLLIN, libc::SO_RCVTIMEO)
                && !has_limit(libc::POLLOUT, libc::SO_SNDTIMEO);
        let generation = Moment::of(descriptor).generation;
        waits && self.register(descriptor, entry, generation).is_ok()
    }
}
