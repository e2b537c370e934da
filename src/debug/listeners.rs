//! Which descriptors are waited for.

use std::fmt;
use std::os::fd::RawFd;
use std::time::Duration;

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
        .map(|(fd, interest, key, waiting)| ListenerInfo {
            fd,
            interest,
            greenlet: key.map(Greenlet::new),
            waiting,
        })
        .collect();
    listeners.sort_by_key(|listener| (listener.fd, listener.interest == Interest::Write));
    listeners
}

/// Returns a line for each of the [listeners](hub_listeners) of this OS thread, readers first.
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
        match self.greenlet {
            Some(greenlet) => write!(f, ", green thread {}", greenlet.id()),
            None => Ok(()),
        }
    }
}
