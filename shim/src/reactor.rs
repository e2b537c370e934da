//! Who waits for which descriptor: one epoll per hub, which the hub's Tokio runtime watches in its
//! own.
//!
//! A wait arms its descriptor for one event. Nothing is remembered of a descriptor beyond the waits
//! for it, and no copy of it is kept: a number that is closed and used again is just another
//! descriptor. Whoever is woken tries again, so an event too many does no harm.
//!
//! A descriptor that is closed wakes nobody by itself. So `close` asks whether somebody waits for
//! that number, in any hub, and tells them. Each wait knows the generation of its number, which a
//! close raises, so that who waits for the next descriptor of that number is not told.
//!
//! # Invariants
//!
//! - **I1**: `Reactor::epoll` and `Inbox::event` are open as long as the `Reactor` and the `Inbox`
//!   are.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::gate;
use crate::real::Call;
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

/// A moment after which a call does not wait any longer.
#[derive(Default)]
pub(crate) struct Deadline(Option<eventlet::greenthread::Sleep>);

impl Deadline {
    pub(crate) fn after(duration: Duration) -> Deadline {
        Deadline(Some(eventlet::sleep(duration)))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(sleep) => Pin::new(sleep).poll(cx),
            None => Poll::Pending,
        }
    }
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

/// Suspends the green thread for a while, or until the descriptor is closed. It need not be one that
/// can be watched.
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
        let interests = self.enter(descriptor, interest);
        self.reactor.arm(descriptor, interests)
    }

    /// Enters this for a descriptor. Returns what all who wait for that wait for.
    fn enter(&mut self, descriptor: RawFd, interest: u32) -> u32 {
        if let Some(another) = self.first.replace(descriptor) {
            self.others.push(another);
        }
        self.reactor.enter(descriptor, interest, &self.wait)
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

/// The waits for one descriptor.
type Entry = Vec<Waiter>;

struct Waiter {
    interest: u32,
    generation: u32,
    wait: Rc<Wait>,
}

const CHUNK: usize = 256;

/// The entries by descriptor, in chunks that are made when they are needed.
#[derive(Default)]
struct Table(Vec<Option<Box<[Entry; CHUNK]>>>);

impl Table {
    fn entry(&mut self, descriptor: RawFd) -> &mut Entry {
        let (chunk, at) = (descriptor as usize / CHUNK, descriptor as usize % CHUNK);
        if self.0.len() <= chunk {
            self.0.resize_with(chunk + 1, || None);
        }
        &mut self.0[chunk].get_or_insert_with(|| Box::new([const { Vec::new() }; CHUNK]))[at]
    }

    /// The waiters of all descriptors.
    fn take_all(&mut self) -> Vec<(RawFd, Waiter)> {
        let mut all = Vec::new();
        for (number, chunk) in self.0.iter_mut().enumerate() {
            for (at, entry) in chunk.iter_mut().flat_map(|chunk| chunk.iter_mut().enumerate()) {
                let descriptor = (number * CHUNK + at) as RawFd;
                all.extend(std::mem::take(entry).into_iter().map(|waiter| (descriptor, waiter)));
            }
        }
        all
    }
}

/// The descriptors that the green threads of one hub wait for.
struct Reactor {
    epoll: OwnedFd,
    table: RefCell<Table>,
    inbox: Arc<Inbox>,
}

thread_local! {
    static REACTOR: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

/// What marks the event of the inbox.
const INBOX: u64 = u64::MAX;

impl Reactor {
    /// Returns that of the hub of this OS thread. The first to ask makes it.
    fn current() -> io::Result<Rc<Reactor>> {
        let there = REACTOR.try_with(|reactor| reactor.borrow().clone()).ok().flatten();
        there.map_or_else(Reactor::start, Ok)
    }

    fn start() -> io::Result<Rc<Reactor>> {
        // SAFETY: it has no arguments but flags.
        let epoll = descriptor(unsafe { Call::new(libc::SYS_epoll_create1, [CLOEXEC]) })?;
        let inbox = Arc::new(Inbox::new()?);
        let reactor = Rc::new(Reactor { epoll, table: RefCell::default(), inbox });
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

    /// Enters a wait for a descriptor. Returns what all of them wait for.
    fn enter(&self, descriptor: RawFd, interest: u32, wait: &Rc<Wait>) -> u32 {
        let shared = shared_by(descriptor);
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        let generation = shared.generation.load(Ordering::SeqCst);
        let waiter = Waiter { interest, generation, wait: Rc::clone(wait) };
        let mut table = self.table.borrow_mut();
        let entry = table.entry(descriptor);
        entry.push(waiter);
        union(entry)
    }

    fn arm(&self, descriptor: RawFd, interests: u32) -> Result<(), c_int> {
        let events = interests | libc::EPOLLONESHOT as u32;
        let control = |operation| {
            let done = self.control(operation, descriptor, events, descriptor as u64);
            done.map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
        };
        match control(libc::EPOLL_CTL_MOD) {
            Err(libc::ENOENT) => control(libc::EPOLL_CTL_ADD),
            done => done,
        }
    }

    /// Takes a wait for a descriptor out, if it is in.
    fn leave(&self, descriptor: RawFd, wait: &Rc<Wait>) {
        let mut table = self.table.borrow_mut();
        let entry = table.entry(descriptor);
        if let Some(at) = entry.iter().position(|waiter| Rc::ptr_eq(&waiter.wait, wait)) {
            entry.swap_remove(at);
            shared_by(descriptor).waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Ends the waits for what has happened to a descriptor, and arms it again for the others.
    fn happened(&self, descriptor: RawFd, events: u32, wakers: &mut Vec<Waker>) {
        let failed = events & FAILED != 0;
        let concerns = |waiter: &Waiter| failed || waiter.interest & events != 0;
        let left = self.end(descriptor, Woken::Ready, concerns, wakers);
        // Whoever waits for what cannot be watched any more tries again, and finds out.
        if left.is_some_and(|left| self.arm(descriptor, left).is_err()) {
            self.end(descriptor, Woken::Ready, |_| true, wakers);
        }
    }

    /// Ends some of the waits for a descriptor. Returns what those that are left wait for.
    fn end(
        &self,
        descriptor: RawFd,
        woken: Woken,
        which: impl Fn(&Waiter) -> bool,
        wakers: &mut Vec<Waker>,
    ) -> Option<u32> {
        let mut table = self.table.borrow_mut();
        let entry = table.entry(descriptor);
        entry.retain(|waiter| {
            let ends = which(waiter);
            if ends {
                shared_by(descriptor).waiting.fetch_sub(1, Ordering::SeqCst);
                wakers.extend(waiter.wait.end(woken));
            }
            !ends
        });
        (!entry.is_empty()).then(|| union(entry))
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
        let before = |waiter: &Waiter| (generation.wrapping_sub(waiter.generation) as i32) > 0;
        let mut wakers = Vec::new();
        self.end(descriptor, Woken::Closed, before, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// What is reported whatever was asked for.
const FAILED: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;

fn union(entry: &[Waiter]) -> u32 {
    entry.iter().fold(0, |interests, waiter| interests | waiter.interest)
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
        let left = self.0.table.borrow_mut().take_all();
        for (descriptor, waiter) in left {
            shared_by(descriptor).waiting.fetch_sub(1, Ordering::SeqCst);
            if let Some(waker) = waiter.wait.end(Woken::Ready) {
                waker.wake();
            }
        }
    }
}

/// What all hubs know of some descriptors.
struct Shared {
    /// How many waits for them there are.
    waiting: AtomicU32,
    /// How often one of them was closed while somebody waited.
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
    event: OwnedFd,
    closed: Spin<Vec<(RawFd, u32)>>,
}

impl Inbox {
    fn new() -> io::Result<Inbox> {
        let flags = (libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) as usize;
        // SAFETY: it has no arguments but numbers.
        let event = descriptor(unsafe { Call::new(libc::SYS_eventfd2, [0, flags]) })?;
        Ok(Inbox { event, closed: Spin::new(Vec::new()) })
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

/// Tells everybody who waits for a descriptor that it is closed now. Costs one load where nobody
/// does.
#[inline]
pub(crate) fn closing(descriptor: RawFd) {
    if descriptor >= 0 && shared_by(descriptor).waiting.load(Ordering::SeqCst) > 0 {
        tell_all(descriptor);
    }
}

/// As [`closing`], of each descriptor in a range that somebody may wait for.
pub(crate) fn closing_range(first: u32, last: u32) {
    let somebody_waits = SHARED.iter().any(|shared| shared.waiting.load(Ordering::SeqCst) > 0);
    if somebody_waits {
        (first..=last.min(MOST_DESCRIPTORS)).for_each(|descriptor| closing(descriptor as RawFd));
    }
}

/// Linux has no more for a process than this by default (`fs.nr_open`).
const MOST_DESCRIPTORS: u32 = 1 << 20;

#[cold]
fn tell_all(descriptor: RawFd) {
    let generation =
        shared_by(descriptor).generation.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
    let own = REACTOR.try_with(|reactor| reactor.borrow().clone()).ok().flatten();
    let is_own =
        |inbox: &Arc<Inbox>| own.as_ref().is_some_and(|own| Arc::ptr_eq(inbox, &own.inbox));
    let inboxes = INBOXES.with(|inboxes| inboxes.clone());
    for inbox in inboxes.iter().filter(|inbox| !is_own(inbox)) {
        inbox.tell(descriptor, generation);
    }
    if let Some(own) = own {
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
