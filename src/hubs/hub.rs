//! The hub of this OS thread, as seen from outside.

use std::fmt;
use std::rc::Rc;

use crate::greenthread::Greenlet;
use crate::hub;
use crate::runtime::Aborted;

/// Returns the hub of this OS thread.
///
/// Corresponds to `eventlet.hubs.get_hub`.
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Differences
///
/// Eventlet makes a hub when there is none. Here [`run`](crate::run) and [`local`](crate::local)
/// do.
///
/// # Examples
///
/// ```
/// eventlet::run(async {
///     assert_eq!(eventlet::hubs::get_hub().green_threads(), 1, "the main green thread");
/// });
/// ```
#[track_caller]
pub fn get_hub() -> Hub {
    Hub(hub::expect("asking for the hub"))
}

/// A hub: what runs the green threads of one OS thread.
///
/// Corresponds to `eventlet.hubs.hub.BaseHub`.
#[derive(Clone)]
pub struct Hub(Rc<hub::Hub>);

impl Hub {
    /// Returns the number of green threads that have not ended, the main one included.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async {});
    /// assert_eq!(eventlet::hubs::get_hub().green_threads(), 2);
    /// gt.await.unwrap();
    /// assert_eq!(eventlet::hubs::get_hub().green_threads(), 1);
    /// # });
    /// ```
    pub fn green_threads(&self) -> usize {
        self.0.len()
    }

    /// Returns the number of pending sleeps and time limits.
    ///
    /// Corresponds to eventlet's `get_timers_count`, which also counts cancelled ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(eventlet::sleep(Duration::from_secs(60)));
    /// eventlet::sleep(Duration::ZERO).await;
    /// assert_eq!(eventlet::hubs::get_hub().timers(), 1);
    /// gt.kill();
    /// assert_eq!(eventlet::hubs::get_hub().timers(), 0);
    /// # });
    /// ```
    pub fn timers(&self) -> usize {
        self.0.timers()
    }

    /// Returns the bytes of stack of a stackful green thread that does not ask for a size itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::hubs::get_hub;
    ///
    /// let size = eventlet::runtime::Builder::new().stack_size(65536).run(async {
    ///     get_hub().stack_size()
    /// });
    /// assert_eq!(size.unwrap(), 65536);
    /// ```
    pub fn stack_size(&self) -> usize {
        self.0.stacks().size
    }

    /// Ends this hub, from any of its green threads: its main green thread is ended by the error
    /// [`Aborted`].
    ///
    /// The destructors of the main green thread have run when this returns, unless that is the
    /// caller: then it ends at its next wait. The caller goes on, and it and others that are ready
    /// may have some more turns. Then all green threads that are left are dropped, and their
    /// destructors run, as at the end of any hub. Calls that are scheduled are forgotten.
    ///
    /// [`Builder::run`](crate::runtime::Builder::run) returns the error, an
    /// [`io::Error`](std::io::Error) of the kind [`Interrupted`](std::io::ErrorKind::Interrupted),
    /// and [`run`](crate::run) and [`local`](crate::local), which have no value to return, panic. A
    /// [`HubThread`](crate::HubThread) ends as after [`shutdown`](crate::HubThread::shutdown).
    ///
    /// Corresponds to `BaseHub.abort`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// Eventlet's `abort` ends the loop and leaves its green threads where they are; they go on
    /// with the next hub that runs. `abort(True)` waits for the end: here the caller of `run` does
    /// that.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    ///
    /// use eventlet::hubs::get_hub;
    /// use eventlet::runtime::{Aborted, Builder};
    ///
    /// let ended = Builder::new().run(async {
    ///     eventlet::spawn_n(async { get_hub().abort() });
    ///     pending::<()>().await
    /// });
    /// assert!(Aborted::is_in(&ended.unwrap_err()));
    /// ```
    pub fn abort(&self) {
        if let Some(main) = self.0.main() {
            Greenlet::new(main).throw(Aborted);
        }
    }

    /// # Panics
    ///
    /// When this is not the hub of this OS thread any more.
    #[track_caller]
    pub(super) fn assert_runs(&self) {
        let runs = hub::current().is_some_and(|hub| Rc::ptr_eq(&hub, &self.0));
        assert!(runs, "this hub has ended: ask `get_hub()` for the one that runs now");
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("green_threads", &self.green_threads())
            .field("timers", &self.timers())
            .finish()
    }
}
