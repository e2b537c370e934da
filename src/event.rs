//! One-shot events: a value, or an error, that any number of green threads can wait for.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::exit::{BoxError, Exit};
use crate::hub;
use crate::probe::Point;
use crate::waiters::{Place, Waiters};

/// A value that is sent once and that any number of green threads can wait for.
///
/// It is a handle: clones name the same event. An event without a value, `Event<()>`, just tells
/// that something has happened.
///
/// Corresponds to eventlet's `event.Event`.
///
/// # Differences
///
/// Waiters are woken in the order in which they came, not in an arbitrary one, and a wait that
/// timed out can be told from a value that was sent: see [`wait_timeout`](Event::wait_timeout).
///
/// # Examples
///
/// ```
/// use eventlet::Event;
///
/// eventlet::run(async {
///     let event = Event::new();
///     let waiter = eventlet::spawn({
///         let event = event.clone();
///         async move { event.wait().await.unwrap() + 1 }
///     });
///
///     event.send(41);
///     assert_eq!(waiter.await.unwrap(), 42);
///     assert_eq!(event.wait().await.unwrap(), 41); // as often as one likes
/// });
/// ```
pub struct Event<T = ()> {
    shared: Rc<Shared<T>>,
}

/// What was sent. Shared, because a waiter that was woken before a `reset` still gets it, and
/// because `T::clone` is user code and must find nothing borrowed.
type Sent<T> = Rc<Result<T, Exit>>;

struct Shared<T> {
    sent: RefCell<Option<Sent<T>>>,
    /// Empty once the event was sent.
    waiters: Waiters<(), Sent<T>>,
}

impl<T> Event<T> {
    /// Makes an event that has not been sent.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = eventlet::Event::<u8>::new();
    /// assert!(!event.ready());
    /// ```
    pub fn new() -> Event<T> {
        Event { shared: Rc::new(Shared { sent: RefCell::new(None), waiters: Waiters::new() }) }
    }

    /// Sends a value to all waiters of the event, now or later.
    ///
    /// Corresponds to eventlet's `Event.send`.
    ///
    /// # Yields
    ///
    /// Never: the waiters run in later turns.
    ///
    /// # Panics
    ///
    /// If the event was sent already, and not [`reset`](Event::reset) since.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Event;
    ///
    /// eventlet::run(async {
    ///     let event = Event::new();
    ///     event.send("ready");
    ///     assert_eq!(event.wait().await.unwrap(), "ready");
    /// });
    /// ```
    #[track_caller]
    pub fn send(&self, value: T) {
        self.trigger(Ok(value));
    }

    /// Sends an error to all waiters of the event, now or later.
    ///
    /// They get it as the [`error`](Exit::error) of an [`Exit`].
    ///
    /// Corresponds to eventlet's `Event.send_exception`.
    ///
    /// # Yields
    ///
    /// Never: the waiters run in later turns.
    ///
    /// # Panics
    ///
    /// If the event was sent already, and not [`reset`](Event::reset) since.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Event;
    ///
    /// eventlet::run(async {
    ///     let event = Event::<u8>::new();
    ///     event.send_exception("the disk is full");
    ///     let exit = event.wait().await.unwrap_err();
    ///     assert_eq!(exit.error().unwrap().to_string(), "the disk is full");
    /// });
    /// ```
    #[track_caller]
    pub fn send_exception(&self, error: impl Into<BoxError>) {
        self.trigger(Err(Exit::thrown(error.into())));
    }

    #[track_caller]
    fn trigger(&self, result: Result<T, Exit>) {
        assert!(!self.ready(), "trying to re-send an already triggered event: reset() it first");
        let sent = Rc::new(result);
        self.shared.sent.replace(Some(Rc::clone(&sent)));
        self.shared.waiters.choose_all(&sent);
    }

    /// Resets the event, so that it can be sent again.
    ///
    /// A waiter that was woken before still gets the value sent before. Reusing one event needs
    /// care, and a new event is cheap: eventlet discourages this too.
    ///
    /// Corresponds to eventlet's `Event.reset`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Panics
    ///
    /// When the event was not sent.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = eventlet::Event::new();
    /// event.send(1);
    /// event.reset();
    /// assert!(!event.ready());
    /// event.send(2);
    /// assert_eq!(event.poll_result(), Some(2));
    /// ```
    #[track_caller]
    pub fn reset(&self) {
        assert!(self.ready(), "trying to reset() an event that was not sent");
        // The old value is dropped here, after the borrow has ended.
        drop(self.shared.sent.take());
    }

    /// Returns whether something was sent, a value or an error.
    ///
    /// Corresponds to eventlet's `Event.ready`.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = eventlet::Event::new();
    /// assert!(!event.ready());
    /// event.send(());
    /// assert!(event.ready());
    /// ```
    pub fn ready(&self) -> bool {
        self.shared.sent.borrow().is_some()
    }

