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
//! That is done before the kernel closes it, as another OS thread may have that number right
//! afterwards. But one that begins to wait in between has found it open. So it is done once more
//! when it is closed: those are woken, and try again.
//!
//! A signal handler may close something while its OS thread is amid anything. Then its hub reviews
//! all waits as soon as it can. Other hubs are told unless the OS thread has a lock of this crate.
//!
//! # Files
//!
//! Each imports only from those above it, and this one from all.
//!
//! | file | what it holds |
//! |---|---|
//! | `shared` | what all hubs know of a descriptor, and where each hears of those that others close |
//! | `table` | who waits for which descriptor of a hub, and what is remembered of it |
//! | `registration` | the epoll: what it watches, and the waits on trust |
//! | `pump` | the green thread that brings its events; what a close tells |

mod pump;
mod registration;
mod shared;
mod table;

use std::ffi::c_int;
use std::future::poll_fn;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

pub(crate) use pump::{close, close_range, is_patient, remember_patient};
use registration::Reactor;
pub(crate) use shared::{Moment, Woken, settings_changed};
use table::Wait;

use crate::clock::Deadline;
use crate::gate;

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
