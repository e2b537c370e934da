//! Who waits for which descriptor: one epoll per hub, which the hub's Tokio runtime watches in its
//! own.
//!
//! A descriptor is registered when it is first waited for, for edges, and stays so: who waits has
//! found it not ready, so whatever comes later is an edge. No copy of it is kept. One that is woken
//! tries again, so an event too many does no harm.
//!
//! # What is remembered
//!
//! A wait makes no system call where an earlier one has found out all there is to know: that the
//! descriptor is registered, that it is not `O_NONBLOCK`, and that it has no limit. What is
//! remembered of a number ends with a close, and what is remembered of flags and limits with each
//! call of the process that changes any, as descriptors may share them.
//!
//! But calls that go past libc are not seen, nor are other processes. So a wait that begins on what
//! is remembered is *on trust*. After 20 to 40 ms the reactor asks, and registers the descriptor
//! once more. If it is not as remembered, the wait is ended, as if something had happened: who
//! waits tries again. So what is remembered wrongly costs 40 ms, once. It is real time, as what is
//! remembered has nothing to do with the hub's clock; and nothing ticks while nobody waits on
//! trust.
//!
//! # Closing
//!
//! A descriptor that is closed wakes nobody by itself. So `close` asks whether there are waits for
//! that number, in any hub, and tells them. Each wait knows the generation of its number, which a
//! close raises, so that who waits for the next descriptor of that number is not told.
//!
//! # Invariants
//!
//! - **I1**: `Reactor::epoll`, `Reactor::timer` and `Inbox::event` are open as long as the
//!   `Reactor` and the `Inbox` are.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use eventlet::lowlevel;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::Deadline;
use crate::gate;
use crate::real::{Call, flags, limit};
use crate::spin::Spin;

/// Why a wait for descriptors is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// One of them may be ready.
    Ready,
    /// One of them was closed.
    Closed,
    /// It took as long as it may.
    Late,
}

/// Suspends the green thread until one of the descriptors may be ready for what it is wanted for,
/// which are the flags of `poll`. The error is an error number.
pub(crate) fn wait_for(
    wanted: impl Iterator<Item = (RawFd, u32)>,
    deadline: &mut Deadline,
) -> Result<Woken, c_int> {
    let waits = Waits::of(wanted)?;
    gate::wait(poll_fn(|cx| waits.poll(deadline, cx)))
}

/// As [`wait_for`], whatever happens to the green thread.
pub(crate) fn wait_shielded_for(
    wanted: impl Iterator<Item = (RawFd, u32)>,
    deadline: &mut Deadline,
) -> Result<Woken, c_int> {
    let waits = Waits::of(wanted)?;
    Ok(gate::wait_shielded(poll_fn(move |cx| waits.poll(deadline, cx))))
}

/// Suspends the green thread for a while, or until the descriptor is closed. It need not be one
/// that can be watched.
pub(crate) fn pause_beside(descriptor: RawFd, pause: Duration) -> Result<Woken, c_int> {
    let mut waits = Waits::new()?;
    waits.enter(descriptor, 0);
    let mut deadline = Deadline::after(pause);
    gate::wait(poll_fn(|cx| waits.poll(&mut deadline, cx)))
}

/// One call that waits for some descriptors.
#[derive(Default)]
struct Wait {
    woken: Cell<Option<Woken>>,
    waker: RefCell<Option<Waker>>,
}

impl Wait {
    /// Ends it, and returns who is to be woken.
    fn end(&self, woken: Woken) -> Option<Waker> {
        self.woken.set(Some(self.woken.get().unwrap_or(woken)));
        self.waker.take()
    }
}

/// A [`Wait`], which is in the table for some descriptors until this is dropped.
struct Waits {
    reactor: Rc<Reactor>,
    wait: Rc<Wait>,
    first: Option<RawFd>,
    others: Vec<RawFd>,
}