    /// Returns whether a value was sent.
    ///
    /// Corresponds to eventlet's `Event.has_result`.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = eventlet::Event::new();
    /// event.send(7);
    /// assert!(event.has_result() && !event.has_exception());
    /// ```
    pub fn has_result(&self) -> bool {
        self.sent().is_some_and(|sent| sent.is_ok())
    }

    /// Returns whether an error was sent.
    ///
    /// Corresponds to eventlet's `Event.has_exception`.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = eventlet::Event::<u8>::new();
    /// event.send_exception("no");
    /// assert!(event.has_exception() && !event.has_result());
    /// ```
    pub fn has_exception(&self) -> bool {
        self.sent().is_some_and(|sent| sent.is_err())
    }

    fn sent(&self) -> Option<Sent<T>> {
        self.shared.sent.borrow().clone()
    }
}

impl<T: Clone> Event<T> {
    /// Waits until the event is sent, and returns a clone of what was sent.
    ///
    /// Any number of green threads may wait, before and after the send.
    ///
    /// Corresponds to eventlet's `Event.wait`.
    ///
    /// # Yields
    ///
    /// Unless the event was sent already.
    ///
    /// # Killed
    ///
    /// The waiter leaves the wait queue; nothing is lost, as the event keeps its value.
    ///
    /// # Errors
    ///
    /// When an error was sent: an [`Exit`] with that error.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Event;
    ///
    /// eventlet::run(async {
    ///     let event = Event::new();
    ///     let waiters: Vec<_> = (0..3)
    ///         .map(|i| {
    ///             let event = event.clone();
    ///             eventlet::spawn(async move { event.wait().await.unwrap() * i })
    ///         })
    ///         .collect();
    ///
    ///     event.send(10);
    ///     for (i, waiter) in (0..).zip(waiters) {
    ///         assert_eq!(waiter.await.unwrap(), 10 * i);
    ///     }
    /// });
    /// ```
    pub fn wait(&self) -> Wait<'_, T> {
        Wait { event: self, place: Place::default() }
    }

    /// Waits until the event is sent, but no longer than `limit`.
    ///
    /// Returns `None` if nothing was sent in time. A limit of zero checks once.
    ///
    /// Corresponds to eventlet's `Event.wait` with a timeout.
    ///
    /// # Yields
    ///
    /// Unless the event was sent already.
    ///
    /// # Killed
    ///
    /// The waiter leaves the wait queue; nothing is lost, as the event keeps its value.
    ///
    /// # Panics
    ///
    /// If there is no hub.
    ///
    /// # Differences
    ///
    /// eventlet's returns `None` when it times out, which it also does when `None` was sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::Event;
    /// use std::time::Duration;
    ///
    /// eventlet::run(async {
    ///     let event = Event::new();
    ///     assert!(event.wait_timeout(Duration::from_millis(1)).await.is_none());
    ///
    ///     event.send(7);
    ///     assert_eq!(event.wait_timeout(Duration::ZERO).await.unwrap().unwrap(), 7);
    /// });
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, limit: Duration) -> impl Future<Output = Option<Result<T, Exit>>> {
        hub::within(Some(limit), self.wait())
    }

    /// Returns a clone of what was sent, or `None` when nothing was.
    ///
    /// Corresponds to eventlet's `Event.poll`, and gives the error instead of raising it.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = eventlet::Event::new();
    /// assert!(event.poll().is_none());
    /// event.send(7);
    /// assert_eq!(event.poll().unwrap().unwrap(), 7);
    /// ```
    pub fn poll(&self) -> Option<Result<T, Exit>> {
        self.sent().map(|sent| (*sent).clone())
    }

    /// Returns a clone of the value that was sent, or `None` when none was.
    ///
    /// Corresponds to eventlet's `Event.poll_result`.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = eventlet::Event::new();
    /// assert_eq!(event.poll_result(), None);
    /// event.send(7);
    /// assert_eq!(event.poll_result(), Some(7));
    /// ```
    pub fn poll_result(&self) -> Option<T> {
        self.poll()?.ok()
    }
}

impl<T> Event<T> {
    /// Returns the error that was sent, or `None` when none was.
    ///
    /// Corresponds to eventlet's `Event.poll_exception`, and returns the error instead of raising
    /// it.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = eventlet::Event::<u8>::new();
    /// assert!(event.poll_exception().is_none());
    /// event.send_exception("no");
    /// assert_eq!(event.poll_exception().unwrap().error().unwrap().to_string(), "no");
    /// ```
    pub fn poll_exception(&self) -> Option<Exit> {
        self.sent()?.as_ref().as_ref().err().cloned()
    }
}

impl<T> Clone for Event<T> {
    fn clone(&self) -> Self {
        Event { shared: Rc::clone(&self.shared) }
    }
}

impl<T> Default for Event<T> {
    fn default() -> Self {
        Event::new()
    }
}

