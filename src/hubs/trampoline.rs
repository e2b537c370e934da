//! Waiting for any file descriptor.
//!
//! # How
//!
//! `poll(2)` says whether a descriptor is ready; Tokio's reactor says when to ask again. So waiting
//! is level-triggered, as in eventlet, though Tokio's is not: a caller that finds it ready goes on
//! at once, and of several waiters none is woken for data that another has read.
//!
//! A duplicate of the descriptor is registered with Tokio. Epoll takes a descriptor only once, and
//! that of a Tokio socket is taken. And only we can close our duplicate, so a registration never
//! refers to another file. There is one for each descriptor that is waited for, however many
//! waiters it has.

use std::backtrace::Backtrace;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use slab::Slab;
use tokio::io::unix::AsyncFd;
use tokio::task::coop;
use tokio::time::Instant;

use crate::hub::{self, Key};
use crate::probe::Point;
use crate::semaphore::Semaphore;
use crate::timeout::Timeout;
use crate::waiters::{Place, Waiters};

/// What to wait for.
///
/// Corresponds to `eventlet.hubs.READ` and `WRITE`.
///
/// # Examples
///
/// ```
/// assert_eq!(eventlet::hubs::Interest::Read.to_string(), "read");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interest {
    /// There is something to read, or the other end is closed.
    Read,
    /// There is room to write, or the reader has gone.
    Write,
}

impl Interest {
    fn asks(self) -> PollFlags {
        match self {
            Interest::Read => PollFlags::IN,
            Interest::Write => PollFlags::OUT,
        }
    }

    fn asks_tokio(self) -> tokio::io::Interest {
        let interest = match self {
            Interest::Read => tokio::io::Interest::READABLE,
            Interest::Write => tokio::io::Interest::WRITABLE,
        };
        interest | tokio::io::Interest::ERROR
    }
}

impl fmt::Display for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Interest::Read => "read",
            Interest::Write => "write",
        })
    }
}

/// Waits until a descriptor can be read or written, no longer than `limit`.
///
/// It is for descriptors of other libraries, of C ones for instance; sockets of Tokio and of
/// `green::net` wait by themselves. The descriptor is borrowed during the wait, so it cannot be
/// closed meanwhile by mistake. It should be non-blocking: another process may be faster. Regular
/// files are always ready.
///
/// Corresponds to `eventlet.hubs.trampoline`.
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Until the descriptor is ready; not at all if it is.
///
/// # Killed
///
/// Nothing stays behind, and no other waiter is affected.
///
/// # Errors
///
/// - [`TimedOut`](io::ErrorKind::TimedOut), with a [`Timeout`] inside, when the limit passes first.
/// - [`ResourceBusy`](io::ErrorKind::ResourceBusy), when another green thread waits for the same
///   thing: what one of them reads, the other misses. See [`prevent_multiple_readers`].
/// - [`NotConnected`](io::ErrorKind::NotConnected) after [`notify_close`].
/// - The operating system's error for a descriptor that cannot be waited for.
/// - Tokio's error if its runtime has ended: a wait that began in one `run` cannot go on in the
///   next.
///
/// # Differences
///
/// Eventlet yields even if the descriptor is ready. It takes two flags, of which both and neither
/// are mistakes; here those cannot be written.
///
/// # Examples
///
/// ```
/// use eventlet::hubs::{Interest, trampoline};
/// use eventlet::is_timeout;
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
///
/// # eventlet::run(async {
/// let (mut here, mut there) = UnixStream::pair().unwrap();
/// let early = trampoline(&here, Interest::Read, Duration::from_millis(1)).await;
/// assert!(is_timeout(&early.unwrap_err()));
///
/// there.write_all(b"hello").unwrap();
/// trampoline(&here, Interest::Read, None).await.unwrap();
/// let mut hello = [0; 5];
/// here.read_exact(&mut hello).unwrap();
/// assert_eq!(&hello, b"hello");
/// # });
/// ```
#[track_caller]
pub fn trampoline<F: AsFd, L: Into<Option<Duration>>>(
    fd: F,
    interest: Interest,
    limit: L,
) -> impl Future<Output = io::Result<()>> + use<F, L> {
    hub::expect("waiting for a descriptor");
    let limit = Timeout::new(limit);
    async move { limit.run(until_ready(fd.as_fd(), interest)).await? }
}

