//! Functions that the hub calls at a given time.

use std::fmt;
use std::time::Duration;

use super::hub::Hub;
use crate::greenthread::{Greenlet, spawn_after, spawn_after_local};

/// A function that is to be called later: what [`Hub::schedule_call_global`] returns.
///
/// Dropping it changes nothing.
///
/// Corresponds to `eventlet.hubs.timer.Timer`.
#[derive(Clone, Copy)]
pub struct ScheduledCall(Greenlet);

impl ScheduledCall {
    /// Prevents the call, unless it has begun.
    ///
    /// # Examples
    ///
    /// See [`Hub::schedule_call_global`].
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Returns whether the call is still to come.
    ///
    /// # Examples
    ///
    /// See [`Hub::schedule_call_global`].
    pub fn pending(&self) -> bool {
        !self.0.started()
    }
}

impl fmt::Debug for ScheduledCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduledCall").field("pending", &self.pending()).finish()
    }
}

impl Hub {
    /// Calls a function after so long, even if the caller has ended by then.
    ///
    /// The function is called in a green thread of its own, and a panic ends only that.
    ///
    /// Corresponds to `BaseHub.schedule_call_global`.
    ///
    /// # Panics
    ///
    /// When this hub has ended.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// In eventlet the function runs in the hub itself, and must not wait. Here it cannot: use
    /// [`spawn_after`] for code that waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    ///
    /// use eventlet::hubs::get_hub;
    ///
    /// # eventlet::run(async {
    /// let calls = Rc::new(Cell::new(0));
    /// let count = |calls: &Rc<Cell<u32>>| {
    ///     let calls = Rc::clone(calls);
    ///     move || calls.set(calls.get() + 1)
    /// };
    /// let soon = get_hub().schedule_call_global(Duration::from_millis(1), count(&calls));
    /// let never = get_hub().schedule_call_global(Duration::from_millis(1), count(&calls));
    /// never.cancel();
    /// assert!(soon.pending() && !never.pending());
    ///
    /// eventlet::sleep(Duration::from_millis(5)).await;
    /// assert_eq!(calls.get(), 1);
    /// # });
    /// ```
    #[track_caller]
    pub fn schedule_call_global(
        &self,
        delay: Duration,
        function: impl FnOnce() + 'static,
    ) -> ScheduledCall {
        self.assert_runs();
        ScheduledCall(*spawn_after(delay, async move { function() }))
    }

    /// Calls a function after so long, unless the green thread that asks has ended by then.
    ///
    /// Corresponds to `BaseHub.schedule_call_local`.
    ///
    /// # Panics
    ///
    /// When this hub has ended, and outside green threads.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// As for [`schedule_call_global`](Hub::schedule_call_global).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use eventlet::hubs::get_hub;
    ///
    /// # eventlet::run(async {
    /// let millisecond = Duration::from_millis(1);
    /// let short = eventlet::spawn(async move {
    ///     get_hub().schedule_call_local(millisecond, || unreachable!());
    /// });
    /// short.await.unwrap();
    /// eventlet::sleep(5 * millisecond).await;
    /// # });
    /// ```
    #[track_caller]
    pub fn schedule_call_local(
        &self,
        delay: Duration,
        function: impl FnOnce() + 'static,
    ) -> ScheduledCall {
        self.assert_runs();
        ScheduledCall(*spawn_after_local(delay, async move { function() }))
    }
}