impl<T> fmt::Debug for Event<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("has_result", &self.has_result())
            .field("has_exception", &self.has_exception())
            .field("waiting", &self.shared.waiters.len())
            .finish()
    }
}

/// The future that [`Event::wait`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Wait<'a, T> {
    event: &'a Event<T>,
    place: Place,
}

impl<T: Clone> Future for Wait<'_, T> {
    type Output = Result<T, Exit>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let event = this.event;
        let sent = || event.sent().ok_or(());
        let unsent = || Point::new("an event", "not sent");
        let polled = event.shared.waiters.wait(&mut this.place, cx, sent, unsent);
        polled.map(|sent| (*sent).clone())
    }
}

impl<T> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        // Nothing to pass on: every waiter was granted the same.
        self.event.shared.waiters.leave(&mut self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiters::stepping::{Stepped, paused};

    fn ok<T>(polled: Poll<Result<T, Exit>>) -> Poll<T> {
        polled.map(Result::unwrap)
    }

    #[test]
    fn a_sent_event_does_not_make_anybody_wait() {
        let event = Event::new();
        event.send(7);
        assert_eq!(ok(Stepped::new(event.wait()).step()), Poll::Ready(7));
        assert_eq!(ok(Stepped::new(event.wait()).step()), Poll::Ready(7));
    }

    #[test]
    fn send_wakes_everybody_who_waits() {
        let event = Event::new();
        let mut waiters: Vec<_> = (0..5).map(|_| Stepped::new(event.wait())).collect();
        assert!(waiters.iter_mut().all(|waiter| waiter.step().is_pending()));
        event.send("hello");
        for mut waiter in waiters {
            assert!(waiter.take_wakeup());
            assert_eq!(ok(waiter.step()), Poll::Ready("hello"));
        }
    }

    #[test]
    fn whoever_was_woken_before_a_reset_gets_the_old_value() {
        let event = Event::new();
        let (mut early, mut late) = (Stepped::new(event.wait()), Stepped::new(event.wait()));
        assert!(early.step().is_pending());
        event.send(1);
        event.reset();
        assert!(late.step().is_pending());
        event.send(2);
        assert_eq!(ok(early.step()), Poll::Ready(1));
        assert_eq!(ok(late.step()), Poll::Ready(2));
    }

    #[test]
    fn after_a_reset_an_exception_is_gone() {
        let event = Event::<u8>::new();
        event.send_exception("no");
        assert!(event.has_exception() && !event.has_result());
        assert!(event.poll_result().is_none());
        event.reset();
        assert!(event.poll_exception().is_none());
        assert!(Stepped::new(event.wait()).step().is_pending());
    }

    #[test]
    fn all_waiters_receive_the_very_error_that_was_sent() {
        let event = Event::<u8>::new();
        let mut waiters = [Stepped::new(event.wait()), Stepped::new(event.wait())];
        assert!(waiters.iter_mut().all(|waiter| waiter.step().is_pending()));
        event.send_exception(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let errors = waiters.map(|mut waiter| match waiter.step() {
            Poll::Ready(Err(exit)) => std::ptr::from_ref(exit.error().unwrap()).cast::<()>(),
            other => panic!("{other:?}"),
        });
        assert_eq!(errors[0], errors[1]);
    }

    #[test]
    fn a_waiter_that_gave_up_is_not_woken() {
        let event = Event::new();
        let mut waiter = Stepped::new(event.wait());
        assert!(waiter.step().is_pending());
        let wakeups = waiter.kill();
        event.send(());
        assert!(!wakeups.take());
    }

    #[test]
    fn a_wait_that_times_out_is_not_a_value() {
        paused(async {
            let event = Event::new();
            let second = Duration::from_secs(1);
            let send = async {
                hub::within(Some(2 * second), std::future::pending::<()>()).await;
                event.send(());
            };
            let waits = async {
                assert!(event.wait_timeout(second).await.is_none());
                event.wait_timeout(2 * second).await.unwrap().unwrap();
            };
            futures::join!(send, waits);
        });
    }

    #[test]
    #[should_panic = "re-send"]
    fn a_second_send_panics() {
        let event = Event::new();
        event.send(1);
        event.send(2);
    }

    #[test]
    #[should_panic = "not sent"]
    fn a_reset_before_send_panics() {
        Event::<()>::new().reset();
    }

    #[test]
    fn a_value_whose_clone_comes_back_finds_nothing_borrowed() {
        struct Nosy(Event<Nosy>);
        impl Clone for Nosy {
            fn clone(&self) -> Self {
                assert!(self.0.ready());
                self.0.reset();
                Nosy(self.0.clone())
            }
        }

        let event = Event::new();
        let mut waiter = Stepped::new(event.wait());
        assert!(waiter.step().is_pending());
        event.send(Nosy(event.clone()));
        assert!(waiter.step().is_ready());
        assert!(!event.ready());
    }
}
