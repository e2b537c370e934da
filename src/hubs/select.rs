//! `select`, over any descriptors.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::PollFlags;

use super::ready::{Asked, first_ready};
use crate::hub;

/// Those of the descriptors given to [`select`] that can be read, that can be written, and that are
/// in an exceptional state.
pub type Selected<F> = (Vec<F>, Vec<F>, Vec<F>);

/// Waits until at least one of several descriptors is ready, no longer than `limit`, and returns
/// all that are ready then. Empty if the limit has passed.
///
/// `except` waits for urgent data of sockets, and whatever else `POLLPRI` says. Without descriptors
/// this sleeps. A limit of zero checks without waiting. Regular files are always ready.
///
/// The lists hold anything with a descriptor, such as references to sockets. Sockets of several
/// types have [`BorrowedFd`](std::os::fd::BorrowedFd) in common. If only a number is known,
/// [`BorrowedFd::borrow_raw`](std::os::fd::BorrowedFd::borrow_raw) makes one.
///
/// Corresponds to `eventlet.green.select.select`.
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Until a descriptor is ready; not at all if one is.
///
/// # Killed
///
/// Nothing stays behind.
///
/// # Errors
///
/// `EBADF` if one of them is not a descriptor of this process, and any other error of the operating
/// system for one that cannot be waited for.
///
/// # Differences
///
/// Eventlet returns one descriptor at most, and ignores the third list. It refuses a descriptor
/// that another green thread waits for; here each is told what is ready, and a slower one may find
/// nothing left: descriptors should be non-blocking.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
///
/// use eventlet::hubs::select;
///
/// # eventlet::run(async {
/// let (one, _one_end) = UnixStream::pair().unwrap();
/// let (other, mut other_end) = UnixStream::pair().unwrap();
/// other_end.write_all(b"hello").unwrap();
///
/// let (read, write, except) = select([&one, &other], [&one], [], None).await.unwrap();
/// assert!(std::ptr::eq(read[0], &other) && read.len() == 1);
/// assert!(std::ptr::eq(write[0], &one) && except.is_empty());
///
/// let (read, ..) = select([&one], [], [], Duration::from_millis(1)).await.unwrap();
/// assert!(read.is_empty());
/// # });
/// ```
///
/// On a green stack:
///
/// ```
/// # #[cfg(feature = "stackful")]
/// # eventlet::run(eventlet::stackful(|| {
/// # use std::os::unix::net::UnixStream;
/// use eventlet::Block;
/// use eventlet::green::select::select;
///
/// let (socket, _peer) = UnixStream::pair().unwrap();
/// let (_, write, _) = select([], [&socket], [], None).block().unwrap();
/// assert_eq!(write.len(), 1);
/// # }));
/// ```
#[track_caller]
pub fn select<F, R, W, X, L>(
    read: R,
    write: W,
    except: X,
    limit: L,
) -> impl Future<Output = io::Result<Selected<F>>> + use<F, R, W, X, L>
where
    F: AsFd,
    R: IntoIterator<Item = F>,
    W: IntoIterator<Item = F>,
    X: IntoIterator<Item = F>,
    L: Into<Option<Duration>>,
{
    hub::expect("waiting for descriptors");
    let limit = limit.into();
    let lists = [Vec::from_iter(read), Vec::from_iter(write), Vec::from_iter(except)];
    async move {
        let each = lists.iter().zip(ASKED).flat_map(|(list, (flags, told))| {
            list.iter().map(move |fd| Asked { fd: fd.as_fd(), flags, told })
        });
        let found = first_ready(&each.collect::<Vec<_>>(), limit).await?;
        if found.iter().any(|found| found.contains(PollFlags::NVAL)) {
            return Err(rustix::io::Errno::BADF.into());
        }
        let mut found = found.into_iter();
        let mut ready = |list: Vec<F>| -> Vec<F> {
            let each = list.into_iter().zip(&mut found);
            each.filter(|(_, found)| !found.is_empty()).map(|(fd, _)| fd).collect()
        };
        let [read, write, except] = lists;
        Ok((ready(read), ready(write), ready(except)))
    }
}

/// What each list asks for, and what makes its descriptors ready: readers and writers are also told
/// of errors and of the end.
const ASKED: [(PollFlags, PollFlags); 3] = [
    (PollFlags::IN, PollFlags::IN.union(PollFlags::HUP).union(PollFlags::ERR)),
    (PollFlags::OUT, PollFlags::OUT.union(PollFlags::HUP).union(PollFlags::ERR)),
    (PollFlags::PRI, PollFlags::PRI),
];
