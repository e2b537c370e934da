//! The pool: spawning and posting values, and waiting for them.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;

use super::error::{Collision, PropagateError, SpawnError};
use super::graph::{Graph, Job, find_cycle};
use super::results::{Exceptions, Results, Successes, Wait, WaitOne};
use crate::awaitable::Awaitable;
use crate::exit::{BoxError, Exit};
use crate::greenthread::{Greenlet, spawn};
use crate::report;

/// A pool of green threads that wait for each other's values.
///
/// Each key has at most one value. It was given at the start, or is [posted](DAGPool::post), or
/// returned by a green thread that was [spawned](DAGPool::spawn) for it. All green threads run
/// concurrently, each as far as the available values let it.
///
/// It is a handle: clones name the same pool. A value is cloned for each receiver; put one that is
/// expensive to clone in an [`Rc`].
///
/// Corresponds to eventlet's `dagpool.DAGPool`.
///
/// # Differences
///
/// A function returns a future of a `Result`, with any error in a box: an exception in eventlet is
/// its `Err`. A panic, a kill and a time limit become a [`PropagateError`] as well; in eventlet the
/// last two leave dependents waiting forever. Values that are available already come in the order
/// of the keys, and listings are ordered.
///
/// # Examples
///
/// ```
/// use eventlet::dagpool::DAGPool;
///
/// eventlet::run(async {
///     let pool = DAGPool::new([("flour", 500)]);
///     pool.spawn("dough", ["flour", "water"], |_, mut results| async move {
///         let mut weight = 0;
///         while let Some(result) = results.next().await {
///             let (_ingredient, grams) = result?;
///             weight += grams;
///         }
///         Ok(weight)
///     })
///     .unwrap();
///     pool.spawn("water", [], |_, _| async { Ok(350) }).unwrap();
///     assert_eq!(pool.waitall().await.unwrap()["dough"], 850);
/// });
/// ```
pub struct DAGPool<K, V> {
    pub(super) graph: Rc<Graph<K, V>>,
}

