//! Waiting for the first of several descriptors.
//!
//! As in `trampoline`: `poll(2)` says what is ready, and Tokio's reactor when to ask again, by duplicates that
//! are registered for as long as somebody waits.

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

/// A descriptor, and what is asked of it.
pub(super) type Asked<'a> = (BorrowedFd<'a>, PollFlags);

/// Waits until one of several descriptors at least is ready, no longer than `limit`. Returns what each of
/// them is ready for.
pub(super) async fn first_ready(
    asked: &[Asked<'_>],
    limit: Option<Duration>,
) -> io::Result<Vec<PollFlags>> {
    // Descriptors that are always ready must not keep the turn forever.
    coop::consume_budget().await;
    let found = look(asked)?;
    if is_any(&found) || limit == Some(Duration::ZERO) {
        return Ok(found);
    }
    match Timeout::new(limit).run(wait(asked)).await {
        Ok(found) => found,
        Err(_late) => look(asked),
    }
}

/// Asks what each descriptor is ready for now.
fn look(asked: &[Asked<'_>]) -> io::Result<Vec<PollFlags>> {
    let ask = asked.iter().map(|&(fd, flags)| PollFd::from_borrowed_fd(fd, flags));
    let mut fds: Vec<_> = ask.collect();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)))?;
    Ok(fds.iter().map(PollFd::revents).collect())
}

fn is_any(found: &[PollFlags]) -> bool {
    found.iter().any(|found| !found.is_empty())
}

async fn wait(asked: &[Asked<'_>]) -> io::Result<Vec<PollFlags>> {
    let news: Vec<_> = asked.iter().map(News::new).collect::<io::Result<_>>()?;
    loop {
        let found = look(asked)?;
        if is_any(&found) {
            return Ok(found);
        }
        first(&news).await?;
    }
}

/// Waits until there is news of one descriptor, which is old from then on: what comes after that is news
/// again.
async fn first(news: &[News]) -> io::Result<()> {
    let mut each: Vec<_> = news.iter().map(|news| Box::pin(news.wait())).collect();
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
    fn new(&(fd, flags): &Asked<'_>) -> io::Result<News> {
        let interest = interest(flags);
        // Deprecated from Tokio 1.54 on, as it takes what may be closed under it. An `OwnedFd` cannot be.
        #[allow(deprecated)]
        let registration = AsyncFd::with_interest(fd.try_clone_to_owned()?, interest)?;
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
/// Nobody else tells of urgent data; it comes with what is to be read.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
const URGENT: Interest = Interest::READABLE;
