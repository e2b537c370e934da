//! The hub of this OS thread, as seen from outside.

use std::fmt;
use std::rc::Rc;

use crate::hub;

/// Returns the hub of this OS thread.
///
/// Corresponds to `eventlet.hubs.get_hub`.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Differences
///
/// Eventlet makes a hub when there is none. Here [`run`](crate::run) and [`local`](crate::local) do.
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

    /// Returns the number of sleeps and time limits that somebody waits for.
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
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("green_threads", &self.green_threads())
            .field("timers", &self.timers())
            .finish()
    }
}
