//! Waiting for values: the streams and futures over a graph.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::hash::Hash;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::error::PropagateError;
use super::graph::{Follower, Graph, Outcome};
use crate::waiters::Place;

/// The values of some keys, each as soon as it is available: first the available ones, in the order
/// of the keys, then the others in the order in which they are posted.
///
/// It is a [`Stream`] that ends after the last; [`next`](Results::next) needs no import. A key that
/// failed yields its [`PropagateError`], and the stream goes on.
///
/// [`DAGPool::wait_each`](super::DAGPool::wait_each) makes it, and each function of a pool gets one
/// for its dependencies. A function that drops it depends on nothing any more.
///
/// Corresponds to the generator of eventlet's `DAGPool.wait_each`, and to the `results` of a
/// function.
///
/// # Killed
///
/// Values that were not taken stay.
///
/// # Differences
///
/// Eventlet's generator ends when it raises a `PropagateError`.
///
/// # Examples
///
/// ```
/// use eventlet::dagpool::DAGPool;
///
/// # eventlet::run(async {
/// let pool = DAGPool::new([("a", 1)]);
/// let mut results = pool.wait_each(["b", "a"]);
/// assert_eq!(results.next().await.unwrap().unwrap(), ("a", 1));
/// pool.post("b", 2).unwrap();
/// assert_eq!(results.next().await.unwrap().unwrap(), ("b", 2));
/// assert!(results.next().await.is_none());
/// # });
/// ```
///
/// On a green stack, `.blocking()` iterates over it:
///
/// ```
/// # #[cfg(feature = "stackful")] {
/// use eventlet::dagpool::DAGPool;
/// use eventlet::{Block, Blocking, stackful};
///
/// eventlet::run(stackful(|| {
///     let pool = DAGPool::new([("a", 1), ("b", 2)]);
///     let sum = pool.spawn("sum", ["a", "b"], |_, results| {
///         stackful(move || {
///             let mut sum = 0;
///             for result in results.blocking() {
///                 sum += result?.1;
///             }
///             Ok(sum)
///         })
///     });
///     sum.unwrap();
///     assert_eq!(pool.wait_one("sum").block().unwrap(), 3);
/// }));
/// # }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Results<K: Clone + Eq + Hash, V> {
    graph: Rc<Graph<K, V>>,
    follower: Rc<Follower<K>>,
    place: Place,
}

impl<K: Clone + Eq + Hash, V: Clone> Results<K, V> {
    pub(super) fn new(graph: &Rc<Graph<K, V>>, keys: impl IntoIterator<Item = K>) -> Results<K, V> {
        let follower = graph.follow(keys);
        Results { graph: Rc::clone(graph), follower, place: Place::default() }
    }

    pub(super) fn follower(&self) -> &Rc<Follower<K>> {
        &self.follower
    }

    /// Waits for the next key with its value. `None` after the last.
    ///
    /// # Yields
    ///
    /// Until one of the keys has a value; not at all if one has, or after the last.
    ///
    /// # Killed
    ///
    /// Values that were not taken stay for the next call.
    ///
    /// # Errors
    ///
    /// The [`PropagateError`] of a key whose green thread ended without a value.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([("a", 1)]);
    /// assert_eq!(pool.wait_each(["a"]).next().await.unwrap().unwrap(), ("a", 1));
    /// # });
    /// ```
    pub async fn next(&mut self) -> Option<Result<(K, V), PropagateError<K>>> {
        let (key, outcome) = poll_fn(|cx| self.poll_outcome(cx)).await?;
        Some(outcome.map(|value| (key, value)))
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Option<(K, Outcome<K, V>)>> {
        let Some(key) = ready!(self.follower.poll_next(&mut self.place, cx)) else {
            return Poll::Ready(None);
        };
        // A value may be replaced, but is never taken back.
        let posted = self.graph.posted(&key).expect("a key that is ready has a value");
        Poll::Ready(Some((key, posted.copy())))
    }
}

/// The keys with their values, in the order in which they come.
impl<K: Clone + Eq + Hash, V: Clone> Stream for Results<K, V> {
    type Item = Result<(K, V), PropagateError<K>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.poll_outcome(cx));
        Poll::Ready(next.map(|(key, outcome)| outcome.map(|value| (key, value))))
    }
}

/// Nothing in it is pinned.
impl<K: Clone + Eq + Hash, V> Unpin for Results<K, V> {}

impl<K: Clone + Eq + Hash, V> Drop for Results<K, V> {
    fn drop(&mut self) {
        self.follower.leave(&mut self.place);
        self.graph.unfollow(&self.follower);
    }
}

/// Shows the keys that have no value yet.
impl<K: Clone + Eq + Hash + fmt::Debug, V> fmt::Debug for Results<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results")
            .field("pending", &self.follower.pending.borrow())
            .finish_non_exhaustive()
    }
}

/// The values of some keys, each as soon as it is available, without the keys that failed.
///
/// It is a [`Stream`] that ends when every key has a value or an error; [`next`](Successes::next)
/// needs no import. [`DAGPool::wait_each_success`](super::DAGPool::wait_each_success) makes it.
///
/// # Killed
///
/// Values that were not taken stay.
#[must_use = "streams do nothing unless polled"]
pub struct Successes<K: Clone + Eq + Hash, V>(pub(super) Results<K, V>);

