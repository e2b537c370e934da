//! The state of each key and its followers: no handles and no futures.
//!
//! A node is a key with its value, its green thread, and its followers, which wait for the value.
//! When the value is posted, each follower moves the key from its pending keys to its ready ones.
//! So a post takes time in proportion to the followers, and each follower gets its values in the
//! order in which they were posted.
//!
//! No value is cloned or dropped and no waker is woken while the graph is borrowed. The keys' own
//! `Hash`, `Eq` and `Clone` are called then: they must not use the pool.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::{Entry, OccupiedEntry};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::error::PropagateError;
use crate::greenthread::Greenlet;
use crate::probe::Point;
use crate::report;
use crate::waiters::{Place, Waiters, Wakeup};

/// What a key came to.
pub(super) type Outcome<K, V> = Result<V, PropagateError<K>>;

/// A waiter for the values of some keys: a stream of them, or the pool.
pub(super) struct Follower<K> {
    pub(super) pending: RefCell<HashSet<K>>,
    /// Keys whose values were not taken yet, in the order in which they were posted.
    ready: RefCell<VecDeque<K>>,
    line: Waiters<(), ()>,
}

impl<K: Clone + Eq + Hash> Follower<K> {
    /// Waits for the next key that has a value; `None` after the last.
    pub(super) fn poll_next(&self, place: &mut Place, cx: &mut Context<'_>) -> Poll<Option<K>> {
        loop {
            let next = self.ready.borrow_mut().pop_front();
            if next.is_some() || self.pending.borrow().is_empty() {
                self.leave(place);
                return Poll::Ready(next);
            }
            let pending = || format!("{} are pending", self.pending.borrow().len());
            let value = || Point::new("a value of a graph", pending());
            match self.line.wait(place, cx, || Err(()), value) {
                Poll::Ready(()) => *place = Place::default(),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    pub(super) fn leave(&self, place: &mut Place) {
        self.line.leave(place);
        *place = Place::default();
    }

    /// Records that a key has a value.
    fn arrive(&self, key: &K) -> Option<Wakeup> {
        self.pending.borrow_mut().remove(key);
        self.ready.borrow_mut().push_back(key.clone());
        self.line.choose(()).ok().map(|((), wakeup)| wakeup)
    }
}

/// A value, or the error in its place.
pub(super) struct Posted<K, V> {
    outcome: Outcome<K, Rc<V>>,
    /// Whether any code has seen it. An unseen panic is reported.
    seen: Cell<bool>,
}

impl<K: Clone, V: Clone> Posted<K, V> {
    pub(super) fn copy(&self) -> Outcome<K, V> {
        self.seen.set(true);
        self.outcome.clone().map(|value| V::clone(&value))
    }
}

impl<K, V> Drop for Posted<K, V> {
    fn drop(&mut self) {
        if let Err(PropagateError { exc, .. }) = &self.outcome {
            if exc.is_panic() && !self.seen.get() {
                report::failure("in a green thread of a DAGPool whose value nobody asked for", exc);
            }
        }
    }
}

/// A green thread that is to provide a value.
pub(super) struct Job<K> {
    pub(super) greenlet: Greenlet,
    /// The keys that it still waits for are pending there.
    pub(super) depends: Rc<Follower<K>>,
}

struct Node<K, V> {
    /// With a number that increases from value to value.
    posted: Option<(u64, Rc<Posted<K, V>>)>,
    /// With a number that increases from green thread to green thread. A green thread that has
    /// posted its own value stays here beside it.
    job: Option<(u64, Job<K>)>,
    followers: Vec<Rc<Follower<K>>>,
}

impl<K, V> Node<K, V> {
    fn new() -> Node<K, V> {
        Node { posted: None, job: None, followers: Vec::new() }
    }

    fn is_known(&self) -> bool {
        self.posted.is_some() || self.job.is_some()
    }
}

/// All that a pool knows.
pub(super) struct Graph<K, V> {
    nodes: RefCell<HashMap<K, Node<K, V>>>,
    /// The next number.
    next: Cell<u64>,
}

impl<K: Clone + Eq + Hash, V> Graph<K, V> {
    pub(super) fn new() -> Graph<K, V> {
        Graph { nodes: RefCell::default(), next: Cell::new(0) }
    }

    /// Makes a follower of these keys; those that have a value are ready at once, in their order
    /// here.
    pub(super) fn follow(&self, keys: impl IntoIterator<Item = K>) -> Rc<Follower<K>> {
        // The iterator is user code: it is run before anything is borrowed.
        let keys: Vec<K> = keys.into_iter().collect();
        let (pending, ready) = (RefCell::default(), RefCell::default());
        let follower = Rc::new(Follower { pending, ready, line: Waiters::new() });
        let mut seen = HashSet::new();
        let mut nodes = self.nodes.borrow_mut();
        for key in keys.into_iter().filter(|key| seen.insert(key.clone())) {
            let node = nodes.entry(key.clone()).or_insert_with(Node::new);
            if node.posted.is_some() {
                follower.ready.borrow_mut().push_back(key);
            } else {
                node.followers.push(Rc::clone(&follower));
                follower.pending.borrow_mut().insert(key);
            }
        }
        drop(nodes);
        follower
    }

    /// Removes a follower, which then waits for nothing any more.
    pub(super) fn unfollow(&self, follower: &Rc<Follower<K>>) {
        let pending = follower.pending.take();
        let mut nodes = self.nodes.borrow_mut();
        for key in pending {
            if let Entry::Occupied(mut entry) = nodes.entry(key) {
                entry.get_mut().followers.retain(|other| !Rc::ptr_eq(other, follower));
                remove_if_unused(entry);
            }
        }
    }

    /// Stores the outcome of a key, and wakes its followers.
    pub(super) fn post(&self, key: K, outcome: Outcome<K, Rc<V>>) {
        let posted = Rc::new(Posted { outcome, seen: Cell::new(false) });
        let order = self.number();
        let mut nodes = self.nodes.borrow_mut();
        let node = nodes.entry(key.clone()).or_insert_with(Node::new);
        // A value that was replaced keeps its place in the order.
        let order = node.posted.as_ref().map_or(order, |(order, _)| *order);
        let _replaced = node.posted.replace((order, posted));
        let followers = mem::take(&mut node.followers);
        drop(nodes);
        let woken: Vec<Wakeup> =
            followers.iter().filter_map(|follower| follower.arrive(&key)).collect();
        woken.into_iter().for_each(Wakeup::wake);
    }

    /// Returns the outcome of a key, if it has one.
    pub(super) fn posted(&self, key: &K) -> Option<Rc<Posted<K, V>>> {
        let nodes = self.nodes.borrow();
        nodes.get(key)?.posted.as_ref().map(|(_, posted)| Rc::clone(posted))
    }

    /// Returns all keys that have an outcome, in the order of posting.
    pub(super) fn all_posted(&self) -> Vec<(K, Rc<Posted<K, V>>)> {
        self.sorted(|node| node.posted.as_ref().map(|(order, posted)| (*order, Rc::clone(posted))))
    }

    /// Returns whether a key has a value or a green thread.
    pub(super) fn is_known(&self, key: &K) -> bool {
        self.nodes.borrow().get(key).is_some_and(Node::is_known)
    }

    /// Returns the keys with a value or a green thread, those with a value first.
    pub(super) fn known(&self) -> Vec<K> {
        let known = self.sorted(|node| match (&node.posted, &node.job) {
            (Some((order, _)), _) => Some(((0, *order), ())),
            (None, Some((order, _))) => Some(((1, *order), ())),
            (None, None) => None,
        });
        known.into_iter().map(|(key, ())| key).collect()
    }

    /// Returns the keys that are waited for, and that have neither a value nor a green thread.
    pub(super) fn missing(&self) -> HashSet<K> {
        let nodes = self.nodes.borrow();
        let missing = nodes.iter().filter(|(_, node)| !node.is_known());
        missing.map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn enter(&self, key: K, job: Job<K>) {
        let order = self.number();
        let mut nodes = self.nodes.borrow_mut();
        nodes.entry(key).or_insert_with(Node::new).job = Some((order, job));
    }

    /// Removes the green thread of a key, if it is this one, and returns whether it was.
    pub(super) fn leave(&self, key: &K, greenlet: Greenlet) -> bool {
        let mut nodes = self.nodes.borrow_mut();
        let Entry::Occupied(mut entry) = nodes.entry(key.clone()) else { return false };
        let job = &mut entry.get_mut().job;
        let left = job.take_if(|(_, job)| job.greenlet == greenlet);
        remove_if_unused(entry);
        left.is_some()
    }

    /// Returns the green thread of a key.
    pub(super) fn greenlet(&self, key: &K) -> Option<Greenlet> {
        let nodes = self.nodes.borrow();
        nodes.get(key)?.job.as_ref().map(|(_, job)| job.greenlet)
    }

    /// Returns the key whose value a green thread is to provide.
    pub(super) fn key_of(&self, greenlet: Greenlet) -> Option<K> {
        let nodes = self.nodes.borrow();
        let mut nodes = nodes.iter().filter(|(_, node)| node.posted.is_none());
        let is_its = |job: &(u64, Job<K>)| job.1.greenlet == greenlet;
        nodes.find(|(_, node)| node.job.as_ref().is_some_and(is_its)).map(|(key, _)| key.clone())
    }

    /// Returns the keys with a green thread, in the order of spawning, and what each still waits
    /// for.
    pub(super) fn jobs(&self) -> Vec<(K, HashSet<K>)> {
        self.sorted(|node| {
            let (order, job) = node.job.as_ref()?;
            Some((*order, job.depends.pending.borrow().clone()))
        })
    }

    /// Returns the keys that the green thread of a key still waits for: none if there is no green
    /// thread.
    pub(super) fn pending(&self, key: &K) -> HashSet<K> {
        let nodes = self.nodes.borrow();
        let job = nodes.get(key).and_then(|node| node.job.as_ref());
        job.map(|(_, job)| job.depends.pending.borrow().clone()).unwrap_or_default()
    }

    /// Returns whether the value of a key is waited for.
    pub(super) fn is_awaited(&self, key: &K) -> bool {
        self.nodes.borrow().get(key).is_some_and(|node| !node.followers.is_empty())
    }

    /// Collects something from the nodes that have it, by its number.
    fn sorted<Order: Ord, R>(
        &self,
        pick: impl Fn(&Node<K, V>) -> Option<(Order, R)>,
    ) -> Vec<(K, R)> {
        let nodes = self.nodes.borrow();
        let mut picked: Vec<(Order, K, R)> = nodes
            .iter()
            .filter_map(|(key, node)| pick(node).map(|(order, what)| (order, key.clone(), what)))
            .collect();
        picked.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        picked.into_iter().map(|(_, key, what)| (key, what)).collect()
    }

    fn number(&self) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }
}

/// Removes a node that existed only for its followers.
fn remove_if_unused<K, V>(entry: OccupiedEntry<'_, K, Node<K, V>>) {
    let node = entry.get();
    if !node.is_known() && node.followers.is_empty() {
        entry.remove();
    }
}

/// Searches for a cycle among the keys reachable from `starts`, and returns its path, with the
/// first key again at the end.
pub(super) fn find_cycle<K: Clone + Eq + Hash>(
    starts: impl IntoIterator<Item = K>,
    depends: impl Fn(&K) -> HashSet<K>,
) -> Option<Vec<K>> {
    let mut seen = HashSet::new();
    for start in starts {
        // The path of the depth-first search, with the keys still to be tried at each step. A loop,
        // not recursion: graphs may be deeper than a green stack.
        let mut path: Vec<(K, Vec<K>)> = Vec::new();
        let mut on_path = HashSet::new();
        let mut next = Some(start);
        loop {
            match next.take() {
                Some(key) if on_path.contains(&key) => return Some(close(path, key)),
                Some(key) if seen.insert(key.clone()) => {
                    on_path.insert(key.clone());
                    let tries = depends(&key).into_iter().collect();
                    path.push((key, tries));
                }
                _ => {}
            }
            let Some((_, tries)) = path.last_mut() else { break };
            next = tries.pop();
            if next.is_none() {
                if let Some((done, _)) = path.pop() {
                    on_path.remove(&done);
                }
            }
        }
    }
    None
}

/// Cuts a path down to the cycle that `key` closes.
fn close<K: Clone + Eq>(path: Vec<(K, Vec<K>)>, key: K) -> Vec<K> {
    let circle = path.into_iter().map(|(key, _)| key).skip_while(|other| *other != key);
    let mut circle: Vec<K> = circle.collect();
    circle.push(key);
    circle
}
