//! The wakers of a hub that looks for [deadlocks](super::deadlock): they count their clones.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::{Wake, Waker};

use super::job::Key;

/// The waker of a green thread.
struct Counted(Waker);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
    }
}

#[derive(Default)]
pub(super) struct Detector {
    on: Cell<bool>,
    /// By the serial numbers of their green threads.
    wakers: RefCell<HashMap<u64, Arc<Counted>>>,
    /// Who was found last to have a waker out with somebody else.
    pub(super) witness: Cell<Option<Key>>,
}

impl Detector {
    pub(super) fn is_on(&self) -> bool {
        self.on.get()
    }

    pub(super) fn switch(&self, on: bool) {
        self.on.set(on);
    }

    /// Returns the waker of a green thread, which wakes by that other one.
    pub(super) fn waker(&self, key: Key, waker: &Waker) -> Waker {
        let mut wakers = self.wakers.borrow_mut();
        let new = || Arc::new(Counted(waker.clone()));
        Waker::from(Arc::clone(wakers.entry(key.serial()).or_insert_with(new)))
    }

    pub(super) fn is_borrowed(&self) -> bool {
        self.wakers.try_borrow_mut().is_err()
    }

    pub(super) fn forget(&self, id: u64) {
        let _waker = self.wakers.borrow_mut().remove(&id);
    }

    /// Returns how many clones of its waker a green thread has handed out.
    pub(super) fn clones(&self, key: Key) -> usize {
        let wakers = self.wakers.borrow();
        let clones = wakers.get(&key.serial()).map_or(0, |waker| Arc::strong_count(waker) - 1);
        // Whoever dropped one has left its wakeup before.
        fence(Ordering::Acquire);
        clones
    }
}