/// Wakes all waiters for a descriptor on this OS thread, with an error.
///
/// They release their borrows then, so the owner can close it. A close alone wakes no waiter: the
/// operating system does not report it.
///
/// Corresponds to `eventlet.hubs.notify_close`.
///
/// # Yields
///
/// Never.
///
/// # Differences
///
/// Eventlet's does nothing.
///
/// # Examples
///
/// ```
/// use eventlet::hubs::{Interest, notify_close, trampoline};
/// use std::os::unix::net::UnixStream;
/// use std::{io, rc::Rc, time::Duration};
///
/// # eventlet::run(async {
/// let (here, _there) = UnixStream::pair().unwrap();
/// let here = Rc::new(here);
/// let reader = eventlet::spawn(trampoline(Rc::clone(&here), Interest::Read, None));
/// eventlet::sleep(Duration::ZERO).await;
///
/// notify_close(&here);
/// let error = reader.await.unwrap().unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::NotConnected);
/// assert!(Rc::into_inner(here).is_some(), "nobody else has it");
/// # });
/// ```
pub fn notify_close(fd: impl AsFd) {
    let number = fd.as_fd().as_raw_fd();
    let closed = LISTENERS.with(|listeners| listeners.descriptors.borrow_mut().remove(&number));
    if let Some(descriptor) = closed {
        descriptor.close();
    }
}

/// Sets whether a second green thread of this OS thread that waits to read from the same
/// descriptor, or to write to it, gets an error. The default is that it does.
///
/// If not, they are served in order: the first reads what there is, and the other waits for what
/// comes then. It applies to waits that begin from now on.
///
/// Corresponds to `eventlet.debug.hub_prevent_multiple_readers`.
///
/// # Yields
///
/// Never.
///
/// # Differences
///
/// Eventlet sets it for all OS threads.
///
/// # Examples
///
/// ```
/// use eventlet::hubs::{Interest, prevent_multiple_readers, trampoline};
/// use eventlet::is_timeout;
/// use std::os::unix::net::UnixStream;
/// use std::{rc::Rc, time::Duration};
///
/// # eventlet::run(async {
/// let (here, _there) = UnixStream::pair().unwrap();
/// let here = Rc::new(here);
/// let first = eventlet::spawn(trampoline(Rc::clone(&here), Interest::Read, None));
/// eventlet::sleep(Duration::ZERO).await;
///
/// let second = trampoline(&here, Interest::Read, None).await;
/// assert!(second.unwrap_err().to_string().starts_with("Second simultaneous read on fileno"));
///
/// prevent_multiple_readers(false);
/// let second = trampoline(&here, Interest::Read, Duration::from_millis(1)).await;
/// assert!(is_timeout(&second.unwrap_err()));
/// # first.kill();
/// # });
/// ```
pub fn prevent_multiple_readers(prevent: bool) {
    LISTENERS.with(|listeners| listeners.allow_many.set(!prevent));
}

thread_local! {
    static LISTENERS: Listeners = Listeners::default();
}

/// The waiters for each descriptor on this OS thread.
#[derive(Default)]
struct Listeners {
    /// The descriptors that are waited for. An entry is removed with its last waiter.
    descriptors: RefCell<HashMap<RawFd, Rc<Descriptor>>>,
    allow_many: Cell<bool>,
    keep_places: Cell<bool>,
}

/// A descriptor that is waited for.
struct Descriptor {
    readers: Side,
    writers: Side,
    /// Made when the first waiter has to wait.
    registration: OnceCell<AsyncFd<OwnedFd>>,
    closed: Cell<bool>,
    /// The waits, for debugging.
    waits: RefCell<Slab<Wait>>,
    /// All waiters, for `closed`.
    waiters: Waiters<(), ()>,
    /// The hub with whose runtime it is registered. Once that hub has ended, its remaining waits
    /// concern no other.
    hub: Rc<hub::Hub>,
}

