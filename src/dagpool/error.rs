//! The errors of a [`DAGPool`](super::DAGPool).

use std::error::Error;
use std::fmt;

use crate::exit::Exit;

/// The key has a value already, or a green thread that is to provide it.
///
/// Corresponds to eventlet's `dagpool.Collision`.
///
/// # Examples
///
/// ```
/// use eventlet::dagpool::{Collision, DAGPool};
///
/// let pool = DAGPool::new([("a", 1)]);
/// let collision = pool.post("a", 2).unwrap_err();
/// assert_eq!(collision, Collision("a"));
/// assert_eq!(collision.to_string(), "the key \"a\" is in use");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collision<K>(pub K);

impl<K: fmt::Debug> fmt::Display for Collision<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key {:?} is in use", self.0)
    }
}

impl<K: fmt::Debug> Error for Collision<K> {}

/// Why a green thread could not be spawned into the pool.
///
/// # Examples
///
/// ```
/// use eventlet::dagpool::{DAGPool, SpawnError};
///
/// # eventlet::run(async {
/// let pool = DAGPool::<_, u32>::default();
/// pool.spawn("egg", ["hen"], |_, _| async { Ok(1) }).unwrap();
/// let error = pool.spawn("hen", ["egg"], |_, _| async { Ok(2) }).unwrap_err();
/// assert_eq!(error, SpawnError::Cycle(vec!["hen", "egg", "hen"]));
/// assert_eq!(error.to_string(), "the keys wait for each other: \"hen\" -> \"egg\" -> \"hen\"");
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpawnError<K> {
    /// The key has a value already, or a green thread.
    Collision(Collision<K>),
    /// It would wait for itself: each key depends on the one after it.
    Cycle(Vec<K>),
}

impl<K: fmt::Debug> fmt::Display for SpawnError<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpawnError::Collision(collision) => collision.fmt(f),
            SpawnError::Cycle(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
                write!(f, "the keys wait for each other: {}", keys.join(" -> "))
            }
        }
    }
}

impl<K: fmt::Debug> Error for SpawnError<K> {}

impl<K> From<Collision<K>> for SpawnError<K> {
    fn from(collision: Collision<K>) -> SpawnError<K> {
        SpawnError::Collision(collision)
    }
}

/// A key has no value, because the green thread that was to provide it ended without one.
///
/// When that green thread failed because a key that it depends on has no value either, `exc` holds
/// the `PropagateError` of that one: the [`chain`](PropagateError::chain) leads to where it began,
/// the [`root`](PropagateError::root). The chain is that of [`source`](Error::source) too.
///
/// A function of the pool can propagate it with `?` if `K` is `Send` and `Sync`.
///
/// Corresponds to eventlet's `dagpool.PropagateError`.
///
/// # Examples
///
/// ```
/// use eventlet::dagpool::{DAGPool, PropagateError};
///
/// # eventlet::run(async {
/// let pool = DAGPool::<_, u32>::default();
/// pool.spawn("a", [], |_, _| async { Err("no such file".into()) }).unwrap();
/// pool.spawn("b", ["a"], |_, mut results| async move {
///     let (_, value) = results.next().await.unwrap()?;
///     Ok(value + 1)
/// }).unwrap();
///
/// let error = pool.wait_one("b").await.unwrap_err();
/// assert_eq!(error.key, "b");
/// let origin = error.root();
/// assert_eq!(origin.key, "a");
/// assert_eq!(origin.exc.error().unwrap().to_string(), "no such file");
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct PropagateError<K> {
    /// The key that has no value.
    pub key: K,
    /// How its green thread ended.
    pub exc: Exit,
}

impl<K: fmt::Debug + 'static> PropagateError<K> {
    /// Returns the original error: that of the first key that has no value.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::dagpool::DAGPool;
    ///
    /// # eventlet::run(async {
    /// let pool = DAGPool::<_, u32>::default();
    /// pool.spawn("a", [], |_, _| async { Err("no such file".into()) }).unwrap();
    /// pool.spawn("b", ["a"], |_, mut results| async move { Ok(results.next().await.unwrap()?.1) })
    ///     .unwrap();
    /// let error = pool.wait_one("b").await.unwrap_err();
    /// assert_eq!(error.root().key, "a");
    /// assert!(error.chain().map(|error| error.key).eq(["b", "a"]));
    /// # });
    /// ```
    pub fn root(&self) -> &PropagateError<K> {
        self.chain().last().unwrap_or(self)
    }

    /// Iterates over the errors from this one to the [`root`](PropagateError::root).
    pub fn chain(&self) -> impl Iterator<Item = &PropagateError<K>> {
        std::iter::successors(Some(self), |error| error.exc.downcast_ref())
    }
}

/// Names the keys along the chain and the original error.
impl<K: fmt::Debug> fmt::Display for PropagateError<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PropagateError({:?}): ", self.key)?;
        match self.exc.error() {
            // Without the prefix of an `Exit`, which would be repeated for each link.
            Some(error) => write!(f, "{error}"),
            None => write!(f, "{}", self.exc),
        }
    }
}

impl<K: fmt::Debug> Error for PropagateError<K> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.exc.error() {
            Some(error) => Some(error),
            None => Some(&self.exc),
        }
    }
}
