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

    /// Takes an item back that was taken out, as near to the front as the order allows.
    fn push_back_in(&mut self, item: T);

    /// Returns how many items are stored.
    fn count(&self) -> usize;
}

/// First in, first out.
#[derive(Debug)]
pub struct Fifo<T>(VecDeque<T>);

// By hand, like those below: deriving it would ask for `T: Default`.
impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Fifo(VecDeque::new())
    }
}

impl<T> Storage<T> for Fifo<T> {
    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn push_back_in(&mut self, item: T) {
        self.0.push_front(item);
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}

/// Last in, first out.
#[derive(Debug)]
pub struct Lifo<T>(Vec<T>);

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Lifo(Vec::new())
    }
}

impl<T> Storage<T> for Lifo<T> {
    fn push(&mut self, item: T) {
        self.0.push(item);
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn push_back_in(&mut self, item: T) {
        self.0.push(item);
    }

    fn count(&self) -> usize {
        self.0.len()
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

    fn push_back_in(&mut self, item: T) {
        self.push(item);
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}
