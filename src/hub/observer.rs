//! What is done around each turn for whoever observes the hub.
//!
//! A hub that nobody observes looks at one flag before each turn and around each poll, and at each
//! end of a green thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::current_stack::Outer;
use super::detector::Detector;
use super::job::{Key, SpawnedAt};
use super::question::Question;
use super::spans::Spans;
use super::usage::Accounts;
use crate::watchdog::{Stalls, Watched};

/// Says whose turn is next.
pub(crate) trait Schedule {
    /// Called before each turn, and when nobody is ready.
    fn before_turn(&self);

    /// Called when nobody is ready, and no timer is set.
    fn when_idle(&self);

    /// Returns how many of those who are ready are passed over.
    fn choose(&self, ready: usize) -> usize;

    /// Notes whose turn it is.
    fn turn_of(&self, key: Key, spawned_at: Option<SpawnedAt>);
}

/// Who observes a hub.
#[derive(Default)]
pub(crate) struct Observer {
    /// Whether anybody does.
    on: Cell<bool>,
    /// Whether the time of each turn is noted.
    keeps_times: Cell<bool>,
    /// The blocking detector.
    watched: RefCell<Option<Watched>>,
    pub(super) detector: Detector,
    pub(super) spans: Spans,
    accounts: RefCell<Option<Rc<Accounts>>>,
    schedule: RefCell<Option<Rc<dyn Schedule>>>,
    /// What is asked, and not answered yet.
    questions: RefCell<VecDeque<Rc<Question>>>,
    /// Called when nobody is ready.
    when_idle: Cell<Option<fn()>>,
}

impl Observer {
    /// Returns whether anybody observes the hub.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Returns whether there is something to do when nobody is ready.
    pub(super) fn looks_when_idle(&self) -> bool {
        self.is_on() || self.when_idle.get().is_some()
    }

    /// Has a function called when nobody is ready.
    pub(super) fn set_when_idle(&self, function: fn()) {
        self.when_idle.set(Some(function));
    }

    pub(super) fn when_idle(&self) {
        if let Some(function) = self.when_idle.get() {
            function();
        }
    }

    fn change(&self) {
        let on = self.keeps_times.get()
            || self.detector.is_on()
            || self.spans.is_on()
            || self.accounts.borrow().is_some()
            || self.watched.borrow().is_some()
            || self.schedule.borrow().is_some()
            || !self.questions.borrow().is_empty();
        self.on.set(on);
    }

    pub(super) fn keeps_times(&self) -> bool {
        self.keeps_times.get()
    }

    pub(super) fn record_turn_times(&self, keep: bool) {
        self.keeps_times.set(keep);
        self.change();
    }

    pub(super) fn detect_deadlocks(&self, detect: bool) {
        self.detector.switch(detect);
        self.change();
    }

    pub(super) fn trace(&self, trace: bool) {
        self.spans.switch(trace);
        self.change();
    }

    pub(super) fn keep_accounts(&self, accounts: Option<Accounts>) {
        self.accounts.replace(accounts.map(Rc::new));
        self.change();
    }

    pub(super) fn accounts(&self) -> Option<Rc<Accounts>> {
        self.accounts.borrow().clone()
    }

    pub(super) fn set_schedule(&self, schedule: Option<Rc<dyn Schedule>>) {
        let _old = self.schedule.replace(schedule);
        self.change();
    }

    pub(super) fn schedule(&self) -> Option<Rc<dyn Schedule>> {
        self.schedule.borrow().clone()
    }

    /// Has a question put to all that wait, unless it is to be already.
    pub(super) fn ask(&self, question: &Rc<Question>) {
        let mut questions = self.questions.borrow_mut();
        if !questions.iter().any(|known| Rc::ptr_eq(known, question)) {
            questions.push_back(Rc::clone(question));
        }
        drop(questions);
        self.change();
    }

    /// Returns the question that is put next.
    pub(super) fn question(&self) -> Option<Rc<Question>> {
        self.questions.borrow().front().cloned()
    }

    /// Forgets that question.
    pub(super) fn forget_question(&self) {
        let _answered = self.questions.borrow_mut().pop_front();
        self.change();
    }

    /// Shows the watchdog that a green thread begins its turn, or its end.
    pub(super) fn begin(&self, key: Key, spawned_at: SpawnedAt) {
        if let Some(watched) = &*self.watched.borrow() {
            watched.begin(key.serial(), spawned_at);
        }
    }

    pub(super) fn rest(&self) {
        if let Some(watched) = &*self.watched.borrow() {
            watched.rest();
        }
    }

    /// Has the watchdog look at the hub, or at it no longer.
    pub(super) fn set_watched(&self, watched: Option<Watched>) {
        let _on_no_stack = Outer::leave();
        // The old one is dropped after the borrow.
        let _old = self.watched.replace(watched);
        self.change();
    }

    /// Returns how often the hub was blocked, where the watchdog looks at it.
    pub(super) fn all_stalls(&self) -> Stalls {
        self.ask_watched(Watched::total).unwrap_or_default()
    }

    /// Returns how often a green thread blocked the hub.
    pub(super) fn stalls(&self, id: u64) -> Stalls {
        self.ask_watched(|watched| watched.stalls(id)).unwrap_or_default()
    }

    pub(super) fn set_name(&self, id: u64, name: &str) {
        self.ask_watched(|watched| watched.set_name(id, name));
    }

    /// Asks what the watchdog knows, under a lock of its own.
    fn ask_watched<R>(&self, ask: impl FnOnce(&Watched) -> R) -> Option<R> {
        let _on_no_stack = Outer::leave();
        self.watched.borrow().as_ref().map(ask)
    }

    /// Returns whether something here is borrowed.
    pub(super) fn is_borrowed(&self) -> bool {
        self.watched.try_borrow_mut().is_err()
            || self.accounts.try_borrow_mut().is_err()
            || self.schedule.try_borrow_mut().is_err()
            || self.detector.is_borrowed()
            || self.spans.is_borrowed()
    }

    /// Notes that a green thread has ended.
    pub(super) fn forget(&self, id: u64) {
        self.detector.forget(id);
        self.spans.forget(id);
        if let Some(accounts) = &*self.accounts.borrow() {
            accounts.forget(id);
        }
        if let Some(watched) = &*self.watched.borrow() {
            watched.forget(id);
        }
    }
}
