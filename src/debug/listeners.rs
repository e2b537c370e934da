//! Which descriptors are waited for.

use std::backtrace::Backtrace;
use std::fmt;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use crate::frames;
use crate::greenthread::Greenlet;
use crate::hubs::{self, Interest};

/// A green thread that waits for a descriptor.
///
/// Its `Display` is one line of [`format_hub_listeners`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenerInfo {
    /// The number of the descriptor.
    pub fd: RawFd,
    /// What is waited for.
    pub interest: Interest,
    /// Who waits.
    pub greenlet: Option<Greenlet>,
    /// For how long.
    pub waiting: Duration,
    place: Option<Rc<Backtrace>>,
}

impl ListenerInfo {
    /// Returns the backtrace of where the wait began, if that was [noted](hub_listener_stacks).
    pub fn waits_at(&self) -> Option<String> {
        self.place.as_ref().map(|place| frames::of_begin(&place.to_string()))
    }
}

/// Returns who waits for which descriptor on this OS thread, in the order of their numbers.
///
/// They are those of [`trampoline`](crate::hubs::trampoline). Sockets of Tokio, and so those of
/// `connect`, `listen` and `green::net`, wait in Tokio's reactor, which shows nobody: of these it
/// can be seen which green threads wait, and for stackful ones where.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
///
/// use eventlet::hubs::{Interest, trampoline};
///
/// # eventlet::run(async {
/// let (here, _there) = UnixStream::pair().unwrap();
/// let reader = eventlet::spawn(trampoline(here, Interest::Read, None));
/// eventlet::sleep(Duration::ZERO).await;
/// let [listener] = &eventlet::debug::hub_listeners()[..] else { panic!("there is one") };
/// assert_eq!((listener.interest, listener.greenlet), (Interest::Read, Some(*reader)));
/// # reader.kill();
/// # });
/// ```
pub fn hub_listeners() -> Vec<ListenerInfo> {
    let mut listeners: Vec<ListenerInfo> = hubs::listeners()
        .into_iter()
        .map(|wait| ListenerInfo {
            fd: wait.fd,
            interest: wait.interest,
            greenlet: wait.who.map(Greenlet::new),
            waiting: wait.since.elapsed(),
            place: wait.place,
        })
        .collect();
    listeners.sort_by_key(|listener| (listener.fd, listener.interest == Interest::Write));
    listeners
}

/// Switches on or off that it is noted where each wait for a descriptor begins on this OS thread,
/// for [`ListenerInfo::waits_at`] and [`format_hub_listeners`].
///
/// It is off at first, as a backtrace takes some ten microseconds and a few kilobytes. Waits that
/// began before have none.
///
/// Corresponds to `eventlet.debug.hub_listener_stacks`.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// eventlet::debug::hub_listener_stacks(true);
/// ```
pub fn hub_listener_stacks(keep: bool) {
    hubs::keep_places(keep);
}

/// Returns a line for each of the [listeners](hub_listeners) of this OS thread, readers first, and
/// where the wait began, if that was [noted](hub_listener_stacks).
///
/// Corresponds to `eventlet.debug.format_hub_listeners`.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// assert_eq!(eventlet::debug::format_hub_listeners(), "READERS:\nWRITERS:\n");
/// # });
/// ```
pub fn format_hub_listeners() -> String {
    let listeners = hub_listeners();
    let of = |interest| {
        let of_it = listeners.iter().filter(move |listener| listener.interest == interest);
        of_it.map(|listener| format!("{listener}\n")).collect::<String>()
    };
    format!("READERS:\n{}WRITERS:\n{}", of(Interest::Read), of(Interest::Write))
}

impl fmt::Display for ListenerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "descriptor {}, to {}, for {:?}", self.fd, self.interest, self.waiting)?;
        if let Some(greenlet) = self.greenlet {
            write!(f, ", green thread {}", greenlet.id())?;
        }
        self.waits_at().map_or(Ok(()), |place| write!(f, "\n{}", place.trim_end()))
    }
}