impl<K, V> DAGPool<K, V>
where
    K: Clone + Eq + Hash + 'static,
    V: Clone + 'static,
{
    /// Makes a pool that has these values from the start. [`DAGPool::default`] has none.
    ///
    /// Corresponds to eventlet's `DAGPool(preload)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// let pool = DAGPool::new([("a", 1), ("b", 2)]);
    /// assert_eq!(pool.keys(), ["a", "b"]);
    /// ```
    pub fn new(preload: impl IntoIterator<Item = (K, V)>) -> DAGPool<K, V> {
        let graph = Graph::new();
        for (key, value) in preload {
            graph.post(key, Ok(Rc::new(value)));
        }
        DAGPool { graph: Rc::new(graph) }
    }

    /// Starts a green thread whose value goes under `key`, and that depends on other keys.
    ///
    /// It runs `function(key, results)`. It starts at once, whatever it depends on, and waits only
    /// at `results`, which yields the values of those keys as they become available.
    ///
    /// Corresponds to eventlet's `DAGPool.spawn`.
    ///
    /// # Panics
    ///
    /// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Collision`] if the key has a value or a green thread, and
    /// [`SpawnError::Cycle`] if the new green thread would depend on itself, directly or through
    /// others. Nothing was started then. A green thread that dropped its `results` depends on
    /// nothing any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::default();
    /// pool.spawn("double", ["number"], |key, mut results| async move {
    ///     assert_eq!(key, "double");
    ///     let (_, number) = results.next().await.unwrap()?;
    ///     Ok(2 * number)
    /// })
    /// .unwrap();
    /// pool.post("number", 21).unwrap();
    /// assert_eq!(pool.wait_one("double").await.unwrap(), 42);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<D, F, J>(&self, key: K, depends: D, function: F) -> Result<(), SpawnError<K>>
    where
        D: IntoIterator<Item = K>,
        F: FnOnce(K, Results<K, V>) -> J + 'static,
        J: Awaitable<Result<V, BoxError>>,
    {
        let batch = [(key, depends.into_iter().collect())];
        self.check(&batch)?;
        let [(key, depends)] = batch;
        self.start(key, depends, function);
        Ok(())
    }

    /// Starts a green thread for each key, with what it depends on, all with the same function.
    ///
    /// It starts all or none.
    ///
    /// Corresponds to eventlet's `DAGPool.spawn_many`.
    ///
    /// # Panics
    ///
    /// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// As with [`spawn`](DAGPool::spawn), if any of them is refused. Nothing was started then.
    ///
    /// # Differences
    ///
    /// Eventlet's leaves those running that were started before a collision.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([(1, 1)]);
    /// let depends = (2..10).map(|n| (n, [n - 1]));
    /// pool.spawn_many(depends, |n, mut results| async move {
    ///     let (_, before) = results.next().await.unwrap()?;
    ///     Ok(before + n)
    /// })
    /// .unwrap();
    /// assert_eq!(pool.wait_one(9).await.unwrap(), 45);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_many<I, D, F, J>(&self, depends: I, function: F) -> Result<(), SpawnError<K>>
    where
        I: IntoIterator<Item = (K, D)>,
        D: IntoIterator<Item = K>,
        F: Fn(K, Results<K, V>) -> J + 'static,
        J: Awaitable<Result<V, BoxError>>,
    {
        let batch = depends.into_iter().map(|(key, depends)| (key, depends.into_iter().collect()));
        let batch: Vec<(K, Vec<K>)> = batch.collect();
        self.check(&batch)?;
        let function = Rc::new(function);
        for (key, depends) in batch {
            let function = Rc::clone(&function);
            self.start(key, depends, move |key, results| function(key, results));
        }
        Ok(())
    }

    /// Gives a key its value, and wakes its waiters.
    ///
    /// The green thread of a key may post its value itself, and go on; what it returns in the end
    /// is dropped then.
    ///
    /// Corresponds to eventlet's `DAGPool.post`.
    ///
    /// # Yields
    ///
    /// Never: the waiters run in later turns.
    ///
    /// # Errors
    ///
    /// [`Collision`] when the key has a value, or a green thread other than the one that calls
    /// this.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::{Collision, DAGPool};
    ///
    /// let pool = DAGPool::default();
    /// assert_eq!(pool.post("a", 1), Ok(()));
    /// assert_eq!(pool.post("a", 2), Err(Collision("a")));
    /// ```
    pub fn post(&self, key: K, value: V) -> Result<(), Collision<K>> {
        let key = self.unvalued(self.unpromised(key)?)?;
        self.graph.post(key, Ok(Rc::new(value)));
        Ok(())
    }

    /// Gives a key a value, in place of the one that it may have.
    ///
    /// Callers that have the old one keep it.
    ///
    /// Corresponds to eventlet's `DAGPool.post(key, value, replace=True)`.
    ///
    /// # Yields
    ///
    /// Never: the waiters run in later turns.
    ///
    /// # Errors
    ///
    /// [`Collision`] when the key has a green thread other than the one that calls this.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// let pool = DAGPool::new([("a", 1)]);
    /// pool.post_replace("a", 2).unwrap();
    /// assert_eq!(pool.get(&"a").unwrap(), Some(2));
    /// ```
    pub fn post_replace(&self, key: K, value: V) -> Result<(), Collision<K>> {
        let key = self.unpromised(key)?;
        self.graph.post(key, Ok(Rc::new(value)));
        Ok(())
    }

    /// Gives a key an error instead of a value: its waiters get a [`PropagateError`] around it.
    ///
    /// Corresponds to eventlet's `DAGPool.post(key, PropagateError(key, error))`.
    ///
    /// # Yields
    ///
    /// Never: the waiters run in later turns.
    ///
    /// # Errors
    ///
    /// [`Collision`] when the key has a value, or a green thread other than the one that calls
    /// this.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// let pool = DAGPool::<_, u32>::default();
    /// pool.post_exception("a", "the well is dry").unwrap();
    /// let error = pool.get(&"a").unwrap_err();
    /// assert_eq!(error.exc.error().unwrap().to_string(), "the well is dry");
    /// ```
    pub fn post_exception(&self, key: K, error: impl Into<BoxError>) -> Result<(), Collision<K>> {
        let key = self.unvalued(self.unpromised(key)?)?;
        let error = PropagateError { key: key.clone(), exc: Exit::thrown(error.into()) };
        self.graph.post(key, Err(error));
        Ok(())
    }

    /// Waits until all these keys have values, and returns those.
    ///
    /// A function of the pool that waits for its own key waits forever, unless it posts that key
    /// meanwhile.
    ///
    /// Corresponds to eventlet's `DAGPool.wait`.
    ///
    /// # Yields
    ///
    /// Until all have values; not at all if all have.
    ///
    /// # Killed
    ///
    /// Nothing is lost: the pool keeps the values.
    ///
    /// # Errors
    ///
    /// The first [`PropagateError`] of any of them, as soon as it is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([("a", 1), ("b", 2), ("c", 3)]);
    /// let values = pool.wait(["a", "c"]).await.unwrap();
    /// assert_eq!((values.len(), values["a"], values["c"]), (2, 1, 3));
    /// # });
    /// ```
    pub fn wait(&self, keys: impl IntoIterator<Item = K>) -> Wait<K, V> {
        Wait::new(self.wait_each(keys))
    }

    /// Waits until all keys that the pool knows of now have values, and returns those.
    ///
    /// It is [`wait`](DAGPool::wait) for the [`known_keys`](DAGPool::known_keys) of the moment of
    /// the call.
    ///
    /// Corresponds to eventlet's `DAGPool.waitall`.
    ///
    /// # Panics
    ///
    /// Inside a green thread of this pool that has no value yet, which would wait for itself
    /// forever.
    ///
    /// # Yields
    ///
    /// Until all have values; not at all if all have.
    ///
    /// # Killed
    ///
    /// Nothing is lost: the pool keeps the values.
    ///
    /// # Errors
    ///
    /// The first [`PropagateError`] of any of them, as soon as it is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([("a", 1)]);
    /// pool.spawn("b", [], |_, _| async { Ok(2) }).unwrap();
    /// assert_eq!(pool.waitall().await.unwrap().len(), 2);
    /// # });
    /// ```
    #[track_caller]
    pub fn waitall(&self) -> Wait<K, V> {
        let own = Greenlet::running().and_then(|greenlet| self.graph.key_of(greenlet));
        assert!(
            own.is_none(),
            "`waitall` inside a green thread of the same pool would wait for itself forever: call it \
             from outside, or `wait` for the keys that are needed"
        );
        self.wait(self.known_keys())
    }

    /// Waits until a key has a value, and returns it.
    ///
    /// Corresponds to eventlet's `pool[key]`.
    ///
    /// # Yields
    ///
    /// Until it has a value; not at all if it has.
    ///
    /// # Killed
    ///
    /// Nothing is lost: the pool keeps the value.
    ///
    /// # Errors
    ///
    /// The [`PropagateError`] in its place.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::default();
    /// pool.spawn("a", [], |_, _| async { Ok(1) }).unwrap();
    /// assert_eq!(pool.wait_one("a").await.unwrap(), 1);
    /// # });
    /// ```
    pub fn wait_one(&self, key: K) -> WaitOne<K, V> {
        WaitOne(self.wait_each([key]))
    }

    /// Returns the values of some keys as a stream, each as soon as it is there.
    ///
    /// Corresponds to eventlet's `DAGPool.wait_each`.
    ///
    /// # Yields
    ///
    /// Never; the stream does, where it waits.
    ///
    /// # Killed
    ///
    /// Nothing is lost: the pool keeps the values.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([("a", 1)]);
    /// pool.spawn("b", [], |_, _| async { Ok(2) }).unwrap();
    /// let mut results = pool.wait_each(pool.known_keys());
    /// while let Some(result) = results.next().await {
    ///     let (key, value) = result.unwrap();
    ///     assert!((key, value) == ("a", 1) || (key, value) == ("b", 2));
    /// }
    /// # });
    /// ```
    pub fn wait_each(&self, keys: impl IntoIterator<Item = K>) -> Results<K, V> {
        Results::new(&self.graph, keys)
    }

    /// Returns the values of some keys as a stream, without those keys that have an error instead.
    ///
    /// Corresponds to eventlet's `DAGPool.wait_each_success`.
    ///
    /// # Yields
    ///
    /// Never; the stream does, where it waits.
    ///
    /// # Killed
    ///
    /// Nothing is lost: the pool keeps the values.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([("a", 1)]);
    /// pool.spawn("b", [], |_, _| async { Err("no".into()) }).unwrap();
    /// let mut values = pool.wait_each_success(pool.known_keys());
    /// assert_eq!(values.next().await, Some(("a", 1)));
    /// assert_eq!(values.next().await, None);
    /// # });
    /// ```
    pub fn wait_each_success(&self, keys: impl IntoIterator<Item = K>) -> Successes<K, V> {
        Successes(self.wait_each(keys))
    }

    /// Returns the errors of some keys as a stream, without those keys that have a value.
    ///
    /// Corresponds to eventlet's `DAGPool.wait_each_exception`.
    ///
    /// # Yields
    ///
    /// Never; the stream does, where it waits.
    ///
    /// # Killed
    ///
    /// Nothing is lost: the pool keeps the values.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([("a", 1)]);
    /// pool.spawn("b", [], |_, _| async { Err("no".into()) }).unwrap();
    /// let mut errors = pool.wait_each_exception(pool.known_keys());
    /// assert_eq!(errors.next().await.unwrap().0, "b");
    /// assert!(errors.next().await.is_none());
    /// # });
    /// ```
    pub fn wait_each_exception(&self, keys: impl IntoIterator<Item = K>) -> Exceptions<K, V> {
        Exceptions(self.wait_each(keys))
    }

    /// Ends the green thread of a key, and returns whether there was one.
    ///
    /// The waiters of the key get a [`PropagateError`] whose [`Exit`] is [killed](Exit::is_killed).
    /// But a green thread that has not started is removed: the key can be spawned again, and its
    /// waiters go on waiting.
    ///
    /// Corresponds to eventlet's `DAGPool.kill`.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// Eventlet's raises a `KeyError` where this returns `false`, and also when it has killed a
    /// green thread that had started; its waiters wait forever.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// # eventlet::run(async {
    /// let pool = eventlet::dagpool::DAGPool::<_, u32>::default();
    /// pool.spawn("a", [], |_, _| pending()).unwrap();
    /// eventlet::sleep(Duration::ZERO).await;
    /// assert!(pool.kill(&"a"));
    /// assert!(pool.wait_one("a").await.unwrap_err().exc.is_killed());
    /// assert!(!pool.kill(&"a"));
    /// # });
    /// ```
    pub fn kill(&self, key: &K) -> bool {
        let Some(greenlet) = self.graph.greenlet(key) else { return false };
        if !greenlet.started() {
            self.graph.leave(key, greenlet);
        }
        greenlet.kill();
        true
    }

    /// Checks that these keys can be spawned, with what they depend on.
    fn check(&self, batch: &[(K, Vec<K>)]) -> Result<(), SpawnError<K>> {
        let mut depends = HashMap::new();
        for (key, on) in batch {
            if self.graph.is_known(key) || depends.insert(key, on).is_some() {
                return Err(Collision(key.clone()).into());
            }
        }
        // A cycle would include one of the new keys, so some key must depend on that one. Mostly
        // none does, as dependencies are spawned first, and then there is nothing to search.
        let closes = |(key, on): &(K, Vec<K>)| {
            self.graph.is_awaited(key) || on.iter().any(|on| depends.contains_key(on))
        };
        if !batch.iter().any(closes) {
            return Ok(());
        }
        let pending = |key: &K| match depends.get(key) {
            Some(on) => on.iter().filter(|on| self.graph.posted(on).is_none()).cloned().collect(),
            None => self.graph.pending(key),
        };
        match find_cycle(batch.iter().map(|(key, _)| key.clone()), pending) {
            Some(cycle) => Err(SpawnError::Cycle(cycle)),
            None => Ok(()),
        }
    }

    #[track_caller]
    fn start<F, J>(&self, key: K, depends: Vec<K>, function: F)
    where
        F: FnOnce(K, Results<K, V>) -> J + 'static,
        J: Awaitable<Result<V, BoxError>>,
    {
        let results = self.wait_each(depends);
        let depends = Rc::clone(results.follower());
        let named = key.clone();
        let gt = spawn(async move {
            let value = function(named, results).await;
            value.map(Rc::new).map_err(Exit::thrown)
        });
        let (greenlet, graph) = (*gt, Rc::clone(&self.graph));
        graph.enter(key.clone(), Job { greenlet, depends });
        // A link is called at every end, and before any waiter runs.
        gt.link(move |ended| {
            let value = ended.clone().and_then(|returned| returned);
            finish(&graph, key, greenlet, value);
        });
    }

    /// Returns the key, unless another green thread is to provide its value.
    fn unpromised(&self, key: K) -> Result<K, Collision<K>> {
        match self.graph.greenlet(&key) {
            Some(greenlet) if Greenlet::running() != Some(greenlet) => Err(Collision(key)),
            _ => Ok(key),
        }
    }

    /// Returns the key, unless it has a value.
    fn unvalued(&self, key: K) -> Result<K, Collision<K>> {
        if self.graph.posted(&key).is_some() { Err(Collision(key)) } else { Ok(key) }
    }
}

