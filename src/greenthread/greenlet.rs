//! A green thread by its number: everything that does not need its result.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

use crate::exit::{BoxError, Exit};
use crate::hub::{self, Job, Key, State};

/// Names a green thread, without its result.
///
/// It is a plain number: copying it is free, and keeping it does not keep the green thread or its
/// result alive. A [`GreenThread`](super::GreenThread) derefs to it.
///
/// Corresponds to a raw `greenlet`, as eventlet's `spawn_n` and `getcurrent` return it.
///
/// # Differences
///
/// A greenlet belongs to the OS thread that made it, so it is `!Send`: on another OS thread
/// eventlet would silently kill another greenlet, or none.
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<eventlet::Greenlet>();
/// ```
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// let greenlet = eventlet::spawn_n(std::future::pending::<()>());
/// assert!(!greenlet.dead());
/// greenlet.kill();
/// assert!(greenlet.dead());
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Greenlet {
    key: Key,
    not_send: PhantomData<*const ()>,
}

impl Greenlet {
    pub(crate) fn new(key: Key) -> Greenlet {
        Greenlet { key, not_send: PhantomData }
    }

    /// Makes the name of something that has ended already.
    pub(crate) fn ended() -> Greenlet {
        Greenlet::new(Key::ended())
    }

    /// Adds a green thread to this OS thread's hub.
    #[track_caller]
    pub(super) fn spawn(
        job: Pin<Rc<dyn Job>>,
        delayed: bool,
        spawned_at: &'static Location<'static>,
    ) -> Greenlet {
        let hub = hub::expect("spawning a green thread");
        Greenlet::new(hub.spawn(job, delayed, spawned_at))
    }

    pub(crate) fn key(self) -> Key {
        self.key
    }

    /// Returns a number that no other green thread of this OS thread ever has.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let one = eventlet::spawn_n(async {});
    /// let two = eventlet::spawn_n(async {});
    /// assert_ne!(one.id(), two.id());
    /// # });
    /// ```
    pub fn id(&self) -> u64 {
        self.key.serial()
    }

    /// Gives the green thread a name, which [`debug`](crate::debug) shows. One that has ended gets
    /// none.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(std::future::pending::<()>());
    /// gt.set_name("heartbeat");
    /// assert_eq!(gt.name().as_deref(), Some("heartbeat"));
    /// gt.kill();
    /// assert_eq!(gt.name(), None);
    /// # });
    /// ```
    pub fn set_name(&self, name: impl Into<Rc<str>>) {
        if let Some(hub) = hub::current() {
            hub.set_name(self.key, name.into());
        }
    }

    /// Returns the name that the green thread was given, if it was and has not ended.
    pub fn name(&self) -> Option<Rc<str>> {
        hub::current()?.name(self.key)
    }

    /// Returns whether the green thread has ended.
    ///
    /// Corresponds to eventlet's `GreenThread.dead`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async {});
    /// assert!(!gt.dead());
    /// gt.wait().await.unwrap();
    /// assert!(gt.dead());
    /// # });
    /// ```
    pub fn dead(&self) -> bool {
        self.state().is_none()
    }

    /// Returns what the green thread is doing, unless it has ended.
    pub(crate) fn state(self) -> Option<State> {
        // If there is no hub, it has ended together with the hub.
        hub::current()?.state(self.key)
    }

    /// Ends the green thread before this call returns.
    ///
    /// It stops at its wait: a stackless one is dropped, the stack of a stackful one is unwound.
    /// Its destructors and its links have run when this returns, and its waiters get an [`Exit`]
    /// that [`is_killed`](Exit::is_killed). One that has not started never starts. One that has
    /// ended is left alone.
    ///
    /// A green thread that kills itself goes on to its next wait, and ends there.
    ///
    /// A destructor may kill another green thread, whose destructor kills a third, and so on.
    /// Nested sixteen deep, `kill` returns at once, and the outermost `kill` ends that victim
    /// before it returns, so a chain of any length fits on the stack. Victims with stacks of their
    /// own do not count.
    ///
    /// Corresponds to eventlet's `GreenThread.kill()`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// In eventlet the caller yields, the victim may catch the exception and live on, and a green
    /// thread that kills itself sees the exception at once. Here a kill always ends the victim, and
    /// the caller keeps its turn.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(std::future::pending::<()>());
    /// gt.kill();
    /// assert!(gt.dead());
    /// assert!(gt.await.unwrap_err().is_killed());
    /// # });
    /// ```
    pub fn kill(&self) {
        self.end(Exit::killed());
    }

    /// Ends the green thread like [`kill`](Greenlet::kill), with an error for its waiters.
    ///
    /// Corresponds to eventlet's `GreenThread.kill(exc)`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(std::future::pending::<()>());
    /// gt.throw("the disk is full");
    /// assert_eq!(gt.await.unwrap_err().error().unwrap().to_string(), "the disk is full");
    /// # });
    /// ```
    pub fn throw(&self, error: impl Into<BoxError>) {
        self.end(Exit::thrown(error.into()));
    }

    /// Ends the green thread if it has not started yet, and leaves it alone if it has.
    ///
    /// Corresponds to eventlet's `GreenThread.cancel()`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let later = eventlet::spawn_after(Duration::from_secs(60), async {});
    /// later.cancel();
    /// assert!(later.await.unwrap_err().is_killed());
    /// # });
    /// ```
    pub fn cancel(&self) {
        if !self.started() {
            self.kill();
        }
    }

    /// Returns whether the green thread has begun its work. True for one that has ended.
    pub(crate) fn started(self) -> bool {
        hub::current().is_none_or(|hub| hub.started(self.key))
    }

    /// Returns the green thread that is running, if one is.
    pub(crate) fn running() -> Option<Greenlet> {
        hub::current()?.current().map(Greenlet::new)
    }

    /// Ends the green thread as [`kill`](Greenlet::kill) does, at any depth of nesting.
    #[cfg_attr(not(feature = "stackful"), expect(dead_code))]
    pub(crate) fn kill_now(self) {
        if let Some(hub) = hub::current() {
            hub.kill_now(self.key, Exit::killed());
        }
    }

    fn end(&self, exit: Exit) {
        // If there is no hub, it has ended together with the hub.
        if let Some(hub) = hub::current() {
            hub.kill(self.key, exit);
        }
    }
}

impl fmt::Debug for Greenlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Greenlet").field(&self.id()).finish()
    }
}

/// Returns the green thread that is running.
///
/// Corresponds to `eventlet.getcurrent`.
///
/// # Panics
///
/// Outside green threads: on an OS thread without a hub, or in a task that Tokio runs.
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// let gt = eventlet::spawn(async { eventlet::getcurrent().id() });
/// let id = gt.id();
/// assert_eq!(gt.await.unwrap(), id);
/// # });
/// ```
#[track_caller]
pub fn getcurrent() -> Greenlet {
    match hub::expect("asking for the current green thread").current() {
        Some(key) => Greenlet::new(key),
        None => panic!(
            "no green thread is running: this code belongs to a Tokio task beside the hub; start \
             it with `eventlet::spawn(..)` to make it a green thread"
        ),
    }
}

/// Ends a green thread before this call returns: the same as [`Greenlet::kill`].
///
/// Corresponds to `eventlet.kill`.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// let gt = eventlet::spawn(std::future::pending::<()>());
/// eventlet::kill(&gt);
/// assert!(gt.dead());
/// # });
/// ```
pub fn kill(greenlet: &Greenlet) {
    greenlet.kill();
}
