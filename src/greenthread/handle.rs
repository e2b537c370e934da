//! A green thread with its result.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::greenlet::Greenlet;
use super::outcome::{HasOutcome, Link, Reported};
use crate::exit::Exit;
use crate::hub::SpawnedAt;
use crate::waiters::Place;

/// A green thread and, once it has ended, its result.
///
/// It is a future of the result, so it can be awaited, raced and joined like any other.
/// [`wait`](GreenThread::wait) copies the result out instead and can be called any number of times.
/// Dropping the handle leaves the green thread running.
///
/// It derefs to a [`Greenlet`], which has [`kill`](Greenlet::kill), [`throw`](Greenlet::throw),
/// [`cancel`](Greenlet::cancel) and [`dead`](Greenlet::dead).
///
/// Corresponds to `eventlet.greenthread.GreenThread`.
///
/// # Differences
///
/// `wait()` returns the exception as an [`Exit`] where eventlet raises it. A green thread cannot be
/// handed to another OS thread, where eventlet would lose its wakeups silently:
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<eventlet::GreenThread<()>>();
/// ```
///
/// # Panics
///
/// A panic that ends the green thread does not spread: it is the `Err` of the result. If the handle
/// is dropped before any code has looked at the result, a panic is
/// [reported](crate::debug::hub_exceptions), and so is a value that is an `Err`.
///
/// Awaiting it panics inside the green thread itself, which would wait for itself forever, and if
/// its result was taken before.
///
/// # Killed
///
/// A waiter that is killed or times out loses nothing: the green thread runs on and its result
/// stays here.
///
/// # Examples
///
/// ```
/// eventlet::run(async {
///     let sum = eventlet::spawn(async { 1 + 2 });
///     assert_eq!(sum.await.unwrap(), 3);
/// });
/// ```
#[doc(alias = "JoinHandle")]
#[must_use = "use `spawn_n` for a green thread whose result is not needed"]
pub struct GreenThread<T> {
    greenlet: Greenlet,
    /// The job itself, which keeps the outcome.
    job: Pin<Rc<dyn HasOutcome<T>>>,
    /// Its wait state.
    place: Place,
}

impl<T> GreenThread<T> {
    pub(super) fn new(greenlet: Greenlet, job: Pin<Rc<dyn HasOutcome<T>>>) -> GreenThread<T> {
        GreenThread { greenlet, job, place: Place::default() }
    }

    /// Makes the handle of something that has ended already, with this result. `spawned_at` is the
    /// line that asked for it.
    pub(crate) fn ended(result: Result<T, Exit>, spawned_at: SpawnedAt) -> GreenThread<T>
    where
        T: 'static,
    {
        let outcome = Reported::new();
        outcome.store(result);
        outcome.announce(spawned_at);
        GreenThread::new(Greenlet::ended(), Rc::pin(outcome))
    }

    /// Makes a second handle, for another waiter. The result goes to the first that awaits.
    pub(crate) fn share(&self) -> GreenThread<T> {
        GreenThread::new(self.greenlet, Pin::clone(&self.job))
    }

    /// Waits until the green thread ends, and returns a copy of its result.
    ///
    /// Any number of callers may wait, any number of times. Await the `GreenThread` itself for a
    /// result that cannot be cloned.
    ///
    /// Corresponds to eventlet's `GreenThread.wait`.
    ///
    /// # Panics
    ///
    /// If the result was taken by awaiting the handle, and inside the green thread itself, which
    /// would wait for itself forever.
    ///
    /// # Yields
    ///
    /// Until the green thread ends; not at all if it has.
    ///
    /// # Killed
    ///
    /// The green thread that is waited for is not affected.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async { "done" });
    /// assert_eq!(gt.wait().await.unwrap(), "done");
    /// assert_eq!(gt.wait().await.unwrap(), "done");
    /// # });
    /// ```
    #[track_caller]
    pub fn wait(&self) -> Wait<'_, T>
    where
        T: Shared,
    {
        self.job.outcome().check_not_taken();
        self.job.check_not_running();
        Wait { thread: self, place: Place::default() }
    }

    /// Calls a function with the result, right when the green thread ends.
    ///
    /// Links run in the order in which they were added, before any waiter of the green thread
    /// resumes. On one that has ended, the link runs before this returns. A link that panics is
    /// reported and stops no other. A link cannot wait, but it can spawn.
    ///
    /// Corresponds to eventlet's `GreenThread.link`.
    ///
    /// # Panics
    ///
    /// If the result was taken by awaiting the handle: there is nothing left to call the function
    /// with. After [`wait`](GreenThread::wait) there is.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// The function gets the result, not the green thread; a closure captures any further
    /// arguments.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// # eventlet::run(async {
    /// let seen = Rc::new(Cell::new(0));
    /// let gt = eventlet::spawn(async { 7 });
    /// gt.link({
    ///     let seen = Rc::clone(&seen);
    ///     move |result| seen.set(*result.as_ref().unwrap())
    /// });
    /// gt.await.unwrap();
    /// assert_eq!(seen.get(), 7);
    /// # });
    /// ```
    #[track_caller]
    pub fn link(&self, function: impl FnOnce(&Result<T, Exit>) + 'static) -> Link {
        self.job.outcome().link(Box::new(function))
    }

    /// Removes a link, and returns whether it was still to be called.
    ///
    /// Corresponds to eventlet's `GreenThread.unlink`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async {});
    /// let link = gt.link(|_| unreachable!("it was removed"));
    /// assert!(gt.unlink(link));
    /// assert!(!gt.unlink(link));
    /// gt.await.unwrap();
    /// # });
    /// ```
    pub fn unlink(&self, link: Link) -> bool {
        self.job.outcome().unlink(link)
    }
}

/// The result, once the green thread has ended.
impl<T> Future for GreenThread<T> {
    type Output = Result<T, Exit>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Exit>> {
        let this = &mut *self;
        this.job.poll_take(&mut this.place, cx)
    }
}

impl<T> Deref for GreenThread<T> {
    type Target = Greenlet;

    fn deref(&self) -> &Greenlet {
        &self.greenlet
    }
}

impl<T> Drop for GreenThread<T> {
    fn drop(&mut self) {
        // Almost always it got its outcome, and finding the wait queue takes a call.
        if self.place.is_in_line() {
            self.job.outcome().leave(&mut self.place);
        }
    }
}

impl<T> fmt::Debug for GreenThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenThread").field("id", &self.id()).field("dead", &self.dead()).finish()
    }
}

/// A result that [`GreenThread::wait`] can return any number of times: every [`Clone`] type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Clone`, and `wait` returns a copy: await the handle itself, which moves the \
               result out",
    label = "not `Clone`",
    note = "that is `gt.await`, or `gt.block()` on a green stack"
)]
pub trait Shared: Clone {}

#[diagnostic::do_not_recommend]
impl<T: Clone> Shared for T {}

/// The future of [`GreenThread::wait`].
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Wait<'a, T> {
    thread: &'a GreenThread<T>,
    place: Place,
}

impl<T: Shared> Future for Wait<'_, T> {
    type Output = Result<T, Exit>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Exit>> {
        let this = &mut *self;
        let polled = this.thread.job.outcome().poll_copy(&mut this.place, cx);
        if polled.is_pending() {
            this.thread.job.check_not_running();
        }
        polled
    }
}

impl<T> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        self.thread.job.outcome().leave(&mut self.place);
    }
}

impl<T> fmt::Debug for Wait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}
