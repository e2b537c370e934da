//! Where waits began. It is noted while somebody asks for it.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// The backtraces of waits, by their numbers.
#[derive(Default)]
pub(crate) struct Places {
    kept: Cell<bool>,
    of: RefCell<HashMap<u64, Rc<Backtrace>>>,
}

impl Places {
    pub(crate) fn keep(&self, keep: bool) {
        self.kept.set(keep);
        self.of.borrow_mut().clear();
    }

    #[inline]
    pub(crate) fn are_kept(&self) -> bool {
        self.kept.get()
    }

    /// Notes that a wait begins here.
    pub(crate) fn note(&self, wait: u64) {
        let here = Rc::new(Backtrace::force_capture());
        self.of.borrow_mut().insert(wait, here);
    }

    pub(crate) fn of(&self, wait: u64) -> Option<Rc<Backtrace>> {
        self.of.borrow().get(&wait).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.of.borrow().len()
    }

    pub(crate) fn retain(&self, keep: impl Fn(u64) -> bool) {
        self.of.borrow_mut().retain(|wait, _place| keep(*wait));
    }
}
