//! A queue of nodes, first in, first out.
//!
//! # Invariants
//!
//! - **I1**: each node of a queue is there, and is in this queue alone.
//! - **I2**: one thread at a time uses a queue. That of a bucket is used by who has locked it, and
//!   the others are not shared.

use std::cell::Cell;
use std::ptr::NonNull;

use crate::node::{Link, Node};
use crate::{DEFAULT_UNPARK_TOKEN, UnparkToken};

pub(crate) struct Queue {
    first: Link,
    last: Link,
}

impl Queue {
    pub(crate) const fn new() -> Queue {
        Queue { first: Cell::new(None), last: Cell::new(None) }
    }

    /// Puts a node at the end.
    ///
    /// # Safety
    ///
    /// It is in no queue, and stays where it is until it was removed and is not used any more.
    pub(crate) unsafe fn push(&self, node: &Node) {
        let last = self.last.replace(Some(NonNull::from(node)));
        node.previous.set(last);
        node.next.set(None);
        self.next_of(last).set(Some(NonNull::from(node)));
    }

    /// Removes a node of this queue.
    pub(crate) fn remove(&self, node: &Node) {
        let (previous, next) = (node.previous.get(), node.next.get());
        self.next_of(previous).set(next);
        self.previous_of(next).set(previous);
    }

    /// Returns the link to what comes after a node, or to the first.
    fn next_of(&self, node: Option<NonNull<Node>>) -> &Link {
        // SAFETY: I1.
        node.map_or(&self.first, |node| unsafe { &node.as_ref().next })
    }

    /// Returns the link to what comes before a node, or to the last.
    fn previous_of(&self, node: Option<NonNull<Node>>) -> &Link {
        // SAFETY: I1.
        node.map_or(&self.last, |node| unsafe { &node.as_ref().previous })
    }

    /// Returns the nodes with a key. One may be removed when it was returned.
    #[inline]
    pub(crate) fn at(&self, key: usize) -> impl Iterator<Item = &Node> {
        self.all().filter(move |node| node.key() == key && self.keeps(node))
    }

    /// Removes a node that was given up.
    fn keeps(&self, node: &Node) -> bool {
        let given_up = node.is_given_up();
        if given_up {
            self.remove(node);
        }
        !given_up
    }

    #[inline]
    fn all(&self) -> impl Iterator<Item = &Node> {
        let mut next = self.first.get();
        std::iter::from_fn(move || {
            // SAFETY: I1.
            let node = unsafe { next?.as_ref() };
            next = node.next.get();
            Some(node)
        })
    }

    /// Takes a node of this queue, to wake it soon.
    pub(crate) fn move_to(&self, woken: &Woken, node: &Node) {
        self.remove(node);
        node.set_taken();
        // SAFETY: it is in no queue. I3 of `node`: it stays until it is woken.
        unsafe { woken.nodes.push(node) };
    }

    /// Has so many of those with a key wait at another one, in another queue or in this.
    pub(crate) fn requeue(&self, to: &Queue, keys: (usize, usize), most: usize) -> usize {
        let moved = Queue::new();
        for node in self.at(keys.0).take(most) {
            self.remove(node);
            // SAFETY: it is in no queue. I3 of `node`: it stays while its bucket is locked.
            unsafe { moved.push(node) };
        }
        let each = |node: &Node| {
            node.set_key(keys.1);
            // SAFETY: as before. `moved` is not used any more.
            unsafe { to.push(node) };
        };
        moved.all().inspect(|node| each(node)).count()
    }
}

/// Those who were taken, to be woken when this is dropped. The buckets are not locked by then: to
/// wake one may call anything, such as a lock that is built of this crate.
pub(crate) struct Woken {
    nodes: Queue,
    pub(crate) token: UnparkToken,
}

impl Woken {
    #[inline]
    pub(crate) const fn new() -> Woken {
        Woken { nodes: Queue::new(), token: DEFAULT_UNPARK_TOKEN }
    }
}

impl Drop for Woken {
    #[inline]
    fn drop(&mut self) {
        let mut next = self.nodes.first.get();
        while let Some(node) = next {
            // SAFETY: I1.
            next = unsafe { node.as_ref() }.next.get();
            // SAFETY: it was taken, and is in this queue alone, which ends.
            unsafe { Node::wake(node, self.token) };
        }
    }
}