impl Waits {
    fn new() -> Result<Waits, c_int> {
        let reactor = Reactor::current();
        let reactor = reactor.map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))?;
        Ok(Waits { reactor, wait: Rc::default(), first: None, others: Vec::new() })
    }

    /// Enters a new one for some descriptors.
    fn of(wanted: impl Iterator<Item = (RawFd, u32)>) -> Result<Waits, c_int> {
        let mut waits = Waits::new()?;
        for (descriptor, interest) in wanted {
            waits.add(descriptor, interest)?;
        }
        Ok(waits)
    }

    /// Enters this for a descriptor, and has that watched.
    fn add(&mut self, descriptor: RawFd, interest: u32) -> Result<(), c_int> {
        self.enter(descriptor, interest);
        self.reactor.watch(descriptor)
    }

    /// Enters this for a descriptor.
    fn enter(&mut self, descriptor: RawFd, interest: u32) {
        if let Some(another) = self.first.replace(descriptor) {
            self.others.push(another);
        }
        self.reactor.enter(descriptor, interest, &self.wait);
    }

    fn poll(&self, deadline: &mut Deadline, cx: &mut Context<'_>) -> Poll<Woken> {
        if let Some(woken) = self.wait.woken.get() {
            return Poll::Ready(woken);
        }
        if deadline.poll(cx).is_ready() {
            return Poll::Ready(Woken::Late);
        }
        let _previous = self.wait.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        for descriptor in self.first.iter().chain(&self.others) {
            self.reactor.leave(*descriptor, &self.wait);
        }
    }
}

/// What is known of one descriptor, and who waits for it.
struct Entry {
    waiters: Vec<Waiter>,
    registered: Option<Registered>,
    /// For what it is known to wait without a limit, and since when.
    patient: u32,
    known_since: Moment,
    /// How many events found nobody, one after the other.
    unclaimed: u8,
}

struct Waiter {
    interest: u32,
    generation: u32,
    trust: Trust,
    wait: Rc<Wait>,
}

/// Whether a wait began on what is remembered.
#[derive(PartialEq, Eq)]
enum Trust {
    Asked,
    New,
    /// It has seen a tick.
    Old,
}

#[derive(Clone, Copy)]
struct Registered {
    interests: u32,
    generation: u32,
}

fn is_registered(registered: Option<Registered>, interests: u32, generation: u32) -> bool {
    registered.is_some_and(|registered| {
        registered.generation == generation && registered.interests & interests == interests
    })
}

/// What is asked at this moment is true of a descriptor as long as the moment is the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    generation: u32,
    settings: u32,
}

impl Moment {
    pub(crate) fn of(descriptor: RawFd) -> Moment {
        Moment {
            generation: shared_by(descriptor).generation.load(Ordering::SeqCst),
            settings: SETTINGS.load(Ordering::SeqCst),
        }
    }
}

/// How often flags or limits of any descriptor were changed.
static SETTINGS: AtomicU32 = AtomicU32::new(0);

/// Tells that flags or limits of some descriptor, and all that share them, have just been changed.
pub(crate) fn settings_changed() {
    SETTINGS.fetch_add(1, Ordering::SeqCst);
}

impl Entry {
    const EMPTY: Entry = Entry {
        waiters: Vec::new(),
        registered: None,
        patient: 0,
        known_since: Moment { generation: 0, settings: 0 },
        unclaimed: 0,
    };

    /// Forgets all but who waits.
    fn forget(&mut self) {
        (self.registered, self.patient) = (None, 0);
    }

    /// Ends some of the waits, and returns whether there were any.
    fn end(
        &mut self,
        descriptor: RawFd,
        woken: Woken,
        mut which: impl FnMut(&mut Waiter) -> bool,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let before = self.waiters.len();
        self.waiters.retain_mut(|waiter| {
            let ends = which(waiter);
            if ends {
                shared_by(descriptor).waiting.fetch_sub(1, Ordering::SeqCst);
                wakers.extend(waiter.wait.end(woken));
            }
            !ends
        });
        self.waiters.len() < before
    }
}

const CHUNK: usize = 256;

/// The entries by descriptor, in chunks that are made when they are needed.
#[derive(Default)]
struct Table(Vec<Option<Box<[Entry]>>>);

/// Not inlined, and made where it stays: it has several pages, which no green stack is to have.
#[cold]
#[inline(never)]
fn new_chunk() -> Box<[Entry]> {
    (0..CHUNK).map(|_| Entry::EMPTY).collect()
}

impl Table {
    fn entry(&mut self, descriptor: RawFd) -> &mut Entry {
        let (chunk, at) = (descriptor as usize / CHUNK, descriptor as usize % CHUNK);
        if self.0.len() <= chunk {
            self.0.resize_with(chunk + 1, || None);
        }
        &mut self.0[chunk].get_or_insert_with(new_chunk)[at]
    }

    /// The entry of a descriptor, if there may be something in it.
    fn get(&mut self, descriptor: RawFd) -> Option<&mut Entry> {
        let (chunk, at) = (descriptor as usize / CHUNK, descriptor as usize % CHUNK);
        Some(&mut self.0.get_mut(chunk)?.as_mut()?[at])
    }