/// Posts the outcome of a green thread of the pool.
fn finish<K, V>(graph: &Graph<K, V>, key: K, greenlet: Greenlet, value: Result<Rc<V>, Exit>)
where
    K: Clone + Eq + Hash,
{
    let forgotten = !graph.leave(&key, greenlet);
    if forgotten || graph.posted(&key).is_some() {
        // This outcome has no receiver: the green thread has no key, or its value was posted
        // before.
        if let Some(exit) = value.err().filter(Exit::is_panic) {
            report::failure("in a green thread of a DAGPool after it had posted its value", &exit);
        }
        return;
    }
    graph.post(key.clone(), value.map_err(|exc| PropagateError { key, exc }));
}

/// Makes a pool without values.
impl<K, V> Default for DAGPool<K, V>
where
    K: Clone + Eq + Hash + 'static,
    V: Clone + 'static,
{
    fn default() -> DAGPool<K, V> {
        DAGPool::new([])
    }
}

/// Names the same pool.
impl<K, V> Clone for DAGPool<K, V> {
    fn clone(&self) -> DAGPool<K, V> {
        DAGPool { graph: Rc::clone(&self.graph) }
    }
}

impl<K, V> fmt::Debug for DAGPool<K, V>
where
    K: Clone + Eq + Hash + fmt::Debug + 'static,
    V: Clone + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DAGPool")
            .field("keys", &self.keys())
            .field("running", &self.running_keys())
            .field("waiting", &self.waiting())
            .finish()
    }
}
