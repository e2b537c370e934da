//! The order in which items leave a queue.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// The items of a queue, in the order that decides which comes out next.
///
/// One type for all orders, so that all queues of `T` are one type, too.
pub(crate) enum Storage<T> {
    Fifo(Fifo<T>),
    Lifo(Lifo<T>),
    Lowest(Lowest<T>),
}

impl<T> Storage<T> {
    /// First in, first out.
    pub(crate) fn fifo(items: impl Into<VecDeque<T>>) -> Storage<T> {
        Storage::Fifo(Fifo { items: items.into(), returned: VecDeque::new() })
    }

    /// Last in, first out.
    pub(super) fn lifo() -> Storage<T> {
        Storage::Lifo(Lifo { items: Vec::new(), returned: Vec::new() })
    }

    /// Lowest first.
    pub(super) fn lowest() -> Storage<T>
    where
        T: Ord,
    {
        Storage::Lowest(Lowest { items: BinaryHeap::new(), compare: T::cmp })
    }

    /// Stores an item.
    #[inline]
    pub(super) fn push(&mut self, item: T) {
        match self {
            Storage::Fifo(fifo) => fifo.items.push_back(item),
            other => other.push_in_order(item),
        }
    }

    // Out of line: only the few instructions of the usual order are inlined into the queue's
    // futures.
    #[inline(never)]
    fn push_in_order(&mut self, item: T) {
        match self {
            Storage::Fifo(fifo) => fifo.items.push_back(item),
            Storage::Lifo(lifo) => lifo.items.push(item),
            Storage::Lowest(lowest) => lowest.push(item),
        }
    }

    /// Takes the next item out.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        match self {
            Storage::Fifo(fifo) => fifo.pop(),
            other => other.pop_in_order(),
        }
    }

    #[inline(never)]
    fn pop_in_order(&mut self) -> Option<T> {
        match self {
            Storage::Fifo(fifo) => fifo.pop(),
            Storage::Lifo(lifo) => lifo.pop(),
            Storage::Lowest(lowest) => lowest.items.pop().map(|ranked| ranked.item),
        }
    }

    /// Takes back an item that was granted to a getter. It is older than all that were never
    /// granted; among those put back, the lower number is older.
    pub(super) fn put_back(&mut self, item: T, number: u64) {
        match self {
            Storage::Fifo(fifo) => fifo.put_back(item, number),
            Storage::Lifo(lifo) => lifo.put_back(item, number),
            Storage::Lowest(lowest) => lowest.push(item),
        }
    }

    /// Returns how many items are stored.
    #[inline]
    pub(super) fn count(&self) -> usize {
        match self {
            Storage::Fifo(fifo) => fifo.items.len(),
            Storage::Lifo(lifo) => lifo.items.len(),
            Storage::Lowest(lowest) => lowest.items.len(),
        }
    }
}

pub(crate) struct Fifo<T> {
    items: VecDeque<T>,
    /// The numbers of those in front that were put back.
    returned: VecDeque<u64>,
}

impl<T> Fifo<T> {
    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.returned.pop_front();
        self.items.pop_front()
    }

    fn put_back(&mut self, item: T, number: u64) {
        let at = self.returned.partition_point(|&older| older < number);
        self.returned.insert(at, number);
        self.items.insert(at, item);
    }
}

pub(crate) struct Lifo<T> {
    items: Vec<T>,
    /// The numbers of those at the bottom that were put back.
    returned: Vec<u64>,
}

impl<T> Lifo<T> {
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
}

pub(crate) struct Lowest<T> {
    items: BinaryHeap<Ranked<T>>,
    compare: fn(&T, &T) -> Ordering,
}

impl<T> Lowest<T> {
    fn push(&mut self, item: T) {
        self.items.push(Ranked { item, compare: self.compare });
    }
}

/// An item with its comparison, so that only the constructor of the queue needs `T: Ord`. The
/// lowest item ranks highest.
struct Ranked<T> {
    item: T,
    compare: fn(&T, &T) -> Ordering,
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.compare)(&other.item, &self.item)
    }
}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Eq for Ranked<T> {}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
