//! Inspecting a pool without waiting: its values, and which key waits for which.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::rc::Rc;

use super::error::PropagateError;
use super::graph::Posted;
use super::pool::DAGPool;

impl<K, V> DAGPool<K, V>
where
    K: Clone + Eq + Hash + 'static,
    V: Clone + 'static,
{
    /// Returns the value of a key, or `None` when it has none yet.
    ///
    /// Corresponds to eventlet's `DAGPool.get`.
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
    /// let pool = DAGPool::new([("a", 1)]);
    /// assert_eq!(pool.get(&"a").unwrap(), Some(1));
    /// assert_eq!(pool.get(&"b").unwrap(), None);
    /// ```
    pub fn get(&self, key: &K) -> Result<Option<V>, PropagateError<K>> {
        self.graph.posted(key).map(|posted| posted.copy()).transpose()
    }

    /// Returns the keys that have a value, or an error in its place, in the order in which they got
    /// it.
    ///
    /// Corresponds to eventlet's `DAGPool.keys`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// let pool = DAGPool::new([("b", 2)]);
    /// pool.post("a", 1).unwrap();
    /// assert_eq!(pool.keys(), ["b", "a"]);
    /// ```
    pub fn keys(&self) -> Vec<K> {
        self.graph.all_posted().into_iter().map(|(key, _)| key).collect()
    }

    /// Returns the keys that have a value, with it, in the order in which they got it.
    ///
    /// Corresponds to eventlet's `DAGPool.items`.
    ///
    /// # Errors
    ///
    /// The first [`PropagateError`], if there is any.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// let pool = DAGPool::new([("a", 1)]);
    /// assert_eq!(pool.items().unwrap(), [("a", 1)]);
    /// ```
    pub fn items(&self) -> Result<Vec<(K, V)>, PropagateError<K>> {
        let item = |(key, posted): (K, Rc<Posted<K, V>>)| Ok((key, posted.copy()?));
        self.graph.all_posted().into_iter().map(item).collect()
    }

    /// Returns how many green threads of the pool have not ended.
    ///
    /// Corresponds to eventlet's `DAGPool.running`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::dagpool::DAGPool::default();
    /// pool.spawn("a", [], |_, _| async { Ok(1) }).unwrap();
    /// assert_eq!(pool.running(), 1);
    /// # });
    /// ```
    pub fn running(&self) -> usize {
        self.graph.jobs().len()
    }

    /// Returns the keys whose green threads have not ended, in the order of spawning.
    ///
    /// Corresponds to eventlet's `DAGPool.running_keys`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::dagpool::DAGPool::default();
    /// pool.spawn("a", [], |_, _| async { Ok(1) }).unwrap();
    /// assert_eq!(pool.running_keys(), ["a"]);
    /// # });
    /// ```
    pub fn running_keys(&self) -> Vec<K> {
        self.graph.jobs().into_iter().map(|(key, _)| key).collect()
    }

    /// Returns the keys that have a value, or an error in its place, or a green thread; those with
    /// a green thread last.
    ///
    /// It is what eventlet's `wait`, `wait_each` and the others wait for when they get no keys.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::dagpool::DAGPool::new([("a", 1)]);
    /// pool.spawn("b", [], |_, _| async { Ok(2) }).unwrap();
    /// assert_eq!(pool.known_keys(), ["a", "b"]);
    /// # });
    /// ```
    pub fn known_keys(&self) -> Vec<K> {
        self.graph.known()
    }

    /// Returns how many green threads of the pool depend on a key that has no value yet.
    ///
    /// Corresponds to eventlet's `DAGPool.waiting`.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let pool = eventlet::dagpool::DAGPool::default();
    /// pool.spawn("a", ["b"], |_, _| async { Ok(1) }).unwrap();
    /// assert_eq!(pool.waiting(), 1);
    /// # });
    /// ```
    pub fn waiting(&self) -> usize {
        self.waiting_for_all().len()
    }

    /// Returns the keys without a value that the green thread of a key depends on: none if it has
    /// ended. `None` for a key that the pool does not know.
    ///
    /// Corresponds to eventlet's `DAGPool.waiting_for(key)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashSet;
    ///
    /// # eventlet::run(async {
    /// let pool = eventlet::dagpool::DAGPool::new([("c", 3)]);
    /// pool.spawn("a", ["b", "c"], |_, _| async { Ok(1) }).unwrap();
    /// assert_eq!(pool.waiting_for(&"a"), Some(HashSet::from(["b"])));
    /// assert_eq!(pool.waiting_for(&"c"), Some(HashSet::new()));
    /// assert_eq!(pool.waiting_for(&"b"), None);
    /// # });
    /// ```
    pub fn waiting_for(&self, key: &K) -> Option<HashSet<K>> {
        self.graph.is_known(key).then(|| self.graph.pending(key))
    }

    /// Returns the keys whose green threads depend on keys without a value, each with those keys.
    ///
    /// Corresponds to eventlet's `DAGPool.waiting_for()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::{HashMap, HashSet};
    ///
    /// # eventlet::run(async {
    /// let pool = eventlet::dagpool::DAGPool::default();
    /// pool.spawn("a", ["b"], |_, _| async { Ok(1) }).unwrap();
    /// assert_eq!(pool.waiting_for_all(), HashMap::from([("a", HashSet::from(["b"]))]));
    /// # });
    /// ```
    pub fn waiting_for_all(&self) -> HashMap<K, HashSet<K>> {
        let jobs = self.graph.jobs().into_iter();
        jobs.filter(|(_, pending)| !pending.is_empty()).collect()
    }

    /// Returns the keys that are waited for, and that have neither a value nor a green thread.
    ///
    /// A waiter is a green thread of the pool that depends on the key, or a caller of `wait`. The
    /// program still has to post or spawn these keys. If it has nothing more to add they are
    /// mistakes, and their waiters wait forever unless they get an error:
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::new([("colour", 1)]);
    /// pool.spawn("paint", ["color"], |_, mut results| async move {
    ///     Ok(results.next().await.unwrap()?.1)
    /// })
    /// .unwrap();
    /// for key in pool.missing() {
    ///     pool.post_exception(key, "nobody is going to give this value").unwrap();
    /// }
    /// let error = pool.waitall().await.unwrap_err();
    /// assert!(error.to_string().ends_with("nobody is going to give this value"));
    /// # });
    /// ```
    ///
    /// Eventlet has no equivalent.
    pub fn missing(&self) -> HashSet<K> {
        self.graph.missing()
    }
}