    /// All entries in which there may be something, with their descriptors.
    fn entries(&mut self) -> impl Iterator<Item = (RawFd, &mut Entry)> {
        self.0.iter_mut().enumerate().flat_map(|(number, chunk)| {
            let entries = chunk.iter_mut().flat_map(|chunk| chunk.iter_mut());
            entries.enumerate().map(move |(at, entry)| ((number * CHUNK + at) as RawFd, entry))
        })
    }
}

/// The descriptors that the green threads of one hub wait for.
struct Reactor {
    epoll: OwnedFd,
    /// Ticks as long as there are waits on trust.
    timer: OwnedFd,
    ticks: Cell<bool>,
    table: RefCell<Table>,
    inbox: Arc<Inbox>,
}

thread_local! {
    static REACTOR: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

/// What marks the event of the inbox.
const INBOX: u64 = u64::MAX;

/// What marks the event of the timer.
const TIMER: u64 = u64::MAX - 1;

/// A wait on trust is looked at again after one to two of these.
const TICK: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// So many events that find nobody, and a descriptor is registered no more.
const MOST_UNCLAIMED: u8 = 8;

impl Reactor {
    /// Returns that of the hub of this OS thread. The first to ask makes it.
    fn current() -> io::Result<Rc<Reactor>> {
        let there = REACTOR.try_with(|reactor| reactor.borrow().clone()).ok().flatten();
        there.map_or_else(Reactor::start, Ok)
    }

    fn start() -> io::Result<Rc<Reactor>> {
        // SAFETY: it has no arguments but flags.
        let epoll = descriptor(unsafe { Call::new(libc::SYS_epoll_create1, [CLOEXEC]) })?;
        let (clock, flags) = (libc::CLOCK_MONOTONIC as usize, libc::TFD_CLOEXEC as usize);
        // SAFETY: it has no arguments but numbers.
        let timer = descriptor(unsafe { Call::new(libc::SYS_timerfd_create, [clock, flags]) })?;
        let reactor = Rc::new(Reactor {
            epoll,
            timer,
            ticks: Cell::new(false),
            table: RefCell::default(),
            inbox: Arc::new(Inbox::new()?),
        });
        let (timer, edges) = (reactor.timer.as_raw_fd(), libc::EPOLLIN | libc::EPOLLET);
        reactor.control(libc::EPOLL_CTL_ADD, timer, edges as u32, TIMER)?;
        reactor.control(
            libc::EPOLL_CTL_ADD,
            reactor.inbox.event.as_raw_fd(),
            libc::EPOLLIN as u32,
            INBOX,
        )?;
        // The name that replaces this one is newer than the oldest Tokio that this crate takes.
        #[allow(deprecated)]
        let watched = AsyncFd::with_interest(reactor.epoll.try_clone()?, Interest::READABLE)?;
        INBOXES.with(|inboxes| inboxes.push(Arc::clone(&reactor.inbox)));
        let pump = Pump(Rc::clone(&reactor));
        REACTOR.set(Some(Rc::clone(&reactor)));
        eventlet::spawn_n(async move { pump.run(watched).await });
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
    fn with_table<R>(&self, function: impl FnOnce(&mut Table) -> R) -> R {
        lowlevel::without_waiting(|| function(&mut self.table.borrow_mut()))
    }

    /// Enters a wait for a descriptor.
    fn enter(&self, descriptor: RawFd, interest: u32, wait: &Rc<Wait>) {
        let shared = shared_by(descriptor);
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        let generation = shared.generation.load(Ordering::SeqCst);
        let waiter = Waiter { interest, generation, trust: Trust::Asked, wait: Rc::clone(wait) };
        self.with_table(|table| table.entry(descriptor).waiters.push(waiter));
    }

    /// Has a descriptor watched for the wait that was entered last. That is on trust where it is
    /// watched already.
    fn watch(&self, descriptor: RawFd) -> Result<(), c_int> {
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
    fn unregister(&self, descriptor: RawFd) {
        // A signal handler may close something amid anything.
        let Ok(mut table) = self.table.try_borrow_mut() else { return };
        let Some(entry) = table.get(descriptor) else { return };
        if entry.registered.take().is_some() && self.inbox.is_of_this_process() {
            let _done = self.control(libc::EPOLL_CTL_DEL, descriptor, 0, 0);
        }
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
    fn tick(&self, wakers: &mut Vec<Waker>) {
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

    /// Takes a wait for a descriptor out, if it is in.
    fn leave(&self, descriptor: RawFd, wait: &Rc<Wait>) {
        self.with_table(|table| {
            let waiters = &mut table.entry(descriptor).waiters;
            if let Some(at) = waiters.iter().position(|waiter| Rc::ptr_eq(&waiter.wait, wait)) {
                waiters.swap_remove(at);
                shared_by(descriptor).waiting.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }

    /// Ends the waits for what has happened to a descriptor. One that nobody waits for any more is
    /// taken out in the end.
    fn happened(&self, descriptor: RawFd, events: u32, wakers: &mut Vec<Waker>) {
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

    /// Looks at what has happened. Returns whether there may be more.
    fn look(&self) -> bool {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        let arguments =
            [self.epoll.as_raw_fd() as usize, events.as_mut_ptr().addr(), events.len(), 0, 0, 8];
        // SAFETY: there is room for so many events.
        let count = unsafe { Call::new(libc::SYS_epoll_pwait, arguments) }.make();
        let seen = &events[..count.clamp(0, events.len() as isize) as usize];
        let mut wakers = Vec::with_capacity(seen.len());
        for event in seen {
            match event.u64 {
                INBOX => self.read_inbox(),
                TIMER => self.tick(&mut wakers),
                descriptor => self.happened(descriptor as RawFd, event.events, &mut wakers),
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        seen.len() == events.len()
    }

    fn read_inbox(&self) {
        for (descriptor, generation) in self.inbox.take() {
            self.closed(descriptor, generation);
        }
    }

    /// Ends the waits for a descriptor that is closed: those that began before.
    fn closed(&self, descriptor: RawFd, generation: u32) {
        let before = |waiter: &mut Waiter| (generation.wrapping_sub(waiter.generation) as i32) > 0;
        let mut wakers = Vec::new();
        self.with_table(|table| {
            table.entry(descriptor).end(descriptor, Woken::Closed, before, &mut wakers);
        });
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// What is reported whatever was asked for.
const FAILED: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;

/// Returns whether a descriptor is known to wait, without a limit, for what it is wanted for.
pub(crate) fn is_patient(descriptor: RawFd, interest: u32) -> bool {
    let now = Moment::of(descriptor);
    let is_known = |reactor: &Reactor| {
        // A signal handler may wait for something amid anything, and is to find out that it does
        // not.
        let Ok(mut table) = reactor.table.try_borrow_mut() else { return false };
        table.get(descriptor).is_some_and(|entry| {
            entry.known_since == now
                && entry.patient & interest == interest
                && is_registered(entry.registered, interest, now.generation)
        })
    };
    with_own(is_known).unwrap_or(false)
}

/// Remembers that a descriptor waits, and without a limit, which was asked since that moment.
pub(crate) fn remember_patient(descriptor: RawFd, interest: u32, since: Moment) {
    // Where there is none, who waits next finds out why.
    let Ok(reactor) = Reactor::current() else { return };
    reactor.with_table(|table| {
        let entry = table.entry(descriptor);
        let before = if entry.known_since == since { entry.patient } else { 0 };
        (entry.patient, entry.known_since) = (before | interest, since);
    });
}

/// Calls a function with the reactor of this OS thread's hub, if there is one.
fn with_own<R>(function: impl FnOnce(&Reactor) -> R) -> Option<R> {
    let call = |reactor: &RefCell<Option<Rc<Reactor>>>| {
        reactor.try_borrow().ok().and_then(|reactor| reactor.as_deref().map(function))
    };
    REACTOR.try_with(call).ok().flatten()
}

/// Brings the events of a reactor, as a green thread of its hub. When it is dropped, those who
/// still wait try again.
struct Pump(Rc<Reactor>);

impl Pump {
    async fn run(&self, watched: AsyncFd<OwnedFd>) {
        while let Ok(mut ready) = watched.readable().await {
            if !self.0.look() {
                ready.clear_ready();
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        let is_it = |other: &mut Rc<Reactor>| Rc::ptr_eq(other, &self.0);
        let _old = REACTOR.try_with(|reactor| reactor.borrow_mut().take_if(is_it));
        INBOXES.with(|inboxes| inboxes.retain(|inbox| !Arc::ptr_eq(inbox, &self.0.inbox)));
        let mut wakers = Vec::new();
        for (descriptor, entry) in self.0.table.borrow_mut().entries() {
            entry.end(descriptor, Woken::Ready, |_| true, &mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// What all hubs know of some descriptors.
struct Shared {
    /// How many waits for them there are.
    waiting: AtomicU32,
    /// How often one of them was closed.
    generation: AtomicU32,
}

static SHARED: [Shared; 1024] =
    [const { Shared { waiting: AtomicU32::new(0), generation: AtomicU32::new(0) } }; 1024];

fn shared_by(descriptor: RawFd) -> &'static Shared {
    &SHARED[descriptor as usize % SHARED.len()]
}

/// The inboxes of all hubs.
static INBOXES: Spin<Vec<Arc<Inbox>>> = Spin::new(Vec::new());

/// Where a hub hears of descriptors that other OS threads close.
struct Inbox {
    /// A child of this process has the same epoll. If it is one of `vfork` it has the same memory,
    /// too, but what it closes is still open here.
    process: u32,
    event: OwnedFd,
    closed: Spin<Vec<(RawFd, u32)>>,
}

impl Inbox {
    fn new() -> io::Result<Inbox> {
        let flags = (libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) as usize;
        // SAFETY: it has no arguments but numbers.
        let event = descriptor(unsafe { Call::new(libc::SYS_eventfd2, [0, flags]) })?;
        Ok(Inbox { process: std::process::id(), event, closed: Spin::new(Vec::new()) })
    }

    fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    fn tell(&self, descriptor: RawFd, generation: u32) {
        self.closed.with(|closed| closed.push((descriptor, generation)));
        let one = 1_u64.to_ne_bytes();
        let arguments = [self.event.as_raw_fd() as usize, one.as_ptr().addr(), one.len()];
        // SAFETY: it reads the eight bytes. It fails only where the hub has an event already.
        unsafe { Call::new(libc::SYS_write, arguments) }.make();
    }

    fn take(&self) -> Vec<(RawFd, u32)> {
        let mut count = [0_u8; 8];
        let arguments = [self.event.as_raw_fd() as usize, count.as_mut_ptr().addr(), count.len()];
        // SAFETY: it writes eight bytes.
        unsafe { Call::new(libc::SYS_read, arguments) }.make();
        self.closed.with(std::mem::take)
    }
}

/// Tells everybody who waits for a descriptor that it is closed now, and forgets what was known of
/// it. Where nobody waits that is two operations of atomics.
#[inline]
pub(crate) fn closing(descriptor: RawFd) {
    if descriptor < 0 {
        return;
    }
    let shared = shared_by(descriptor);
    let generation = shared.generation.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
    if lowlevel::has_hub() {
        with_own(|reactor| reactor.unregister(descriptor));
    }
    if shared.waiting.load(Ordering::SeqCst) > 0 {
        tell_all(descriptor, generation);
    }
}

/// As [`closing`], of each descriptor in a range. What is known of others is forgotten, too.
pub(crate) fn closing_range(first: u32, last: u32) {
    for shared in &SHARED {
        shared.generation.fetch_add(1, Ordering::SeqCst);
    }
    let has_waits = SHARED.iter().any(|shared| shared.waiting.load(Ordering::SeqCst) > 0);
    if has_waits {
        (first..=last.min(MOST_DESCRIPTORS)).for_each(|descriptor| closing(descriptor as RawFd));
    }
}

/// Linux has no more for a process than this by default (`fs.nr_open`).
const MOST_DESCRIPTORS: u32 = 1 << 20;

#[cold]
fn tell_all(descriptor: RawFd, generation: u32) {
    let own = REACTOR.try_with(|reactor| reactor.borrow().clone()).ok().flatten();
    let is_own =
        |inbox: &Arc<Inbox>| own.as_ref().is_some_and(|own| Arc::ptr_eq(inbox, &own.inbox));
    let mut inboxes = INBOXES.with(|inboxes| inboxes.clone());
    inboxes.retain(|inbox| inbox.is_of_this_process());
    for inbox in inboxes.iter().filter(|inbox| !is_own(inbox)) {
        inbox.tell(descriptor, generation);
    }
    if let Some(own) = own.filter(|own| own.inbox.is_of_this_process()) {
        own.closed(descriptor, generation);
    }
}

const CLOEXEC: usize = libc::O_CLOEXEC as usize;

fn checked(result: isize) -> io::Result<isize> {
    match result {
        -4095..0 => Err(io::Error::from_raw_os_error(-result as c_int)),
        _ => Ok(result),
    }
}

/// Makes a call that opens a descriptor.
fn descriptor(call: Call) -> io::Result<OwnedFd> {
    let descriptor = checked(call.make())? as RawFd;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
