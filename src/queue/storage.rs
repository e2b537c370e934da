//! In what order a queue gives its items out.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Holds the items of a queue, and so decides which comes out next.
///
/// It is sealed: it cannot be named outside this crate.
pub trait Storage<T> {
    /// Stores an item.
    fn push(&mut self, item: T);

    /// Takes the next item out.
    fn pop(&mut self) -> Option<T>;

    /// Takes an item back that had gone to a getter. It is older than all that were never out; among those
    /// that were, the one with the lower number is.
    fn put_back(&mut self, item: T, number: u64);

    /// Returns how many items are stored.
    fn count(&self) -> usize;
}

/// First in, first out.
#[derive(Debug)]
pub struct Fifo<T> {
    items: VecDeque<T>,
    /// The numbers of those in front that were put back.
    returned: VecDeque<u64>,
}

// By hand, like those below: deriving it would ask for `T: Default`.
impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Fifo { items: VecDeque::new(), returned: VecDeque::new() }
    }
}

impl<T> Storage<T> for Fifo<T> {
    fn push(&mut self, item: T) {
        self.items.push_back(item);
    }

    fn pop(&mut self) -> Option<T> {
        self.returned.pop_front();
        self.items.pop_front()
    }

    fn put_back(&mut self, item: T, number: u64) {
        let at = self.returned.partition_point(|&older| older < number);
        self.returned.insert(at, number);
        self.items.insert(at, item);
    }

    fn count(&self) -> usize {
        self.items.len()
    }
}

/// Last in, first out.
#[derive(Debug)]
pub struct Lifo<T> {
    items: Vec<T>,
    /// The numbers of those at the bottom that were put back.
    returned: Vec<u64>,
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Lifo { items: Vec::new(), returned: Vec::new() }
    }
}

impl<T> Storage<T> for Lifo<T> {
    fn push(&mut self, item: T) {
        self.items.push(item);
    }

    fn pop(&mut self) -> Option<T> {
        let item = self.items.pop();
        self.returned.truncate(self.items.len());
        item
    }

    fn put_back(&mut self, item: T, number: u64) {
        let at = self.returned.partition_point(|&older| older < number);
        self.returned.insert(at, number);
        self.items.insert(at, item);
    }

    fn count(&self) -> usize {
        self.items.len()
    }
}

/// Lowest first.
#[derive(Debug)]
pub struct Lowest<T>(BinaryHeap<Reverse<T>>);

impl<T: Ord> Default for Lowest<T> {
    fn default() -> Self {
        Lowest(BinaryHeap::new())
    }
}

impl<T: Ord> Storage<T> for Lowest<T> {
    fn push(&mut self, item: T) {
        self.0.push(Reverse(item));
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop().map(|Reverse(item)| item)
    }

    fn put_back(&mut self, item: T, _: u64) {
        self.push(item);
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}
