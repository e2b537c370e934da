//! Which hub has which reactor: it brings the events, and hears of descriptors that are closed.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use eventlet::lowlevel;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::registration::{INBOX, Reactor, TIMER};
use super::shared::{Closed, INBOXES, Inbox, Moment, SHARED, Woken, shared_by};
use super::table::is_registered;
use crate::real::{self, Call};
use crate::spin;

thread_local! {
    static REACTOR: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

impl Reactor {
    /// Returns that of the hub of this OS thread. The first to ask makes it.
    pub(super) fn current() -> io::Result<Rc<Reactor>> {
        let there = REACTOR.try_with(|reactor| reactor.borrow().clone()).ok().flatten();
        there.map_or_else(Reactor::start, Ok)
    }

    fn start() -> io::Result<Rc<Reactor>> {
        let reactor = Rc::new(Reactor::new()?);
        // The name that replaces this one is newer than the oldest Tokio that this crate takes.
        #[allow(deprecated)]
        let watched = AsyncFd::with_interest(reactor.epoll.try_clone()?, Interest::READABLE)?;
        INBOXES.with(|inboxes| inboxes.push(Arc::clone(&reactor.inbox)));
        let pump = Pump(Rc::clone(&reactor));
        REACTOR.set(Some(Rc::clone(&reactor)));
        eventlet::spawn_n(async move { pump.run(watched).await });
        Ok(reactor)
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
        let (all, review) = self.inbox.take();
        all.into_iter().for_each(|closed| self.closed(closed));
        if review {
            self.review_closed();
        }
    }
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

/// Calls a function with the reactor of this OS thread's hub, if there is one.
fn with_own<R>(function: impl FnOnce(&Reactor) -> R) -> Option<R> {
    let call = |reactor: &RefCell<Option<Rc<Reactor>>>| {
        reactor.try_borrow().ok().and_then(|reactor| reactor.as_deref().map(function))
    };
    REACTOR.try_with(call).ok().flatten()
}

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

/// Makes a call that closes a descriptor. Those who wait for it are told before, and those who
/// began to wait meanwhile try again. What was known of it is forgotten. Where nobody waits that is
/// four operations of atomics.
#[inline]
pub(crate) fn close(descriptor: RawFd, call: Call) -> isize {
    if descriptor < 0 {
        return call.answer();
    }
    is_about_to_close(descriptor);
    let result = call.answer();
    tell_of(descriptor, Woken::Ready);
    result
}

#[inline]
fn is_about_to_close(descriptor: RawFd) {
    if lowlevel::has_hub() {
        with_own(|reactor| reactor.unregister(descriptor));
    }
    tell_of(descriptor, Woken::Closed);
}

/// Begins another generation of a descriptor, and ends the waits of earlier ones.
#[inline]
fn tell_of(descriptor: RawFd, woken: Woken) {
    let shared = shared_by(descriptor);
    let generation = shared.generation.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
    if shared.waiting.load(Ordering::SeqCst) > 0 {
        tell_all(Closed { descriptor, generation, woken });
    }
}

/// As [`close`], of each descriptor in a range. What is known of others is forgotten, too.
pub(crate) fn close_range(first: u32, last: u32, call: Call) -> isize {
    forget_all();
    if has_waits() {
        (first..=last.min(MOST_DESCRIPTORS))
            .for_each(|descriptor| is_about_to_close(descriptor as RawFd));
    }
    let result = call.answer();
    forget_all();
    if has_waits() {
        keeping_errno(|| inboxes().iter().for_each(|inbox| inbox.ask_for_review()));
    }
    result
}

/// Linux has no more for a process than this by default (`fs.nr_open`).
const MOST_DESCRIPTORS: u32 = 1 << 20;

fn has_waits() -> bool {
    SHARED.iter().any(|shared| shared.waiting.load(Ordering::SeqCst) > 0)
}

fn forget_all() {
    for shared in &SHARED {
        shared.generation.fetch_add(1, Ordering::SeqCst);
    }
}

fn keeping_errno(function: impl FnOnce()) {
    let errno = real::errno();
    function();
    real::set_errno(errno);
}

/// Returns the inboxes of this process.
fn inboxes() -> Vec<Arc<Inbox>> {
    let mut inboxes = INBOXES.with(|inboxes| inboxes.clone());
    inboxes.retain(|inbox| inbox.is_of_this_process());
    inboxes
}

#[cold]
fn tell_all(closed: Closed) {
    keeping_errno(|| {
        let own = REACTOR.try_with(|reactor| reactor.try_borrow().ok()?.clone()).ok().flatten();
        let own = own.filter(|own| own.inbox.is_of_this_process());
        if let Some(own) = &own {
            // A signal handler may close something amid anything.
            let is_amid = spin::is_held() || lowlevel::hub_is_borrowed();
            if is_amid || own.table.try_borrow_mut().is_err() {
                own.inbox.ask_for_review();
            } else {
                own.closed(closed);
            }
        }
        if spin::is_held() {
            return;
        }
        let is_own =
            |inbox: &Arc<Inbox>| own.as_ref().is_some_and(|own| Arc::ptr_eq(inbox, &own.inbox));
        inboxes().iter().filter(|inbox| !is_own(inbox)).for_each(|inbox| inbox.tell(closed));
    });
}
