//! Waiting for any file descriptor.
//!
//! # How
//!
//! Whether a descriptor is ready is asked of `poll(2)`, which knows; when to ask again is learned
//! from Tokio's reactor. So waiting is level-triggered, as in eventlet, though Tokio's is not:
//! whoever comes when it is ready already goes on at once, and of several who wait none is told of
//! what another has read.
//!
//! What is registered with Tokio is a duplicate of the descriptor. Epoll takes a descriptor once
//! only, and that of a socket of Tokio's is taken; and a duplicate that we own cannot be closed by
//! anybody else, so no registration ever speaks of a stranger. There is one for each descriptor
//! that somebody waits for, however many wait.

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
    /// There is room to write, or nobody to read it.
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
/// `green::net` wait by themselves. The descriptor is borrowed while somebody waits, so nobody
/// closes it meanwhile by mistake. It should be non-blocking: another process may be faster.
/// Regular files are always ready.
///
/// Corresponds to `eventlet.hubs.trampoline`.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
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
/// - What the operating system says of a descriptor that cannot be waited for.
/// - What Tokio says when its runtime has ended: a wait that began in one `run` cannot go on in the
///   next.
///
/// # Differences
///
/// Eventlet gives up a turn even if the descriptor is ready. It takes two flags, of which both and
/// neither are mistakes; here those cannot be written.
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

/// Wakes everybody who waits for a descriptor on this OS thread, with an error.
///
/// They give back what they borrowed then, so the owner can close it. Nobody is woken by a close
/// alone: the operating system does not tell.
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
/// comes then. It applies to those who begin to wait from now on.
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

/// Who waits for which descriptor on this OS thread.
#[derive(Default)]
struct Listeners {
    /// Those for whom somebody waits. An entry goes with the last of them.
    descriptors: RefCell<HashMap<RawFd, Rc<Descriptor>>>,
    allow_many: Cell<bool>,
}

/// A descriptor for which somebody waits.
struct Descriptor {
    readers: Side,
    writers: Side,
    /// Made when the first of them really waits.
    registration: OnceCell<AsyncFd<OwnedFd>>,
    closed: Cell<bool>,
    /// Who waits for what, and since when, for whoever looks in.
    waits: RefCell<Slab<Wait>>,
    /// Everybody who waits, for the sake of `closed`.
    waiters: Waiters<(), ()>,
    /// With whose runtime it is registered. When that hub has ended, what is left of its waits is
    /// nobody else's matter.
    hub: Rc<hub::Hub>,
}

/// What is waited for, by which green thread, and since when.
type Wait = (Interest, Option<Key>, Instant);

/// Returns who waits for which descriptor on this OS thread, and for how long.
pub(crate) fn listeners() -> Vec<(RawFd, Interest, Option<Key>, Duration)> {
    LISTENERS.with(|listeners| {
        let descriptors = listeners.descriptors.borrow();
        let of = descriptors.iter().flat_map(|(fd, descriptor)| {
            let waits: Vec<Wait> =
                descriptor.waits.borrow().iter().map(|(_, wait)| *wait).collect();
            waits.into_iter().map(|(interest, who, since)| (*fd, interest, who, since.elapsed()))
        });
        of.collect()
    })
}

/// Those who wait for the same thing.
struct Side {
    listeners: Cell<usize>,
    /// Held by the one who looks at the descriptor. The others come after, in order: the operating
    /// system would wake all of them for what one takes away.
    lead: Semaphore,
}

async fn until_ready(fd: BorrowedFd<'_>, interest: Interest) -> io::Result<()> {
    // A descriptor that is always ready must not keep the turn forever.
    coop::consume_budget().await;
    LISTENERS.with(|listeners| listeners.check(fd.as_raw_fd(), interest))?;
    if is_ready(fd, interest)? {
        return Ok(());
    }
    let listener = Listener::new(fd.as_raw_fd(), interest);
    listener.unless_closed(listener.wait(fd)).await
}

/// Returns whether a descriptor is ready now. In trouble counts as ready: reading or writing tells
/// more.
fn is_ready(fd: BorrowedFd<'_>, interest: Interest) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(fd, interest.asks())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)))? > 0)
}

/// Somebody who waits for a descriptor.
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
        let wait = descriptor.waits.borrow_mut().insert((interest, who, Instant::now()));
        Listener { number, interest, descriptor, wait }
    }

    async fn wait(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let _lead = self.descriptor.side(self.interest).lead.permit().await;
        let registration = self.descriptor.registration(fd)?;
        while !is_ready(fd, self.interest)? {
            // Cleared before the next look: what comes after that is news again.
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
            // Not there any more where this OS thread ends.
            let _last = LISTENERS.try_with(|listeners| listeners.forget(self));
        }
    }
}

impl Listeners {
    /// Refuses whoever is not the only one.
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

    /// Takes the entry of a descriptor out, unless it is that of another by now.
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
        self.descriptor
            .waiters
            .wait_for(&mut self.place, cx, closed, || Point::new("a descriptor", ""))
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

/// Says what eventlet says.
fn second_listener(number: RawFd, interest: Interest) -> io::Error {
    let message = format!(
        "Second simultaneous {interest} on fileno {number} detected. Unless you really know what you \
         are doing, make sure that only one green thread can {interest} any particular descriptor. \
         To have both served, call `eventlet::hubs::prevent_multiple_readers(false)`"
    );
    io::Error::new(io::ErrorKind::ResourceBusy, message)
}