/// A wait for a descriptor.
#[derive(Clone)]
pub(crate) struct Wait {
    pub(crate) fd: RawFd,
    pub(crate) interest: Interest,
    /// The green thread that waits.
    pub(crate) who: Option<Key>,
    pub(crate) since: Instant,
    /// Where it began, if that is noted.
    pub(crate) place: Option<Rc<Backtrace>>,
}

/// Returns who waits for which descriptor on this OS thread.
pub(crate) fn listeners() -> Vec<Wait> {
    LISTENERS.with(|listeners| {
        let descriptors = listeners.descriptors.borrow();
        let waits = |descriptor: &Rc<Descriptor>| -> Vec<Wait> {
            descriptor.waits.borrow().iter().map(|(_, wait)| wait.clone()).collect()
        };
        descriptors.values().flat_map(waits).collect()
    })
}

/// Notes from now on where each wait begins, or no longer.
pub(crate) fn keep_places(keep: bool) {
    LISTENERS.with(|listeners| listeners.keep_places.set(keep));
}

/// Those who wait for the same thing.
struct Side {
    listeners: Cell<usize>,
    /// Held by the waiter that polls the descriptor. The others follow in order: the operating
    /// system would wake all of them for data that one takes.
    lead: Semaphore,
}

async fn until_ready(fd: BorrowedFd<'_>, interest: Interest) -> io::Result<()> {
    // A loop over a descriptor that is always ready must still yield.
    coop::consume_budget().await;
    LISTENERS.with(|listeners| listeners.check(fd.as_raw_fd(), interest))?;
    if is_ready(fd, interest)? {
        return Ok(());
    }
    let listener = Listener::new(fd.as_raw_fd(), interest);
    listener.unless_closed(listener.wait(fd)).await
}

/// Returns whether a descriptor is ready now. An error counts as ready: reading or writing returns
/// it.
fn is_ready(fd: BorrowedFd<'_>, interest: Interest) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(fd, interest.asks())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)))? > 0)
}

/// A waiter for a descriptor.
struct Listener {
    number: RawFd,
    interest: Interest,
    descriptor: Rc<Descriptor>,
    /// Its key in `waits`.
    wait: usize,
}

impl Listener {
    fn new(number: RawFd, interest: Interest) -> Listener {
        let descriptor = LISTENERS.with(|listeners| {
            let mut descriptors = listeners.descriptors.borrow_mut();
            match descriptors.get(&number) {
                Some(descriptor) if descriptor.is_of_this_hub() => Rc::clone(descriptor),
                _ => {
                    let new = Descriptor::new();
                    descriptors.insert(number, Rc::clone(&new));
                    new
                }
            }
        });
        let listeners = &descriptor.side(interest).listeners;
        listeners.set(listeners.get() + 1);
        let who = hub::current().and_then(|hub| hub.current());
        let keep_place = LISTENERS.with(|listeners| listeners.keep_places.get());
        let place = keep_place.then(|| Rc::new(Backtrace::force_capture()));
        let wait = Wait { fd: number, interest, who, since: Instant::now(), place };
        let wait = descriptor.waits.borrow_mut().insert(wait);
        Listener { number, interest, descriptor, wait }
    }

    async fn wait(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let _lead = self.descriptor.side(self.interest).lead.permit().await;
        let registration = self.descriptor.registration(fd)?;
        while !is_ready(fd, self.interest)? {
            // Cleared before the next `poll(2)`, so that a later event is not missed.
            registration.ready(self.interest.asks_tokio()).await?.clear_ready();
        }
        Ok(())
    }

