//! Waiting for the first of several descriptors.
//!
//! As in `trampoline`: `poll(2)` says what is ready, and Tokio's reactor when to ask again, by
//! duplicates that are registered during the wait.

use std::future::poll_fn;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::task::Poll;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::coop;

use crate::timeout::Timeout;

/// A descriptor that is waited for.
pub(super) struct Asked<'a> {
    pub(super) fd: BorrowedFd<'a>,
    /// What it is asked for.
    pub(super) flags: PollFlags,
    /// What ends the wait. The system also reports ends and errors that were not asked for.
    pub(super) told: PollFlags,
}

/// Waits until at least one of several descriptors is ready, no longer than `limit`. Returns what
/// is reported for each of them.
pub(super) async fn first_ready(
    asked: &[Asked<'_>],
    limit: Option<Duration>,
) -> io::Result<Vec<PollFlags>> {
    // A loop over descriptors that are always ready must still yield.
    coop::consume_budget().await;
    let told = told(asked, &look(asked)?);
    if is_any(&told) || limit == Some(Duration::ZERO) {
        return Ok(told);
    }
    match Timeout::new(limit).run(wait(asked)).await {
        Ok(told) => told,
        Err(_late) => Ok(self::told(asked, &look(asked)?)),
    }
}

/// Polls what each descriptor is ready for now.
fn look(asked: &[Asked<'_>]) -> io::Result<Vec<PollFlags>> {
    let ask = asked.iter().map(|asked| PollFd::from_borrowed_fd(asked.fd, asked.flags));
    let mut fds: Vec<_> = ask.collect();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)))?;
    Ok(fds.iter().map(PollFd::revents).collect())
}

fn told(asked: &[Asked<'_>], found: &[PollFlags]) -> Vec<PollFlags> {
    let each = asked.iter().zip(found);
    each.map(|(asked, found)| *found & (asked.told | PollFlags::NVAL)).collect()
}

fn is_any(told: &[PollFlags]) -> bool {
    told.iter().any(|told| !told.is_empty())
}

async fn wait(asked: &[Asked<'_>]) -> io::Result<Vec<PollFlags>> {
    let news = asked.iter().map(|asked| News::new(asked).map(Some));
    let mut news: Vec<_> = news.collect::<io::Result<_>>()?;
    loop {
        let found = look(asked)?;
        let told = told(asked, &found);
        if is_any(&told) {
            return Ok(told);
        }
        // A descriptor that has ended has no more news, and Tokio would report its end again and
        // again.
        let ended = |found: &PollFlags| found.intersects(PollFlags::HUP | PollFlags::ERR);
        news.iter_mut()
            .zip(&found)
            .filter(|(_, found)| ended(found))
            .for_each(|(news, _)| *news = None);
        first(&news).await?;
    }
}

/// Waits for an event of one descriptor and clears it, so that only a later event ends the next
/// wait.
async fn first(news: &[Option<News>]) -> io::Result<()> {
    let mut each: Vec<_> = news.iter().flatten().map(|news| Box::pin(news.wait())).collect();
    poll_fn(|cx| {
        let mut polled = each.iter_mut().map(|news| news.as_mut().poll(cx));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

/// Tells when to ask again.
struct News {
    registration: AsyncFd<OwnedFd>,
    interest: Interest,
}

impl News {
    fn new(asked: &Asked<'_>) -> io::Result<News> {
        let interest = interest(asked.flags);
        // Deprecated from Tokio 1.54 on, as the descriptor may be closed under it. An `OwnedFd`
        // cannot be.
        #[allow(deprecated)]
        let registration = AsyncFd::with_interest(asked.fd.try_clone_to_owned()?, interest)?;
        Ok(News { registration, interest })
    }

    async fn wait(&self) -> io::Result<()> {
        self.registration.ready(self.interest).await?.clear_ready();
        Ok(())
    }
}

fn interest(flags: PollFlags) -> Interest {
    let mut interest = Interest::ERROR;
    if flags.contains(PollFlags::IN) {
        interest |= Interest::READABLE;
    }
    if flags.contains(PollFlags::OUT) {
        interest |= Interest::WRITABLE;
    }
    if flags.contains(PollFlags::PRI) {
        interest |= URGENT;
    }
    interest
}

#[cfg(any(target_os = "android", target_os = "linux"))]
const URGENT: Interest = Interest::PRIORITY;
/// Other systems do not report urgent data by itself; it comes with readability.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
const URGENT: Interest = Interest::READABLE;
