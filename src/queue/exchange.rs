//! The rules by which items change hands, under all queues: no handles and no futures.
//!
//! Two things hold whenever nothing here is running, and they are why nobody needs to look whom he
//! might overtake:
//!
//! - I1: while a getter waits, no item is stored and no putter waits.
//! - I2: while a putter waits, there is no room.
//!
//! An item is always at one place: with a putter in line, stored, or granted to a getter.

use std::cell::{Cell, RefCell};

use super::storage::Storage;
use crate::waiters::{Left, Place, Waiters, Wakeup, wake_all};

pub(super) struct Exchange<T, S> {
    /// `None` bounds nothing; `Some(0)` makes a channel, where items only go from hand to hand.
    maxsize: Cell<Option<usize>>,
    items: RefCell<S>,
    /// They bring nothing and are granted an item.
    pub(super) getters: Waiters<(), T>,
    /// They bring their item, so that admitting them keeps the order in which they came.
    pub(super) putters: Waiters<T, ()>,
    /// How many admitted items nobody called `task_done` for. A queue without `task_done` counts too:
    /// one addition is cheaper than a second kind of exchange.
    pub(super) unfinished: Cell<usize>,
    pub(super) joiners: Waiters<(), ()>,
}

impl<T, S: Storage<T>> Exchange<T, S> {
    pub(super) fn new(maxsize: Option<usize>, items: S) -> Self {
        Exchange {
            maxsize: Cell::new(maxsize),
            items: RefCell::new(items),
            getters: Waiters::new(),
            putters: Waiters::new(),
            unfinished: Cell::new(0),
            joiners: Waiters::new(),
        }
    }

    /// Hands an item to the first getter, or stores it, or gives it back when there is no room.
    pub(super) fn put(&self, item: T) -> Result<(), T> {
        match self.getters.choose(item) {
            Ok(((), getter)) => {
                self.begin_one();
                getter.wake();
                Ok(())
            }
            Err(item) if self.has_room() => {
                self.store(item);
                Ok(())
            }
            Err(item) => Err(item),
        }
    }

    /// Takes an item: a stored one, or else that of the first putter.
    pub(super) fn get(&self) -> Option<T> {
        let stored = self.items.borrow_mut().pop();
        if stored.is_some() {
            wake_all(|| self.admit());
            return stored;
        }
        let (item, putter) = self.putters.choose(()).ok()?;
        self.begin_one();
        putter.wake();
        Some(item)
    }

    /// Withdraws a getter. An item that it was granted goes to the next one, or to the front: this
    /// may store more than there is room for, because its putter is gone and the item must not be.
    pub(super) fn withdraw_getter(&self, place: &mut Place) {
        let Left::Grant(item) = self.getters.leave(place) else { return };
        match self.getters.choose(item) {
            Ok(((), getter)) => getter.wake(),
            Err(item) => self.items.borrow_mut().push_back_in(item),
        }
    }

    /// Changes the bound, and admits as many putters as it leaves room for.
    pub(super) fn resize(&self, maxsize: Option<usize>) {
        self.maxsize.set(maxsize);
        wake_all(|| self.admit());
    }

    /// Counts one item as done, and wakes the joiners when it was the last. Returns whether there was
    /// one to be counted.
    pub(super) fn finish_one(&self) -> bool {
        let Some(left) = self.unfinished.get().checked_sub(1) else { return false };
        self.unfinished.set(left);
        if left == 0 {
            self.joiners.choose_all(&());
        }
        true
    }

    pub(super) fn stored(&self) -> usize {
        self.items.borrow().count()
    }

    pub(super) fn maxsize(&self) -> Option<usize> {
        self.maxsize.get()
    }

    pub(super) fn has_room(&self) -> bool {
        self.maxsize.get().is_none_or(|maxsize| self.stored() < maxsize)
    }

    /// Stores the item of the first putter, where there is room and a putter.
    fn admit(&self) -> Option<Wakeup> {
        if !self.has_room() {
            return None;
        }
        let (item, putter) = self.putters.choose(()).ok()?;
        self.store(item);
        Some(putter)
    }

    fn store(&self, item: T) {
        self.items.borrow_mut().push(item);
        self.begin_one();
    }

    /// Counts an item that was admitted.
    fn begin_one(&self) {
        self.unfinished.set(self.unfinished.get() + 1);
    }
}
