//! `poll`, over any descriptors.

use std::fmt;
use std::io;
use std::ops::BitOr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use rustix::event::PollFlags;

use super::ready::{Asked, first_ready};
use crate::hub;

/// What a descriptor is asked for, or is ready for.
///
/// Corresponds to Python's `select.POLLIN` and so on.
///
/// # Examples
///
/// ```
/// use eventlet::hubs::Events;
///
/// let both = Events::IN | Events::OUT;
/// assert!(both.contains(Events::IN) && !both.contains(Events::HUP));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Events(PollFlags);

impl Events {
    /// There is something to read, or the end.
    pub const IN: Events = Events(PollFlags::IN);
    /// There is urgent data to read.
    pub const PRI: Events = Events(PollFlags::PRI);
    /// There is room to write.
    pub const OUT: Events = Events(PollFlags::OUT);
    /// There is an error. Reported without being asked for.
    pub const ERR: Events = Events(PollFlags::ERR);
    /// The other end has hung up. Reported without being asked for.
    pub const HUP: Events = Events(PollFlags::HUP);
    /// It is not a descriptor of this process. Reported without being asked for.
    pub const NVAL: Events = Events(PollFlags::NVAL);

    /// Returns whether all of the others are among these.
    pub fn contains(self, others: Events) -> bool {
        self.0.contains(others.0)
    }
}

impl BitOr for Events {
    type Output = Events;

    fn bitor(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            ("IN", Events::IN),
            ("PRI", Events::PRI),
            ("OUT", Events::OUT),
            ("ERR", Events::ERR),
            ("HUP", Events::HUP),
            ("NVAL", Events::NVAL),
        ];
        let set = names.into_iter().filter(|(_, event)| self.contains(*event));
        f.debug_set().entries(set.map(|(name, _)| format_args!("{name}").to_string())).finish()
    }
}

/// Descriptors to wait for together.
///
/// It keeps what is registered: descriptors, references to them, or
/// [`BorrowedFd`](std::os::fd::BorrowedFd)s.
///
/// Corresponds to Python's `select.poll()`.
///
/// # Differences
///
/// Eventlet removes it when it patches `select`, so that libraries use `select`.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
///
/// use eventlet::hubs::{Events, Poll};
///
/// # eventlet::run(async {
/// let (here, mut there) = UnixStream::pair().unwrap();
/// let mut poll = Poll::new();
/// poll.register(&here, Events::IN);
/// assert!(poll.poll(Duration::from_millis(1)).await.unwrap().is_empty());
///
/// there.write_all(b"hello").unwrap();
/// assert_eq!(poll.poll(None).await.unwrap()[0].1, Events::IN);
///
/// poll.modify(&here, Events::OUT).unwrap();
/// assert_eq!(poll.poll(None).await.unwrap()[0].1, Events::OUT);
/// assert!(poll.unregister(&here).is_some());
/// # });
/// ```
pub struct Poll<F> {
    registered: Vec<(F, Events)>,
}

impl<F: AsFd> Poll<F> {
    /// Makes one without descriptors.
    ///
    /// # Examples
    ///
    /// See [`Poll`].
    pub fn new() -> Poll<F> {
        Poll { registered: Vec::new() }
    }

    /// Adds a descriptor. One of the same number that was there is replaced, and returned.
    ///
    /// # Examples
    ///
    /// See [`Poll`].
    pub fn register(&mut self, fd: F, events: Events) -> Option<F> {
        let old = self.unregister(&fd);
        self.registered.push((fd, events));
        old
    }

    /// Changes what a descriptor is asked for.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) when it is not registered.
    ///
    /// # Examples
    ///
    /// See [`Poll`].
    pub fn modify(&mut self, fd: impl AsFd, events: Events) -> io::Result<()> {
        let number = number(&fd);
        let found = self.registered.iter_mut().find(|(fd, _)| self::number(fd) == number);
        let not_found = || {
            let message = format!("descriptor {number} is not registered");
            io::Error::new(io::ErrorKind::NotFound, message)
        };
        found.ok_or_else(not_found)?.1 = events;
        Ok(())
    }

    /// Removes a descriptor, if it is registered.
    ///
    /// # Examples
    ///
    /// See [`Poll`].
    pub fn unregister(&mut self, fd: impl AsFd) -> Option<F> {
        let number = number(&fd);
        let at = self.registered.iter().position(|(fd, _)| self::number(fd) == number)?;
        Some(self.registered.remove(at).0)
    }

    /// Waits until at least one of the descriptors is ready, no longer than `limit`, and returns
    /// those that are, with what they are ready for. Empty if the limit has passed.
    ///
    /// A limit of zero checks without waiting.
    ///
    /// # Panics, Yields, Killed
    ///
    /// As for [`select`](super::select()).
    ///
    /// # Errors
    ///
    /// The operating system's error for a descriptor that cannot be waited for. An invalid
    /// descriptor is not an error: it is ready for [`Events::NVAL`].
    ///
    /// # Examples
    ///
    /// See [`Poll`].
    #[track_caller]
    pub fn poll<L: Into<Option<Duration>>>(
        &self,
        limit: L,
    ) -> impl Future<Output = io::Result<Vec<(&F, Events)>>> + use<'_, F, L> {
        hub::expect("waiting for descriptors");
        let limit = limit.into();
        async move {
            let told = PollFlags::all();
            let asked = self.registered.iter().map(|(fd, events)| {
                let (fd, flags) = (fd.as_fd(), events.0);
                Asked { fd, flags, told }
            });
            let found = first_ready(&asked.collect::<Vec<_>>(), limit).await?;
            let each = self.registered.iter().zip(found);
            let ready = each.filter(|(_, found)| !found.is_empty());
            Ok(ready.map(|((fd, _), found)| (fd, Events(found))).collect())
        }
    }
}

fn number(fd: &impl AsFd) -> RawFd {
    fd.as_fd().as_raw_fd()
}

impl<F: AsFd> Default for Poll<F> {
    fn default() -> Poll<F> {
        Poll::new()
    }
}

impl<F: AsFd> fmt::Debug for Poll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registered = self.registered.iter().map(|(fd, events)| (number(fd), events));
        f.debug_map().entries(registered).finish()
    }
}
