//! Yielding, for a while or for one round.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::hub::Timer;

/// Waits for at least so long; [`Duration::ZERO`] yields once.
///
/// With zero, all ready green threads run once before the caller goes on: three green threads that
/// alternate run as `abcabcabc`. Longer sleeps end at the next millisecond. The clock runs from the
/// call.
///
/// A green thread that waits for a socket becomes ready when the hub polls the I/O driver, not when
/// the data arrives. While green threads are ready, the hub polls the driver every 256 turns, or
/// every millisecond if that is sooner. So a green thread that spins on `sleep(ZERO)` alone delays
/// a socket by a few microseconds, and green threads with longer turns by at most a millisecond and
/// a turn. If no other green thread is ready, [`tokio::task::yield_now`] makes the hub poll the
/// driver at once; it costs some twenty turns.
///
/// Corresponds to `eventlet.sleep`.
///
/// # Panics
///
/// With more than zero, if there is no hub: outside [`run`](crate::run) and
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
/// Eventlet polls for I/O after every round of turns. That is a system call per round, which costs
/// as much as twenty turns.
///
/// The duration has no default, and cannot be negative. One beyond the range of the clock, such as
/// [`Duration::MAX`], never ends.
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
    /// Not `tokio::task::yield_now`: it goes through the I/O driver, which costs ten turns, and
    /// makes every other round run in reverse.
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