impl<K: Clone + Eq + Hash, V: Clone> Successes<K, V> {
    /// Waits for the next key that has a value. `None` when every other key has one or has an
    /// error.
    ///
    /// # Yields
    ///
    /// Until one of the keys has a value; not at all if one has, or after the last.
    ///
    /// # Killed
    ///
    /// Values that were not taken stay for the next call.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([("a", 1)]);
    /// pool.post_exception("b", "no").unwrap();
    /// let mut values = pool.wait_each_success(["b", "a"]);
    /// assert_eq!(values.next().await, Some(("a", 1)));
    /// assert_eq!(values.next().await, None);
    /// # });
    /// ```
    pub async fn next(&mut self) -> Option<(K, V)> {
        poll_fn(|cx| self.poll_success(cx)).await
    }

    fn poll_success(&mut self, cx: &mut Context<'_>) -> Poll<Option<(K, V)>> {
        loop {
            match ready!(self.0.poll_outcome(cx)) {
                Some((key, Ok(value))) => return Poll::Ready(Some((key, value))),
                Some((_, Err(_))) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

/// The keys with their values, in the order in which they come.
impl<K: Clone + Eq + Hash, V: Clone> Stream for Successes<K, V> {
    type Item = (K, V);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(K, V)>> {
        self.poll_success(cx)
    }
}

impl<K: Clone + Eq + Hash + fmt::Debug, V> fmt::Debug for Successes<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Successes").field(&self.0).finish()
    }
}

/// The errors of those of some keys that failed, each as soon as it is available.
///
/// It is a [`Stream`] that ends when every key has a value or an error; [`next`](Exceptions::next)
/// needs no import. [`DAGPool::wait_each_exception`](super::DAGPool::wait_each_exception) makes it.
///
/// # Killed
///
/// Values that were not taken stay.
#[must_use = "streams do nothing unless polled"]
pub struct Exceptions<K: Clone + Eq + Hash, V>(pub(super) Results<K, V>);

impl<K: Clone + Eq + Hash, V: Clone> Exceptions<K, V> {
    /// Waits for the next key that has an error. `None` when every other key has one or has a
    /// value.
    ///
    /// # Yields
    ///
    /// Until one of the keys has an error; not at all if one has, or after the last.
    ///
    /// # Killed
    ///
    /// Values that were not taken stay for the next call.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([("a", 1)]);
    /// pool.post_exception("b", "no").unwrap();
    /// let mut errors = pool.wait_each_exception(["a", "b"]);
    /// let (key, error) = errors.next().await.unwrap();
    /// assert_eq!((key, error.to_string().as_str()), ("b", "PropagateError(\"b\"): no"));
    /// assert!(errors.next().await.is_none());
    /// # });
    /// ```
    pub async fn next(&mut self) -> Option<(K, PropagateError<K>)> {
        poll_fn(|cx| self.poll_exception(cx)).await
    }

    fn poll_exception(&mut self, cx: &mut Context<'_>) -> Poll<Option<(K, PropagateError<K>)>> {
        loop {
            match ready!(self.0.poll_outcome(cx)) {
                Some((key, Err(error))) => return Poll::Ready(Some((key, error))),
                Some((_, Ok(_))) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

/// The keys with their errors, in the order in which they come.
impl<K: Clone + Eq + Hash, V: Clone> Stream for Exceptions<K, V> {
    type Item = (K, PropagateError<K>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_exception(cx)
    }
}

impl<K: Clone + Eq + Hash + fmt::Debug, V> fmt::Debug for Exceptions<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exceptions").field(&self.0).finish()
    }
}

/// The future of [`DAGPool::wait`](super::DAGPool::wait) and
/// [`DAGPool::waitall`](super::DAGPool::waitall).
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct Wait<K: Clone + Eq + Hash, V> {
    results: Results<K, V>,
    values: HashMap<K, V>,
}

impl<K: Clone + Eq + Hash, V> Wait<K, V> {
    pub(super) fn new(results: Results<K, V>) -> Wait<K, V> {
        Wait { results, values: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Future for Wait<K, V> {
    type Output = Result<HashMap<K, V>, PropagateError<K>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some((key, outcome)) = ready!(this.results.poll_outcome(cx)) {
            this.values.insert(key, outcome?);
        }
        Poll::Ready(Ok(mem::take(&mut this.values)))
    }
}

/// Nothing in it is pinned.
impl<K: Clone + Eq + Hash, V> Unpin for Wait<K, V> {}

impl<K: Clone + Eq + Hash + fmt::Debug, V> fmt::Debug for Wait<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wait").field(&self.results).finish()
    }
}

/// The future of [`DAGPool::wait_one`](super::DAGPool::wait_one).
#[must_use = "futures do nothing unless they are awaited, or waited for with `.block()`"]
pub struct WaitOne<K: Clone + Eq + Hash, V>(pub(super) Results<K, V>);

impl<K: Clone + Eq + Hash, V: Clone> Future for WaitOne<K, V> {
    type Output = Result<V, PropagateError<K>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let only = ready!(self.0.poll_outcome(cx));
        let (_, outcome) = only.expect("a future of a DAGPool was polled after it was done");
        Poll::Ready(outcome)
    }
}

impl<K: Clone + Eq + Hash + fmt::Debug, V> fmt::Debug for WaitOne<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitOne").field(&self.0).finish()
    }
}