    /// Waits for a future, unless the descriptor is closed first.
    async fn unless_closed(&self, future: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let mut future = pin!(future);
        let mut closing = Closing { descriptor: &self.descriptor, place: Place::default() };
        poll_fn(|cx| match closing.poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(closed(self.number))),
            Poll::Pending => future.as_mut().poll(cx),
        })
        .await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let listeners = &self.descriptor.side(self.interest).listeners;
        listeners.set(listeners.get() - 1);
        self.descriptor.waits.borrow_mut().remove(self.wait);
        if self.descriptor.is_idle() {
            // Gone already if this OS thread is ending.
            let _last = LISTENERS.try_with(|listeners| listeners.forget(self));
        }
    }
}

impl Listeners {
    /// Refuses a second waiter.
    fn check(&self, number: RawFd, interest: Interest) -> io::Result<()> {
        let descriptors = self.descriptors.borrow();
        match descriptors.get(&number) {
            Some(descriptor)
                if descriptor.side(interest).listeners.get() > 0
                    && descriptor.is_of_this_hub()
                    && !self.allow_many.get() =>
            {
                Err(second_listener(number, interest))
            }
            _ => Ok(()),
        }
    }

    /// Removes the entry of a descriptor, unless it belongs to another by now.
    fn forget(&self, listener: &Listener) -> Option<Rc<Descriptor>> {
        let mut descriptors = self.descriptors.borrow_mut();
        let entry = descriptors.get(&listener.number)?;
        let same = Rc::ptr_eq(entry, &listener.descriptor);
        if same { descriptors.remove(&listener.number) } else { None }
    }
}

impl Descriptor {
    fn new() -> Rc<Descriptor> {
        Rc::new(Descriptor {
            readers: Side::new(),
            writers: Side::new(),
            registration: OnceCell::new(),
            closed: Cell::new(false),
            waits: RefCell::default(),
            waiters: Waiters::new(),
            hub: hub::expect("waiting for a descriptor"),
        })
    }

    fn is_of_this_hub(&self) -> bool {
        hub::current().is_some_and(|hub| Rc::ptr_eq(&hub, &self.hub))
    }

    fn side(&self, interest: Interest) -> &Side {
        match interest {
            Interest::Read => &self.readers,
            Interest::Write => &self.writers,
        }
    }

    fn is_idle(&self) -> bool {
        self.readers.listeners.get() == 0 && self.writers.listeners.get() == 0
    }

    fn registration(&self, fd: BorrowedFd<'_>) -> io::Result<&AsyncFd<OwnedFd>> {
        if let Some(registration) = self.registration.get() {
            return Ok(registration);
        }
        // Deprecated from Tokio 1.54 on, as it takes what may be closed under it. An `OwnedFd`
        // cannot be.
        #[allow(deprecated)]
        let registration = AsyncFd::new(fd.try_clone_to_owned()?)?;
        Ok(self.registration.get_or_init(|| registration))
    }

    fn close(&self) {
        self.closed.set(true);
        self.waiters.choose_all(&());
    }
}

impl Side {
    fn new() -> Side {
        Side { listeners: Cell::new(0), lead: Semaphore::new(1) }
    }
}

/// Waits for a descriptor to be closed.
struct Closing<'a> {
    descriptor: &'a Descriptor,
    place: Place,
}

impl Closing<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let closed = || self.descriptor.closed.get().then_some(()).ok_or(());
        self.descriptor.waiters.wait(&mut self.place, cx, closed, || Point::new("a descriptor", ""))
    }
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.descriptor.waiters.leave(&mut self.place);
    }
}

fn closed(number: RawFd) -> io::Error {
    let message = format!("Descriptor {number} was closed while a green thread waited for it");
    io::Error::new(io::ErrorKind::NotConnected, message)
}

/// Makes the error, in eventlet's words.
fn second_listener(number: RawFd, interest: Interest) -> io::Error {
    let message = format!(
        "Second simultaneous {interest} on fileno {number} detected. Unless you really know what you \
         are doing, make sure that only one green thread can {interest} any particular descriptor. \
         To have both served, call `eventlet::hubs::prevent_multiple_readers(false)`"
    );
    io::Error::new(io::ErrorKind::ResourceBusy, message)
}
