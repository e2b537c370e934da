//! Giving up the turn, for a while or for one round.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::hub::Timer;

/// Waits for at least so long; [`Duration::ZERO`] gives up one turn.
///
/// With zero, everyone who is ready runs once before the caller goes on: three green threads that
/// alternate run as `abcabcabc`. Longer sleeps end at the next millisecond. The clock runs from the
/// call.
///
/// Who waits for a socket is ready once the hub has looked at I/O, not when the data arrives. While
/// green threads are ready the hub looks after 256 turns, or after a millisecond if that is sooner.
/// So a green thread that spins on `sleep(ZERO)` alone keeps a socket waiting for a few
/// microseconds, and others with longer turns for at most a millisecond and a turn. Where nobody
/// else is ready, [`tokio::task::yield_now`] has the hub look at once: it costs some twenty turns.
///
/// Corresponds to `eventlet.sleep`.
///
/// # Panics
///
/// With more than zero, where there is no hub: outside [`run`](crate::run) and
/// [`local`](crate::local).
///
/// # Yields
///
/// Always.
///
/// # Killed
///
/// Nothing stays behind.
///
/// # Differences
///
/// Eventlet looks at I/O after every round of turns. That is a system call for each round, which
/// costs as much as twenty turns.
///
/// The duration has no default, and cannot be negative. One beyond what the clock can hold,
/// [`Duration::MAX`] for one, never ends.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// # eventlet::run(async {
/// let start = Instant::now();
/// eventlet::sleep(Duration::from_millis(5)).await;
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// # });
/// ```
#[inline]
#[track_caller]
#[doc(alias = "yield_now")]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep(if duration.is_zero() {
        Kind::Turn { given: false }
    } else {
        Kind::Time(Timer::after(duration))
    })
}

/// The future of [`sleep`].
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Sleep(Kind);

enum Kind {
    /// Not `tokio::task::yield_now`: it goes through the I/O driver, ten times the cost of a turn,
    /// and lets every other round run in reverse.
    Turn {
        given: bool,
    },
    Time(Timer),
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Kind::Time(timer) => Pin::new(timer).poll(cx),
            Kind::Turn { given: true } => Poll::Ready(()),
            Kind::Turn { given } => {
                *given = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}
