//! Asks all waiting green threads what they wait for.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::job::Key;
use crate::probe::Wait;

/// What one green thread waits for.
pub(crate) struct Waiting {
    pub(crate) key: Key,
    pub(crate) waits: Vec<Wait>,
}

pub(super) struct Question {
    /// Whether a backtrace of each wait is wanted, too.
    pub(super) backtraces: bool,
    /// The green threads that are still to be asked. `None` before the first is.
    left: RefCell<Option<Vec<Key>>>,
    answers: RefCell<Vec<Waiting>>,
    answered: Cell<bool>,
    asker: RefCell<Waker>,
}

impl Question {
    pub(super) fn new(backtraces: bool) -> Rc<Question> {
        Rc::new(Question {
            backtraces,
            left: RefCell::default(),
            answers: RefCell::default(),
            answered: Cell::new(false),
            asker: RefCell::new(Waker::noop().clone()),
        })
    }

    /// Takes the next green thread to be asked, of all that there are when the first is.
    pub(super) fn next(&self, all: impl FnOnce() -> Vec<Key>) -> Option<Key> {
        self.left.borrow_mut().get_or_insert_with(|| all().into_iter().rev().collect()).pop()
    }

    pub(super) fn answer(&self, waiting: Waiting) {
        self.answers.borrow_mut().push(waiting);
    }

    /// Wakes the asker, as all have answered.
    pub(super) fn close(&self) {
        self.answered.set(true);
        let asker = self.asker.replace(Waker::noop().clone());
        asker.wake();
    }

    /// Returns the answers once all are there, or else stores the waker.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Vec<Waiting>> {
        if self.answered.get() {
            return Poll::Ready(self.answers.take());
        }
        let _previous = self.asker.replace(cx.waker().clone());
        Poll::Pending
    }
}
