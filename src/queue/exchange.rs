//! The rules by which items change hands, under all queues: no handles and no futures.
//!
//! Two invariants hold whenever no code here is running. They are why a newcomer cannot barge in:
//!
//! - I1: while a getter waits, no item is stored and no putter waits.
//! - I2: while a putter waits, there is no room.
//!
//! An item is in one place at a time: with a waiting putter, stored, or granted to a getter. By I1
//! granted items are older than stored ones, except for those that were granted before and put
//! back.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll};

use super::storage::Storage;
use crate::probe::Point;
use crate::waiters::{Left, Place, Waiters, Wakeup, wake_all};

pub(super) struct Exchange<T> {
    /// `None` means unbounded; `Some(0)` makes a channel, which stores nothing: a putter hands its
    /// item to a getter.
    maxsize: Cell<Option<usize>>,
    items: RefCell<Storage<T>>,
    /// They bring nothing and are granted an item.
    pub(super) getters: Waiters<(), Granted<T>>,
    /// How many items were granted.
    granted: Cell<u64>,
    /// They bring their item, so that admitting them keeps the order in which they came.
    pub(super) putters: Waiters<T, ()>,
    /// How many admitted items lack a call of `task_done`. A queue without `task_done` counts too:
    /// one addition is cheaper than a second kind of exchange.
    pub(super) unfinished: Cell<usize>,
    pub(super) joiners: Waiters<(), ()>,
}

/// An item on its way to a getter that waited for it.
pub(super) struct Granted<T> {
    item: T,
    /// The order in which they were granted, to restore it for those that come back.
    number: u64,
}

impl<T> Exchange<T> {
    pub(super) fn new(maxsize: Option<usize>, items: Storage<T>) -> Self {
        Exchange {
            maxsize: Cell::new(maxsize),
            items: RefCell::new(items),
            getters: Waiters::new(),
            granted: Cell::new(0),
            putters: Waiters::new(),
            unfinished: Cell::new(0),
            joiners: Waiters::new(),
        }
    }

    /// Grants an item to the first getter, or stores it, or returns it if there is no room.
    pub(super) fn put(&self, item: T) -> Result<(), T> {
        let number = self.granted.get();
        match self.getters.choose(Granted { item, number }) {
            Ok(((), getter)) => {
                self.granted.set(number + 1);
                self.begin_one();
                getter.wake();
                Ok(())
            }
            Err(Granted { item, .. }) if self.has_room() => {
                self.store(item);
                Ok(())
            }
            Err(Granted { item, .. }) => Err(item),
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

    /// Takes an item, or joins the wait queue with `place` if there is none.
    pub(super) fn poll_get(&self, place: &mut Place, cx: &Context<'_>) -> Poll<T> {
        // An item taken at once is never granted, and so never comes back.
        let at_once = || self.get().map(|item| Granted { item, number: 0 }).ok_or(());
        let item = || Point::new("an item of a queue", self.items_there());
        self.getters.wait(place, cx, at_once, item).map(|granted| granted.item)
    }

    /// Waits until an item is taken, that of `offer` where it is asked for.
    #[inline]
    pub(super) fn poll_put(
        &self,
        place: &mut Place,
        cx: &Context<'_>,
        offer: impl FnOnce() -> T,
    ) -> Poll<()> {
        let room = || Point::new("room in a queue", self.items_there());
        self.putters.wait(place, cx, || self.put(offer()), room)
    }

    /// Waits until no task is unfinished.
    pub(super) fn poll_join(&self, place: &mut Place, cx: &Context<'_>) -> Poll<()> {
        let left = || self.unfinished.get();
        let done = || if left() == 0 { Ok(()) } else { Err(()) };
        let tasks = || Point::new("the tasks of a queue", format!("{} are unfinished", left()));
        self.joiners.wait(place, cx, done, tasks)
    }

    fn items_there(&self) -> String {
        match self.maxsize.get() {
            Some(most) => format!("{} of {most} items", self.stored()),
            None => format!("{} items", self.stored()),
        }
    }

    /// Withdraws a getter. An item that it was granted goes to the next one, or back among the
    /// oldest. That may exceed the bound: the item's putter has gone, and the item must not be
    /// lost.
    #[inline]
    pub(super) fn withdraw_getter(&self, place: &mut Place) {
        if let Left::Grant(granted) = self.getters.leave(place) {
            self.pass_on(granted);
        }
    }

    #[cold]
    fn pass_on(&self, granted: Granted<T>) {
        match self.getters.choose(granted) {
            Ok(((), getter)) => getter.wake(),
            Err(Granted { item, number }) => self.items.borrow_mut().put_back(item, number),
        }
    }

    /// Changes the bound, and admits as many putters as it leaves room for.
    pub(super) fn resize(&self, maxsize: Option<usize>) {
        self.maxsize.set(maxsize);
        wake_all(|| self.admit());
    }

    /// Counts one item as done, and wakes the joiners when it was the last. Returns whether there
    /// was one to be counted.
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

    #[inline]
    fn store(&self, item: T) {
        self.items.borrow_mut().push(item);
        self.begin_one();
    }

    /// Counts an item that was admitted.
    fn begin_one(&self) {
        self.unfinished.set(self.unfinished.get() + 1);
    }
}
